/** A value of a scale, and what its card says. */
export interface PokerCard {
  readonly points: bigint;
  readonly label: string;
}

/** The cards that a row names, the least first. */
export function cardsOf(json: string): PokerCard[] {
  const list: unknown = JSON.parse(json);
  if (!Array.isArray(list)) return [];
  return (list as { points: number | string; label: string }[]).map(({ points, label }) => ({ points: BigInt(points), label: String(label) }));
}

/** What a card of these points says. */
export function labelOf(cards: readonly PokerCard[], points: bigint): string {
  return cards.find((card) => card.points === points)?.label ?? String(points);
}

/** The scales that have names, and what they are like. */
export const SCALES = [
  { scale: 'fibonacci', name: 'Fibonacci', about: '0, 1, 2, 3, 5, 8, 13 … 89' },
  { scale: 't-shirt', name: 'T-shirt', about: 'XS, S, M, L, XL, XXL' },
] as const;

/** A scale that somebody has typed, as commands hold it, or why it is none. */
export function readScale(text: string): { scale: string } | { wrong: string } {
  const parts = text.split(/[\s,;]+/).filter(Boolean);
  if (!parts.every((part) => /^\d{1,7}$/.test(part))) return { wrong: 'Write whole numbers, such as 1, 2, 4, 8.' };
  const numbers = parts.map(Number);
  if (numbers.length < 2 || numbers.length > 50) return { wrong: 'A scale has 2 to 50 numbers.' };
  if (Math.max(...numbers) > 1_000_000) return { wrong: 'No number is greater than 1,000,000.' };
  if (numbers.some((number, at) => at > 0 && number <= numbers[at - 1]!)) return { wrong: 'The numbers rise: each is greater than the one before.' };
  return { scale: numbers.join(',') };
}

/** How many have chosen each card that somebody has chosen, the least first. */
export function tally(cards: readonly PokerCard[], chosen: readonly bigint[]): { label: string; count: number }[] {
  const counts = new Map<bigint, number>();
  for (const points of chosen) counts.set(points, (counts.get(points) ?? 0) + 1);
  return [...counts].sort(([one], [other]) => (one < other ? -1 : 1)).map(([points, count]) => ({ label: labelOf(cards, points), count }));
}

/** How far apart the estimates are, in cards of the scale: 0 where all agree. */
export function steps(cards: readonly PokerCard[], chosen: readonly bigint[]): number {
  const places = chosen.map((points) => cards.findIndex((card) => card.points === points)).filter((at) => at >= 0);
  return places.length === 0 ? 0 : Math.max(...places) - Math.min(...places);
}
