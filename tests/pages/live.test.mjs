// Windows that move by themselves, whatever is killed in between: what is shown at the end is what is there.
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

// the first who follow a domain wait until its changes are read
const isLive = (page, count) => until('live', async () => (await page.locator('[data-standing="live"]').count()) >= count, 60_000);
const orders = (page) => page.locator('[data-order]').evaluateAll((all) => all.map((one) => `${one.dataset.order} ${one.dataset.status}`));
const there = async (user) => {
  const { rows } = await new Client({ base: world.url }).query('orders/shop_orders', { user_id: user });
  return rows.map(({ order_id, status }) => `${order_id} ${status}`);
};

test('a gateway that is killed and started again loses nothing and doubles nothing', async () => {
  const gateway = await world.gateway();
  const [clicked, watching] = await Promise.all(
    [1, 2].map(() => chrome.open(`${gateway.url}/shop`, { user: 'ann', expected: [502, 503, 'cut'] })),
  );
  await Promise.all([isLive(clicked, 2), isLive(watching, 2)]);
  const order = async (id) => {
    await clicked.getByLabel('Total').fill('5');
    await clicked.getByLabel('Order id').fill(id);
    await clicked.getByRole('button', { name: 'Order', exact: true }).click();
  };
  for (let round = 0; round < 3; round++) {
    await order(`before-${round}`);
    await watching.locator(`[data-order="before-${round}"]`).waitFor();
    await gateway.kill();
    // while nobody answers: what is clicked waits, and what others do goes on
    await order(`while-${round}`);
    await send(world.url, 'orders/CreateOrder', { order_id: `other-${round}`, user_id: 'ann', total: 100n });
    await send(world.url, 'orders/CancelOrder', { order_id: `before-${round}`, reason: null });
    await until('the page says so', async () => (await watching.locator('[data-standing="away"]').count()) > 0);
    await gateway.start();
    for (const page of [clicked, watching]) {
      const first = page.locator('[data-order]').first();
      await until('both are there', async () => (await orders(page)).some((it) => it.startsWith(`while-${round}`)) && (await orders(page)).some((it) => it.startsWith(`other-${round}`)));
      await first.waitFor();
    }
    await clicked.getByText('Ordered').first().waitFor();
  }
  const wanted = await there('ann');
  assert.equal(wanted.length, 9);
  for (const page of [clicked, watching]) {
    const older = page.getByRole('button', { name: 'Older orders' });
    while ((await older.count()) > 0) await older.click();
    await until('all that is there, and nothing twice', async () => JSON.stringify(await orders(page)) === JSON.stringify(wanted));
  }
});

