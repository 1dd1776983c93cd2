/** A short id for people to read and type: `o-7k3fq2m9`. */
export function shortId(prefix: string): string {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `${prefix}-${[...bytes].map((byte) => letters[byte % letters.length]).join('')}`;
}
