import type { Metadata } from './generated/envelope.ts';

/** Where values go, field by field in the order of the schema: Avro, or JSON as the gateway has it. */
export interface Sink {
  text(name: string, value: string): void;
  long(name: string, value: bigint): void;
  int(name: string, value: number): void;
  double(name: string, value: number): void;
  boolean(name: string, value: boolean): void;
  /** Bytes that JSON has in base64. */
  sealed(name: string, value: Uint8Array): void;
  /** Bytes that JSON has as hexadecimal digits. */
  digest(name: string, value: Uint8Array): void;
  /** A null. */
  none(name: string): void;
  /** What follows stands where a null may stand. */
  some(name: string): void;
  items<T>(name: string, items: readonly T[], write: (item: T) => void): void;
  record<T>(name: string, value: T, kind: RecordKind<T>): void;
  symbol<S extends string>(name: string, value: S, symbols: readonly S[]): void;
}

/** Where values come from, field by field in the order of the schema. What is no such value is a {@link BadMessage}. */
export interface Source {
  text(name: string): string;
  long(name: string): bigint;
  int(name: string): number;
  double(name: string): number;
  boolean(name: string): boolean;
  sealed(name: string): Uint8Array;
  digest(name: string): Uint8Array;
  /** Whether a value follows, where a null may stand. */
  isSome(name: string): boolean;
  items<T>(name: string, read: () => T): T[];
  record<T>(name: string, kind: RecordKind<T>): T;
  symbol<S extends string>(name: string, symbols: readonly S[]): S;
}

/** A record of a schema. */
export interface RecordKind<T> {
  write(out: Sink, it: T): void;
  read(from: Source): T;
}

/** What commands and events have in common: a name in a domain, and an aggregate that they belong to. */
export interface MessageKind<N extends string, D> extends RecordKind<D> {
  readonly domain: string;
  readonly type: N;
  /** `Chirp/ann/c1` */
  aggregateId(it: D): string;
  /** The key of the record, by which its partition is found. */
  routingKey(it: D): string;
}

/** A command by its name, such as `PostChirp`. */
export interface CommandKind<N extends string = string, D = unknown> extends MessageKind<N, D> {
  readonly of: 'commands';
}

/** An event by its name, such as `ChirpPosted`. */
export interface EventKind<N extends string = string, D = unknown> extends MessageKind<N, D> {
  readonly of: 'events';
}

// whatever its data is: a kind takes in what it gives out, so none stands for all
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyCommandKind = CommandKind<string, any>;
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyEventKind = EventKind<string, any>;

/** A command: what somebody wants to happen. */
export interface Command<N extends string = string, D = unknown> {
  /** New for each command; whoever sends it again sends the same. */
  readonly id: string;
  readonly domain: string;
  readonly type: N;
  readonly metadata: Metadata;
  readonly data: D;
}

/** An event: what has happened. */
export interface Event<N extends string = string, D = unknown> {
  readonly id: string;
  readonly domain: string;
  readonly type: N;
  readonly metadata: Metadata;
  readonly aggregate_id: string;
  /** 1, 2, 3 … of the aggregate, without gaps. */
  readonly version: bigint;
  readonly command_id: string;
  /** The offset of the command or step that caused it. */
  readonly command_offset: bigint;
  /** Microseconds since the epoch. */
  readonly recorded_at: bigint;
  readonly data: D;
}

export type CommandOf<K> = K extends CommandKind<infer N, infer D> ? Command<N, D> : never;
export type EventOf<K> = K extends EventKind<infer N, infer D> ? Event<N, D> : never;

/** A topic of a domain, with its schema as it is registered. */
export interface Topic {
  readonly domain: string;
  /** `chirp.events`, where the deployment has no prefix. */
  readonly name: string;
  readonly schema: string;
}

/** The topic of a domain's commands. `M` is any of them. */
export interface CommandTopic<M = Command> extends Topic {
  readonly of: 'commands';
  readonly kinds: readonly AnyCommandKind[];
  readonly message?: M;
}

/** The topic of a domain's events. `M` is any of them. */
export interface EventTopic<M = Event> extends Topic {
  readonly of: 'events';
  readonly kinds: readonly AnyEventKind[];
  readonly message?: M;
}

/** The topic of what became of a domain's commands. */
export interface OutcomeTopic extends Topic {
  readonly of: 'outcomes';
}

/** A view, with what its rows are found and told apart by. */
export interface View<R> {
  readonly domain: string;
  readonly name: string;
  /** The columns that name which rows are meant. */
  readonly partition: readonly string[];
  /** The columns behind them, in the order of the rows; a `-` in front: descending. */
  readonly clustering: readonly string[];
  /** Those of them that are numbers, and are ordered as such. */
  readonly numbers: readonly string[];
  read(from: Source): R;
}
