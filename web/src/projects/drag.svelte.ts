import type { Card } from './board.ts';
import type { Target } from './desk.svelte.ts';
import { Edges } from './edges.ts';

/** So far a pointer goes before it is more than a click, in px. */
const SLACK = 5;

/** What a drag needs of its board. */
export interface Ground {
  /** The element in which the columns are. */
  root(): HTMLElement | null;
  /** The first card of a column behind those that are shown; `null`: all are shown. */
  behind(column: string): string | null;
  dropped(seen: Card, to: Target, from: DOMRect): void;
  left(seen: Card, from: DOMRect): void;
}

/** A card in somebody's hand. Whatever becomes of the board meanwhile, it stays there until it is let go. */
export class Drag {
  /** The card as it stood when it was taken. */
  card = $state.raw<Card | null>(null);
  /** Where it would be put now; `null`: nowhere. */
  to = $state.raw<Target | null>(null);
  x = $state(0);
  y = $state(0);
  width = $state(0);
  height = $state(0);
  readonly #ground: Ground;
  readonly #edges = new Edges();
  #stop: ((keeps: boolean) => void) | null = null;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** Takes a card, if the pointer goes on from here. A finger takes it by its grip; elsewhere it scrolls. */
  grab(event: PointerEvent & { currentTarget: HTMLElement }, card: Card): void {
    const { pointerType, pointerId, clientX, clientY, currentTarget, target } = event;
    const isGrip = target instanceof Element && target.closest('[data-grip]') !== null;
    if (event.button !== 0 || this.#stop || (pointerType !== 'mouse' && !isGrip)) return;
    const box = currentTarget.getBoundingClientRect();
    const move = (event: PointerEvent) => {
      if (event.pointerId !== pointerId) return;
      if (!this.card) {
        if (Math.hypot(event.clientX - clientX, event.clientY - clientY) < SLACK) return;
        [this.card, this.width, this.height] = [card, box.width, box.height];
        getSelection()?.removeAllRanges();
      }
      [this.x, this.y] = [box.left + event.clientX - clientX, box.top + event.clientY - clientY];
      const look = () => {
        const to = this.#target(event.clientX, event.clientY);
        // the same place is no change: thousands of cards would hear of it
        if (to?.column !== this.to?.column || to?.before !== this.to?.before) this.to = to;
      };
      look();
      this.#edges.near(this.#ground.root(), event.clientX, event.clientY, look);
    };
    const up = (event: PointerEvent) => event.pointerId === pointerId && this.#stop?.(true);
    const cancel = (event: PointerEvent) => event.pointerId === pointerId && this.#stop?.(false);
    const escape = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      event.stopPropagation();
      this.#stop?.(false);
    };
    this.#stop = (keeps) => {
      this.#stop = null;
      this.#edges.stop();
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', up);
      removeEventListener('pointercancel', cancel);
      removeEventListener('keydown', escape, true);
      const [taken, to, from] = [this.card, this.to, new DOMRect(this.x, this.y, this.width, this.height)];
      [this.card, this.to] = [null, null];
      if (!taken) return;
      // the click that may follow is none on the card
      const swallow = (click: Event) => click.stopImmediatePropagation();
      addEventListener('click', swallow, true);
      setTimeout(() => removeEventListener('click', swallow, true));
      if (keeps && to) this.#ground.dropped(taken, to, from);
      else this.#ground.left(taken, from);
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', up);
    addEventListener('pointercancel', cancel);
    addEventListener('keydown', escape, true);
  }

  /** Lets go of the card, which stays where it is. */
  end(): void {
    this.#stop?.(false);
  }

  /** Where a card would be put at a point of the page. */
  #target(x: number, y: number): Target | null {
    const columns = [...(this.#ground.root()?.querySelectorAll<HTMLElement>('[data-column]') ?? [])];
    const boxes = columns.map((column) => column.getBoundingClientRect());
    // between two columns, the nearer one
    const away = ({ left, right }: DOMRect) => Math.max(left - x, x - right, 0);
    const nearest = boxes.reduce((best, box, at) => (away(box) < away(boxes[best]!) ? at : best), 0);
    const element = columns[nearest];
    if (!element || away(boxes[nearest]!) > boxes[nearest]!.width) return null;
    const column = element.dataset.column!;
    const cards = [...element.querySelectorAll<HTMLElement>('[data-card]')].filter(({ dataset }) => dataset.card !== this.card?.id);
    // the first one whose middle is below
    let [low, high] = [0, cards.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { top, height } = cards[middle]!.getBoundingClientRect();
      if (top + height / 2 > y) high = middle;
      else low = middle + 1;
    }
    const before = cards[low]?.dataset.card ?? this.#ground.behind(column);
    return { column, before };
  }
}
