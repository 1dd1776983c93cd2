import assert from 'node:assert/strict';
import { test } from 'node:test';
import avsc from 'avsc';
import {
  BadMessage,
  commandToJson,
  decodeCommand,
  decodeEvent,
  decodeOutcome,
  encodeCommand,
  encodeEvent,
  encodeOutcome,
  eventId,
  frame,
  isUnknown,
  murmur2,
  newId,
  partitionOf,
  Reading,
  recordFromJson,
  recordToJson,
  routingKey,
  stepId,
  toJson,
  unframe,
  type Command,
  type CommandTopic,
  type Event,
  type EventTopic,
  type Json,
  type Outcome,
} from '../src/index.ts';
import { Metadata, Outcome as OutcomeKind } from '../src/generated/envelope.ts';
import { domains } from '../src/generated/domains.ts';
import { bytesOf, file, files, toHex, topics, vectors, type AnyTopic, type Evolved } from './vectors.ts';

function decode(topic: AnyTopic, bytes: Uint8Array): Command | Event | Outcome {
  switch (topic.of) {
    case 'commands':
      return decodeCommand(topic as CommandTopic, bytes);
    case 'events':
      return decodeEvent(topic as EventTopic, bytes);
    case 'outcomes':
      return decodeOutcome(bytes);
  }
}

function encode(topic: AnyTopic, value: Command | Event | Outcome): Uint8Array {
  switch (topic.of) {
    case 'commands':
      return encodeCommand(topic, value as Command);
    case 'events':
      return encodeEvent(topic, value as Event);
    case 'outcomes':
      return encodeOutcome(value as Outcome);
  }
}

/** A message as vectors have it: longs as texts. */
function shown(topic: AnyTopic, value: object): unknown {
  if (topic.of === 'outcomes') return texts(recordToJson(OutcomeKind, value as Outcome));
  const { domain, data, metadata, ...envelope } = value as Command & Record<string, unknown>;
  assert.equal(domain, topic.domain);
  const kind = topic.kinds.find((kind) => kind.type === envelope.type)!;
  return texts({
    ...(envelope as unknown as Record<string, Json>),
    metadata: recordToJson(Metadata, metadata),
    data: recordToJson(kind, data),
  });
}

function texts(json: Json): Json {
  if (typeof json === 'bigint') return json.toString();
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(texts);
  return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, texts(value!)]));
}

/** A message out of what vectors have. */
function given(topic: AnyTopic, value: Readonly<Record<string, unknown>>): Command | Event | Outcome {
  if (topic.of === 'outcomes') return recordFromJson(OutcomeKind, value);
  const kind = topic.kinds.find((kind) => kind.type === value.type)!;
  const long = (name: string) => (name in value ? { [name]: BigInt(value[name] as string) } : {});
  return {
    ...(value as unknown as Event),
    ...long('version'),
    ...long('command_offset'),
    ...long('recorded_at'),
    domain: topic.domain,
    metadata: recordFromJson(Metadata, value.metadata),
    data: recordFromJson(kind, value.data),
  };
}

test('every domain has vectors, and there are enough of them', () => {
  assert.deepEqual(
    files.sort(),
    Object.keys(domains)
      .map((domain) => `${domain}.json`)
      .sort(),
  );
  assert.ok(vectors.length >= 2000, String(vectors.length));
});

test('values are the bytes of the vectors, both ways', () => {
  for (const vector of vectors) {
    const { topic, schemaId } = topics.get(vector.topic)!;
    const bytes = bytesOf(vector.bytes);
    const read = decode(topic, bytes);
    assert.deepEqual(shown(topic, read), vector.value, vector.name);
    assert.equal(toHex(encode(topic, read)), vector.bytes, vector.name);
    assert.equal(toHex(encode(topic, given(topic, vector.value))), vector.bytes, vector.name);
    assert.equal(toHex(frame(schemaId, bytes)), vector.framed, vector.name);
    const inside = unframe(bytesOf(vector.framed));
    assert.equal(inside.schemaId, schemaId);
    assert.equal(toHex(inside.body), vector.bytes);
  }
});

test('the JSON is that of the gateway', () => {
  for (const vector of vectors) {
    const { topic } = topics.get(vector.topic)!;
    const read = decode(topic, bytesOf(vector.bytes));
    if (topic.of === 'commands') assert.equal(toJson(commandToJson(read as Command)), vector.json, vector.name);
    else if (topic.of === 'outcomes')
      assert.equal(toJson(recordToJson(OutcomeKind, read as Outcome)), vector.json, vector.name);
  }
});

