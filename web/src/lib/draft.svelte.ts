import { changed, unsettled, type Texts } from './changes.ts';

/**
 * What somebody types over what is known, laid over it like a wish: a field that nobody has touched shows what is known, also
 * when another window changes it.
 */
export class Draft<F extends string> {
  #typed = $state.raw<Partial<Record<F, string>>>({});
  readonly #known: () => Texts<F>;

  constructor(known: () => Texts<F>) {
    this.#known = known;
    $effect(() => {
      const rest = unsettled(this.#known(), this.#typed);
      if (Object.keys(rest).length < Object.keys(this.#typed).length) this.#typed = rest;
    });
  }

  /** What a field shows. */
  text(field: F): string {
    return this.#typed[field] ?? this.#known()[field];
  }

  type(field: F, text: string): void {
    this.#typed = { ...this.#typed, [field]: text };
  }

  /** What is to be changed. */
  get changes(): Partial<Record<F, string>> {
    return changed(this.#known(), this.#typed);
  }

  /** What was sent shows as it was sent, where nobody has typed on meanwhile. */
  sent(changes: Partial<Record<F, string>>): void {
    const typed = { ...this.#typed };
    for (const [field, text] of Object.entries(changes) as [F, string][]) if (typed[field]?.trim() === text) typed[field] = text;
    this.#typed = typed;
  }

  /** All is as it is known. */
  undo(): void {
    this.#typed = {};
  }
}
