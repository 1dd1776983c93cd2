import { Input } from './avro/input.ts';
import { Output } from './avro/output.ts';
import { BadMessage } from './bad.ts';
import { Metadata, Outcome } from './generated/envelope.ts';
import { newId } from './ids.ts';
import { recordFromJson, recordToJson, type Json } from './json.ts';
import type {
  AnyCommandKind,
  AnyEventKind,
  Command,
  CommandKind,
  CommandTopic,
  Event,
  EventTopic,
  Source,
} from './kinds.ts';

/** What may be said of a command beside its data. */
export interface About extends Metadata {
  /** The command's id, for whoever sends the same command again; a new one by default. */
  readonly id?: string;
}

const KIND = Symbol('kind');

/**
 * A command, with a new id and the time unless `about` says them. Whoever sends it again, as no outcome came, sends this very one
 * again: then it is decided once.
 */
export function command<N extends string, D>(kind: CommandKind<N, D>, data: D, about: About = {}): Command<N, D> {
  const { id = newId(), ...given } = about;
  const metadata: Metadata = { ...given, issued_at: given.issued_at ?? BigInt(Date.now()) * 1000n };
  const made = { id, domain: kind.domain, type: kind.type, metadata, data };
  // beside what is compared, printed and sent
  Object.defineProperty(made, KIND, { value: kind });
  return made;
}

/** The kind of a command that {@link command} has made, or that was read. */
export function kindOf(of: Command): AnyCommandKind {
  const kind = (of as { [KIND]?: AnyCommandKind })[KIND];
  if (!kind) throw new TypeError(`${of.type}: make commands with command(kind, data); a copy does not know its kind`);
  return kind;
}

/** The key of a command's record, by which its partition is found. */
export function routingKey(of: Command): string {
  return kindOf(of).routingKey(of.data);
}

/** A command as Avro, without the frame. */
export function encodeCommand(topic: CommandTopic<unknown>, of: Command): Uint8Array {
  const out = new Output();
  out.text('id', of.id);
  out.record('metadata', of.metadata, Metadata);
  writeData(out, topic.kinds, of);
  return out.bytes();
}

/** An event as Avro, without the frame: for tests, as none but processors write events. */
export function encodeEvent(topic: EventTopic<unknown>, of: Event): Uint8Array {
  const out = new Output();
  out.text('id', of.id);
  out.record('metadata', of.metadata, Metadata);
  out.text('aggregate_id', of.aggregate_id);
  out.long('version', of.version);
  out.text('command_id', of.command_id);
  out.long('command_offset', of.command_offset);
  out.long('recorded_at', of.recorded_at);
  writeData(out, topic.kinds, of);
  return out.bytes();
}

function writeData(
  out: Output,
  kinds: readonly (AnyCommandKind | AnyEventKind)[],
  of: { type: string; data: unknown },
): void {
  const branch = kinds.findIndex((kind) => kind.type === of.type);
  if (branch < 0) throw new BadMessage('type', `${of.type} is none of the topic's`);
  out.count(branch);
  out.record('data', of.data, kinds[branch]!);
}

/** The command that Avro without a frame holds. Throws a {@link BadMessage}. */
export function decodeCommand<M>(topic: CommandTopic<M>, bytes: Uint8Array): M {
  const input = new Input(bytes);
  const envelope = { id: input.text('id'), metadata: input.record('metadata', Metadata) };
  const { kind, data } = readData(input, topic.kinds);
  const made = { id: envelope.id, domain: kind.domain, type: kind.type, metadata: envelope.metadata, data };
  Object.defineProperty(made, KIND, { value: kind });
  return made as M;
}

/** What an event holds beside its data. */
export function readEventEnvelope(from: Source): Omit<Event, 'domain' | 'type' | 'data'> {
  return {
    id: from.text('id'),
    metadata: from.record('metadata', Metadata),
    aggregate_id: from.text('aggregate_id'),
    version: from.long('version'),
    command_id: from.text('command_id'),
    command_offset: from.long('command_offset'),
    recorded_at: from.long('recorded_at'),
  };
}

/** The event that Avro without a frame holds. Throws a {@link BadMessage}. */
export function decodeEvent<M>(topic: EventTopic<M>, bytes: Uint8Array): M {
  const input = new Input(bytes);
  const { id, metadata, ...envelope } = readEventEnvelope(input);
  const { kind, data } = readData(input, topic.kinds);
  return { id, domain: kind.domain, type: kind.type, metadata, ...envelope, data } as M;
}

function readData<K extends AnyCommandKind | AnyEventKind>(
  input: Input,
  kinds: readonly K[],
): { kind: K; data: unknown } {
  const kind = kinds[input.index('data', kinds.length)]!;
  const data = input.record('data', kind);
  input.end();
  return { kind, data };
}

/** An outcome as Avro, without the frame: for tests, as none but processors write outcomes. */
export function encodeOutcome(of: Outcome): Uint8Array {
  const out = new Output();
  Outcome.write(out, of);
  return out.bytes();
}

/** The outcome that Avro without a frame holds. Throws a {@link BadMessage}. */
export function decodeOutcome(bytes: Uint8Array): Outcome {
  const input = new Input(bytes);
  const outcome = Outcome.read(input);
  input.end();
  return outcome;
}

/** The body of a request to the gateway: `{"data": …, "metadata": …}`, without what is null. */
export function commandToJson(of: Command): { readonly [name: string]: Json } {
  const metadata = Object.entries(recordToJson(Metadata, of.metadata)).filter(([, value]) => value !== null);
  return { data: recordToJson(kindOf(of), of.data), metadata: Object.fromEntries(metadata) };
}

/** An outcome out of the gateway's JSON. Throws a {@link BadMessage}. */
export function outcomeFromJson(json: unknown): Outcome {
  return recordFromJson(Outcome, json);
}