test('keys, partitions and aggregates are those of the vectors', () => {
  for (const vector of vectors) {
    const { topic } = topics.get(vector.topic)!;
    if (topic.of === 'outcomes') continue;
    const read = decode(topic, bytesOf(vector.bytes)) as Command;
    const kind = topic.kinds.find((kind) => kind.type === read.type)!;
    assert.equal(kind.routingKey(read.data), vector.key, vector.name);
    assert.equal(kind.aggregateId(read.data), vector.aggregate_id, vector.name);
    if (topic.of === 'commands') assert.equal(routingKey(read), vector.key);
    for (const [of, partition] of Object.entries(vector.partition!))
      assert.equal(partitionOf(vector.key!, Number(of)), partition);
  }
  for (const { key, murmur2: hash, partition } of file<{
    vectors: { key: string; murmur2: number; partition: Record<string, number> }[];
  }>('keys.json').vectors) {
    assert.equal(murmur2(new TextEncoder().encode(key)), hash, key);
    for (const [of, at] of Object.entries(partition)) assert.equal(partitionOf(key, Number(of)), at);
  }
});

test('ids that are derived are those of the vectors, and new ones say when they were made', () => {
  type Id = { of: string; message: string; index: number; process: string; step: string; id: string };
  for (const { of, message, index, process, step, id } of file<{ vectors: Id[] }>('ids.json').vectors) {
    assert.equal(of === 'event' ? eventId(message, index) : stepId(process, step), id);
  }
  assert.match(newId(0x0123456789ab), /^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(newId(), newId());
});

test('avsc reads and writes the same', () => {
  const long = avsc.types.LongType.__with({
    fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
    toBuffer: (number: bigint) => {
      const buffer = Buffer.alloc(8);
      buffer.writeBigInt64LE(number);
      return buffer;
    },
    fromJSON: BigInt,
    toJSON: Number,
    isValid: (number: unknown) => typeof number === 'bigint',
    compare: (one: bigint, other: bigint) => (one === other ? 0 : one < other ? -1 : 1),
  });
  const types = new Map(
    [...topics].map(([name, { topic }]) => [
      name,
      avsc.Type.forSchema(withoutLogicalTypes(JSON.parse(topic.schema)) as avsc.Schema, {
        wrapUnions: true,
        registry: { long },
      }),
    ]),
  );
  for (const vector of vectors) {
    const type = types.get(vector.topic)!;
    const read = type.fromBuffer(Buffer.from(vector.bytes, 'hex'));
    assert.deepEqual(plain(vector.topic, read), plain(vector.topic, peer(vector.value)), vector.name);
    assert.equal(type.toBuffer(read).toString('hex'), vector.bytes, vector.name);
  }
});

/** Times as the longs that they are. */
function withoutLogicalTypes(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutLogicalTypes);
  if (typeof schema !== 'object' || schema === null) return schema;
  if ('logicalType' in schema) return 'long';
  return Object.fromEntries(Object.entries(schema).map(([name, of]) => [name, withoutLogicalTypes(of)]));
}

/** What avsc has read, without what it wraps around branches, and bytes as hexadecimal digits. */
function plain(topic: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => plain(topic, item));
  const members = Object.entries(value);
  if (members.length === 1 && isBranch(members[0]![0])) {
    const [name, inner] = members[0]!;
    return name.includes(`.${topic.split('.')[1]}.`) &&
      name !== `millrace.${topic}.Given` &&
      name !== `millrace.${topic}.Violation`
      ? { [name.slice(name.lastIndexOf('.') + 1)]: plain(topic, inner) }
      : plain(topic, inner);
  }
  return Object.fromEntries(members.map(([name, inner]) => [name, plain(topic, inner)]));
}

function isBranch(name: string): boolean {
  return (
    ['string', 'long', 'int', 'boolean', 'bytes', 'array', 'double'].includes(name) || name.startsWith('millrace.')
  );
}

/** What a vector has, as avsc would have it. */
function peer(value: Readonly<Record<string, unknown>>): unknown {
  const { type, ...rest } = value;
  return typeof type === 'string' ? { ...rest, data: { [type]: withBytes(rest.data) } } : rest;
}

/** Sealed boxes are in base64. */
function withBytes(data: unknown): unknown {
  const box = (data as { sealed_token?: string }).sealed_token;
  return box === undefined ? data : { ...(data as object), sealed_token: Buffer.from(box, 'base64').toString('hex') };
}

