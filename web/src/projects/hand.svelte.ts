import { tick } from 'svelte';
import type { Card, Column } from './board.ts';
import type { Desk, Target } from './desk.svelte.ts';

/** A card that is moved by keys: by the arrows it is shown elsewhere, Enter keeps it there, Escape does not. */
export class Hand {
  /** What was done last, to be read aloud. */
  said = $state('');
  readonly #desk: Desk;
  readonly #focus: (id: string) => void;

  constructor(desk: Desk, focus: (id: string) => void) {
    this.#desk = desk;
    this.#focus = focus;
  }

  /** Takes a key that was pressed on a card. */
  async key(event: KeyboardEvent, card: Card): Promise<void> {
    const { held } = this.#desk;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === 'Enter' || event.key === ' ') {
      if (!held) return;
      event.preventDefault();
      return this.put();
    }
    if (event.key === 'Escape' && held) {
      event.preventDefault();
      this.leave();
      return this.#follow(card.id);
    }
    const to = this.#next(event.key, card);
    if (to === undefined) return;
    event.preventDefault();
    if (to === null) return;
    // as it stood when it was taken: what others do to it meanwhile is told when it is put down
    this.#desk.held = { card: held?.card ?? card, to };
    this.said = `${this.#desk.label(card)}: ${this.#place(to, card.id)}. Enter keeps it there, Escape does not.`;
    await this.#follow(card.id);
  }

  /** Puts the card where it is shown. */
  async put(): Promise<void> {
    const { held } = this.#desk;
    if (!held) return;
    this.said = `${this.#desk.label(held.card)} is put down: ${this.#place(held.to, held.card.id)}.`;
    this.#desk.held = null;
    const done = this.#desk.move(held.card, held.to);
    await this.#follow(held.card.id);
    await done;
  }

  /** Leaves the card where it was. */
  leave(): void {
    if (!this.#desk.held) return;
    this.#desk.held = null;
    this.said = 'Left where it was.';
  }

  /** Somebody has gone elsewhere. */
  left(event: FocusEvent): void {
    const to = event.relatedTarget;
    const { held } = this.#desk;
    // what has another place in the page loses the focus on the way, to nothing
    if (held && to instanceof HTMLElement && to.closest<HTMLElement>('[data-card]')?.dataset.card !== held.card.id) this.leave();
  }

  /** Where a key leads: `null`: nowhere, `undefined`: it is none that leads anywhere. */
  #next(key: string, { id }: Card): Target | null | undefined {
    const { columns } = this.#desk;
    const at = columns.findIndex(({ cards }) => cards.some((card) => card.id === id));
    const cards = columns[at]?.cards ?? [];
    const place = cards.findIndex((card) => card.id === id);
    const before = (column: Column | undefined, place: number): Target | null =>
      column ? { column: column.name, before: column.cards.filter((card) => card.id !== id)[place]?.id ?? null } : null;
    switch (key) {
      case 'ArrowUp':
        return place > 0 ? before(columns[at], place - 1) : null;
      case 'ArrowDown':
        return place < cards.length - 1 ? before(columns[at], place + 1) : null;
      case 'Home':
        return before(columns[at], 0);
      case 'End':
        return before(columns[at], cards.length);
      case 'ArrowLeft':
        return before(columns[at - 1], place);
      case 'ArrowRight':
        return before(columns[at + 1], place);
      default:
        return undefined;
    }
  }

  #place({ column, before }: Target, id: string): string {
    const cards = this.#desk.columns.find(({ name }) => name === column)?.cards.filter((card) => card.id !== id) ?? [];
    const at = cards.findIndex((card) => card.id === before);
    return `${column}, ${at < 0 ? cards.length + 1 : at + 1} of ${cards.length + 1}`;
  }

  /** In another column a card is another element. */
  async #follow(id: string): Promise<void> {
    await tick();
    this.#focus(id);
  }
}
