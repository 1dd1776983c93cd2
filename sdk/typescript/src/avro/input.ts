import { BadMessage, dotted } from '../bad.ts';
import type { RecordKind, Source } from '../kinds.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads Avro (1.12, "Binary Encoding"). It trusts nothing: lengths and counts are held against the bytes that are left, so no
 * input takes more memory than a multiple of itself. What is no such value is a {@link BadMessage} that names the field.
 */
export class Input implements Source {
  readonly #bytes: Uint8Array;
  #at = 0;
  #around: string[] = [];
  // what was read last, in two halves of 32 bits
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Where it is, in bytes from the front. */
  get place(): number {
    return this.#at;
  }

  /** The bytes from a place to where it is. */
  since(place: number): Uint8Array {
    return this.#bytes.subarray(place, this.#at);
  }

  /** Refuses what is left over. */
  end(): void {
    if (this.left > 0) this.bad('', `${this.left} bytes are left over behind the message`);
  }

  bad(name: string, reason: string): never {
    throw new BadMessage(dotted(this.#around, name), `${reason}, at byte ${this.#at}`);
  }

  /** Names what is read within. */
  within<T>(name: string, read: () => T): T {
    this.#around.push(name);
    const value = read();
    this.#around.pop();
    return value;
  }

  skip(name: string, count: number): Uint8Array {
    if (count > this.left) this.bad(name, 'it is cut off');
    const start = this.#at;
    this.#at += count;
    return this.#bytes.subarray(start, this.#at);
  }

  /** The number of a branch or symbol. */
  index(name: string, count: number): number {
    const index = this.#number(name);
    if (!(index >= 0 && index < count))
      this.bad(name, `there is no branch or symbol of that number, only ${count} of them`);
    return index;
  }

  text(name: string): string {
    const start = this.#at;
    const bytes = this.skip(name, this.length(name));
    try {
      return decoder.decode(bytes);
    } catch {
      this.#at = start;
      return this.bad(name, 'a text that is not UTF-8');
    }
  }

  long(name: string): bigint {
    this.#varint(name);
    return (BigInt(this.#high) << 32n) | BigInt(this.#low >>> 0);
  }

  int(name: string): number {
    this.#varint(name);
    if (this.#high !== this.#low >> 31) this.bad(name, 'an int of more than 32 bits');
    return this.#low;
  }

  double(name: string): number {
    const bytes = this.skip(name, 8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
  }

  boolean(name: string): boolean {
    const byte = this.skip(name, 1)[0];
    if (byte !== 0 && byte !== 1) this.bad(name, 'a boolean that is neither 0 nor 1');
    return byte === 1;
  }

  sealed(name: string): Uint8Array {
    return this.skip(name, this.length(name)).slice();
  }

  digest(name: string): Uint8Array {
    return this.sealed(name);
  }

  isSome(name: string): boolean {
    return this.index(name, 2) === 1;
  }

  /** Calls `read` for every item of a list, with its place in it. */
  each(name: string, read: (at: number) => void): void {
    // every item takes a byte at least, in however many blocks they come
    let most = this.left;
    let at = 0;
    for (;;) {
      let count = this.#number(name);
      if (count < 0) {
        // others may say how many bytes the block takes
        this.length(name);
        count = -count;
      }
      if (count === 0) return;
      if (count > Math.min(most, this.left)) this.bad(name, 'a list that is longer than the message');
      most -= count;
      this.#around.push(name, '');
      for (const end = at + count; at < end; at++) {
        this.#around[this.#around.length - 1] = String(at);
        read(at);
      }
      this.#around.length -= 2;
    }
  }

  items<T>(name: string, read: () => T): T[] {
    const items: T[] = [];
    this.each(name, () => items.push(read()));
    return items;
  }

  record<T>(name: string, kind: RecordKind<T>): T {
    this.#around.push(name);
    const value = kind.read(this);
    this.#around.pop();
    return value;
  }

  symbol<S extends string>(name: string, symbols: readonly S[]): S {
    return symbols[this.index(name, symbols.length)]!;
  }

  /** The length of what follows. */
  length(name: string): number {
    const length = this.#number(name);
    if (length < 0) this.bad(name, 'a negative length');
    return length;
  }

  /** A number that is exact up to 2^53: larger ones are longer than any message. */
  #number(name: string): number {
    this.#varint(name);
    return this.#high * 2 ** 32 + (this.#low >>> 0);
  }

  #varint(name: string): void {
    let low = 0;
    let high = 0;
    for (let index = 0; ; index++) {
      const byte = this.#bytes[this.#at + index];
      if (byte === undefined) this.bad(name, 'it is cut off');
      // the tenth byte has room for one bit
      if (index === 9 && byte > 1) this.bad(name, 'a number of more than 64 bits');
      const bits = byte & 0x7f;
      if (index < 4) low |= bits << (7 * index);
      else if (index === 4) {
        low |= bits << 28;
        high = bits >> 4;
      } else high |= bits << (7 * index - 32);
      if (byte < 0x80) {
        this.#at += index + 1;
        // zig-zag
        const sign = -(low & 1);
        this.#low = ((low >>> 1) | (high << 31)) ^ sign;
        this.#high = (high >>> 1) ^ sign;
        return;
      }
    }
  }
}
