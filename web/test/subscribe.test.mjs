import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { fakeGateway, until } from './fake/streams.mjs';

const { Client } = await import('../build/web/src/client/index.js');
const { EventReader } = await import('../build/sdk/typescript/src/http/events.js');

let gateway;
const ends = [];
beforeEach(async () => {
  gateway = await fakeGateway();
  ends.push(gateway.stop);
});
after(() => Promise.all(ends.map((end) => end())));

const slot = (id, start, title = id) => ({ calendar_id: 'ada', start: String(start), timeslot_id: id, end: String(start + 10), title });

function mirrored(options = {}) {
  const seen = { rows: null, counts: [], generations: [], states: [], problem: null };
  const client = new Client({ base: gateway.base, ...options });
  const end = client.subscribe('calendar/calendar_timeslots', { calendar_id: 'ada' }, {
    rows: (rows, generation) => ((seen.rows = rows), seen.counts.push(rows.length), seen.generations.push(generation)),
    status: (state, problem) => (seen.states.push(state), (seen.problem = problem ?? null)),
  });
  ends.push(async () => end());
  return { ...seen, seen, end, ids: () => seen.rows?.map((row) => row.timeslot_id) };
}

test('events come whole, however the text is cut', () => {
  const text = ': hello\r\nid: 7\revent: change\ndata: {"a":\ndata: 1}\n\nevent: live\r\ndata\r\n\r\nid: 8\n\nretry: 50\n\ndata: x\n\n';
  const wanted = [
    { event: 'change', data: '{"a":\n1}', id: '7' },
    { event: 'live', data: '', id: undefined },
    { event: '', data: '', id: '8' },
    { event: 'message', data: 'x', id: undefined },
  ];
  for (let size = 1; size < text.length; size++) {
    const reader = new EventReader();
    const found = [];
    for (let place = 0; place < text.length; place += size) found.push(...reader.push(text.slice(place, place + size)));
    assert.deepEqual(found, wanted, `pieces of ${size}`);
  }
});

test('rows are those of the view, in its order, before and after each change', async () => {
  gateway.put(slot('a', 100));
  gateway.put(slot('b', 20));
  const mirror = mirrored();
  await until('live', () => mirror.seen.states.at(-1) === 'live');
  // latest first, by number: 100 is behind 20 as a text
  assert.deepEqual(mirror.ids(), ['a', 'b']);
  gateway.put(slot('c', 3_000));
  await until('c', () => mirror.ids().length === 3);
  assert.deepEqual(mirror.ids(), ['c', 'a', 'b']);
  gateway.put(slot('a', 100, 'other'));
  await until('other', () => mirror.seen.rows.some(({ title }) => title === 'other'));
  gateway.remove(slot('b', 20));
  await until('b goes', () => mirror.ids().length === 2);
  assert.deepEqual(mirror.ids(), ['c', 'a']);
  mirror.end();
  await until('the connection is given back', () => gateway.connections() === 0);
});

test('a stream that is cut goes on where it was, and what happened meanwhile is not missed', async () => {
  gateway.put(slot('a', 1));
  const mirror = mirrored();
  await until('live', () => mirror.seen.states.at(-1) === 'live');
  for (let round = 0; round < 5; round++) {
    gateway.cut();
    gateway.put(slot(`n${round}`, 10 + round));
    gateway.remove(slot('a', 1));
    gateway.put(slot('a', 1, `a${round}`));
    await until('it goes on', () => mirror.ids().length === 2 + round && mirror.seen.rows.at(-1).title === `a${round}`);
    await until('live again', () => mirror.seen.states.at(-1) === 'live');
  }
  assert.ok(mirror.seen.states.includes('away'));
  const resumed = gateway.asked.slice(1).map(({ headers }) => headers['last-event-id']);
  assert.ok(resumed.length >= 5 && resumed.every((token) => Number(token) > 0), String(resumed));
  assert.ok(!('last-event-id' in gateway.asked[0].headers));
});

test('what cannot be gone on with begins anew, and nothing old stays', async () => {
  gateway.put(slot('a', 1));
  const mirror = mirrored();
  await until('live', () => mirror.seen.states.at(-1) === 'live');
  gateway.send('id: 999999\nevent: change\ndata: {"key":{"calendar_id":"ada","start":"2","timeslot_id":"ghost"},"row":{"calendar_id":"ada","start":"2","timeslot_id":"ghost","end":"3","title":"g"}}\n\n');
  await until('the ghost', () => mirror.ids().length === 2);
  gateway.cut();
  await until('it is gone', () => mirror.ids().length === 1);
  assert.deepEqual(mirror.ids(), ['a']);
  // whoever has read on behind the rows is told that these are others
  assert.equal(new Set(mirror.seen.generations).size, 2);
  const generation = mirror.seen.generations.at(-1);
  gateway.put(slot('b', 2));
  await until('b', () => mirror.ids().length === 2);
  assert.equal(mirror.seen.generations.at(-1), generation);
});

test('a gateway that is away is tried again, one that refuses is not', async () => {
  gateway.refuse({ status: 503, detail: 'later' });
  const mirror = mirrored();
  await until('away', () => mirror.seen.states.includes('away'));
  gateway.refuse(null);
  await until('live', () => mirror.seen.states.at(-1) === 'live');
  assert.deepEqual(mirror.ids(), []);
  gateway.refuse({ status: 403, detail: 'not yours' });
  gateway.cut();
  await until('off', () => mirror.seen.states.at(-1) === 'off');
  assert.equal(mirror.seen.problem.message, 'not yours');
  const count = gateway.asked.length;
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.equal(gateway.asked.length, count);
});

