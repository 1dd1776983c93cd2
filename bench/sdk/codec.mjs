// Measures the package of TypeScript beside avsc with its BigInt long type, on the commands and events of the vectors: nanoseconds a
// message, as JSON. It takes what `tsc -p tsconfig.test.json` has made in sdk/typescript.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { decodeCommand, decodeEvent, encodeCommand, encodeEvent } from '../../sdk/typescript/build/src/index.js';
import { domains } from '../../sdk/typescript/build/src/generated/domains.js';

const avsc = createRequire(new URL('../../sdk/typescript/package.json', import.meta.url))('avsc');
const ROUND = 500;
const ROUNDS = 7;

const long = avsc.types.LongType.__with({
  fromBuffer: (buffer) => buffer.readBigInt64LE(),
  toBuffer: (number) => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(number);
    return buffer;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (number) => typeof number === 'bigint',
  compare: (one, other) => (one === other ? 0 : one < other ? -1 : 1),
});

/** Times as the longs that they are: the BigInt type takes no logical type around it. */
function plain(schema) {
  if (Array.isArray(schema)) return schema.map(plain);
  if (typeof schema !== 'object' || schema === null) return schema;
  if ('logicalType' in schema) return 'long';
  return Object.fromEntries(Object.entries(schema).map(([name, of]) => [name, plain(of)]));
}

const all = [];
for (const [name, topics] of Object.entries(domains)) {
  const file = JSON.parse(readFileSync(new URL(`../../sdk/vectors/${name}.json`, import.meta.url), 'utf8'));
  for (const topic of [topics.commands, topics.events]) {
    const type = avsc.Type.forSchema(plain(JSON.parse(topic.schema)), { wrapUnions: true, registry: { long } });
    const [decode, encode] = topic.of === 'commands' ? [decodeCommand, encodeCommand] : [decodeEvent, encodeEvent];
    for (const vector of file.vectors.filter((vector) => vector.topic === topic.name)) {
      const buffer = Buffer.from(vector.bytes, 'hex');
      const body = new Uint8Array(buffer);
      all.push({ topic, type, decode, encode, buffer, body, own: decode(topic, body), peer: type.fromBuffer(buffer) });
    }
  }
}

/** Milliseconds of the processor that this process has had: others on the machine are not measured. */
function spent() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

let sink = 0;
const work = {
  'decode millrace': (it) => (sink += it.decode(it.topic, it.body).id.length),
  'decode peer': (it) => (sink += it.type.fromBuffer(it.buffer).id.length),
  'encode millrace': (it) => (sink += it.encode(it.topic, it.own).length),
  'encode peer': (it) => (sink += it.type.toBuffer(it.peer).length),
};
const rounds = Object.fromEntries(Object.keys(work).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, each] of Object.entries(work)) {
    const begun = spent();
    let passes = 0;
    for (; spent() - begun < ROUND; passes++) for (const it of all) each(it);
    rounds[name].push(((spent() - begun) * 1e6) / passes / all.length);
  }
}
if (sink === 0) throw new Error('nothing was done');
const median = (times) => times.sort((one, other) => one - other)[Math.floor(ROUNDS / 2)];
console.log(JSON.stringify(Object.fromEntries(Object.entries(rounds).map(([name, times]) => [name, median(times)]))));
