const PLACE = 'millrace.zone';
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Every zone that the browser knows. */
export const ZONES: readonly string[] = [...new Set(['UTC', own, ...Intl.supportedValuesOf('timeZone')])].sort();

/** The zone in which times are shown: the one that was chosen, else the browser's. */
export function zoneChosen(): string {
  try {
    const kept = localStorage.getItem(PLACE);
    if (kept && ZONES.includes(kept)) return kept;
  } catch {
    // nothing is kept
  }
  return own;
}

/** Keeps the choice. */
export function chooseZone(zone: string): void {
  try {
    localStorage.setItem(PLACE, zone);
  } catch {
    // it lasts as long as the page
  }
}
