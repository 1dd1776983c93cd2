// The matrix's program for TypeScript.
import { createInterface } from 'node:readline';
import { domains } from '../src/generated/domains.ts';
import { AccountBalancesView, type AccountBalancesRow } from '../src/generated/accounting.ts';
import { HttpClient, Problem } from '../src/http/index.ts';
import {
  command,
  encodeEvent,
  encodeOutcome,
  isUnknown,
  Metadata,
  recordFromJson,
  type AnyCommandKind,
  type EventTopic,
} from '../src/index.ts';
import { KafkaClient } from '../src/kafka.ts';
import { toHex } from '../src/text.ts';

const [mode, how, count] = process.argv.slice(2);
const kafka = new KafkaClient({
  brokers: [process.env.KAFKA!],
  registry: process.env.REGISTRY!,
  topicPrefix: process.env.TOPIC_PREFIX ?? '',
});
const tell = (line: object) => console.log(JSON.stringify(line));

if (mode === 'send') {
  const http = new HttpClient(process.env.HTTP);
  for await (const line of createInterface({ input: process.stdin })) {
    const { domain, type, id, metadata, data } = JSON.parse(line) as {
      domain: keyof typeof domains;
      type: string;
      id: string;
      metadata: { user_id?: string; expected_version?: number };
      data: unknown;
    };
    const kinds: readonly AnyCommandKind[] = domains[domain].commands.kinds;
    const kind = kinds.find((kind) => kind.type === type)!;
    const made = command(kind, recordFromJson(kind, data), { ...recordFromJson(Metadata, metadata), id });
    try {
      const outcome = how === 'http' ? await http.send(made) : await kafka.send(made);
      tell({ id: outcome.command_id, status: outcome.status, codes: outcome.violations.map(({ code }) => code) });
    } catch (error) {
      // what a gateway refuses was never sent
      if (!(error instanceof Problem) || error.isPassing) throw error;
      tell({ id: made.id, status: 'refused', codes: [error.kind] });
    }
  }
} else if (mode === 'watch') {
  const http = new HttpClient(process.env.HTTP);
  const key = { account_id: how! };
  const shown = (rows: readonly AccountBalancesRow[]) =>
    rows.map(({ account_id, balance, version }) => ({
      account_id,
      balance: String(balance),
      version: String(version),
    }));
  await new Promise<void>((resolve) => {
    const end = http.subscribe(AccountBalancesView, key, {
      rows: (rows) => {
        if (rows.length === 0) return;
        tell({ rows: shown(rows) });
        end();
        resolve();
      },
    });
  });
  tell({ rows: shown((await http.query(AccountBalancesView, key)).rows) });
} else {
  // what was read is told as the bytes that it is written as again: so all of it is compared
  const domain = how as keyof typeof domains;
  const topics = domains[domain];
  let left = Number(count);
  if (left > 0 && mode === 'events') {
    for await (const event of kafka.events(domain)) {
      if (isUnknown(event)) throw new Error(`${event.type} is not known`);
      tell({ id: event.id, type: event.type, bytes: toHex(encodeEvent(topics.events as EventTopic<unknown>, event)) });
      if (--left === 0) break;
    }
  } else if (left > 0) {
    for await (const outcome of kafka.outcomes(domain)) {
      tell({ id: outcome.command_id, type: outcome.command_type, bytes: toHex(encodeOutcome(outcome)) });
      if (--left === 0) break;
    }
  }
}
await kafka.close();
