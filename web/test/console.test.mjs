import assert from 'node:assert/strict';
import { test } from 'node:test';

const { inside, landscape } = await import('../build/console/draw.js');
const { standingText, timeline } = await import('../build/console/timeline.js');

const element = (id, kind, context, standing = 'live', more = {}) => ({ id, kind, context, name: id, about: '', technology: '', standing, ...more });
const PICTURE = {
  sources: { observed: 'here', not_observed: null },
  contexts: ['orders', 'calendar'],
  notes: [],
  elements: [
    element('caller:http', 'caller', null, 'declared'),
    element('gateway', 'gateway', null),
    element('topic:orders.commands', 'topic', 'orders', 'live', { topic: 'orders.commands' }),
    element('topic:orders.events', 'topic', 'orders', 'live', { topic: 'orders.events' }),
    element('processor:orders', 'processor', 'orders'),
    element('projector:orders.shop', 'projector', 'orders', 'silent'),
    element('tables:orders.shop', 'tables', 'orders', 'declared', { parts: ['shop_orders'] }),
    element('policy:calendar.orders', 'policy', 'calendar'),
    element('stranger:spy', 'stranger', null, 'undeclared'),
  ],
  edges: [
    { from: 'caller:http', to: 'gateway', kind: 'asks', declared: true },
    { from: 'gateway', to: 'topic:orders.commands', kind: 'sends', declared: true },
    { from: 'topic:orders.commands', to: 'processor:orders', kind: 'reads', declared: true, observed: true, records_per_second: 12.34, lag_records: 0 },
    { from: 'processor:orders', to: 'topic:orders.events', kind: 'writes', declared: true },
    { from: 'topic:orders.events', to: 'projector:orders.shop', kind: 'reads', declared: true, observed: false, lag_records: 40, lag_seconds: 7.2 },
    { from: 'topic:orders.events', to: 'stranger:spy', kind: 'reads', declared: false, observed: true, records_per_second: 1 },
    { from: 'topic:orders.events', to: 'policy:calendar.orders', kind: 'reads', declared: true, observed: true, records_per_second: 2 },
    { from: 'projector:orders.shop', to: 'tables:orders.shop', kind: 'fills', declared: true },
    { from: 'tables:orders.shop', to: 'gateway', kind: 'queries', declared: true },
  ],
};

test('the landscape shows contexts, and whoever nobody has declared', () => {
  const { boxes, arrows } = landscape(PICTURE);
  const box = (id) => boxes.find((one) => one.id === id);
  assert.equal(box('context:orders').standing, 'silent', 'one part that is not there is what must be looked at');
  assert.equal(box('context:calendar').standing, 'live');
  assert.equal(box('stranger:spy').standing, 'undeclared');
  const between = arrows.find(({ from, to }) => from.id === 'context:orders' && to.id === 'context:calendar');
  assert.equal(between.label, '2/s');
  assert.equal(arrows.find(({ to }) => to.id === 'stranger:spy').tone, 'warn');
  assert.ok(arrows.every(({ from, to }) => from.id !== to.id));
});

test('inside a context data goes from the left to the right, and no two boxes overlap', () => {
  const { boxes, arrows, width, height } = inside(PICTURE, 'orders');
  const x = (id) => boxes.find((one) => one.id === id).x;
  const way = ['gateway', 'topic:orders.commands', 'processor:orders', 'topic:orders.events', 'projector:orders.shop', 'tables:orders.shop', 'gateway:reads'];
  assert.deepEqual([...way].sort((one, other) => x(one) - x(other)), way);
  assert.equal(new Set(boxes.map((one) => `${one.x} ${one.y}`)).size, boxes.length);
  assert.ok(boxes.every((one) => one.x >= 0 && one.y >= 0 && one.x < width && one.y < height));
  const arrow = (from, to) => arrows.find((one) => one.from.id === from && one.to.id === to);
  assert.equal(arrow('topic:orders.commands', 'processor:orders').label, '12/s');
  assert.equal(arrow('topic:orders.events', 'projector:orders.shop').label, '40 behind, 7 s');
  assert.equal(arrow('topic:orders.events', 'projector:orders.shop').tone, 'grey');
  assert.ok(boxes.some(({ id, context }) => id === 'policy:calendar.orders' && context === 'calendar'), 'what it is connected to leads there');
  assert.ok(!boxes.some(({ id }) => id === 'caller:http'), 'who has no arrow here is not drawn');
});

const place = { topic: 'orders.commands', partition: 0, offset: 1 };
const STORY = {
  domain: 'orders',
  command_id: 'c1',
  standing: { state: 'answered', status: 'accepted', after_micros: 900 },
  asked: [{ place, at: 1_000_000, type: 'CreateOrder', metadata: { user_id: 'ann' }, data: { order_id: 'o1' }, traceparent: '00-aa-bb-01', dead: null }],
  outcomes: [{ place, status: 'accepted', duplicate: false, recorded_at: 1_000_500, failure: null, violations: [] }],
  acts: [
    {
      type: 'CreateOrder', is_step: false, id: 'c1', key: 'o1', place, at: 1_000_000, is_decided: true, dead: null,
      events: [
        {
          type: 'OrderCreated', id: 'e1', aggregate_id: 'Order/o1', version: 1, recorded_at: 1_000_400, place, data: { total: 5 },
          rows: [{ projection: 'orders.shop', applied: true, writes: [{ action: 'put', table: 'shop_orders', key: { user_id: 'ann' }, values: { total: 5 } }], more: 2 }],
        },
      ],
    },
  ],
  elsewhere: [{ domain: 'calendar', event_id: 'e1', is_reacted: true, acts: [{ type: 'Note', is_step: true, id: 's1', key: 'ann', place, at: 1_000_700, is_decided: false, dead: null, events: [] }] }],
};

test('the story of a command is told in its order, with its rows and what others did', () => {
  const moments = timeline(STORY);
  assert.deepEqual(moments.map(({ kind }) => kind), ['asked', 'event', 'rows', 'answered', 'step']);
  assert.deepEqual(moments[2].rows, ['+ shop_orders user_id=ann: total=5', '… and 2 more']);
  assert.equal(moments[4].elsewhere, 'calendar');
  assert.equal(moments[1].aggregate, 'orders:Order/o1');
  assert.ok(moments[0].facts.some(([name, value]) => name === 'trace' && value === 'aa'));
  assert.equal(new Set(moments.map(({ key }) => key)).size, moments.length);
  assert.deepEqual(standingText(STORY), { text: 'accepted', tone: 'good' });
});

test('every standing has words', () => {
  for (const state of ['answered', 'ended', 'waiting', 'open', 'dead', 'forgotten', 'lost']) {
    assert.ok(standingText({ ...STORY, standing: { state, status: 'rejected', records: 3, step: 'Note', reason: 'poison' } }).text.length > 5, state);
  }
});
