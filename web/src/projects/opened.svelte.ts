import type { Card } from './board.ts';
import type { Desk } from './desk.svelte.ts';

/** The card that somebody has opened, and what they write there: it stays with the card, wherever others move it meanwhile. */
export class Opened {
  /** The card as it was when it was opened. */
  card = $state.raw<Card | null>(null);
  title = $state('');
  readonly #desk: Desk;
  #watch: (() => void) | undefined;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  open(card: Card): void {
    this.close();
    this.card = card;
    this.title = card.title;
    this.#watch = this.#desk.whenGone(card.id, () => {
      const isWritten = this.title.trim() !== card.title;
      const lost = isWritten ? ` What you have written was: “${this.title.trim()}”.` : '';
      this.#desk.notices.say(card.id, `${this.#desk.label(card)} was deleted meanwhile`, `Somebody else has taken “${card.title}” off the board.${lost}`);
      this.close();
    });
  }

  close(): void {
    this.#watch?.();
    this.#watch = undefined;
    this.card = null;
  }
}
