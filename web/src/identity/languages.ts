/** Languages that many people read; whoever has another one has it from the browser, or has it already. */
const COMMON = [
  'ar', 'bg', 'ca', 'cs', 'da', 'de', 'de-AT', 'de-CH', 'el', 'en', 'en-GB', 'en-US', 'es', 'es-MX', 'et', 'fa', 'fi', 'fr', 'fr-CA',
  'fr-CH', 'he', 'hi', 'hr', 'hu', 'id', 'it', 'ja', 'ko', 'lt', 'lv', 'nb', 'nl', 'pl', 'pt-BR', 'pt-PT', 'ro', 'sk', 'sl', 'sr',
  'sv', 'th', 'tr', 'uk', 'ur', 'vi', 'zh-Hans', 'zh-Hant',
];

export interface Language {
  /** A tag of BCP 47. */
  readonly tag: string;
  /** What its speakers call it. */
  readonly name: string;
}

/** The common languages and `more`, each once, by their tags; what is no tag is left out. */
export function languages(...more: readonly string[]): Language[] {
  const tags = new Set([...COMMON, ...more.filter(isTag)]);
  return [...tags].sort().map((tag) => ({ tag, name: nameOf(tag) }));
}

/** The first of these that is a tag: browsers on some systems name a language that is none (`en-US@posix`). */
export function firstTag(tags: readonly string[]): string {
  return tags.find(isTag) ?? '';
}

/** What its speakers call a language; the tag, where the browser does not know. */
export function nameOf(tag: string): string {
  try {
    return new Intl.DisplayNames([tag], { type: 'language', fallback: 'code' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

function isTag(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1;
  } catch {
    return false;
  }
}
