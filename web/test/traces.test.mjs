import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

const { Client } = await import('../build/client/index.js');
const { subscribe } = await import('../build/client/subscribe.js');
const { Traces } = await import('../build/client/traces.js');

const order = { order_id: 'o1', user_id: 'ada', total: 5n };
const ACCEPTED = { status: 'accepted', command_id: 'k', duplicate: false, versions: [] };

/** A gateway that records traces, or none; what pages tell it. */
async function gateway(records) {
  const [asked, told] = [[], []];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    if (request.url === '/v1/spans') {
      told.push(...JSON.parse(body).spans);
      return response.writeHead(204).end();
    }
    asked.push(request.headers);
    // the first try gets no answer that says anything
    if (asked.length === 1) return response.writeHead(503, { 'content-type': 'application/json' }).end('{"type":"about:blank"}');
    response.writeHead(200, { 'content-type': 'application/json', ...(records && { traceresponse: '00-x-y-01' }) }).end(JSON.stringify(ACCEPTED));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { asked, told, base: `http://127.0.0.1:${server.address().port}`, stop: () => (server.close(), server.closeAllConnections()) };
}

async function until(holds) {
  const end = Date.now() + 5_000;
  while (!holds()) {
    assert.ok(Date.now() < end, 'not in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('a click is one span, however often its command is sent, and told where it is recorded', async () => {
  const { asked, told, base, stop } = await gateway(true);
  await new Client({ base }).send('orders/CreateOrder', order);
  await until(() => told.length > 0);
  stop();
  assert.equal(new Set(asked.map(({ traceparent }) => traceparent)).size, 1);
  assert.match(asked[0].traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  const [{ name, traceparent, parent, ms }] = told;
  assert.deepEqual({ name, traceparent, parent }, { name: 'click orders/CreateOrder', traceparent: asked[0].traceparent, parent: undefined });
  assert.ok(ms > 0);
});

test('nothing is told where nothing is recorded', async () => {
  const { told, base, stop } = await gateway(false);
  await new Client({ base }).send('orders/CreateOrder', order);
  await new Promise((resolve) => setTimeout(resolve, 700));
  stop();
  assert.deepEqual(told, []);
});

test('a change that is shown is a span below that of its push', async () => {
  const bodies = [];
  const traces = new Traces((body) => (bodies.push(body), Promise.resolve()));
  const events = [
    'event: snapshot\ndata: {"rows":[]}\n\n',
    'event: change\ndata: {"key":{"id":"a"},"row":{"id":"a"},"traceparent":"00-aaaa-bbbb-01"}\n\n',
    'event: change\ndata: {"key":{"id":"b"},"row":{"id":"b"}}\n\n',
  ];
  const rows = [];
  const open = async () => new Response(new Blob(events).stream());
  const keyed = { partition: [], clustering: ['id'], numbers: [], identity: ['id'] };
  const end = subscribe(open, keyed, { rows: (all) => rows.push(all.length) }, undefined, false, (parent) => traces.shown('orders/shop_orders', parent));
  await until(() => bodies.length > 0);
  end();
  const { spans } = JSON.parse(bodies[0]);
  assert.equal(spans[0].name, 'show orders/shop_orders');
  assert.equal(spans[0].parent, '00-aaaa-bbbb-01');
  assert.match(spans[0].traceparent, /^00-aaaa-[0-9a-f]{16}-01$/);
  assert.equal(new Set(spans.map(({ parent }) => parent)).size, 1);
  assert.ok(rows.at(-1) === 2);
});
