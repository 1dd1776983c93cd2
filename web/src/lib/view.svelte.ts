import { Problem, type FeedRow, type Liveness, type Rows } from '../client/index.ts';
import { client } from './session.svelte.ts';

/** How it is with what a page shows: `still` is shown as it was read, as nothing says when it changes. */
export type Standing = 'loading' | Liveness | 'still';

interface Source<R> {
  subscribe(rows: (rows: readonly R[]) => void, status: (liveness: Liveness, problem?: Problem) => void): () => void;
  read(after: string | undefined, signal: AbortSignal): Promise<readonly R[]>;
}

/** Rows that a page shows: live, or as they were read where there is no stream of them. */
export class Shown<R> {
  rows = $state.raw<readonly R[]>([]);
  standing = $state<Standing>('loading');
  /** Why there are no rows. */
  problem = $state<Problem | null>(null);
  /** Whether there were rows, or it is known that there are none. */
  isKnown = $state(false);
  readonly #source: Source<R>;
  readonly #stop: () => void;
  readonly #reading = new AbortController();

  constructor(source: Source<R>) {
    this.#source = source;
    this.#stop = source.subscribe(
      (rows) => this.#show(rows),
      (liveness, problem) => {
        if (liveness !== 'off') this.standing = liveness;
        else if (problem?.status === 404 || problem?.kind === 'bad-parameter') void this.#fall();
        else this.#fail(problem ?? Problem.unreached());
      },
    );
  }

  /** Has the rows show what an answer told of. Where they are live they do by themselves. */
  async after(position: string): Promise<void> {
    if (this.standing === 'still') await this.#read(position);
  }

  /** Ends it. */
  end(): void {
    this.#stop();
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
      this.#show(rows);
    } catch (error) {
      if (!this.#reading.signal.aborted) this.#fail(error instanceof Problem ? error : Problem.unreached());
    }
  }

  #show(rows: readonly R[]): void {
    this.rows = rows;
    this.problem = null;
    this.isKnown = true;
  }

  #fail(problem: Problem): void {
    this.problem = problem;
    this.standing = this.standing === 'still' ? 'still' : 'off';
  }
}

/** The rows of a key of a view. */
export function rowsOf<V extends keyof Rows>(view: V, key: Record<string, string>, limit = 1_000): Shown<Rows[V]> {
  return new Shown<Rows[V]>({
    subscribe: (rows, status) => client.subscribe(view, key, { rows, status }),
    read: async (after, signal) => (await client.query(view, key, { limit, after, signal })).rows,
  });
}

/** The newest chirps of a user's feed. */
export function feedOf(user: string, limit: number): Shown<FeedRow> {
  return new Shown<FeedRow>({
    subscribe: (rows, status) => client.subscribeFeed(user, { rows, status }),
    read: async (after, signal) => (await client.feed(user, { limit, after, signal })).rows,
  });
}

