/**
 * Ranks: texts of digits and letters, compared byte by byte. A rank is read as a fraction in base 62, so between two of
 * different value there always is another one, until it would be too long.
 */
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE = 62n;
/** The most characters of a rank. */
export const LONGEST = 64;
/** What is put at an end of a column goes this many characters deep, and about so far on: room for some ten thousand. */
const DEEP = 4;
const STEP = 256;
/** The most neighbours that are moved to make room for one. */
const MOST_MOVED = 16;

/** Gives numbers from 0 to below 1. */
export type Random = () => number;

/** That somebody is to stand elsewhere, by the place in the list. */
export interface Shift {
  readonly at: number;
  readonly rank: string;
}

/** Where something is put: its rank, and which neighbours stand elsewhere first. */
export interface Placed {
  /** The place in the list; another than was wanted where there was no room. */
  readonly at: number;
  readonly rank: string;
  /** In this order, after each of which the list is in its old order. */
  readonly shifts: readonly Shift[];
}

/**
 * A rank between two; `null`: the end of the list. It is not quite in the middle, so that two who put something there in the
 * same moment seldom choose the same. The answer is `null` where there is none of at most {@link LONGEST} characters.
 */
export function between(before: string | null, after: string | null, random: Random = Math.random): string | null {
  if (before !== null && after === null) {
    const next = valueOf(before, DEEP) + step(random);
    if (next < BASE ** BigInt(DEEP)) return textOf(next, DEEP);
  }
  if (before === null && after !== null) {
    const next = valueOf(after, DEEP) - step(random);
    if (next > 0n) return textOf(next, DEEP);
  }
  const gap = gapOf(before, after, 4n) ?? gapOf(before, after, 1n);
  if (!gap) return null;
  const { first, count, length } = gap;
  // somewhere in the middle half
  const jitter = (count * BigInt(Math.floor(random() * 1_000))) / 2_000n;
  return textOf(first + count / 4n + jitter, length);
}

/**
 * Puts something at a place of a list whose ranks are `ranks`, in order. Where the neighbours leave no room (equal ranks, or
 * ranks that are too long already), some of them are moved apart; where that would be too many, it is put at the nearest place
 * that has room.
 */
export function place(ranks: readonly string[], at: number, random: Random = Math.random): Placed {
  const rank = between(ranks[at - 1] ?? null, ranks[at] ?? null, random);
  if (rank !== null) return { at, rank, shifts: [] };
  for (let width = 1; width <= MOST_MOVED; width *= 2) {
    for (const left of new Set([0, width, width / 2].map(Math.floor))) {
      const [from, to] = [at - left, at + width - left];
      if (from < 0 || to > ranks.length) continue;
      const apart = spread(ranks[from - 1] ?? null, ranks[to] ?? null, width + 1);
      if (apart) return { at, rank: apart[left]!, shifts: shiftsOf(apart, from, left) };
    }
  }
  return nearest(ranks, at, random);
}

/** `count` ranks between two, about as far from each other; `null` where there is no room for so many. */
export function spread(before: string | null, after: string | null, count: number): string[] | null {
  const wanted = BigInt(count);
  const gap = gapOf(before, after, wanted * 64n) ?? gapOf(before, after, wanted);
  if (!gap) return null;
  const { first, count: room, length } = gap;
  return Array.from({ length: count }, (_, place) => textOf(first + (room * (2n * BigInt(place) + 1n)) / (2n * wanted), length));
}

/** Those behind go first, the last of them before the others; so do those in front, from the first on. */
function shiftsOf(apart: readonly string[], from: number, left: number): Shift[] {
  const behind = apart.slice(left + 1).map((rank, place) => ({ at: from + left + place, rank }));
  const before = apart.slice(0, left).map((rank, place) => ({ at: from + place, rank }));
  return [...behind.reverse(), ...before];
}

function nearest(ranks: readonly string[], at: number, random: Random): Placed {
  for (let away = 1; away <= ranks.length; away++) {
    for (const near of [at + away, at - away]) {
      if (near < 0 || near > ranks.length) continue;
      const rank = between(ranks[near - 1] ?? null, ranks[near] ?? null, random);
      if (rank !== null) return { at: near, rank, shifts: [] };
    }
  }
  // behind the last one there is room, unless it is the greatest rank of all
  return { at: ranks.length, rank: DIGITS.at(-1)!.repeat(LONGEST), shifts: [] };
}

/** The fractions of the fewest digits of which at least `wanted` lie between two ranks. */
function gapOf(before: string | null, after: string | null, wanted: bigint): { first: bigint; count: bigint; length: number } | null {
  for (let length = 1; length <= LONGEST; length++) {
    const first = valueOf(before ?? '', length) + 1n;
    // of one that is longer, what was cut off lies behind
    const isCut = after !== null && after.slice(length).replaceAll('0', '') !== '';
    const last = after === null ? BASE ** BigInt(length) - 1n : valueOf(after, length) - (isCut ? 0n : 1n);
    const count = last - first + 1n;
    if (count >= wanted) return { first, count, length };
  }
  return null;
}

function step(random: Random): bigint {
  return BigInt(1 + Math.floor(random() * 2 * STEP));
}

/** The first digits of a rank, as a number. */
function valueOf(rank: string, length: number): bigint {
  let value = 0n;
  for (let place = 0; place < length; place++) value = value * BASE + BigInt(Math.max(0, DIGITS.indexOf(rank[place] ?? '0')));
  return value;
}

/** Without zeros at the end, in front of which there would be no room. */
function textOf(value: bigint, length: number): string {
  let text = '';
  for (let place = 0; place < length; place++) {
    text = DIGITS[Number(value % BASE)]! + text;
    value /= BASE;
  }
  return text.replace(/0+$/, '');
}
