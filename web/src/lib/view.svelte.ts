import { FEED, Problem, VIEWS, type FeedRow, type Liveness, type Rows } from '../client/index.ts';
import { Pages, type PagedSource } from './paged.ts';
import { client, session } from './session.svelte.ts';

/** How it is with what a page shows: `still` is shown as it was read, as nothing says when it changes. */
export type Standing = Liveness | 'still';

interface Source<R> {
  /** How many rows it gives at most, where it does not give all. */
  readonly limit?: number;
  /** Follows the rows; where there is no stream of them, nothing does. */
  subscribe?(
    rows: (rows: readonly R[], generation: number) => void,
    status: (liveness: Liveness, problem?: Problem) => void,
  ): () => void;
  read(after: string | undefined, signal: AbortSignal): Promise<readonly R[]>;
}

/** Rows that are not live in so many ms are read once, so that there is something to see. */
const PATIENCE = 1_500;
/** How many rows one page has. */
const PAGE = 100;
/** The most rows that may be asked for at once. */
const MOST = 1_000;
let readings = 0;

/** Rows that a page shows: live, or as they were read where there is no stream of them. */
export class Shown<R> {
  rows = $state.raw<readonly R[]>([]);
  standing = $state<Standing>('connecting');
  /** Why there are no rows. */
  problem = $state<Problem | null>(null);
  /** Whether there were rows, or it is known that there are none. */
  isKnown = $state(false);
  /** Whether the rows were all that there are when they came, and so still are. */
  isWhole = $state(true);
  #generation: number | undefined;
  readonly #source: Source<R>;
  readonly #forgetRenewal: () => void;
  readonly #reading = new AbortController();
  #stop: (() => void) | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(source: Source<R>) {
    this.#source = source;
    // whose token has expired goes on with the next one, and finds the page as it was
    this.#forgetRenewal = session.onRenewed(() => this.problem?.status === 401 && this.#begin());
    this.#begin();
  }

  /** Has the rows show what an answer told of. Where they are live they do by themselves. */
  async after(position: string): Promise<void> {
    if (this.standing !== 'live') await this.#read(position);
  }

  /** Ends it. */
  end(): void {
    clearTimeout(this.#patience);
    this.#forgetRenewal();
    this.#stop?.();
    this.#reading.abort();
  }

  /** Hears of the rows whenever they change. `generation`: another one where they do not go on from those before. */
  protected heard(_rows: readonly R[], _generation: number): void {}

  #begin(): void {
    clearTimeout(this.#patience);
    this.#stop?.();
    this.problem = null;
    this.standing = 'connecting';
    this.#patience = setTimeout(() => !this.isKnown && !this.problem && void this.#read(undefined), PATIENCE);
    this.#stop = this.#source.subscribe?.(
      (rows, generation) => this.#show(rows, generation),
      (liveness, problem) => {
        if (liveness !== 'off') this.standing = liveness;
        else if (problem?.status === 404) void this.#fall();
        else this.#fail(problem ?? Problem.unreached());
      },
    );
    if (!this.#stop) void this.#fall();
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
      if (this.standing !== 'live') this.#show(rows, --readings);
    } catch (error) {
      if (this.#reading.signal.aborted || this.standing === 'live') return;
      const problem = error instanceof Problem ? error : Problem.unreached();
      // a stream that is tried again will say more
      if (this.standing === 'still' || this.standing === 'off' || !problem.isPassing) this.#fail(problem);
    }
  }

  #show(rows: readonly R[], generation: number): void {
    if (generation !== this.#generation) this.isWhole = rows.length < (this.#source.limit ?? Infinity);
    this.#generation = generation;
    this.rows = rows;
    this.problem = null;
    this.isKnown = true;
    this.heard(rows, generation);
  }

  #fail(problem: Problem): void {
    this.problem = problem;
    if (this.standing !== 'still') this.standing = 'off';
  }
}

/** A list of which the first rows are live, and the others are read when somebody wants them. */
export class Paged<R extends object> extends Shown<R> {
  /** The rows to show: as many as somebody wants, and those that somebody works at. */
  list = $state.raw<readonly R[]>([]);
  hasMore = $state(false);
  isReading = $state(false);
  /** Why there are no more. */
  trouble = $state<Problem | null>(null);
  #pages: Pages<R> | undefined;

