import { Admin, Consumer, Producer, type Message } from '@platformatic/kafka';
import { domains } from './generated/domains.ts';
import type { Outcome } from './generated/envelope.ts';
import { frame } from './framing.ts';
import { newId } from './ids.ts';
import type { Command, CommandTopic, Event, EventTopic, OutcomeTopic } from './kinds.ts';
import { encodeCommand, routingKey } from './messages.ts';
import { partitionOf } from './partition.ts';
import { Reading, type UnknownMessage } from './reading.ts';
import { Registry } from './registry.ts';

/** How a client on Kafka is made. */
export interface KafkaOptions {
  /** Such as `127.0.0.1:9092`. */
  readonly brokers: readonly string[];
  /** The address of the registry, or the registry. */
  readonly registry: string | Registry;
  /** What the names of topics begin with. */
  readonly topicPrefix?: string;
  /** More for `@platformatic/kafka`: TLS, users and passwords. */
  readonly connection?: object;
}

/** Nobody has said in time what became of a command. Send the very same command again. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

const COMMITTED = 1;
const LATEST = -1n;
const ALL_IN_SYNC = -1;

interface Topics {
  readonly commands: CommandTopic<unknown>;
  readonly events: EventTopic<unknown>;
  readonly outcomes: OutcomeTopic;
}

/**
 * Commands and their outcomes, and events, on Kafka, in Node. A command goes to the partition that its routing key belongs to,
 * whatever partitioner the library has. It needs `@platformatic/kafka`.
 */
export class KafkaClient {
  readonly #base: { clientId: string; bootstrapBrokers: string[] };
  readonly #registry: Registry;
  readonly #prefix: string;
  readonly #producer: Producer<Buffer, Buffer, Buffer, Buffer>;
  readonly #domains = new Map<string, Promise<Domain>>();

  constructor({ brokers, registry, topicPrefix = '', connection = {} }: KafkaOptions) {
    this.#base = { ...connection, clientId: 'millrace-sdk', bootstrapBrokers: [...brokers] };
    this.#registry = typeof registry === 'string' ? new Registry(registry) : registry;
    this.#prefix = topicPrefix;
    this.#producer = new Producer(this.#base);
  }

  /** Sends a command and waits for what becomes of it, `patience` ms. Throws {@link NoAnswer}: then send the very same command again. */
  async send(command: Command, { patience = 30_000 }: { readonly patience?: number } = {}): Promise<Outcome> {
    const domain = await this.#of(command.domain);
    const key = routingKey(command);
    const answer = domain.await(command.id);
    const late = setTimeout(() => domain.giveUp(command.id), patience);
    try {
      const value = frame(domain.schemaId, encodeCommand(domain.topics.commands, command));
      const message = {
        topic: this.#prefix + domain.topics.commands.name,
        key: Buffer.from(key),
        value: Buffer.from(value),
        partition: partitionOf(key, domain.partitions),
      };
      await this.#producer.send({ messages: [message], acks: ALL_IN_SYNC });
      return await this.#registry.read(domain.reading, await answer);
    } finally {
      clearTimeout(late);
    }
  }

  /** The events of a domain from the first one on, partition by partition in their order, for ever. */
  events(name: keyof typeof domains): AsyncGenerator<Event | UnknownMessage> {
    return this.#all((domains[name] as Topics).events);
  }

  /** What became of the commands of a domain, whoever sent them, from the oldest outcome that is kept on, for ever. */
  outcomes(name: keyof typeof domains): AsyncGenerator<Outcome> {
    return this.#all((domains[name] as Topics).outcomes);
  }

  async *#all<M>(topic: EventTopic<unknown> | OutcomeTopic): AsyncGenerator<M> {
    const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
      ...this.#base,
      groupId: `millrace-sdk-${newId()}`,
    });
    const reading = new Reading(topic);
    try {
      const stream = await consumer.consume({
        topics: [this.#prefix + topic.name],
        mode: 'earliest',
        autocommit: false,
        isolationLevel: COMMITTED,
        maxWaitTime: 200,
      });
      for await (const { value } of stream) yield (await this.#registry.read(reading, value)) as M;
    } finally {
      await consumer.close(true);
    }
  }

  /** Lets go of all connections. */
  async close(): Promise<void> {
    for (const domain of this.#domains.values()) await (await domain.catch(() => undefined))?.close();
    await this.#producer.close();
  }

  #of(name: string): Promise<Domain> {
    const known = this.#domains.get(name);
    if (known) return known;
    const made = this.#open(name);
    this.#domains.set(name, made);
    // what failed once may work the next time
    made.catch(() => this.#domains.delete(name));
    return made;
  }

  async #open(name: string): Promise<Domain> {
    const topics = domains[name as keyof typeof domains] as Topics;
    const schemaId = await this.#registry.idOf(`${this.#prefix}${topics.commands.name}-value`, topics.commands);
    const outcomes = this.#prefix + topics.outcomes.name;
    const admin = new Admin(this.#base);
    const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
      ...this.#base,
      groupId: `millrace-sdk-${newId()}`,
    });
    try {
      const metadata = await admin.metadata({ topics: [outcomes] });
      const partitions = metadata.topics.get(outcomes)!.partitionsCount;
      // asked for before anything is sent: no outcome is missed
      const asked = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: LATEST }));
      const ends = await admin.listOffsets({ topics: [{ name: outcomes, partitions: asked }] });
      const offsets = ends.flatMap((topic) =>
        topic.partitions.map(({ partitionIndex, offset }) => ({ topic: outcomes, partition: partitionIndex, offset })),
      );
      const stream = await consumer.consume({
        topics: [outcomes],
        mode: 'manual',
        offsets,
        autocommit: false,
        isolationLevel: COMMITTED,
        maxWaitTime: 100,
      });
      return new Domain(topics, schemaId, partitions, consumer, stream);
    } catch (error) {
      await consumer.close(true);
      throw error;
    } finally {
      await admin.close();
    }
  }
}

/** What a client has of a domain: where its commands go, and who waits for outcomes. */
class Domain {
  readonly reading: Reading<OutcomeTopic>;
  readonly #waiting = new Map<string, { told: (framed: Uint8Array) => void; failed: (error: Error) => void }>();

  constructor(
    readonly topics: Topics,
    readonly schemaId: number,
    readonly partitions: number,
    readonly consumer: Consumer<Buffer, Buffer, Buffer, Buffer>,
    stream: AsyncIterable<Message<Buffer, Buffer, Buffer, Buffer>>,
  ) {
    this.reading = new Reading(topics.outcomes);
    void this.#follow(stream);
  }

  await(id: string): Promise<Uint8Array> {
    const answer = new Promise<Uint8Array>((told, failed) => this.#waiting.set(id, { told, failed }));
    // whoever fails to send it does not wait
    answer.catch(() => {});
    return answer;
  }

  giveUp(id: string): void {
    this.#waiting.get(id)?.failed(new NoAnswer(`nobody has said in time what became of command ${id}`));
    this.#waiting.delete(id);
  }

  async close(): Promise<void> {
    await this.consumer.close(true);
  }

  async #follow(stream: AsyncIterable<Message<Buffer, Buffer, Buffer, Buffer>>): Promise<void> {
    try {
      for await (const { key, value } of stream) {
        const id = key.toString();
        this.#waiting.get(id)?.told(value);
        this.#waiting.delete(id);
      }
    } catch (error) {
      for (const { failed } of this.#waiting.values()) failed(error as Error);
      this.#waiting.clear();
    }
  }
}
