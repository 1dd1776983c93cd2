import { SvelteMap } from 'svelte/reactivity';
import type { Rows } from '../client/index.ts';
import { client } from '../lib/session.svelte.ts';

type Person = Pick<Rows['identity/people'], 'user_id' | 'first_name' | 'last_name'>;

/** So many people are asked for at once. */
const AT_ONCE = 4;
/** So many of all people are listed to choose from; others are found by their id. */
const MOST = 1_000;

/** What people are called. */
export function nameOf({ user_id, first_name, last_name }: Person): string {
  return `${first_name} ${last_name}`.trim() || user_id;
}

/** Who people are, each asked for once. */
class People {
  readonly #names = new SvelteMap<string, string>();
  readonly #asked = new Set<string>();
  readonly #waiting: string[] = [];
  #asking = 0;

  /** What somebody is called; the id until that is known, and where nobody knows. */
  name(id: string): string {
    const name = this.#names.get(id);
    // not now: what is drawn asks for it
    if (name === undefined) queueMicrotask(() => this.#ask(id));
    return name ?? id;
  }

  /** Whether there is somebody of this id. */
  async isThere(id: string): Promise<boolean> {
    const { rows } = await client.query('identity/people', { user_id: id }, { limit: 1 });
    this.#learn(rows);
    return rows.length > 0;
  }

  /** People to choose from. */
  async all(): Promise<readonly Person[]> {
    const { rows } = await client.query('identity/people', {}, { limit: MOST });
    this.#learn(rows);
    return rows;
  }

  #learn(rows: readonly Person[]): void {
    for (const row of rows) this.#names.set(row.user_id, nameOf(row));
  }

  #ask(id: string): void {
    if (this.#asked.has(id) || this.#names.has(id)) return;
    this.#asked.add(id);
    this.#waiting.push(id);
    this.#next();
  }

  #next(): void {
    while (this.#asking < AT_ONCE) {
      const id = this.#waiting.shift();
      if (id === undefined) return;
      this.#asking += 1;
      void this.isThere(id)
        // it is asked again when somebody looks again
        .catch(() => this.#asked.delete(id))
        .finally(() => ((this.#asking -= 1), this.#next()));
    }
  }
}

export const people = new People();
