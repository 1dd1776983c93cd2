// Orders: created, shipped, cancelled; each failure where it belongs; and another window that sees it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, Client, send, until, up } from './world.mjs';

let world, chrome;
before(async () => ([world, chrome] = await Promise.all([up(), browser()])));
after(async () => {
  await chrome?.stop();
  await world?.stop();
  chrome?.check();
});

const orderOf = (page, id) => page.locator(`[data-order="${id}"]`);

test('an order is created, shipped, and seen in another window', async () => {
  const [page, other] = await Promise.all(['ann', 'ann'].map((user) => chrome.open(`${world.url}/shop`, { user })));
  await page.getByText('Nothing ordered yet').waitFor();
  await page.getByLabel('Total').fill('49.90');
  await page.getByLabel('Order id').fill('o-1');
  await page.getByRole('button', { name: 'Order', exact: true }).click();
  for (const window of [page, other]) {
    await orderOf(window, 'o-1').getByText('€49.90').waitFor();
    await orderOf(window, 'o-1').getByText('Waiting').waitFor();
  }
  await other.getByRole('button', { name: 'Ship o-1' }).click();
  await other.getByLabel('Carrier').fill('DHL');
  await other.getByLabel('Tracking number').fill('T-77');
  await other.getByRole('button', { name: 'Ship it' }).click();
  for (const window of [page, other]) {
    await orderOf(window, 'o-1').getByText('Shipped').waitFor();
    await orderOf(window, 'o-1').getByText('T-77').waitFor();
  }
});

test('what is refused is said beside the field that it is about', async () => {
  const page = await chrome.open(`${world.url}/shop`, { user: 'bea', expected: [422] });
  await page.getByText('Nothing ordered yet').waitFor();
  const order = async (total, id) => {
    await page.getByLabel('Total').fill(total);
    await page.getByLabel('Order id').fill(id);
    await page.getByRole('button', { name: 'Order', exact: true }).click();
  };
  await order('12.345', 'o-2');
  await page.getByText('EUR has 2 digits behind the point.').waitFor();
  // what no order can come to is refused here, in words for people
  await order('0', 'o-2');
  await page.getByText('Write an amount of more than nothing.').waitFor();
  await order('92233720368547758.08', 'o-2');
  await page.getByText('€92,233,720,368,547,758.07 is the most').waitFor();
  await order('1', 'no id');
  await page.getByText('OrderCreationFailed').waitFor();
  const said = async (label) => {
    const field = page.getByLabel(label);
    assert.equal(await field.getAttribute('aria-invalid'), 'true', label);
    const ids = (await field.getAttribute('aria-describedby')).split(' ');
    return page.locator(`[id="${ids.at(-1)}"]`).textContent();
  };
  assert.match(await said('Order id'), /not an id/);
  await order('5', 'o-2');
  await orderOf(page, 'o-2').waitFor();
  assert.equal(await page.getByText('OrderCreationFailed').count(), 0);
});

test('who comes too late is told so, in place', async () => {
  await send(world.url, 'orders/CreateOrder', { order_id: 'o-3', user_id: 'cleo', total: 500n });
  const page = await chrome.open(`${world.url}/shop`, { user: 'cleo', expected: [422] });
  // somebody else ships it while the form is open
  await page.getByRole('button', { name: 'Cancel o-3' }).click();
  await send(world.url, 'orders/ShipOrder', { order_id: 'o-3', carrier: 'UPS', tracking_number: 'T1' });
  await page.getByRole('button', { name: 'Cancel the order' }).click();
  await orderOf(page, 'o-3').getByText('OrderCancellationFailed').waitFor();
  await orderOf(page, 'o-3').getByText(/shipped/i).first().waitFor();

  await send(world.url, 'orders/CreateOrder', { order_id: 'o-4', user_id: 'cleo', total: 700n });
  await until('the new order', async () => {
    if ((await orderOf(page, 'o-4').count()) === 0) await page.reload();
    return orderOf(page, 'o-4').count();
  });
  await page.getByRole('button', { name: 'Ship o-4' }).click();
  await page.getByLabel('Carrier').fill('Post');
  await page.getByLabel('Tracking number').fill(' ');
  await page.getByRole('button', { name: 'Ship it' }).click();
  await orderOf(page, 'o-4').getByText('OrderShippingFailed').waitFor();
  assert.equal(await page.getByLabel('Tracking number').getAttribute('aria-invalid'), 'true');
});

