/** Times of a zone, and the instants that they are: with days of 23 and 25 hours, and hours that come twice or never. */

/** A day of the calendar. */
export interface Day {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** A day and a time of it, to the minute, as a clock shows it. */
export interface ClockTime extends Day {
  readonly hour: number;
  readonly minute: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** As `Date.UTC`, which takes years below 100 for those of the last century. */
function utc(year: number, month: number, day: number, hour = 0, minute = 0, second = 0): number {
  return new Date(0).setUTCFullYear(year, month - 1, day) + hour * HOUR + minute * MINUTE + second * 1_000;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string): Intl.DateTimeFormat {
  let found = formats.get(zone);
  if (!found) {
    found = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(zone, found);
  }
  return found;
}

/** What a clock in the zone shows at an instant (ms since the epoch). */
export function clockAt(zone: string, instant: number): ClockTime & { readonly second: number } {
  const parts: Record<string, number> = {};
  for (const { type, value } of format(zone).formatToParts(instant)) parts[type] = Number(value);
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = parts;
  return { year, month, day, hour, minute, second };
}

/** By how much clocks in the zone are ahead of UTC at an instant, in ms. */
export function offsetAt(zone: string, instant: number): number {
  const { year, month, day, hour, minute, second } = clockAt(zone, instant);
  return utc(year, month, day, hour, minute, second) - Math.floor(instant / 1000) * 1000;
}

/** The instants at which a clock in the zone shows this: one; two, when the clock is put back; none, when it jumps. */
export function instantsOf(zone: string, { year, month, day, hour, minute }: ClockTime): number[] {
  const shown = utc(year, month, day, hour, minute);
  // no zone is further from UTC than that, nor changes twice within it
  const offsets = new Set([-26, -2, 0, 2, 26].map((hours) => offsetAt(zone, shown + hours * HOUR)));
  const instants = [...offsets].map((offset) => shown - offset);
  return instants.filter((instant) => instant + offsetAt(zone, instant) === shown).sort((one, other) => one - other);
}

/** The first instant of a day, which is not midnight where clocks jump over it. */
export function startOf(zone: string, day: Day): number {
  const [first] = instantsOf(zone, { ...day, hour: 0, minute: 0 });
  if (first !== undefined) return first;
  // the first minute behind the gap: half an hour is the smallest there was, and a quarter divides all of them
  for (let minutes = 15; minutes < 24 * 60; minutes += 15) {
    const [found] = instantsOf(zone, { ...day, hour: Math.floor(minutes / 60), minute: minutes % 60 });
    if (found !== undefined) return found;
  }
  // a day that a zone left out when it moved over the date line
  return utc(day.year, day.month, day.day) - offsetAt(zone, utc(day.year, day.month, day.day));
}

/** The day so many days later. */
export function later({ year, month, day }: Day, days: number): Day {
  const date = new Date(utc(year, month, day + days));
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

/** How long a day is, in ms: mostly 24 hours. */
export function lengthOf(zone: string, day: Day): number {
  return startOf(zone, later(day, 1)) - startOf(zone, day);
}

/** The Monday of a day's week. */
export function mondayOf(day: Day): Day {
  const weekday = new Date(utc(day.year, day.month, day.day)).getUTCDay();
  return later(day, -((weekday + 6) % 7));
}

/** Whether they are the same day. */
export function isSameDay(one: Day, other: Day): boolean {
  return one.year === other.year && one.month === other.month && one.day === other.day;
}

/** The instants of a day at which its hours begin, as a clock shows them: 25 of them, or 23, when the clock is changed. */
export function hoursOf(zone: string, day: Day): { instant: number; hour: number; minute: number; isChanged: boolean }[] {
  const [start, end] = [startOf(zone, day), startOf(zone, later(day, 1))];
  const hours = [];
  for (let instant = start; instant < end; instant += HOUR) {
    const { hour, minute } = clockAt(zone, instant);
    const isChanged = instant > start && offsetAt(zone, instant) !== offsetAt(zone, instant - 1);
    hours.push({ instant, hour, minute, isChanged });
  }
  return hours;
}

/** `2026-12-01T09:30`, as `<input type="datetime-local">` has it. */
export function toInput({ year, month, day, hour, minute }: ClockTime): string {
  const two = (number: number) => String(number).padStart(2, '0');
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}`;
}

/** What stands in such an input; `null`: nothing that is a time. */
export function fromInput(text: string): ClockTime | null {
  const found = /^(\d{4,6})-(\d\d)-(\d\d)T(\d\d):(\d\d)/.exec(text);
  if (!found) return null;
  const [year, month, day, hour, minute] = found.slice(1).map(Number) as [number, number, number, number, number];
  return { year, month, day, hour, minute };
}

/** `+02:00`. */
export function offsetText(offset: number): string {
  const minutes = Math.abs(Math.round(offset / MINUTE));
  const two = (number: number) => String(number).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** `09:30`. */
export function timeText({ hour, minute }: Pick<ClockTime, 'hour' | 'minute'>): string {
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
}
