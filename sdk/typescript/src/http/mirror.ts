/** What a view's rows are found and told apart by. */
export interface ViewKey {
  /** The columns that name which rows are meant. */
  readonly partition: readonly string[];
  /** The columns behind them, in the order of the rows; a `-` in front: descending. */
  readonly clustering: readonly string[];
  /** Those of them that are numbers, and are ordered as such. */
  readonly numbers: readonly string[];
}

/** A row by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>;

/** What rows are told apart and ordered by. */
export interface Keyed extends ViewKey {
  /** What names a row, where it is less than what orders it. */
  readonly identity?: readonly string[];
}

/** How rows that are keyed so are told apart. */
export function namer(key: Keyed): (row: object) => string {
  const columns = key.identity ?? [...key.partition, ...key.clustering.map((signed) => signed.replace(/^-/, ''))];
  return (row) => JSON.stringify(columns.map((column) => String((row as Row)[column])));
}

/** In which order rows that are keyed so are: below 0, the first of two comes first. */
export function sorter(key: Keyed): (one: object, other: object) => number {
  const order = key.clustering.map((signed) => {
    const column = signed.replace(/^-/, '');
    return { column, sign: signed === column ? 1 : -1, isNumber: key.numbers.includes(column) };
  });
  return (one, other) => {
    for (const { column, sign, isNumber } of order) {
      const found = compare((one as Row)[column], (other as Row)[column], isNumber);
      if (found !== 0) return sign * found;
    }
    return 0;
  };
}

/** The last generation of any mirror: none is called the same as another. */
let generations = 0;

/** The rows of one key of a view, each once, kept as they change, in the order of the view. */
export class Mirror<R extends object> {
  readonly #name: (row: object) => string;
  readonly #compare: (one: object, other: object) => number;
  #rows = new Map<string, R>();
  #sorted: readonly R[] | undefined;
  #generation = 0;

  constructor(key: Keyed) {
    this.#name = namer(key);
    this.#compare = sorter(key);
  }

  /** Another one whenever the rows were replaced: what was known behind the last of them may not follow on it any more. */
  get generation(): number {
    return this.#generation;
  }

  /** All rows, in order; the same array until something changes. */
  get rows(): readonly R[] {
    this.#sorted ??= [...this.#rows.values()].sort((one, other) => this.#compare(one, other));
    return this.#sorted;
  }

  /** What the rows are now, whatever they were. */
  replace(rows: readonly R[]): void {
    this.#rows = new Map(rows.map((row) => [this.#name(row), row]));
    this.#generation = ++generations;
    this.#sorted = undefined;
  }

  /** What the row of this key is now; `null`: there is none. */
  change(key: Row, row: R | null): void {
    const name = this.#name(key);
    if (row === null) this.#rows.delete(name);
    else this.#rows.set(name, row);
    this.#sorted = undefined;
  }

  /** Forgets all. */
  clear(): void {
    this.replace([]);
  }
}

/** Numbers by value, as they may be texts of digits; texts by their letters, which are ASCII in keys. */
function compare(one: unknown, other: unknown, isNumber: boolean): number {
  const [a, b] = isNumber ? [BigInt(one as string), BigInt(other as string)] : [String(one), String(other)];
  return a < b ? -1 : a > b ? 1 : 0;
}
