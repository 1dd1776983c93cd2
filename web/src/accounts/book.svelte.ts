/** Which accounts somebody looks at: nothing lists those of a user, so the page remembers them. */
export class Book {
  ids = $state<readonly string[]>([]);
  readonly #place: string;

  constructor(user: string) {
    this.#place = `millrace.accounts.${user}`;
    // by habit somebody's first account has their own id
    this.ids = [...new Set([user, ...this.#kept()])];
  }

  add(id: string): void {
    this.#set([...new Set([...this.ids, id])]);
  }

  remove(id: string): void {
    this.#set(this.ids.filter((known) => known !== id));
  }

  #set(ids: readonly string[]): void {
    this.ids = ids;
    try {
      localStorage.setItem(this.#place, JSON.stringify(ids));
    } catch {
      // it lasts as long as the page
    }
  }

  #kept(): string[] {
    try {
      const kept: unknown = JSON.parse(localStorage.getItem(this.#place) ?? '[]');
      return Array.isArray(kept) ? kept.filter((id): id is string => typeof id === 'string') : [];
    } catch {
      return [];
    }
  }
}
