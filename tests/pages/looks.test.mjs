// What holds of every page: nothing in the way of anybody, no more than a first view may weigh, nothing that scrolls sideways.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { begin, found } from './crew.mjs';
import { barriers, browser, send, until, up } from './world.mjs';

/** What a first view may weigh on its way, in bytes. */
const MOST = 200_000;
const PAGES = ['/', '/shop', '/chirp', '/accounts', '/projects', '/identity', '/console'];
let world, chrome;
const add = (id, first_name, last_name) => {
  const more = { email: `${id}@example.org`, email_verified: true, picture: `https://example.org/${id}.png`, locale: 'en-GB' };
  return send(world.url, 'identity/AddUser', { user_id: id, auth0_id: id, first_name, last_name, ...more });
};
before(async () => {
  [world, chrome] = await Promise.all([up(), browser()]);
  const { url } = world;
  for (const [id, name] of [['ann', 'Ann'], ['bob', 'Bob']]) await send(url, 'chirp/RegisterUser', { user_id: id, username: name });
  await send(url, 'chirp/FollowUser', { follower_id: 'ann', followee_id: 'bob' });
  await send(url, 'chirp/PostChirp', { chirp_id: 'c', author_id: 'bob', content: 'Hello' });
  await send(url, 'chirp/PostChirp', { chirp_id: 'c', author_id: 'ann', content: 'Hello you' });
  for (const [id, total] of [['o1', 4_990n], ['o2', 700n], ['o3', 100n]]) await send(url, 'orders/CreateOrder', { order_id: id, user_id: 'ann', total });
  await send(url, 'orders/ShipOrder', { order_id: 'o1', carrier: 'DHL', tracking_number: 'T' });
  await send(url, 'orders/CancelOrder', { order_id: 'o3', reason: 'too late' });
  await send(url, 'calendar/CreateCalendar', { calendar_id: 'ann' });
  const start = BigInt(Math.floor(Date.now() / 3_600_000) * 3_600_000) * 1_000n;
  const slot = { calendar_id: 'ann', timeslot_id: 's', title: 'Yoga', location: 'Upstairs', start, end: start + 3_600_000_000n };
  await send(url, 'calendar/ScheduleTimeslot', slot);
  await send(url, 'accounting/OpenAccount', { account_id: 'ann', owner_id: 'ann', currency: 'EUR' });
  await send(url, 'accounting/Deposit', { account_id: 'ann', amount: 5_000n, currency: 'EUR', reference: 'salary' });
  await add('ann', 'Ann', 'Lee');
  await found(url, 'mill', 'ann');
  await begin(url, 'wheel', 'mill', 'ann', ['Cut the oak'], { name: 'Water wheel' });
});
after(async () => {
  await chrome?.stop();
  await world?.stop();
  chrome?.check();
});

const SHOWN = { '/': 'Your orders that wait', '/shop': '€49.90', '/chirp': 'Hello', '/accounts': 'salary', '/projects': 'Your teams', '/projects#/team/mill': 'Water wheel', '/projects#/project/wheel': 'Cut the oak', '/identity': 'Ann Lee', '/console': 'Console' };