test('a button that is pressed twice orders once', async () => {
  const page = await chrome.open(`${world.url}/shop`, { user: 'dora', expected: [503, 'cut'] });
  await page.getByText('Nothing ordered yet').waitFor();
  // the first answer is lost on the way
  let lost = 0;
  const keys = new Set();
  await page.route('**/v1/commands/**', async (route) => {
    keys.add(route.request().headers()['idempotency-key']);
    if (lost++ > 0) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await page.getByLabel('Total').fill('7');
  await page.getByLabel('Order id').fill('o-5');
  await page.getByRole('button', { name: 'Order', exact: true }).dblclick();
  await orderOf(page, 'o-5').waitFor();
  // the stream may show the order before the page has asked again
  await until('the second attempt', () => lost >= 2);
  assert.equal(keys.size, 1);
  await page.unrouteAll();
  assert.equal(await page.getByRole('list', { name: 'Your orders' }).locator('[data-order]').count(), 1);
});

/** Holds the answers to commands back until it is told to go on. */
async function held(page) {
  let answer;
  const gate = new Promise((resolve) => (answer = resolve));
  await page.route('**/v1/commands/**', async (route) => (await gate, route.continue()));
  return answer;
}

test('what is written while a command is under way stays, and what is said is of what was sent', async () => {
  const page = await chrome.open(`${world.url}/shop`, { user: 'fay' });
  await page.getByText('Nothing ordered yet').waitFor();
  let answer = await held(page);
  await page.getByLabel('Total').fill('7');
  await page.getByLabel('Order id').fill('o-6');
  await page.getByRole('button', { name: 'Order', exact: true }).click();
  await page.getByLabel('Total').fill('8');
  await page.getByLabel('Order id').fill('o-7');
  answer();
  await page.getByRole('status').getByText('o-6', { exact: true }).waitFor();
  assert.deepEqual([await page.getByLabel('Total').inputValue(), await page.getByLabel('Order id').inputValue()], ['8', 'o-7']);
  await page.unrouteAll();

  // a form that is left while its command is under way
  answer = await held(page);
  await page.getByRole('button', { name: 'Ship o-6' }).click();
  await page.getByLabel('Carrier').fill('UPS');
  await page.getByLabel('Tracking number').fill('T');
  await page.getByRole('button', { name: 'Ship it' }).click();
  await page.getByRole('button', { name: 'Leave it' }).click();
  answer();
  await page.getByRole('status').getByText('Shipped', { exact: true }).waitFor();
  assert.equal(await page.getByRole('status').getByText('Cancelled').count(), 0);
});

test('an open form stays, whatever comes in front of its order, and who leaves it is not lost', async () => {
  await send(world.url, 'orders/CreateOrder', { order_id: 'g-0', user_id: 'gil', total: 100n });
  const page = await chrome.open(`${world.url}/shop`, { user: 'gil' });
  await page.getByRole('button', { name: 'Cancel g-0' }).click();
  await page.getByLabel('Reason').fill('changed my mind');
  for (let n = 1; n <= 7; n++) await send(world.url, 'orders/CreateOrder', { order_id: `g-${n}`, user_id: 'gil', total: 100n });
  await orderOf(page, 'g-7').waitFor();
  assert.equal(await page.getByLabel('Reason').inputValue(), 'changed my mind');
  assert.equal(await orderOf(page, 'g-1').count(), 0);
  // somebody else ships it: the order has no buttons to go back to
  await send(world.url, 'orders/ShipOrder', { order_id: 'g-0', carrier: 'UPS', tracking_number: 'T1' });
  await orderOf(page, 'g-0').getByText('Shipped').waitFor();
  await page.getByRole('button', { name: 'Leave it' }).click();
  assert.notEqual(await page.evaluate(() => document.activeElement.tagName), 'BODY');
  await until('it goes its way', async () => (await orderOf(page, 'g-0').count()) === 0);
});

test('no more orders are read than are shown, and then some', async () => {
  const client = new Client({ base: world.url });
  for (let n = 0; n < 130; n += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, m) => client.send('orders/CreateOrder', { order_id: `h-${n + m}`, user_id: 'hana', total: 100n })));
  }
  const rows = () => client.query('orders/shop_orders', { user_id: 'hana' }, { limit: 1_000 });
  await until('all are in the table', async () => (await rows()).rows.length === 130);
  const page = await chrome.open(`${world.url}/`, { user: 'nobody' });
  const asked = [];
  page.on('request', (request) => /shop_orders.*hana/.test(request.url()) && asked.push(request.url()));
  await page.evaluate(() => localStorage.setItem('millrace.user', 'hana'));
  await page.addInitScript(() => localStorage.setItem('millrace.user', 'hana'));
  await page.goto(`${world.url}/shop`);
  const shown = () => page.locator('[data-order]').evaluateAll((all) => all.map((one) => one.dataset.order));
  await until('the first', async () => (await shown()).length === 6);
  assert.ok(asked.every((url) => /limit=100/.test(url)), asked.join(' '));
  const older = page.getByRole('button', { name: 'Older orders' });
  while ((await older.count()) > 0) {
    const before = (await shown()).length;
    await older.click();
    await until('more', async () => (await shown()).length > before);
  }
  const wanted = (await rows()).rows.map(({ order_id }) => order_id);
  assert.equal(wanted.length, 130);
  assert.deepEqual(await shown(), wanted);
  // one of those that are not live shows what becomes of it
  await page.getByRole('button', { name: `Cancel ${wanted.at(-1)}`, exact: true }).click();
  await page.getByRole('button', { name: 'Cancel the order' }).click();
  await orderOf(page, wanted.at(-1)).getByText('Cancelled').waitFor();
});

test('it can be done without a mouse', async () => {
  const page = await chrome.open(`${world.url}/shop`, { user: 'eva' });
  await page.getByText('Nothing ordered yet').waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the page');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.name), 'total');
  await page.keyboard.type('3,50');
  await page.keyboard.press('Enter');
  await page.getByText('€3.50').waitFor();
});
