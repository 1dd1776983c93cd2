import { BadMessage, dotted } from './bad.ts';
import type { RecordKind, Sink, Source } from './kinds.ts';
import { fromBase64, fromHex, toBase64, toHex } from './text.ts';

/** JSON whose whole numbers may be longer than JavaScript's. */
export type Json =
  null | boolean | number | bigint | string | readonly Json[] | { readonly [name: string]: Json | undefined };

/** `value` as JSON; a bigint is a number with all its digits, what is undefined is left out. */
export function toJson(value: Json): string {
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(toJson).join(',')}]`;
  const members = Object.entries(value).filter((member): member is [string, Json] => member[1] !== undefined);
  return `{${members.map(([name, inner]) => `${JSON.stringify(name)}:${toJson(inner)}`).join(',')}}`;
}

/** A record as the gateway's JSON has it; {@link toJson} makes a text of it. */
export function recordToJson<T>(kind: RecordKind<T>, value: T): { readonly [name: string]: Json } {
  const sink = new JsonSink();
  kind.write(sink, value);
  return sink.whole;
}

/**
 * A record out of the gateway's JSON, as `JSON.parse` has it. Longs are numbers, or texts of digits where the gateway was asked for
 * `longs=string`: numbers beyond 2^53 are refused, as `JSON.parse` has rounded them. What is no such value is a {@link BadMessage}.
 */
export function recordFromJson<T>(kind: { read(from: Source): T }, json: unknown): T {
  return kind.read(new JsonSource(json));
}

class JsonSink implements Sink {
  whole: { [name: string]: Json } = {};
  #items: Json[] | undefined;

  #put(name: string, value: Json): void {
    if (this.#items) this.#items.push(value);
    else this.whole[name] = value;
  }

  text(name: string, value: string): void {
    this.#put(name, value);
  }

  long(name: string, value: bigint): void {
    this.#put(name, value);
  }

  int(name: string, value: number): void {
    this.#put(name, value);
  }

  double(name: string, value: number): void {
    this.#put(name, value);
  }

  boolean(name: string, value: boolean): void {
    this.#put(name, value);
  }

  sealed(name: string, value: Uint8Array): void {
    this.#put(name, toBase64(value));
  }

  digest(name: string, value: Uint8Array): void {
    this.#put(name, toHex(value));
  }

  none(name: string): void {
    this.#put(name, null);
  }

  some(): void {}

  items<T>(name: string, items: readonly T[], write: (item: T) => void): void {
    const around = this.#items;
    const own: Json[] = [];
    this.#items = own;
    items.forEach(write);
    this.#items = around;
    this.#put(name, own);
  }

  record<T>(name: string, value: T, kind: RecordKind<T>): void {
    this.#put(name, recordToJson(kind, value));
  }

  symbol<S extends string>(name: string, value: S): void {
    this.#put(name, value);
  }
}

const DIGITS = /^-?[0-9]{1,19}$/;

class JsonSource implements Source {
  #value: unknown;
  #around: string[] = [];

  constructor(value: unknown) {
    this.#value = value;
  }

  /** What stands under a name; '' is the item of a list. */
  #of(name: string): unknown {
    if (name === '') return this.#value;
    const value = this.#value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.#bad('', 'expected an object');
    return Object.hasOwn(value as object, name) ? (value as Record<string, unknown>)[name] : undefined;
  }

  #bad(name: string, reason: string): never {
    throw new BadMessage(dotted(this.#around, name), reason);
  }

  text(name: string): string {
    const value = this.#of(name);
    return typeof value === 'string' ? value : this.#bad(name, 'expected a text');
  }

  long(name: string): bigint {
    const value = this.#of(name);
    if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
    if (typeof value === 'bigint' || (typeof value === 'string' && DIGITS.test(value))) {
      const number = BigInt(value);
      if (BigInt.asIntN(64, number) === number) return number;
    }
    return this.#bad(name, 'expected a whole number of 64 bits; beyond 2^53 as a text of digits (longs=string)');
  }

  int(name: string): number {
    const value = this.#of(name);
    return typeof value === 'number' && (value | 0) === value
      ? value
      : this.#bad(name, 'expected a whole number of 32 bits');
  }

  double(name: string): number {
    const value = this.#of(name);
    return typeof value === 'number' ? value : this.#bad(name, 'expected a number');
  }

  boolean(name: string): boolean {
    const value = this.#of(name);
    return typeof value === 'boolean' ? value : this.#bad(name, 'expected true or false');
  }

  sealed(name: string): Uint8Array {
    return fromBase64(this.text(name)) ?? this.#bad(name, 'expected base64');
  }

  digest(name: string): Uint8Array {
    return fromHex(this.text(name)) ?? this.#bad(name, 'expected hexadecimal digits');
  }

  isSome(name: string): boolean {
    const value = this.#of(name);
    return value !== undefined && value !== null;
  }

  items<T>(name: string, read: () => T): T[] {
    const value = this.#of(name);
    if (!Array.isArray(value)) return this.#bad(name, 'expected a list');
    const outer = this.#value;
    const items = value.map((item, at) => {
      this.#value = item;
      this.#around.push(name, String(at));
      const found = read();
      this.#around.length -= 2;
      return found;
    });
    this.#value = outer;
    return items;
  }

  record<T>(name: string, kind: RecordKind<T>): T {
    const outer = this.#value;
    this.#value = this.#of(name);
    this.#around.push(name);
    const value = kind.read(this);
    this.#around.pop();
    this.#value = outer;
    return value;
  }

  symbol<S extends string>(name: string, symbols: readonly S[]): S {
    const value = this.text(name);
    return symbols.find((symbol) => symbol === value) ?? this.#bad(name, `expected one of ${symbols.join(', ')}`);
  }
}
