import { BadMessage, dotted } from '../bad.ts';
import type { RecordKind, Sink } from '../kinds.ts';

const encoder = new TextEncoder();
const LONE = /\p{Surrogate}/u;
const [LEAST, MOST] = [-(2n ** 63n), 2n ** 63n - 1n];

/** Writes Avro (1.12, "Binary Encoding"). A value that its type does not have is a {@link BadMessage} that names the field. */
export class Output implements Sink {
  #bytes: Uint8Array;
  #length = 0;
  #around: string[] = [];

  constructor(room = 256) {
    this.#bytes = new Uint8Array(room);
  }

  /** What was written so far. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Bytes as they stand. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** The number of a branch or symbol, a length or a count: at most 2^31. */
  count(value: number): void {
    this.#varint(value << 1, value >>> 31);
  }

  text(name: string, value: string): void {
    if (typeof value !== 'string') this.#bad(name, 'expected a text');
    if (LONE.test(value)) this.#bad(name, 'a half of a surrogate pair stands alone, and is no text in UTF-8');
    // three bytes for each unit are always enough
    const room = value.length * 3;
    this.#reserve(room + 5);
    const start = this.#length;
    // where a text in ASCII would begin; then nothing has to be moved
    const guessed = start + sizeOfCount(value.length);
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(guessed));
    const needed = start + sizeOfCount(written);
    if (needed !== guessed) this.#bytes.copyWithin(needed, guessed, guessed + written);
    this.count(written);
    this.#length = needed + written;
  }

  long(name: string, value: bigint): void {
    if (typeof value !== 'bigint') this.#bad(name, 'expected a bigint');
    if (value < LEAST || value > MOST) this.#bad(name, 'a number of more than 64 bits');
    const zigzag = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    this.#varint(Number(zigzag & 0xffffffffn), Number(zigzag >> 32n));
  }

  int(name: string, value: number): void {
    if ((value | 0) !== value) this.#bad(name, 'expected a whole number of 32 bits');
    this.#varint((value << 1) ^ (value >> 31), 0);
  }

  double(name: string, value: number): void {
    if (typeof value !== 'number') this.#bad(name, 'expected a number');
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  boolean(name: string, value: boolean): void {
    if (typeof value !== 'boolean') this.#bad(name, 'expected true or false');
    this.#reserve(1);
    this.#bytes[this.#length++] = value ? 1 : 0;
  }

  sealed(name: string, value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) this.#bad(name, 'expected bytes');
    this.count(value.length);
    this.raw(value);
  }

  digest(name: string, value: Uint8Array): void {
    this.sealed(name, value);
  }

  none(): void {
    this.count(0);
  }

  some(): void {
    this.count(1);
  }

  items<T>(name: string, items: readonly T[], write: (item: T) => void): void {
    if (!Array.isArray(items)) this.#bad(name, 'expected a list');
    if (items.length > 0) {
      this.count(items.length);
      items.forEach((item, at) => {
        this.#around.push(name, String(at));
        write(item);
        this.#around.length -= 2;
      });
    }
    this.count(0);
  }

  record<T>(name: string, value: T, kind: RecordKind<T>): void {
    if (typeof value !== 'object' || value === null) this.#bad(name, 'expected an object');
    this.#around.push(name);
    kind.write(this, value);
    this.#around.pop();
  }

  symbol<S extends string>(name: string, value: S, symbols: readonly S[]): void {
    const at = symbols.indexOf(value);
    if (at < 0) this.#bad(name, `expected one of ${symbols.join(', ')}`);
    this.count(at);
  }

  #bad(name: string, reason: string): never {
    throw new BadMessage(dotted(this.#around, name), reason);
  }

  /** 64 bits, seven a byte. */
  #varint(low: number, high: number): void {
    this.#reserve(10);
    const bytes = this.#bytes;
    let at = this.#length;
    low >>>= 0;
    high >>>= 0;
    while (high > 0 || low > 0x7f) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[at++] = low;
    this.#length = at;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
  }
}

/** How many bytes a length takes. */
function sizeOfCount(value: number): number {
  return value < 0x40 ? 1 : value < 0x2000 ? 2 : value < 0x100000 ? 3 : value < 0x8000000 ? 4 : 5;
}
