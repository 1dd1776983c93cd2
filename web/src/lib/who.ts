/** Whom a token is of, as the gateway finds it: what the page shows, and never what anybody is let in by. */

const ID = /^[A-Za-z0-9_.:-]{1,64}$/;

/** The user of a token, or why it is none. */
export async function userOf(token: string): Promise<{ user: string } | { wrong: string }> {
  const claims = claimsOf(token);
  if (!claims) return { wrong: 'That is no token: it has three parts of letters and digits, with points between them.' };
  const { iss: issuer, sub: subject } = claims;
  if (typeof subject !== 'string' || subject === '') return { wrong: 'The token does not say whose it is (sub).' };
  if (ID.test(subject)) return { user: subject };
  return { user: await named(`/issuer/${new TextEncoder().encode(String(issuer)).length}/${issuer}/subject/${subject}`) };
}

/** What the issuer of a token calls its user. */
export function subjectOf(token: string): string | null {
  const subject = claimsOf(token)?.sub;
  return typeof subject === 'string' ? subject : null;
}

function claimsOf(token: string): { iss?: unknown; sub?: unknown } | null {
  const claims = token.split('.')[1];
  if (!claims || token.split('.').length !== 3) return null;
  try {
    const bytes = Uint8Array.from(atob(claims.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as { iss?: unknown; sub?: unknown };
  } catch {
    return null;
  }
}

/** Whether a text can be a user's id. */
export function isId(text: string): boolean {
  return ID.test(text);
}

/** The UUIDv5 of a text, in the namespace that ids are made in. */
async function named(text: string): Promise<string> {
  const namespace = Uint8Array.from('6d696c6c726163652d6576656e747331'.match(/../g)!, (byte) => parseInt(byte, 16));
  const name = new TextEncoder().encode(text);
  const both = new Uint8Array(namespace.length + name.length);
  both.set(namespace);
  both.set(name, namespace.length);
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-1', both)).slice(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
