/** What a gateway takes as a secret, in bytes: a shorter one could be guessed by its fingerprint. */
const LEAST = 16;
const MOST = 4_048;

/** Why this cannot be sent as a secret. */
export function wrongSecret(text: string): string | null {
  const { length } = new TextEncoder().encode(text);
  if (length === 0) return 'Paste the token first.';
  if (length < LEAST) return `That is too short: a token has ${LEAST} characters at least.`;
  return length > MOST ? `That is too long: a token has ${MOST} bytes at most.` : null;
}

/**
 * What tells a secret from another one, as the gateway makes it: HMAC-SHA-256 of it, keyed with the public key, in base64url.
 * `null` in browsers that do not compute for pages which came over the net without encryption.
 */
export async function fingerprintOf(secret: string, publicKey: string): Promise<string | null> {
  const { subtle } = globalThis.crypto;
  if (!subtle) return null;
  const bytes = Uint8Array.from(atob(publicKey), (c) => c.charCodeAt(0));
  const key = await subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const made = new Uint8Array(await subtle.sign('HMAC', key, new TextEncoder().encode(secret)));
  return btoa(String.fromCharCode(...made)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