test('the first rows alone are asked for by a limit', async () => {
  const client = new Client({ base: gateway.base });
  const states = [];
  const end = client.subscribe('calendar/calendar_timeslots', { calendar_id: 'ada' }, { rows: () => {}, status: (state) => states.push(state) }, { limit: 100 });
  ends.push(async () => end());
  await until('live', () => states.at(-1) === 'live');
  assert.equal(gateway.asked[0].url, '/v1/streams/calendar/calendar_timeslots?calendar_id=ada&limit=100');
});

test('the token stands in the header and nowhere else', async () => {
  let token = 'a.b.c';
  const mirror = mirrored({ token: () => token });
  await until('live', () => mirror.seen.states.at(-1) === 'live');
  const { url, headers } = gateway.asked[0];
  assert.equal(headers.authorization, 'Bearer a.b.c');
  assert.ok(!url.includes('a.b.c'));
  assert.equal(url, '/v1/streams/calendar/calendar_timeslots?calendar_id=ada');
  // another one is used from the next connection on
  token = 'd.e.f';
  gateway.cut();
  await until('again', () => gateway.asked.length > 1 && mirror.seen.states.at(-1) === 'live');
  assert.equal(gateway.asked.at(-1).headers.authorization, 'Bearer d.e.f');
});

test('a snapshot in parts is shown when it is whole, and one that is cut off is forgotten', async () => {
  for (let n = 0; n < 250; n++) gateway.put(slot(`s${n}`, n));
  gateway.partly(100);
  const mirror = mirrored();
  await until('live', () => mirror.seen.states.at(-1) === 'live');
  assert.equal(mirror.seen.rows.length, 250);
  // begins anew, and is cut in the middle of the snapshot; nothing is shown meanwhile but what was
  gateway.forget();
  gateway.cutIn(1);
  gateway.remove(slot('s7', 7));
  gateway.cut();
  await until('the row is gone', () => mirror.seen.rows.length === 249);
  await until('live again', () => mirror.seen.states.at(-1) === 'live');
  assert.ok(mirror.seen.counts.every((count) => count >= 249), String(mirror.seen.counts));
  assert.ok(gateway.asked.length >= 3);
  // behind a reset there is nothing to go on from until there is a token
  assert.equal(gateway.asked.at(-1).headers['last-event-id'], undefined);
});

test('what ends a stream in the middle is told, or tried again, by what it is', async () => {
  const mirror = mirrored({ onUnauthenticated: ({ message }) => (mirror.expired = message) });
  await until('live', () => mirror.seen.states.at(-1) === 'live');
  gateway.send('event: error\ndata: {"type":"urn:millrace:problem:tables-away","title":"x","status":503}\n\n');
  await until('again', () => gateway.asked.length === 2 && mirror.seen.states.at(-1) === 'live');
  gateway.send('event: error\ndata: {"type":"urn:millrace:problem:unauthenticated","title":"x","status":401,"detail":"expired"}\n\n');
  await until('off', () => mirror.seen.states.at(-1) === 'off');
  assert.equal(mirror.expired, 'expired');
});

const UNKNOWN = 'event: error\ndata: {"type":"urn:millrace:problem:unknown","title":"x","status":404}\n\n';

test('a view that cannot be followed never can, and a feed that is not there yet comes', async () => {
  const mirror = mirrored();
  await until('live', () => mirror.seen.states.at(-1) === 'live');
  gateway.send(UNKNOWN);
  await until('off', () => mirror.seen.states.at(-1) === 'off');
  assert.equal(mirror.seen.problem.status, 404);
  const states = [];
  const end = new Client({ base: gateway.base }).subscribeFeed('ann', 20, { rows: () => {}, status: (state) => states.push(state) });
  ends.push(async () => end());
  await until('the feed', () => states.at(-1) === 'live');
  gateway.send(UNKNOWN);
  await until('it is away', () => states.includes('away'));
  await until('once more', () => states.at(-1) === 'live');
});

test('a feed knows its chirps by less than what orders them', async () => {
  const chirp = (id, posted_at, content = id) => ({ chirp_id: id, author_id: 'bob', username: 'Bob', content, posted_at, edited_at: null, cursor: id });
  const rows = [];
  const client = new Client({ base: gateway.base });
  ends.push(async () => end());
  let states = [];
  const end = client.subscribeFeed('ann', 20, { rows: (now) => rows.push(now.map(({ content }) => content)), status: (state) => states.push(state) });
  await until('live', () => states.at(-1) === 'live');
  assert.equal(gateway.asked[0].url, '/v1/streams/chirp/feed?user_id=ann&limit=20');
  const say = (key, row) => gateway.send(`event: change\ndata: ${JSON.stringify({ key, row })}\n\n`);
  const [a, b] = [chirp('a', '2026-01-01T00:00:00.000001Z'), chirp('b', '2026-01-01T00:00:00.000002Z')];
  for (const row of [a, b, { ...a, content: 'a2' }]) say({ author_id: 'bob', chirp_id: row.chirp_id }, row);
  await until('both', () => JSON.stringify(rows.at(-1)) === '["b","a2"]');
  say({ author_id: 'bob', chirp_id: 'b' }, null);
  await until('one', () => JSON.stringify(rows.at(-1)) === '["a2"]');
});