test('what is no message is refused', () => {
  for (const { name, topic, bytes } of file<{ vectors: { name: string; topic: string; bytes: string }[] }>(
    'invalid.json',
  ).vectors) {
    assert.throws(() => decode(topics.get(topic)!.topic, bytesOf(bytes)), BadMessage, name);
  }
  for (const vector of vectors.filter((_, at) => at % 9 === 0)) {
    const bytes = bytesOf(vector.bytes);
    for (let cut = 0; cut < bytes.length; cut++) {
      assert.throws(
        () => decode(topics.get(vector.topic)!.topic, bytes.subarray(0, cut)),
        BadMessage,
        `${vector.name} cut at ${cut}`,
      );
    }
  }
});

test('an error names the field', () => {
  const { topic } = topics.get('chirp.commands')!;
  const vector = vectors.find(({ name }) => name === 'chirp.commands/PostChirp/5')!;
  const command = given(topic, vector.value) as Command & { data: Record<string, unknown> };
  assert.throws(
    () => encode(topic, { ...command, data: { ...command.data, content: 7 } }),
    /^BadMessage: data\.content: expected a text/,
  );
  assert.throws(
    () => encode(topic, { ...command, data: { ...command.data, content: '\ud800' } }),
    /data\.content: a half of a surrogate/,
  );
  const bytes = bytesOf(vector.bytes);
  assert.throws(
    () => decode(topic, bytes.subarray(0, bytes.length - 1)),
    /^BadMessage: data\.\w+: it is cut off, at byte/,
  );
  assert.throws(
    () => recordFromJson(Metadata, { issued_at: 2 ** 60 }),
    /^BadMessage: issued_at: expected a whole number of 64 bits/,
  );
});

test('what other versions have written is read, and what is not known is said', () => {
  const { schemas, vectors } = file<{ schemas: { id: number; topic: string; schema: string }[]; vectors: Evolved[] }>(
    'evolution.json',
  );
  const readings = new Map([...topics].map(([name, { topic }]) => [name, new Reading(topic)]));
  for (const { id, topic, schema } of schemas) readings.get(topic)!.learn(id, schema);
  let unknown = 0;
  for (const vector of vectors) {
    const { topic } = topics.get(vector.topic)!;
    const read = readings.get(vector.topic)!.read(bytesOf(vector.framed)) as Command | Event | Outcome;
    if (vector.unknown) {
      unknown++;
      assert.ok(isUnknown(read), vector.name);
      const { isUnknown: _, domain: __, metadata, ...rest } = read;
      assert.deepEqual(
        texts({ ...(rest as unknown as Record<string, Json>), metadata: recordToJson(Metadata, metadata) }),
        vector.unknown,
      );
    } else {
      assert.deepEqual(shown(topic, read), vector.value, vector.name);
    }
    const framed = bytesOf(vector.framed);
    for (let cut = 5; cut < framed.length; cut += 7) {
      assert.throws(
        () => readings.get(vector.topic)!.read(framed.subarray(0, cut)),
        BadMessage,
        `${vector.name} cut at ${cut}`,
      );
    }
  }
  assert.ok(unknown > 20, String(unknown));
});

test('inputs that were changed anywhere are read or refused', () => {
  const count = Number(process.env.MUTATIONS ?? 20_000);
  const { schemas } = file<{ schemas: { id: number; topic: string; version: string; schema: string }[] }>(
    'evolution.json',
  );
  const readings = new Map(
    [...topics].map(([name, { topic, schemaId }]) => {
      const reading = new Reading(topic);
      reading.learn(schemaId, topic.schema);
      return [name, reading] as const;
    }),
  );
  for (const { id, topic, schema } of schemas) readings.get(topic)!.learn(id, schema);
  const other = new Map(schemas.filter(({ version }) => version === 'newer').map(({ topic, id }) => [topic, id]));
  let seed = Number(process.env.SEED ?? 1);
  const below = (end: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * end);
  };
  let refused = 0;
  for (let n = 0; n < count; n++) {
    const vector = vectors[below(vectors.length)]!;
    let bytes = bytesOf(vector.framed);
    if (below(2) === 0) new DataView(bytes.buffer).setUint32(1, other.get(vector.topic)!);
    for (let changes = 1 + below(4); changes > 0; changes--) {
      const at = below(bytes.length);
      if (below(4) === 0) bytes = bytes.slice(0, at + 1);
      else bytes[at] = [0, 1, 0x7f, 0x80, 0xff, below(256)][below(6)]!;
    }
    try {
      readings.get(vector.topic)!.read(bytes);
    } catch (error) {
      if (!(error instanceof BadMessage) && (error as Error).name !== 'UnknownSchema') throw error;
      refused++;
    }
  }
  assert.ok(refused > count / 4 && refused < count, `${refused} of ${count} were refused`);
});
