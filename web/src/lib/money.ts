import { LOCALE } from './locale.ts';

/** Money as whole minor units, of any size; fractions are never numbers here. */

/** The most minor units that an account or an order can hold. */
const MOST = 2n ** 63n - 1n;

/** How many digits of an amount in this currency stand behind the point. */
export function digitsOf(currency: string): number {
  try {
    const style = new Intl.NumberFormat('en', { style: 'currency', currency });
    return style.resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    // no such code: it is told by the gateway
    return 2;
  }
}

/** `1234567` cents as `€12,345.67`, all digits as they are. */
export function moneyText(minor: bigint, currency: string, locale = LOCALE): string {
  const digits = digitsOf(currency);
  const [whole, fraction] = split(minor < 0n ? -minor : minor, digits);
  const sign = minor < 0n ? '−' : '';
  let format: Intl.NumberFormat;
  try {
    const fractions = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    format = new Intl.NumberFormat(locale, { style: 'currency', currency, ...fractions });
  } catch {
    return `${sign}${plainText(minor < 0n ? -minor : minor, currency)} ${currency}`;
  }
  const parts = format.formatToParts(whole);
  return sign + parts.map(({ type, value }) => (type === 'fraction' ? fraction : value)).join('');
}

/** `1234567` cents as `12345.67`, as it is typed. */
export function plainText(minor: bigint, currency: string): string {
  const digits = digitsOf(currency);
  const [whole, fraction] = split(minor < 0n ? -minor : minor, digits);
  return `${minor < 0n ? '-' : ''}${whole}${digits > 0 ? `.${fraction}` : ''}`;
}

/** What somebody has typed, in minor units; or why it is none. A comma is a point: nobody types thousands. */
export function readMoney(text: string, currency: string): { minor: bigint } | { wrong: string } {
  const digits = digitsOf(currency);
  const found = /^(-?)(\d+)(?:[.,](\d*))?$/.exec(text.trim());
  if (!found) return { wrong: `Write an amount such as ${digits > 0 ? `12.${'50'.padEnd(digits, '0')}` : '12'}.` };
  const [, sign = '', whole = '', fraction = ''] = found;
  if (fraction.length > digits) {
    return { wrong: digits > 0 ? `${currency} has ${digits} digits behind the point.` : `${currency} has no smaller unit.` };
  }
  const minor = BigInt(sign + whole + fraction.padEnd(digits, '0'));
  if (minor <= 0n) return { wrong: 'Write an amount of more than nothing.' };
  if (minor > MOST) return { wrong: `That is more than can be counted here: ${moneyText(MOST, currency)} is the most.` };
  return { minor };
}

function split(minor: bigint, digits: number): [bigint, string] {
  const unit = 10n ** BigInt(digits);
  return [minor / unit, String(minor % unit).padStart(digits, '0')];
}
