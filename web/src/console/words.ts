import { LOCALE } from '../lib/locale.ts';

const number = new Intl.NumberFormat(LOCALE);
const rate = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 2, notation: 'compact' });
const instant = new Intl.DateTimeFormat(LOCALE, { year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** A count. */
export function countText(count: number): string {
  return number.format(count);
}

/** So much a second. */
export function rateText(perSecond: number): string {
  return `${rate.format(perSecond)}/s`;
}

/** Seconds as people say them. */
export function secondsText(seconds: number): string {
  if (seconds < 0.05) return '0 s';
  if (seconds < 120) return `${number.format(Math.round(seconds * 10) / 10)} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

/** A span of microseconds. */
export function spanText(micros: number): string {
  if (micros < 1_000) return `${micros} µs`;
  if (micros < 1_000_000) return `${number.format(Math.round(micros / 100) / 10)} ms`;
  return secondsText(micros / 1_000_000);
}

/** A time in microseconds since the epoch, to the millisecond. */
export function timeText(micros: number): string {
  const ms = Math.floor(micros / 1_000);
  return `${instant.format(ms)}.${String(ms % 1_000).padStart(3, '0')}`;
}

/** Where something stands. */
export function placeText({ topic, partition, offset }: { topic: string; partition: number; offset: number }): string {
  return `${topic}[${partition}] at ${offset}`;
}

/** A value in one line, as the terminal shows it: `a=1 b="x y"`. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  if (typeof value !== 'object') return typeof value === 'string' ? quoted(value) : String(value);
  if (Array.isArray(value)) return `[${value.map(plain).join(', ')}]`;
  return Object.entries(value)
    .map(([name, inner]) => `${name}=${typeof inner === 'object' && inner !== null ? JSON.stringify(inner) : plain(inner)}`)
    .join(' ');
}

function quoted(text: string): string {
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

/** What a standing means. */
export const STANDINGS: Record<string, { readonly name: string; readonly tone: string; readonly about: string }> = {
  live: { name: 'live', tone: 'good', about: 'declared, and there' },
  declared: { name: 'declared', tone: '', about: 'declared; whether it is there cannot be seen' },
  silent: { name: 'silent', tone: 'grey', about: 'declared, and not there' },
  undeclared: { name: 'undeclared', tone: 'warn', about: 'there, and declared by nobody' },
  gone: { name: 'gone', tone: 'grey', about: 'declared by nobody, and gone' },
};
