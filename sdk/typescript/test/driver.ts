// The matrix's program for TypeScript.
import { createInterface } from 'node:readline';
import { domains } from '../src/generated/domains.ts';
import { HttpClient, Problem } from '../src/http/index.ts';
import { command, recordFromJson, type AnyCommandKind } from '../src/index.ts';
import { KafkaClient } from '../src/kafka.ts';

const [mode, how, count] = process.argv.slice(2);
const kafka = new KafkaClient({ brokers: [process.env.KAFKA!], registry: process.env.REGISTRY! });
const tell = (line: object) => console.log(JSON.stringify(line));

if (mode === 'send') {
  const http = new HttpClient(process.env.HTTP);
  for await (const line of createInterface({ input: process.stdin })) {
    const { domain, type, id, data } = JSON.parse(line) as {
      domain: keyof typeof domains;
      type: string;
      id: string;
      data: unknown;
    };
    const kinds: readonly AnyCommandKind[] = domains[domain].commands.kinds;
    const kind = kinds.find((kind) => kind.type === type)!;
    const made = command(kind, recordFromJson(kind, data), { id });
    try {
      const outcome = how === 'http' ? await http.send(made) : await kafka.send(made);
      tell({ id: outcome.command_id, status: outcome.status, codes: outcome.violations.map(({ code }) => code) });
    } catch (error) {
      // what a gateway refuses was never sent
      if (!(error instanceof Problem) || error.isPassing) throw error;
      tell({ id: made.id, status: 'refused', codes: [error.kind] });
    }
  }
} else if (mode === 'events') {
  let left = Number(count);
  if (left > 0) {
    for await (const event of kafka.events(how as keyof typeof domains)) {
      tell({ id: event.id, type: event.type, aggregate_id: event.aggregate_id, version: String(event.version) });
      if (--left === 0) break;
    }
  }
}
await kafka.close();
