import { Problem, type FeedRow, type Liveness, type Rows } from '../client/index.ts';
import { client } from './session.svelte.ts';

/** How it is with what a page shows: `still` is shown as it was read, as nothing says when it changes. */
export type Standing = Liveness | 'still';

interface Source<R> {
  /** Follows the rows; where there is no stream of them, nothing does. */
  subscribe?(rows: (rows: readonly R[]) => void, status: (liveness: Liveness, problem?: Problem) => void): () => void;
  read(after: string | undefined, signal: AbortSignal): Promise<readonly R[]>;
}

/** Rows that are not live in so many ms are read once, so that there is something to see. */
const PATIENCE = 1_500;

/** Rows that a page shows: live, or as they were read where there is no stream of them. */
export class Shown<R> {
  rows = $state.raw<readonly R[]>([]);
  standing = $state<Standing>('connecting');
  /** Why there are no rows. */
  problem = $state<Problem | null>(null);
  /** Whether there were rows, or it is known that there are none. */
  isKnown = $state(false);
  readonly #source: Source<R>;
  readonly #stop: (() => void) | undefined;
  readonly #reading = new AbortController();
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(source: Source<R>) {
    this.#source = source;
    this.#patience = setTimeout(() => !this.isKnown && !this.problem && void this.#read(undefined), PATIENCE);
    this.#stop = source.subscribe?.(
      (rows) => this.#show(rows),
      (liveness, problem) => {
        if (liveness !== 'off') this.standing = liveness;
        else if (problem?.status === 404) void this.#fall();
        else this.#fail(problem ?? Problem.unreached());
      },
    );
    if (!this.#stop) void this.#fall();
  }

  /** Has the rows show what an answer told of. Where they are live they do by themselves. */
  async after(position: string): Promise<void> {
    if (this.standing !== 'live') await this.#read(position);
  }

  /** Ends it. */
  end(): void {
    clearTimeout(this.#patience);
    this.#stop?.();
    this.#reading.abort();
  }

  /** There is no stream: reads once, and then after each of one's own commands. */
  async #fall(): Promise<void> {
    this.standing = 'still';
    await this.#read(undefined);
  }

  async #read(after: string | undefined): Promise<void> {
    try {
      const rows = await this.#source.read(after, this.#reading.signal);
      // what is live meanwhile is newer
      if (this.standing !== 'live') this.#show(rows);
    } catch (error) {
      if (this.#reading.signal.aborted || this.standing === 'live') return;
      const problem = error instanceof Problem ? error : Problem.unreached();
      // a stream that is tried again will say more
      if (this.standing === 'still' || this.standing === 'off' || !problem.isPassing) this.#fail(problem);
    }
  }

  #show(rows: readonly R[]): void {
    this.rows = rows;
    this.problem = null;
    this.isKnown = true;
  }

  #fail(problem: Problem): void {
    this.problem = problem;
    if (this.standing !== 'still') this.standing = 'off';
  }
}

/** The rows of a key of a view, as they change. */
export function rowsOf<V extends keyof Rows>(view: V, key: Record<string, string>, limit = 1_000): Shown<Rows[V]> {
  return new Shown<Rows[V]>({
    subscribe: (rows, status) => client.subscribe(view, key, { rows, status }),
    read: async (after, signal) => (await client.query(view, key, { limit, after, signal })).rows,
  });
}

/** The same as they are read, and after each of one's own commands. */
export function rowsAsRead<V extends keyof Rows>(view: V, key: Record<string, string>, limit = 1_000): Shown<Rows[V]> {
  return new Shown<Rows[V]>({ read: async (after, signal) => (await client.query(view, key, { limit, after, signal })).rows });
}

/** The newest chirps of a user's feed, as they change. */
export function feedOf(user: string, limit: number): Shown<FeedRow> {
  return new Shown<FeedRow>({
    subscribe: (rows, status) => client.subscribeFeed(user, limit, { rows, status }),
    read: async (after, signal) => (await client.feed(user, { limit, after, signal })).rows,
  });
}
