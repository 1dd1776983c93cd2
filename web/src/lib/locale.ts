/**
 * The browser's language with one calendar and one set of digits for everything, as fields and ids have them: a page that
 * writes `٣` here and `3` there, or 1448 beside 2026, is read by nobody. Without a browser it is English.
 */
export const LOCALE = plain(globalThis.navigator?.language ?? 'en');

function plain(language: string): string {
  try {
    return new Intl.Locale(language, { calendar: 'gregory', numberingSystem: 'latn' }).toString();
  } catch {
    // `en-US@posix`, as some systems call it
    return 'en-u-ca-gregory-nu-latn';
  }
}
