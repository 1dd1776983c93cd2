import { namer, sorter, type Keyed } from '../client/sdk.ts';

/** Where the reading of older rows begins. */
export interface Behind<R> {
  /** Where the last page ended; `undefined`: nothing was read behind the live rows so far. */
  readonly cursor: string | undefined;
  /** The last live row. */
  readonly last: R | undefined;
  /** How many rows are in front of what is wanted. */
  readonly known: number;
  /** A position that the rows must show. */
  readonly after: string | undefined;
}

/** What a list is made of. */
export interface PagedSource<R> {
  readonly key: Keyed;
  /** How many rows the live part begins with; as many or more than are shown first. */
  readonly limit: number;
  /** How many rows are shown at first, and how many more each time. */
  readonly first: number;
  readonly step: number;
  older(from: Behind<R>): Promise<{ readonly rows: readonly R[]; readonly cursor?: string }>;
}

/**
 * Rows as a list shows them: the first ones, which are live; those behind them, which are read page by page when somebody wants
 * them; and those that somebody works at, wherever they are by now. There is never a hole between the first two: when a
 * snapshot replaces the live rows and does not reach what was known, nothing of that is kept.
 */
export class Pages<R extends object> {
  /** How many are shown. */
  count: number;
  readonly #source: PagedSource<R>;
  readonly #changed: () => void;
  readonly #name: (row: object) => string;
  readonly #compare: (one: object, other: object) => number;
  #live: readonly R[] = [];
  #older: readonly R[] = [];
  #generation: number | undefined;
  #cursor: string | undefined;
  /** Whether there is nothing behind what is known. */
  #isOver = true;
  /** Of several readings the last one counts. */
  #reading = 0;
  readonly #kept = new Map<string, R>();

  constructor(source: PagedSource<R>, changed: () => void) {
    this.#source = source;
    this.#changed = changed;
    this.#name = namer(source.key);
    this.#compare = sorter(source.key);
    this.count = source.first;
  }

  /** What is shown, in order. */
  get shown(): readonly R[] {
    const all = this.#all();
    const shown = all.slice(0, this.count);
    if (this.#kept.size === 0) return shown;
    const names = new Set(shown.map(this.#name));
    const known = new Map(all.map((row) => [this.#name(row), row]));
    const beside = [...this.#kept].filter(([name]) => !names.has(name)).map(([name, row]) => known.get(name) ?? row);
    return [...shown, ...beside].sort(this.#compare);
  }

  get hasMore(): boolean {
    return !this.#isOver || this.#all().length > this.count;
  }

  /** Takes the live rows as they are now. */
  take(rows: readonly R[], generation: number): void {
    const before = this.#all();
    this.#live = rows;
    for (const row of rows) if (this.#kept.has(this.#name(row))) this.#kept.set(this.#name(row), row);
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#begin(before);
    }
    this.#changed();
  }

  /** Shows more, which may have to be read. */
  async more(): Promise<void> {
    this.count += this.#source.step;
    this.#changed();
    if (this.#isOver || this.#all().length >= this.count) return;
    try {
      await this.#read(this.#older, this.#cursor, this.count - this.#live.length);
    } catch (error) {
      this.count -= this.#source.step;
      throw error;
    } finally {
      this.#changed();
    }
  }

  /** Reads the older rows anew: nothing tells what becomes of them. */
  async again(after?: string): Promise<void> {
    if (this.#older.length === 0) return;
    await this.#read([], undefined, this.#older.length, after);
    this.#changed();
  }

  /** Keeps a row in the list for as long as somebody works at it, even if there is none any more. */
  keep(row: R): void {
    this.#kept.set(this.#name(row), row);
    this.#changed();
  }

  /** It may go its way. */
  release(row: R): void {
    if (this.#kept.delete(this.#name(row))) this.#changed();
  }

  #all(): readonly R[] {
    const last = this.#live.at(-1);
    // only what lies behind the live part: in it, what is missing is gone
    return last ? [...this.#live, ...this.#older.filter((row) => this.#compare(last, row) < 0)] : [...this.#live, ...this.#older];
  }

  /** Other live rows than before: what was known behind them goes on from them, or is forgotten. */
  #begin(before: readonly R[]): void {
    this.#reading += 1;
    this.#cursor = undefined;
    this.#isOver = this.#live.length < this.#source.limit;
    this.#older = [];
    const [last, known] = [this.#live.at(-1), before[0]];
    if (this.#isOver || !last || !known) return;
    if (this.#compare(known, last) > 0) {
      this.count = this.#source.first;
    } else if (this.count > this.#live.length) {
      // as they were, until they are read anew
      this.#older = before.filter((row) => this.#compare(last, row) < 0);
      void this.again().catch(() => undefined);
    }
  }

  async #read(older: readonly R[], cursor: string | undefined, wanted: number, after?: string): Promise<void> {
    const reading = ++this.#reading;
    for (let isOver = false; older.length < wanted && !isOver; ) {
      const last = this.#live.at(-1);
      const page = await this.#source.older({ cursor, last, known: this.#live.length + older.length, after });
      // another reading, or other live rows, have come between
      if (reading !== this.#reading) return;
      const edge = older.at(-1) ?? this.#live.at(-1);
      older = [...older, ...page.rows.filter((row) => !edge || this.#compare(edge, row) < 0)];
      cursor = page.cursor;
      isOver = cursor === undefined;
      [this.#cursor, this.#isOver] = [cursor, isOver];
    }
    this.#older = older;
  }
}
