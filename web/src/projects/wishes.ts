import type { Card, Place } from './board.ts';

/** What somebody at this page wants of a card, until the rows show it or it is refused. */
export interface Wish {
  readonly number: number;
  /** Where it is to stand. */
  readonly place?: Place;
  readonly title?: string;
  readonly isGone?: true;
  /** That there is to be one. */
  readonly made?: Card;
  /** The version that shows it; `null`: nobody has decided yet. */
  readonly version: bigint | null;
}

/** A card with all that is wanted of it laid over; `undefined`: there is none. */
export function wished(card: Card | undefined, wishes: readonly Wish[]): Card | undefined {
  for (const { place, title, isGone, made, version } of wishes) {
    // what the rows show already may have changed again since
    if (version !== null && card && card.version >= version) continue;
    if (made) card ??= made;
    else if (isGone) card = undefined;
    if (!card) continue;
    const isPending = version === null || card.isPending;
    if (place) card = { ...card, ...place, isPending };
    if (title !== undefined) card = { ...card, title, isPending };
  }
  return card;
}

/** All cards as they are wanted. */
export function overlaid(cards: ReadonlyMap<string, Card>, wishes: Iterable<readonly [string, readonly Wish[]]>): Card[] {
  const all = new Map(cards);
  for (const [id, wanted] of wishes) {
    const card = wished(cards.get(id), wanted);
    if (card) all.set(id, card);
    else all.delete(id);
  }
  return [...all.values()];
}

/** Whether a row shows what was wanted, or something newer. */
export function isShown({ version, isGone }: Wish, row: Card | undefined): boolean {
  if (version === null) return false;
  return isGone ? !row : row !== undefined && row.version >= version;
}
