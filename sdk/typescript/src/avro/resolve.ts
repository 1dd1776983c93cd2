import { Input } from './input.ts';
import { Output } from './output.ts';
import { parseSchema, type Node, type RecordNode } from './schema.ts';

/** Values are nested no deeper. */
const DEEPEST = 64;

/** What was written with another version of a schema, as bytes of this one. */
export interface Resolved {
  readonly body: Uint8Array;
  /** The name of the message's type where this version does not have it; then nothing of it is in the bytes. */
  readonly unknown?: string;
}

/** Turns what was written with one version of a schema into what another one would have written, by Avro's rules. */
export class Resolution {
  readonly #writer: Node;
  readonly #reader: Node;
  /** How many more values there may be: those that take no byte could be without end. */
  #left = 0;
  #unknown: string | undefined;

  /** Throws an `Error` where a schema is none. */
  constructor(writer: string, reader: string) {
    this.#writer = parseSchema(writer);
    this.#reader = parseSchema(reader);
  }

  /** Throws a {@link BadMessage} where the bytes are no such message, or can be none of this version. */
  resolve(body: Uint8Array): Resolved {
    this.#left = 64 * body.length + 1024;
    this.#unknown = undefined;
    const [input, out] = [new Input(body), new Output()];
    this.#value(input, out, this.#writer, this.#reader, '', 0);
    input.end();
    return { body: out.bytes(), ...(this.#unknown !== undefined && { unknown: this.#unknown }) };
  }

  #value(input: Input, out: Output, from: Node, to: Node, name: string, depth: number): void {
    this.#count(input, name, depth);
    if (from.type === 'union') {
      const branch = from.branches[input.index(name, from.branches.length)]!;
      // the messages of a topic: here a newer one may have come
      if (
        name === 'data' &&
        depth === 1 &&
        to.type === 'union' &&
        branch.type === 'record' &&
        !to.branches.some((own) => matches(branch, own))
      ) {
        this.#unknown = branch.name.slice(branch.name.lastIndexOf('.') + 1);
        this.#skip(input, branch, name, depth + 1);
        out.count(to.branches.length);
        return;
      }
      return this.#value(input, out, branch, to, name, depth + 1);
    }
    if (to.type === 'union') {
      const exact = to.branches.findIndex((own) => matches(from, own));
      const at = exact >= 0 ? exact : to.branches.findIndex((own) => promotes(from, own));
      if (at < 0) input.bad(name, `the writer's ${from.type} is none of what this version has here`);
      out.count(at);
      return this.#value(input, out, from, to.branches[at]!, name, depth + 1);
    }
    if (from.type === 'record' && to.type === 'record') return this.#record(input, out, from, to, name, depth);
    if ((from.type === 'array' || from.type === 'map') && from.type === to.type)
      return this.#items(input, out, from, to, name, depth);
    if (from.type === 'enum' && to.type === 'enum') {
      const symbol = from.symbols[input.index(name, from.symbols.length)]!;
      const at = to.symbols.indexOf(to.symbols.includes(symbol) ? symbol : (to.default ?? ''));
      if (at < 0) input.bad(name, `${symbol} is none of ${to.symbols.join(', ')}`);
      return out.count(at);
    }
    if (from.type === 'fixed' && to.type === 'fixed' && from.size === to.size)
      return out.raw(input.skip(name, from.size));
    if (!matches(from, to) && !promotes(from, to)) input.bad(name, `the writer's ${from.type} is no ${to.type}`);
    this.#primitive(input, out, from, to, name);
  }

  #primitive(input: Input, out: Output, from: Node, to: Node, name: string): void {
    // an int is written like a long
    if (from.type === to.type || to.type === 'long') {
      const place = input.place;
      this.#skip(input, from, name, 0);
      return out.raw(input.since(place));
    }
    if (to.type === 'double') {
      const value =
        from.type === 'int' ? input.int(name) : from.type === 'long' ? Number(input.long(name)) : float(input, name);
      return out.double(name, value);
    }
    if (to.type === 'string') return out.text(name, input.text(name));
    if (to.type === 'bytes') return out.sealed(name, input.sealed(name));
    input.bad(name, `the writer's ${from.type} is not read as ${to.type}`);
  }

