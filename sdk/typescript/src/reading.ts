import { Input } from './avro/input.ts';
import { Resolution } from './avro/resolve.ts';
import { BadMessage } from './bad.ts';
import { unframe } from './framing.ts';
import { Metadata, type Outcome } from './generated/envelope.ts';
import type { CommandTopic, Event, EventTopic, OutcomeTopic } from './kinds.ts';
import { decodeCommand, decodeEvent, decodeOutcome, readEventEnvelope } from './messages.ts';

/** A message of a type that this version of the package does not have: of a newer deployment. Take a newer package to read it. */
export interface UnknownMessage extends Partial<Omit<Event, 'domain' | 'type' | 'data' | 'id' | 'metadata'>> {
  readonly isUnknown: true;
  readonly domain: string;
  /** The name of its type. */
  readonly type: string;
  readonly id: string;
  readonly metadata: Metadata;
}

/** A message was written with a schema of which nothing is known yet: {@link Reading.learn} it. */
export class UnknownSchema extends Error {
  override readonly name = 'UnknownSchema';

  constructor(readonly schemaId: number) {
    super(`schema ${schemaId} is not known yet`);
  }
}

type Read<T> =
  T extends CommandTopic<infer M> ? M | UnknownMessage : T extends EventTopic<infer M> ? M | UnknownMessage : Outcome;

/** Reads a topic, whichever version of its schema each message was written with. */
export class Reading<T extends CommandTopic<unknown> | EventTopic<unknown> | OutcomeTopic> {
  readonly #topic: T;
  readonly #known = new Map<number, Resolution | 'own' | Error>();

  constructor(topic: T) {
    this.#topic = topic;
  }

  /** Takes note of what the registry has under an id. */
  learn(schemaId: number, schema: string): void {
    try {
      this.#known.set(
        schemaId,
        isSame(schema, this.#topic.schema) ? 'own' : new Resolution(schema, this.#topic.schema),
      );
    } catch (error) {
      this.#known.set(schemaId, error as Error);
    }
  }

  /** The message in a frame. Throws an {@link UnknownSchema}, or a {@link BadMessage} where it is none and never will be. */
  read(framed: Uint8Array): Read<T> {
    const { schemaId, body } = unframe(framed);
    const known = this.#known.get(schemaId);
    if (known === undefined) throw new UnknownSchema(schemaId);
    if (known instanceof Error) throw new BadMessage('', `schema ${schemaId}: ${known.message}`);
    if (known === 'own') return this.#own(body) as Read<T>;
    const resolved = known.resolve(body);
    return (
      resolved.unknown === undefined ? this.#own(resolved.body) : this.#unknown(resolved.body, resolved.unknown)
    ) as Read<T>;
  }

  #own(body: Uint8Array): unknown {
    const topic = this.#topic;
    switch (topic.of) {
      case 'commands':
        return decodeCommand(topic, body);
      case 'events':
        return decodeEvent(topic, body);
      case 'outcomes':
        return decodeOutcome(body);
    }
  }

  #unknown(body: Uint8Array, type: string): UnknownMessage {
    const input = new Input(body);
    const envelope =
      this.#topic.of === 'events'
        ? readEventEnvelope(input)
        : { id: input.text('id'), metadata: input.record('metadata', Metadata) };
    return { isUnknown: true, domain: this.#topic.domain, type, ...envelope };
  }
}

/** Whether something that was read is of a type that this version does not have. */
export function isUnknown(message: object): message is UnknownMessage {
  return 'isUnknown' in message;
}

/** Whether two texts are one schema, however they are written. */
export function isSame(one: string, other: string): boolean {
  if (one === other) return true;
  try {
    return JSON.stringify(plain(JSON.parse(one))) === JSON.stringify(plain(JSON.parse(other)));
  } catch {
    return false;
  }
}

/** A schema without what changes no bytes. */
function plain(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(plain);
  if (typeof schema !== 'object' || schema === null) return schema;
  const members = Object.entries(schema).filter(([name]) => name !== 'doc' && name !== 'aggregate');
  return Object.fromEntries(
    members.sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, of]) => [name, plain(of)]),
  );
}
