import { LOCALE } from '../lib/locale.ts';
import { fromInput, instantsOf, offsetAt, offsetText, timeText } from '../lib/zone.ts';

/** What somebody has written as a time of a zone. */
export interface Written {
  /** The instants that it may be: two when the hour comes twice, none when it never comes. */
  readonly instants: readonly number[];
  /** Why there is none. */
  readonly wrong: string | null;
}

/** Reads a time of a zone, as `<input type="datetime-local">` has it. */
export function read(zone: string, text: string): Written {
  const time = fromInput(text);
  if (!time) return { instants: [], wrong: 'Choose a day and a time.' };
  const instants = instantsOf(zone, time);
  if (instants.length > 0) return { instants, wrong: null };
  return { instants, wrong: `There is no ${timeText(time)} on that day in ${zone}: the clock jumps over it.` };
}

/** `first, +02:00` and `second, +01:00`, of an hour that comes twice. */
export function choices(zone: string, instants: readonly number[]): string[] {
  return instants.map((instant, place) => `${place === 0 ? 'first' : 'second'}, UTC${offsetText(offsetAt(zone, instant))}`);
}

/** A text whose instants are those of a zone: what a gateway says, it says in UTC. */
export function localised(text: string, zone: string): string {
  // with the hours of the calendar beside it
  const format = new Intl.DateTimeFormat(LOCALE, { timeZone: zone, dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' });
  return text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z/g, (instant) => {
    const at = Date.parse(instant);
    return Number.isNaN(at) ? instant : format.format(at);
  });
}
