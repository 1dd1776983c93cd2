import { readdirSync, readFileSync } from 'node:fs';
import { domains } from '../src/generated/domains.ts';
import type { CommandTopic, EventTopic, OutcomeTopic } from '../src/index.ts';

/** A value and its bytes. */
export interface Vector {
  readonly name: string;
  readonly domain: string;
  readonly topic: string;
  readonly value: Readonly<Record<string, unknown>>;
  readonly bytes: string;
  readonly framed: string;
  readonly json: string;
  readonly aggregate_id?: string;
  readonly key?: string;
  readonly partition?: Readonly<Record<string, number>>;
}

/** Bytes that another version of a schema has written. */
export interface Evolved {
  readonly name: string;
  readonly topic: string;
  readonly schema_id: number;
  readonly framed: string;
  readonly value?: Readonly<Record<string, unknown>>;
  readonly unknown?: Readonly<Record<string, unknown>>;
}

const FOLDER = new URL('../../../vectors/', import.meta.url);

export function file<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as T;
}

export type AnyTopic = CommandTopic<unknown> | EventTopic<unknown> | OutcomeTopic;

/** The topics by their names, each with the id of its schema in the vectors. */
export const topics = new Map<string, { readonly topic: AnyTopic; readonly schemaId: number }>();

/** All values and their bytes. */
export const vectors: readonly Vector[] = Object.keys(domains).flatMap((domain) => {
  const { topics: ids, vectors } = file<{ topics: Record<string, { schema_id: number }>; vectors: Vector[] }>(
    `${domain}.json`,
  );
  for (const topic of Object.values(domains[domain as keyof typeof domains])) {
    topics.set(topic.name, { topic: topic as AnyTopic, schemaId: ids[topic.name]!.schema_id });
  }
  return vectors;
});

/** The files that hold vectors of a domain. */
export const files = readdirSync(FOLDER).filter(
  (name) => !['invalid', 'evolution', 'ids', 'keys'].includes(name.replace('.json', '')),
);

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
