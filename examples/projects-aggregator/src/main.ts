/**
 * Projects' aggregator: follows the events on Kafka and keeps the view data as documents in a journal.
 * TOPIC_PREFIX is what the names of the deployment's topics begin with, if they do.
 *
 *     KAFKA=127.0.0.1:9092 REGISTRY=http://127.0.0.1:8081 node build/main.js FOLDER    follows, and says what it has applied
 *     node build/main.js FOLDER --rows                                                 prints the rows
 */
import { Admin, Consumer } from '@platformatic/kafka';
import { isUnknown, newId, Reading, Registry, toJson, type Json } from 'millrace-sdk';
import { projectsEvents as events } from 'millrace-sdk/projects';
import { Store } from './store.ts';
import { apply, Boards, views } from './views.ts';

/** Events that are put on disk together, at most, and how long the first of them waits for others. */
const BATCH = 200;
const WAIT_MS = 50;

const COMMITTED = 1;

/** Applies what there is and what comes, for ever. */
async function follow(store: Store, kafka: string, registry: Registry): Promise<void> {
  const base = { clientId: 'projects-aggregator', bootstrapBrokers: [kafka] };
  const topic = (process.env['TOPIC_PREFIX'] ?? '') + events.name;
  const admin = new Admin(base);
  const metadata = await admin.metadata({ topics: [topic] });
  await admin.close();
  const partitions = metadata.topics.get(topic)!.partitionsCount;
  const offsets = Array.from({ length: partitions }, (_, partition) => ({
    topic,
    partition,
    offset: BigInt(store.next(partition)),
  }));
  const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({ ...base, groupId: `projects-aggregator-${newId()}` });
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'manual',
    offsets,
    autocommit: false,
    isolationLevel: COMMITTED,
    maxWaitTime: 200,
  });
  const reading = new Reading(events);
  const boards = new Boards(store);
  let waiting = 0;
  let later: NodeJS.Timeout | undefined;
  const report = () => console.log(`applied ${store.events}`);
  const commit = () => {
    clearTimeout(later);
    later = undefined;
    waiting = 0;
    store.commit();
    report();
  };
  report();
  for await (const { partition, offset, value } of stream) {
    const event = await registry.read(reading, value);
    // what a newer deployment tells has no rows here
    if (!isUnknown(event)) apply(store, boards, event);
    store.applied(partition, offset);
    waiting += 1;
    if (waiting >= BATCH) commit();
    else later ??= setTimeout(commit, WAIT_MS);
  }
}

const [folder, option] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node build/main.js FOLDER [--rows]');
  process.exit(2);
}
const store = new Store(folder, views, option === '--rows');
if (option === '--rows') {
  for (const view of views) {
    for (const row of store.all(view)) console.log(toJson({ view: view.name, row: row as Json }));
  }
} else {
  await follow(store, process.env['KAFKA'] ?? '', new Registry(process.env['REGISTRY'] ?? ''));
}
