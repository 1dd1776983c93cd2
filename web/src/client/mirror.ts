import type { ViewKey } from './types.ts';

/** A row by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>;

/** What rows are told apart and ordered by. */
export interface Keyed extends ViewKey {
  /** What names a row, where it is less than what orders it. */
  readonly identity?: readonly string[];
}

/** The rows of one key of a view, each once, kept as they change, in the order of the view. */
export class Mirror<R extends object> {
  readonly #key: readonly string[];
  readonly #order: readonly { column: string; sign: number; isNumber: boolean }[];
  #rows = new Map<string, R>();
  #sorted: readonly R[] | undefined;

  constructor(key: Keyed) {
    this.#order = key.clustering.map((signed) => {
      const column = signed.replace(/^-/, '');
      return { column, sign: signed === column ? 1 : -1, isNumber: key.numbers.includes(column) };
    });
    this.#key = key.identity ?? [...key.partition, ...this.#order.map(({ column }) => column)];
  }

  /** All rows, in order; the same array until something changes. */
  get rows(): readonly R[] {
    this.#sorted ??= [...this.#rows.values()].sort((one, other) => this.#compare(one, other));
    return this.#sorted;
  }

  /** What the rows are now, whatever they were. */
  replace(rows: readonly R[]): void {
    this.#rows = new Map(rows.map((row) => [this.#name(row), row]));
    this.#sorted = undefined;
  }

  /** What the row of this key is now; `null`: there is none. */
  change(key: Row, row: R | null): void {
    const name = this.#name(key as R);
    if (row === null) this.#rows.delete(name);
    else this.#rows.set(name, row);
    this.#sorted = undefined;
  }

  /** Forgets all. */
  clear(): void {
    this.replace([]);
  }

  #name(row: R): string {
    return JSON.stringify(this.#key.map((column) => String((row as Row)[column])));
  }

  #compare(one: R, other: R): number {
    for (const { column, sign, isNumber } of this.#order) {
      const order = compare((one as Row)[column], (other as Row)[column], isNumber);
      if (order !== 0) return sign * order;
    }
    return 0;
  }
}

/** Numbers by value, as they may be texts of digits; texts by their letters, which are ASCII in keys. */
function compare(one: unknown, other: unknown, isNumber: boolean): number {
  const [a, b] = isNumber ? [BigInt(one as string), BigInt(other as string)] : [String(one), String(other)];
  return a < b ? -1 : a > b ? 1 : 0;
}
