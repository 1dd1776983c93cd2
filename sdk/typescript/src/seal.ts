import { blake2b } from '@noble/hashes/blake2.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import nacl from 'tweetnacl';

const LABEL = new TextEncoder().encode('millrace sealed field 1\0');
/** A secret has so many bytes: a shorter one could be guessed, and tried out by its fingerprint. */
const [LEAST, MOST] = [16, 4048];

/** A secret that is sealed. */
export interface Sealed {
  /** The box, for the field that says so. */
  readonly box: Uint8Array;
  /** By what the secret is told from others, for the field beside it. */
  readonly fingerprint: string;
}

/**
 * Seals a secret of the command of this id for a public key of the deployment (`client.keys()`): libsodium's sealed box. The same
 * comes of the same, so a command that is sent again is the same command.
 */
export function seal(publicKey: Uint8Array, commandId: string, secret: string | Uint8Array): Sealed {
  const encoder = new TextEncoder();
  const bytes = typeof secret === 'string' ? encoder.encode(secret) : secret;
  if (bytes.length < LEAST || bytes.length > MOST)
    throw new RangeError(`a secret has ${LEAST} to ${MOST} bytes, not ${bytes.length}`);
  if (publicKey.length !== nacl.box.publicKeyLength) throw new RangeError('a public key has 32 bytes');
  // no random number: HMAC, keyed with the secret
  const seed = hmac(sha256, bytes, join(LABEL, encoder.encode(commandId), publicKey, new Uint8Array(4)));
  const ephemeral = nacl.box.keyPair.fromSecretKey(seed);
  const nonce = blake2b(join(ephemeral.publicKey, publicKey), { dkLen: nacl.box.nonceLength });
  const box = join(ephemeral.publicKey, nacl.box(bytes, nonce, publicKey, ephemeral.secretKey));
  const fingerprint = btoa(String.fromCharCode(...hmac(sha256, publicKey, bytes)));
  return { box, fingerprint: fingerprint.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '') };
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
