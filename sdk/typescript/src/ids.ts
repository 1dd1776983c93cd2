const encoder = new TextEncoder();

/** The namespace of every id that is derived: `millrace-events1`. */
const NAMESPACE = encoder.encode('millrace-events1');
const RULE = /^[A-Za-z0-9_.:-]{1,64}$/;

/** Whether a text is an id: 1 to 64 characters of A-Z a-z 0-9 _ . : - */
export function isId(text: string): boolean {
  return RULE.test(text);
}

/** A new UUIDv7: it says when it was made, by which domains that never do a thing twice know how old a command is. */
export function newId(now = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let place = 0; place < 6; place++) bytes[place] = Math.floor(now / 2 ** (40 - 8 * place)) % 256;
  return uuid(bytes, 7);
}

/** The id of the `index`-th event that a command or step of this id has caused. */
export function eventId(messageId: string, index: number): string {
  return derived(`${messageId}/event/${index}`);
}

/** The id of a step of a process, which is called like the command that began it. */
export function stepId(process: string, step: string): string {
  return derived(`${process}/step/${step}`);
}

function derived(name: string): string {
  const bytes = encoder.encode(name);
  const whole = new Uint8Array(NAMESPACE.length + bytes.length);
  whole.set(NAMESPACE);
  whole.set(bytes, NAMESPACE.length);
  return uuid(sha1(whole).subarray(0, 16), 5);
}

function uuid(bytes: Uint8Array, version: number): string {
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** FIPS 180-4. What browsers bring answers later, and an id is wanted now; it protects nothing here. */
function sha1(data: Uint8Array): Uint8Array {
  const blocks = Math.ceil((data.length + 9) / 64);
  const padded = new Uint8Array(blocks * 64);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(data.length / 2 ** 29));
  view.setUint32(padded.length - 4, data.length << 3);
  let [h0, h1, h2, h3, h4] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0] as [
    number,
    number,
    number,
    number,
    number,
  ];
  const w = new Int32Array(80);
  const turn = (value: number, by: number) => (value << by) | (value >>> (32 - by));
  for (let block = 0; block < padded.length; block += 64) {
    for (let t = 0; t < 80; t++) {
      w[t] = t < 16 ? view.getInt32(block + 4 * t) : turn(w[t - 3]! ^ w[t - 8]! ^ w[t - 14]! ^ w[t - 16]!, 1);
    }
    let [a, b, c, d, e] = [h0, h1, h2, h3, h4];
    for (let t = 0; t < 80; t++) {
      const [f, k] =
        t < 20
          ? [(b & c) | (~b & d), 0x5a827999]
          : t < 40
            ? [b ^ c ^ d, 0x6ed9eba1]
            : t < 60
              ? [(b & c) | (b & d) | (c & d), 0x8f1bbcdc]
              : [b ^ c ^ d, 0xca62c1d6];
      [e, d, c, b, a] = [d, c, turn(b, 30), a, (turn(a, 5) + f + e + k + w[t]!) | 0];
    }
    [h0, h1, h2, h3, h4] = [(h0 + a) | 0, (h1 + b) | 0, (h2 + c) | 0, (h3 + d) | 0, (h4 + e) | 0];
  }
  const digest = new DataView(new ArrayBuffer(20));
  [h0, h1, h2, h3, h4].forEach((word, at) => digest.setInt32(4 * at, word));
  return new Uint8Array(digest.buffer);
}