for (const scheme of ['light', 'dark']) {
  for (const width of [375, 1280]) {
    test(`nothing is in anybody’s way: ${scheme}, ${width}`, async () => {
      const window = { user: 'ann', scheme, viewport: { width, height: 900 } };
      for (const at of [...PAGES, '/chirp#/ann', '/projects#/team/mill', '/projects#/project/wheel']) {
        const page = await chrome.open(world.url + at, window);
        await page.getByText(SHOWN[at] ?? 'Hello you').first().waitFor();
        assert.deepEqual(await barriers(page), [], at);
        assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${at} scrolls sideways`);
        await page.context().close();
      }
    });
  }
}

test('whatever ids, names, texts and amounts there are, no page is wider than its window', async () => {
  const { url } = world;
  const [long, many] = ['0190f5c2-7f4e-7c1a-9b61-3d1d0b0e7a11', 'x'.repeat(64)];
  for (const [id, name] of [[long, 'W'.repeat(20)], [many, 'M'.repeat(20)]]) {
    await send(url, 'chirp/RegisterUser', { user_id: id, username: name });
    await send(url, 'accounting/OpenAccount', { account_id: id, owner_id: id, currency: 'EUR' });
    await send(url, 'accounting/Deposit', { account_id: id, amount: 9_000_000_000_000_000_000n, currency: 'EUR', reference: 'R'.repeat(140) });
    await add(id, 'W'.repeat(100), 'M'.repeat(100));
  }
  await found(url, many, long, { [many]: 'admin' });
  await begin(url, 'wide', many, long, ['W'.repeat(256)], { name: 'M'.repeat(256), prefix: 'WWWWWW', description: 'W'.repeat(4_096), column_order: ['W'.repeat(64), 'M'.repeat(64)] });
  await send(url, 'projects/CreateTask', { project_id: 'wide', task_id: many, title: 'M'.repeat(256), column: 'W'.repeat(64), rank: 'z'.repeat(64) });
  await send(url, 'chirp/FollowUser', { follower_id: long, followee_id: many });
  await send(url, 'chirp/PostChirp', { chirp_id: 'w', author_id: many, content: 'W'.repeat(280) });
  await send(url, 'accounting/Transfer', { transfer_id: 't', from: long, to: many, amount: 5n, currency: 'EUR' });
  await send(url, 'orders/CreateOrder', { order_id: many, user_id: long, total: 9_000_000_000_000_000_000n });
  await send(url, 'orders/CancelOrder', { order_id: many, reason: 'r'.repeat(140) });
  await send(url, 'calendar/CreateCalendar', { calendar_id: long });
  const start = BigInt(Math.floor(Date.now() / 3_600_000) * 3_600_000) * 1_000n;
  await send(url, 'calendar/ScheduleTimeslot', { calendar_id: long, timeslot_id: many, title: 'W'.repeat(100), start, end: start + 3_600_000_000n });
  const shown = { '/': '€89,999,999,999,999,999.95', '/shop': '€90,000,000,000,000,000.00', '/chirp': /^W{280}$/, '/accounts': /^R{140}$/, '/identity': /^W{100} M{100}$/, '/projects': many, [`/projects#/team/${many}`]: /^M{256}$/, '/projects#/project/wide': /^W{256}$/, '/projects#/project/wide/settings': 'Columns', [`/chirp#/${many}`]: /^W{280}$/ };
  for (const width of [1280, 390, 320]) {
    for (const [at, text] of Object.entries(shown)) {
      const page = await chrome.open(url + at, { user: long, viewport: { width, height: 800 } });
      await page.getByText(text).first().waitFor();
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${at} is wider than ${width}`);
      const [first, last] = await Promise.all(['Overview', 'Profile'].map((name) => page.getByRole('link', { name, exact: true }).boundingBox()));
      assert.ok(last.x + last.width <= width, `the way to the last page is cut at ${width}`);
      assert.equal(last.y, first.y, `the ways to the pages are no line at ${width}`);
      await page.context().close();
    }
  }
});

test('dates and amounts have the digits and the calendar of what is typed', async () => {
  for (const locale of ['fa-IR', 'ar-EG', 'th-TH']) {
    for (const at of ['/shop', '/accounts', '/chirp']) {
      const page = await chrome.open(world.url + at, { user: 'ann', locale });
      await page.locator('[data-order], [data-entry], [data-chirp]').first().waitFor();
      const text = await page.locator('main').innerText();
      assert.doesNotMatch(text, /[\u0660-\u0669\u06f0-\u06f9\u0e50-\u0e59]/, `${locale} ${at}`);
      if (at === '/accounts') assert.match(text, new RegExp(String(new Date().getFullYear())), locale);
      await page.context().close();
    }
  }
});

test('where colours are forced, the page one is on and the time that it is are lines', async () => {
  const page = await chrome.open(`${world.url}/shop`, { user: 'ann' });
  await page.emulateMedia({ forcedColors: 'active' });
  const border = (name) => page.getByRole('link', { name, exact: true }).evaluate((link) => getComputedStyle(link).borderBottomColor);
  assert.notEqual(await border('Shop'), await border('Chirp'));
  const now = await page.locator('.now').evaluate((line) => [getComputedStyle(line).borderTopStyle, getComputedStyle(line).borderTopColor]);
  assert.equal(now[0], 'solid');
  assert.notEqual(now[1], await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
});

test('neither are forms, dialogs and refusals', async () => {
  const window = { user: 'ann', expected: [422] };
  for (const scheme of ['light', 'dark']) {
    const page = await chrome.open(`${world.url}/shop`, { ...window, scheme });
    await page.getByRole('button', { name: 'Ship o2' }).click();
    await page.getByRole('button', { name: 'Ship it' }).click();
    await page.getByText('OrderShippingFailed').waitFor();
    assert.deepEqual(await barriers(page), []);
    await page.getByRole('button', { name: 'New slot' }).click();
    await page.getByLabel('Starts').fill('2026-10-25T02:30');
    await page.getByRole('button', { name: 'Schedule' }).click();
    await page.getByText('TimeslotSchedulingFailed').waitFor();
    assert.deepEqual(await barriers(page), []);
    const nobody = await chrome.open(`${world.url}/chirp`, { scheme });
    await nobody.getByRole('dialog').getByRole('button', { name: 'Bob' }).waitFor();
    assert.deepEqual(await barriers(nobody), []);
  }
});

test('nor is what is said of a person', async () => {
  await add('new', 'New', '');
  for (const scheme of ['light', 'dark']) {
    const unknown = await chrome.open(`${world.url}/identity`, { user: 'nobody', scheme, expected: [422] });
    await unknown.getByRole('button', { name: 'Introduce me' }).click();
    await unknown.getByText('Refused', { exact: true }).waitFor();
    assert.deepEqual(await barriers(unknown), []);
    const page = await chrome.open(`${world.url}/identity`, { user: 'new', scheme });
    await page.getByLabel('Token of the accounting service').fill('short');
    await page.getByRole('button', { name: 'Enable accounting' }).click();
    await page.getByText('That is too short').waitFor();
    await page.getByRole('button', { name: 'Remove new' }).click();
    assert.deepEqual(await barriers(page), []);
  }
});

test('the theme is the system’s until somebody chooses', async () => {
  const page = await chrome.open(`${world.url}/`, { user: 'ann', scheme: 'dark' });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const dark = await ground();
  const toggle = page.getByRole('switch', { name: 'Dark theme' });
  assert.equal(await toggle.getAttribute('aria-checked'), 'true');
  await toggle.click();
  const light = await ground();
  assert.notEqual(light, dark);
  await page.goto(`${world.url}/shop`);
  assert.equal(await ground(), light);
  await page.emulateMedia({ colorScheme: 'light' });
  assert.equal(await ground(), light);
});

test('a first view weighs little, comes from here alone, and is asked for once', async () => {
  for (const at of PAGES) {
    const found = new Map();
    const look = async (path) => {
      if (found.has(path)) return;
      const response = await fetch(world.url + path, { headers: { 'Accept-Encoding': 'identity' } });
      assert.equal(response.status, 200, path);
      const text = await response.text();
      const policy = response.headers.get('content-security-policy');
      assert.match(policy, /default-src 'self';/, path);
      assert.doesNotMatch(policy, /unsafe|http|data:/, path);
      found.set(path, await weight(path));
      for (const [, next] of text.matchAll(/(?:src|href)="(\/[^"]*\.(?:js|css|svg))"|from ?"\.\/([^"]+)"/g)) if (next) await look(next);
      if (path.endsWith('.html') || PAGES.includes(path)) {
        assert.doesNotMatch(text, /<script(?![^>]*\bsrc=)/, 'no script within the page');
        assert.doesNotMatch(text, /\bstyle="/, 'no style within the page');
      }
    };
    await look(at);
    const sum = [...found.values()].reduce((all, one) => all + one, 0);
    assert.ok(found.size > 3, [...found.keys()].join(' '));
    assert.ok(sum <= MOST, `${at} weighs ${sum} bytes: ${JSON.stringify([...found])}`);
    console.log(`${at}: ${found.size} files, ${sum} bytes`);
  }
});

/** How many bytes a file has on its way. */
async function weight(path) {
  const { get } = await import('node:http');
  return new Promise((resolve, reject) => {
    get(world.url + path, { headers: { 'accept-encoding': 'gzip' } }, (response) => {
      const pieces = [];
      response.on('data', (piece) => pieces.push(piece));
      response.on('end', () => {
        const bytes = Buffer.concat(pieces);
        if (response.headers['content-encoding'] === 'gzip') gunzipSync(bytes);
        resolve(bytes.length);
      });
    }).on('error', reject);
  });
}

test('who is nobody yet is asked, and may be one of those who are here', async () => {
  const page = await chrome.open(`${world.url}/chirp`);
  await page.getByRole('dialog').getByRole('button', { name: 'Ann' }).click();
  await page.getByText('Hello').first().waitFor();
  await page.reload();
  await page.getByRole('region', { name: 'You' }).getByText('@Ann').waitFor();
  await page.getByRole('button', { name: /ann/ }).first().click();
  await page.getByLabel('User id').fill('no id');
  await page.getByRole('button', { name: 'Go on' }).click();
  await until('it says so', async () => (await page.getByLabel('User id').getAttribute('aria-invalid')) === 'true');
  await page.getByLabel('User id').fill('bob');
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByRole('region', { name: 'You' }).getByText('@Bob').waitFor();
});
