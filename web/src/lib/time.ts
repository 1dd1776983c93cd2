import { LOCALE } from './locale.ts';

/** Times as pages show them, in the browser's language. */

/** Milliseconds of microseconds, which rows have as digits, or of RFC 3339. */
export function millis(time: string): number {
  return /^-?\d+$/.test(time) ? Number(BigInt(time) / 1000n) : Date.parse(time);
}

/** Microseconds, which commands hold, of milliseconds. */
export function micros(instant: number): bigint {
  return BigInt(Math.round(instant)) * 1000n;
}

/** Whole milliseconds of microseconds: the last that had passed. */
export function wholeMillis(instant: bigint): number {
  return Number((instant - (((instant % 1000n) + 1000n) % 1000n)) / 1000n);
}

const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: 'auto', style: 'short' });
const moment = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeStyle: 'short' });
const day = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium' });

/** `2 min. ago`, or the day when it is longer ago than that helps. */
export function agoText(instant: number, now: number): string {
  const seconds = Math.round((instant - now) / 1000);
  if (seconds > -45) return 'just now';
  if (seconds > -3_600) return relative.format(Math.round(seconds / 60), 'minute');
  if (seconds > -86_400) return relative.format(Math.round(seconds / 3_600), 'hour');
  if (seconds > -604_800) return relative.format(Math.round(seconds / 86_400), 'day');
  return day.format(instant);
}

/** The day and the time. */
export function momentText(instant: number): string {
  return moment.format(instant);
}

/** The day. */
export function dayText(instant: number): string {
  return day.format(instant);
}