test('three pages and a hundred clients schedule at once', { timeout: 120_000 }, async () => {
  const { url } = world;
  await send(url, 'calendar/CreateCalendar', { calendar_id: 'hub' });
  const pages = await Promise.all([1, 2, 3].map(() => chrome.open(`${url}/shop`, { user: 'hub', zone: 'UTC', expected: [422, 503] })));
  for (const page of pages) {
    await page.getByLabel('Go to a day').fill('2026-12-01');
    await isLive(page, 2);
  }
  const [base, hour] = [Date.UTC(2026, 11, 1), 3_600_000];
  // a hundred that look and want, each of the hours of a week by turns that are its own: most are taken
  const clients = Array.from({ length: 100 }, (_, number) => {
    const client = new Client({ base: url });
    const mirror = { rows: [], state: 'none' };
    const end = client.subscribe('calendar/calendar_timeslots', { calendar_id: 'hub' }, {
      rows: (rows) => (mirror.rows = rows),
      status: (state) => (mirror.state = state),
    });
    return { client, mirror, end, number };
  });
  await until('all are live', () => clients.every(({ mirror }) => mirror.state === 'live'), 60_000);
  const outcomes = { accepted: [], refused: 0 };
  const want = async ({ client, number }) => {
    for (let turn = 0; turn < 3; turn++) {
      const start = base + ((number * 7 + turn * 31) % 120) * hour;
      const id = `n${number}-${turn}`;
      const data = { calendar_id: 'hub', timeslot_id: id, title: id, start: BigInt(start) * 1_000n, end: BigInt(start + hour + (number % 2) * 1_800_000) * 1_000n };
      try {
        await client.send('calendar/ScheduleTimeslot', data);
        outcomes.accepted.push(id);
      } catch (problem) {
        assert.equal(problem.reasons?.[0]?.code, 'OverlapCalendar', problem.message);
        outcomes.refused += 1;
      }
    }
  };
  const click = async (page, number) => {
    await page.getByRole('button', { name: 'New slot' }).click({ timeout: 60_000 });
    await page.getByLabel('Title').fill(`page ${number}`);
    // behind all that the others want
    await page.getByLabel('Starts').fill(`2026-12-06T0${number + 3}:00`);
    await page.getByLabel('Ends').fill(`2026-12-06T0${number + 3}:30`);
    await page.getByRole('button', { name: 'Schedule' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached', timeout: 60_000 });
  };
  await Promise.all([...clients.map(want), ...pages.map(click)]);
  assert.ok(outcomes.refused > 50 && outcomes.accepted.length > 50, JSON.stringify(outcomes));

  const { rows } = await new Client({ base: url }).query('calendar/calendar_timeslots', { calendar_id: 'hub' }, { limit: 1_000 });
  const sorted = [...rows].sort((one, other) => Number(one.start) - Number(other.start));
  sorted.slice(1).forEach((row, place) => assert.ok(BigInt(row.start) >= BigInt(sorted[place].end), 'two at once'));
  assert.deepEqual(new Set(rows.map(({ timeslot_id }) => timeslot_id).filter((id) => id.startsWith('n'))), new Set(outcomes.accepted));
  const wanted = JSON.stringify(rows);
  await until('every client has them all', () => clients.every(({ mirror }) => JSON.stringify(mirror.rows) === wanted), 30_000);
  clients.forEach(({ end }) => end());
  const shown = (page) => page.locator('[data-slot]').evaluateAll((slots) => [...new Set(slots.map((slot) => slot.dataset.slot))].sort());
  const [from, to] = [Date.UTC(2026, 10, 30), Date.UTC(2026, 11, 7)].map((instant) => BigInt(instant) * 1_000n);
  const inWeek = rows.filter((row) => BigInt(row.start) < to && BigInt(row.end) > from).map(({ timeslot_id }) => timeslot_id).sort();
  for (const page of pages) {
    await until('a page shows the week', async () => {
      const found = await shown(page);
      return JSON.stringify(found) === JSON.stringify(inWeek) || Promise.reject(new Error(`${found} instead of ${inWeek}`));
    });
  }
});

test('what is paid, posted and planned moves in a window of another page', async () => {
  const { url } = world;
  for (const [id, name] of [['lea', 'Lea'], ['max', 'Max']]) await send(url, 'chirp/RegisterUser', { user_id: id, username: name });
  await send(url, 'chirp/FollowUser', { follower_id: 'lea', followee_id: 'max' });
  await send(url, 'accounting/OpenAccount', { account_id: 'lea', owner_id: 'lea', currency: 'EUR' });
  const [start, feed, accounts] = await Promise.all(['/', '/chirp', '/accounts'].map((at) => chrome.open(url + at, { user: 'lea' })));
  const figure = () => start.locator('[data-figure="balance"] strong').textContent();
  await Promise.all([isLive(start, 1), isLive(feed, 1), isLive(accounts, 1)]);
  await until('both balances', async () => (await figure()) === '€0.00' && (await accounts.locator('[data-balance]').textContent()) === '€0.00', 60_000);
  await send(url, 'chirp/PostChirp', { chirp_id: 'x', author_id: 'max', content: 'Look, no reload' });
  await feed.getByText('Look, no reload').waitFor();
  await send(url, 'accounting/Deposit', { account_id: 'lea', amount: 1_234n, currency: 'EUR', reference: 'gift' });
  await until('the balance', async () => (await accounts.locator('[data-balance]').textContent()) === '€12.34');
  await accounts.getByRole('row', { name: /gift/ }).waitFor();
  await until('the figure', async () => (await figure()) === '€12.34');
});