  #record(input: Input, out: Output, from: RecordNode, to: RecordNode, name: string, depth: number): void {
    const read = new Map<string, Uint8Array>();
    const one = (of: RecordNode['fields'][number]) => {
      const own = to.fields.find((field) => field.name === of.name);
      if (!own) return this.#skip(input, of.of, of.name, depth + 1);
      const value = new Output(64);
      this.#value(input, value, of.of, own.of, of.name, depth + 1);
      read.set(own.name, value.bytes());
    };
    if (name === '') from.fields.forEach(one);
    else input.within(name, () => from.fields.forEach(one));
    for (const own of to.fields) {
      const value = read.get(own.name);
      if (value) out.raw(value);
      else if ('default' in own) writeDefault(out, own.of, own.default);
      else input.bad(name, `the writer has no field ${own.name}, and there is no value to take instead`);
    }
  }

  #items(input: Input, out: Output, from: Node & { of: Node }, to: Node, name: string, depth: number): void {
    const own = (to as Node & { of: Node }).of;
    let count = 0;
    const items = new Output(64);
    input.each(name, () => {
      count++;
      if (from.type === 'map') items.text('', input.text(''));
      this.#value(input, items, from.of, own, '', depth + 1);
    });
    if (count > 0) {
      out.count(count);
      out.raw(items.bytes());
    }
    out.count(0);
  }

  #skip(input: Input, of: Node, name: string, depth: number): void {
    this.#count(input, name, depth);
    switch (of.type) {
      case 'null':
        return;
      case 'boolean':
        return void input.boolean(name);
      case 'int':
        return void input.int(name);
      case 'long':
        return void input.long(name);
      case 'float':
        return void input.skip(name, 4);
      case 'double':
        return void input.skip(name, 8);
      case 'string':
        return void input.text(name);
      case 'bytes':
        return void input.skip(name, input.length(name));
      case 'fixed':
        return void input.skip(name, of.size);
      case 'enum':
        return void input.index(name, of.symbols.length);
      case 'union':
        return this.#skip(input, of.branches[input.index(name, of.branches.length)]!, name, depth + 1);
      case 'array':
      case 'map':
        return input.each(name, () => {
          if (of.type === 'map') input.text('');
          this.#skip(input, of.of, '', depth + 1);
        });
      case 'record':
        return of.fields.forEach((field) => this.#skip(input, field.of, field.name, depth + 1));
    }
  }

  #count(input: Input, name: string, depth: number): void {
    if (depth > DEEPEST) input.bad(name, `values are nested deeper than ${DEEPEST} levels`);
    if (--this.#left < 0) input.bad(name, 'it holds more values than its length allows');
  }
}

function float(input: Input, name: string): number {
  const bytes = input.skip(name, 4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
}

/** Whether the one is read as the other by its type, and of records by its name without the namespace. */
function matches(from: Node, to: Node): boolean {
  if (from.type !== to.type) return false;
  if (!('name' in from) || !('name' in to)) return true;
  return bare(from.name) === bare(to.name);
}

function bare(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function promotes(from: Node, to: Node): boolean {
  switch (to.type) {
    case 'long':
      return from.type === 'int';
    case 'double':
      return from.type === 'int' || from.type === 'long' || from.type === 'float';
    case 'string':
      return from.type === 'bytes';
    case 'bytes':
      return from.type === 'string';
    default:
      return false;
  }
}

/** The value of a field that the writer did not have. */
function writeDefault(out: Output, of: Node, value: unknown): void {
  switch (of.type) {
    case 'null':
      return;
    case 'boolean':
      return out.boolean('', value as boolean);
    case 'int':
    case 'long':
      return out.long('', BigInt(value as number));
    case 'double':
      return out.double('', value as number);
    case 'string':
      return out.text('', value as string);
    case 'enum':
      return out.count(of.symbols.indexOf(value as string));
    case 'union':
      // a default is of the first branch
      out.count(0);
      return writeDefault(out, of.branches[0]!, value);
    case 'array':
      if ((value as unknown[]).length === 0) return out.count(0);
      break;
    case 'record':
      return of.fields.forEach((field) =>
        writeDefault(out, field.of, (value as Record<string, unknown>)[field.name] ?? field.default),
      );
  }
  throw new Error(`a default of type ${of.type} is not supported`);
}
