import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

const { Client, Problem, newId } = await import('../build/web/src/client/index.js');

/** Answers in turn; what was asked is kept. */
async function answering(...answers) {
  const asked = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    asked.push({ method: request.method, url: request.url, headers: request.headers, body });
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    if (answer === 'cut') return response.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(JSON.stringify(answer.body ?? {}));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections()));
  return { asked, stop, base: `http://127.0.0.1:${server.address().port}` };
}

const ACCEPTED = { status: 200, headers: { 'Millrace-Position': 'orders:c1.2' }, body: { status: 'accepted', command_id: 'k', duplicate: false, versions: [] } };
const order = { order_id: 'o1', user_id: 'ada', total: 9_007_199_254_740_993n };

test('a command is sent again under its key until it is known what became of it', async () => {
  const gateway = await answering('cut', { status: 503, body: { type: 'urn:millrace:problem:log-away', title: 'x' } }, 'cut', ACCEPTED);
  const client = new Client({ base: gateway.base, user: () => 'ada' });
  const done = await client.send('orders/CreateOrder', order);
  assert.equal(done.position, 'orders:c1.2');
  assert.equal(gateway.asked.length, 4);
  assert.equal(new Set(gateway.asked.map(({ headers }) => headers['idempotency-key'])).size, 1);
  assert.equal(new Set(gateway.asked.map(({ body }) => body)).size, 1);
  // every digit
  assert.equal(gateway.asked[0].body, '{"data":{"order_id":"o1","user_id":"ada","total":9007199254740993},"metadata":{"user_id":"ada"}}');
  await gateway.stop();
});

test('a command says on which version it is based', async () => {
  const gateway = await answering(ACCEPTED);
  const moved = { project_id: 'p', task_id: 't', column: 'Done', rank: 'V' };
  await new Client({ base: gateway.base, user: () => 'ada' }).send('projects/MoveTask', moved, { expected: 9_007_199_254_740_993n });
  await new Client({ base: gateway.base }).send('projects/MoveTask', moved, { expected: 0n });
  assert.match(gateway.asked[0].body, /"metadata":\{"user_id":"ada","expected_version":9007199254740993\}/);
  assert.match(gateway.asked[1].body, /"metadata":\{"expected_version":0\}/);
  await gateway.stop();
});

test('a rejection is not sent again, and says what is wrong with which field', async () => {
  const violations = [{ code: 'InvalidArgument', message: 'total is 0', field: 'total', pointer: '/data/total' }, { code: 'NotFound', message: 'none', field: '' }];
  const body = { type: 'urn:millrace:problem:rejected', title: 'Rejected', status: 422, detail: 'total is 0', failure: 'OrderCreationFailed', violations };
  const gateway = await answering({ status: 422, body });
  const client = new Client({ base: gateway.base });
  await assert.rejects(client.send('orders/CreateOrder', order), (problem) => {
    assert.ok(problem instanceof Problem && problem.isRejection && !problem.isPassing);
    assert.equal(problem.failure, 'OrderCreationFailed');
    assert.deepEqual(problem.reasons, [
      { field: 'total', message: 'total is 0', code: 'InvalidArgument' },
      { field: null, message: 'none', code: 'NotFound' },
    ]);
    return true;
  });
  assert.equal(gateway.asked.length, 1);
  await gateway.stop();
});

test('mistakes point at fields, too, and nobody at all is a problem', async () => {
  const errors = [{ pointer: '/data/total', detail: 'total: expected a whole number' }, { pointer: '', detail: 'all of it' }];
  const gateway = await answering({ status: 400, body: { type: 'urn:millrace:problem:invalid', title: 'x', status: 400, errors } });
  const client = new Client({ base: gateway.base });
  await assert.rejects(client.send('orders/CreateOrder', order), ({ reasons }) => {
    assert.deepEqual(reasons.map(({ field }) => field), ['total', null]);
    return true;
  });
  await gateway.stop();
  await assert.rejects(client.send('orders/CreateOrder', order, { patience: 300 }), ({ status, isPassing }) => status === 0 && isPassing);
});

test('an outcome that is still to come is looked for where the answer says', async () => {
  const gateway = await answering(
    { status: 202, headers: { Location: '/v1/outcomes/orders/k?at=T' } },
    { status: 404, body: { type: 'urn:millrace:problem:no-outcome', title: 'x' } },
    { status: 200, body: { status: 'rejected', failure: 'OrderCreationFailed', violations: [{ code: 'AlreadyExists', message: 'there is one', field: 'order_id' }] } },
  );
  const client = new Client({ base: gateway.base });
  await assert.rejects(client.send('orders/CreateOrder', order), ({ isRejection, failure, message }) => {
    assert.deepEqual([isRejection, failure, message], [true, 'OrderCreationFailed', 'there is one']);
    return true;
  });
  assert.equal(gateway.asked[1].url, '/v1/outcomes/orders/k?at=T&timeout=10');
  await gateway.stop();
});

test('who must say who they are is told to, and a token goes with everything', async () => {
  const gateway = await answering({ status: 401, body: { type: 'urn:millrace:problem:unauthenticated', title: 'x', detail: 'expired' } }, { status: 200, body: { rows: [] } });
  const told = [];
  const client = new Client({ base: gateway.base, token: () => 't', user: () => 'ada', onUnauthenticated: ({ message }) => told.push(message) });
  await assert.rejects(client.query('orders/shop_orders', { user_id: 'ada' }), ({ status }) => status === 401);
  assert.deepEqual(told, ['expired']);
  await client.query('orders/shop_orders', { user_id: 'a b' }, { after: 'orders:c1.2', limit: 5 });
  const { url, headers } = gateway.asked[1];
  assert.equal(url, '/v1/views/orders/shop_orders?user_id=a+b&limit=5');
  assert.deepEqual([headers.authorization, headers['millrace-after']], ['Bearer t', 'orders:c1.2']);
  assert.match(headers.accept, /longs=string/);
  await gateway.stop();
});

test('keys say when they were made and are never the same', () => {
  const ids = new Set(Array.from({ length: 1_000 }, () => newId()));
  assert.equal(ids.size, 1_000);
  const id = newId(Date.UTC(2026, 0, 1));
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(parseInt(id.replaceAll('-', '').slice(0, 12), 16), Date.UTC(2026, 0, 1));
});

test('a gateway that has no key for secrets is no error, one that does not answer is', async () => {
  const key = { id: '00', algorithm: 'x', public_key: 'AA==' };
  const gateway = await answering({ status: 200, body: { keys: [key] } }, { status: 404, body: { type: 'urn:millrace:problem:unknown', title: 'x' } }, 'cut');
  const client = new Client({ base: gateway.base });
  assert.deepEqual(await client.keys(), [key]);
  assert.deepEqual(await client.keys(), []);
  await assert.rejects(client.keys(), Problem);
  await gateway.stop();
});
