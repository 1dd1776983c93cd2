import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { recordFromJson, type View } from 'millrace-sdk';

/** A row as the package has it. */
export type Row = object;

/** A view of whatever rows. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyView = View<any>;

/** What was done to a row: written, or deleted. */
interface Change {
  readonly view: string;
  readonly key: string;
  readonly row: Row | null;
}

/** What is appended at once: changes of rows, and how far they go. */
interface Entry {
  readonly next: Readonly<Record<string, number>>;
  readonly events: number;
  readonly changes: readonly Change[];
}

/**
 * Rows as documents in memory, and on disk a journal of what has changed. Rows, and how far they go, are one line of it: a line that was
 * cut off never was, and what stands behind the last whole one is read from Kafka again. A start writes the journal anew, without what
 * is not there any more.
 */
export class Store {
  readonly #views: ReadonlyMap<string, AnyView>;
  readonly #rows = new Map<string, Map<string, Row>>();
  readonly #next = new Map<number, number>();
  #events = 0;
  #changes: Change[] = [];
  readonly #file: number | undefined;

  /** `isRead`: nothing is written, so that another process may write meanwhile. */
  constructor(folder: string, views: readonly AnyView[], isRead = false) {
    this.#views = new Map(views.map((view) => [view.name, view]));
    for (const { name } of views) this.#rows.set(name, new Map());
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'projects.jsonl');
    if (existsSync(path))
      readFileSync(path, 'utf8')
        .split('\n')
        .slice(0, -1)
        .forEach((line) => this.#replay(line));
    if (isRead) return;
    const anew = `${path}.new`;
    this.#file = openSync(anew, 'w');
    for (const [view, rows] of this.#rows) {
      for (const [key, row] of rows) this.#changes.push({ view, key, row });
    }
    this.commit();
    renameSync(anew, path);
    const directory = openSync(folder, 'r');
    fsyncSync(directory);
    closeSync(directory);
  }

  /** How many events were applied, in all runs. */
  get events(): number {
    return this.#events;
  }

  /** The offset of the event that is next in a partition. */
  next(partition: number): number {
    return this.#next.get(partition) ?? 0;
  }

  get<R extends Row>(view: View<R>, key: Partial<R>): R | undefined {
    return this.#of(view).get(keyOf(view, key)) as R | undefined;
  }

  put<R extends Row>(view: View<R>, row: R): void {
    this.#change({ view: view.name, key: keyOf(view, row), row });
  }

  delete<R extends Row>(view: View<R>, key: Partial<R>): void {
    this.#change({ view: view.name, key: keyOf(view, key), row: null });
  }

  /** The rows of a view, in no order. */
  all<R extends Row>(view: View<R>): readonly R[] {
    return [...this.#of(view).values()] as R[];
  }

  /** An event of this partition and offset was applied. */
  applied(partition: number, offset: bigint): void {
    this.#next.set(partition, Number(offset) + 1);
    this.#events += 1;
  }

  /** Puts on disk what was changed since the last time: all of it, or nothing. */
  commit(): void {
    if (this.#file === undefined) throw new Error('this store is only read');
    const entry: Entry = { next: Object.fromEntries(this.#next), events: this.#events, changes: this.#changes };
    // longs as digits: numbers of JSON are not as long everywhere
    const line = JSON.stringify(entry, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
    writeSync(this.#file, `${line}\n`);
    fsyncSync(this.#file);
    this.#changes = [];
  }

  #of(view: AnyView): Map<string, Row> {
    return this.#rows.get(view.name)!;
  }

  #change(change: Change): void {
    const rows = this.#rows.get(change.view)!;
    if (change.row) rows.set(change.key, change.row);
    else rows.delete(change.key);
    this.#changes.push(change);
  }

  #replay(line: string): void {
    const { next, events, changes } = JSON.parse(line) as Entry;
    for (const { view, key, row } of changes) {
      const rows = this.#rows.get(view);
      // of a view that there is not any more nothing is kept
      if (row) rows?.set(key, recordFromJson(this.#views.get(view)!, row));
      else rows?.delete(key);
    }
    for (const [partition, offset] of Object.entries(next)) this.#next.set(Number(partition), offset);
    this.#events = events;
  }
}

/** The columns that tell a row from all others, as one text. */
function keyOf<R>(view: View<R>, row: Partial<R>): string {
  const columns = [...view.partition, ...view.clustering.map((column) => column.replace(/^-/, ''))];
  return JSON.stringify(columns.map((column) => String(row[column as keyof R])));
}
