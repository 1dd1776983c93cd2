/** How long something is on its way, in ms. */
const LASTS = 220;
/** No more than so many are on their way at once; the others are there at once. */
const MOST = 120;

/** Lets what has another place by now go there, where people see it going. */
export class Flight {
  #before = new Map<string, DOMRect>();

  /** Remembers where the cards are, before the page changes. */
  look(root: HTMLElement | null): void {
    this.#before = new Map();
    if (!root || isStill()) return;
    const cards = root.querySelectorAll<HTMLElement>('[data-card]');
    for (const card of cards) this.#before.set(card.dataset.card!, card.getBoundingClientRect());
  }

  /** One of them comes from elsewhere: out of a hand. */
  from(id: string, box: DOMRect): void {
    if (!isStill()) this.#before.set(id, box);
  }

  /** Lets them go to where they are now. */
  go(root: HTMLElement | null): void {
    const before = this.#before;
    this.#before = new Map();
    if (!root || before.size === 0) return;
    const moved: [HTMLElement, number, number][] = [];
    for (const card of root.querySelectorAll<HTMLElement>('[data-card]')) {
      const was = before.get(card.dataset.card!);
      if (!was) continue;
      const is = card.getBoundingClientRect();
      const isSeen = is.bottom > 0 && is.top < innerHeight && is.right > 0 && is.left < innerWidth;
      if (isSeen && (Math.abs(was.left - is.left) > 1 || Math.abs(was.top - is.top) > 1)) moved.push([card, was.left - is.left, was.top - is.top]);
    }
    for (const [card, x, y] of moved.slice(0, MOST)) {
      const frames = [{ transform: `translate(${x}px, ${y}px)`, zIndex: 2 }, { transform: 'none', zIndex: 2 }];
      card.animate(frames, { duration: LASTS, easing: 'cubic-bezier(0.2, 0.8, 0.3, 1)' });
    }
  }
}

/** Whether somebody wants nothing to move. */
export function isStill(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