  constructor(source: Source<R>, paged: PagedSource<R>) {
    super(source);
    this.#pages = new Pages<R>(paged, () => this.#changed());
  }

  async more(): Promise<void> {
    if (this.isReading) return;
    this.isReading = true;
    this.trouble = null;
    try {
      await this.#pages?.more();
    } catch (error) {
      this.trouble = error instanceof Problem ? error : Problem.unreached();
    } finally {
      this.isReading = false;
    }
  }

  override async after(position: string): Promise<void> {
    await super.after(position);
    await this.#pages?.again(position).catch(() => undefined);
  }

  /** Keeps a row in the list while somebody works at it, or lets it go. */
  hold(row: R, isHeld: boolean): void {
    if (isHeld) this.#pages?.keep(row);
    else this.#pages?.release(row);
  }

  protected override heard(rows: readonly R[], generation: number): void {
    this.#pages?.take(rows, generation);
  }

  #changed(): void {
    if (!this.#pages) return;
    this.list = this.#pages.shown;
    this.hasMore = this.#pages.hasMore;
  }
}

/** The rows of a key of a view, as they change: all of them, of a key that has few. */
export function rowsOf<V extends keyof Rows>(view: V, key: Record<string, string>): Shown<Rows[V]> {
  return new Shown<Rows[V]>({
    subscribe: (rows, status) => client.subscribe(view, key, { rows, status }),
    read: async (after, signal) => (await client.query(view, key, { limit: MOST, after, signal })).rows,
  });
}

/** The same of a key that may have thousands, which are read page by page where there is no stream. */
export function allOf<V extends keyof Rows>(view: V, key: Record<string, string>): Shown<Rows[V]> {
  return new Shown<Rows[V]>({
    subscribe: (rows, status) => client.subscribe(view, key, { rows, status }),
    read: async (after, signal) => {
      const rows: Rows[V][] = [];
      let cursor: string | undefined;
      do {
        const page = await client.query(view, key, { limit: MOST, cursor, after, signal });
        rows.push(...page.rows);
        cursor = page.cursor;
      } while (cursor);
      return rows;
    },
  });
}

/** The first rows of a key of a view, as they change. */
export function firstOf<V extends keyof Rows>(view: V, key: Record<string, string>, limit: number): Shown<Rows[V]> {
  return new Shown<Rows[V]>(first(view, key, limit));
}

/** The same, and those behind them page by page. */
export function pagesOf<V extends keyof Rows>(
  view: V,
  key: Record<string, string>,
  { limit, first: shown, step }: { limit: number; first: number; step: number },
): Paged<Rows[V]> {
  return new Paged<Rows[V]>(first(view, key, limit), {
    key: VIEWS[view],
    limit,
    first: shown,
    step,
    // a cursor is there only behind a page: the first one is read over the live rows
    older: ({ cursor, known, after }) =>
      client.query(view, key, cursor ? { cursor, limit: PAGE, after } : { limit: Math.min(known + PAGE, MOST), after }),
  });
}

/** The same as they are read, and after each of one's own commands. */
export function rowsAsRead<V extends keyof Rows>(view: V, key: Record<string, string>, limit = PAGE): Shown<Rows[V]> {
  return new Shown<Rows[V]>({ read: async (after, signal) => (await client.query(view, key, { limit, after, signal })).rows });
}

/** A user's feed: its newest chirps as they change, and older ones page by page. */
export function feedOf(user: string, limit: number): Paged<FeedRow> {
  return new Paged<FeedRow>(
    {
      limit,
      subscribe: (rows, status) => client.subscribeFeed(user, limit, { rows, status }),
      read: async (after, signal) => (await client.feed(user, { limit, after, signal })).rows,
    },
    {
      key: FEED,
      limit,
      first: limit,
      step: limit,
      older: ({ cursor, last, after }) => client.feed(user, { limit: 2 * limit, cursor: cursor ?? last?.cursor, after }),
    },
  );
}

function first<V extends keyof Rows>(view: V, key: Record<string, string>, limit: number): Source<Rows[V]> {
  return {
    limit,
    subscribe: (rows, status) => client.subscribe(view, key, { rows, status }, { limit }),
    read: async (after, signal) => (await client.query(view, key, { limit, after, signal })).rows,
  };
}
