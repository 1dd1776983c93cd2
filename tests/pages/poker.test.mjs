// Planning poker: several people at several windows, none of which hears of another's card before all are turned up.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { begin, found, introduce } from './crew.mjs';
import { barriers, browser, Client, millrace, send, until, up } from './world.mjs';

let world, chrome, guarded, key;
before(async () => {
  [world, chrome] = await Promise.all([up(), browser()]);
  key = join(world.folder, 'dev.key');
  await millrace('token', '--user', 'ann', '--make-key', '--key', key);
  guarded = await world.gateway([
    ['MILLRACE_GATEWAY_AUTH', 'jwt'],
    ['MILLRACE_GATEWAY_JWT_ISSUERS', 'millrace-dev'],
    ['MILLRACE_GATEWAY_JWT_KEYS', `${key}.pub`],
  ]);
  await introduce(world.url, 'Ann', 'Bob', 'Cleo', 'Dora');
  await found(world.url, 'crew', 'ann', { bob: 'member', cleo: 'member', dora: 'viewer' });
  await begin(world.url, 'p', 'crew', 'ann');
});
after(async () => {
  await chrome?.stop();
  await world?.stop();
  chrome?.check();
});

/** A window of somebody with a token, with all that it hears from the first byte on. */
async function enter(user, at) {
  const page = await chrome.open(`${guarded.url}/`, { expected: [401, 403, 422, 'cut'] });
  const heard = await listen(page);
  await page.goto(`${guarded.url}/projects${at}`);
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Token').fill(await millrace('token', '--user', user, '--key', key));
  await dialog.getByRole('button', { name: 'Go on' }).click();
  return { page, heard };
}

/** Everything that comes to a window over the network, also of answers that have not ended. */
async function listen(page) {
  const session = await page.context().newCDPSession(page);
  const bodies = new Map();
  const add = (id, data) => bodies.set(id, Buffer.concat([bodies.get(id) ?? Buffer.alloc(0), Buffer.from(data, 'base64')]));
  session.on('Network.responseReceived', async ({ requestId, response }) => {
    if (!response.url.includes('/v1/')) return;
    try {
      // what has come so far; what comes from now on is told with each piece
      const { bufferedData } = await session.send('Network.streamResourceContent', { requestId });
      bodies.set(requestId, Buffer.concat([Buffer.from(bufferedData, 'base64'), bodies.get(requestId) ?? Buffer.alloc(0)]));
    } catch {
      // it has ended by now, and is there as a whole
      const { body, base64Encoded } = await session.send('Network.getResponseBody', { requestId }).catch(() => ({ body: '' }));
      bodies.set(requestId, Buffer.from(body, base64Encoded ? 'base64' : 'utf8'));
    }
  });
  session.on('Network.dataReceived', ({ requestId, data }) => data && add(requestId, data));
  await session.send('Network.enable');
  return { text: () => [...bodies.values()].join('\n') };
}

/** What the rows that were heard say of points: all but the cards of the scale, which are the same for everybody. */
function points(text) {
  const lines = text.split('\n').map((line) => line.replace(/^data: /, '')).filter((line) => /^[[{]/.test(line));
  const found = [];
  const walk = (value, name) => {
    if (name === 'cards' || name === 'scale') return;
    if (value && typeof value === 'object') for (const [inner, one] of Object.entries(value)) walk(one, inner);
    else if ((name === 'points' || name === 'spread') && value !== null) found.push(String(value));
  };
  for (const line of lines) walk(JSON.parse(line), '');
  return found;
}

const seat = (page, id) => page.locator(`[data-seat="${id}"]`);
const hasChosen = (page, id, chosen = 'true') => until(`${id} has chosen`, async () => (await seat(page, id).getAttribute('data-chosen')) === chosen);
const front = (page, id) => seat(page, id).locator('.front').textContent();

test('cards lie face down in every window, and in all that comes to it, until they are turned up', { timeout: 600_000 }, async () => {
  const [ann, bob, cleo, dora] = await Promise.all(['ann', 'bob', 'cleo', 'dora'].map((user) => enter(user, '#/project/p/poker')));
  await bob.page.getByText('Owners and admins of the team put something on the table').waitFor({ timeout: 60_000 });
  assert.equal(await bob.page.getByRole('button', { name: 'Ask the team' }).count(), 0);
  await bob.page.locator('[data-standing="live"]').first().waitFor({ timeout: 60_000 });

  const form = ann.page.getByRole('region', { name: 'Put something on the table' });
  await form.getByRole('button', { name: 'Ask the team' }).click();
  await form.getByText('Say what is to be estimated').waitFor();
  await form.getByLabel('What is to be estimated').fill('The water wheel');
  await form.getByLabel('Cards').selectOption({ label: 'Our own' });
  await form.getByLabel('Numbers, rising').fill('7001, 5');
  await form.getByRole('button', { name: 'Ask the team' }).click();
  await form.getByText('The numbers rise').waitFor();
  assert.deepEqual(await barriers(ann.page), []);
  await form.getByLabel('Numbers, rising').fill('5, 7001, 8002, 9003');
  await form.getByRole('button', { name: 'Ask the team' }).click();
  for (const { page } of [ann, bob, cleo, dora]) await page.getByRole('heading', { name: 'The water wheel' }).waitFor();

  // who only reads has no cards
  assert.equal(await dora.page.locator('.pick').count(), 0);
  const turn = ann.page.getByRole('button', { name: 'Turn the cards up' });
  assert.equal(await turn.isDisabled(), true);
  await bob.page.getByRole('button', { name: '8002', exact: true }).click();
  for (const { page } of [ann, cleo, dora]) await hasChosen(page, 'bob');
  await bob.page.getByRole('button', { name: '7001', exact: true }).click();
  await until('it is his card now', async () => (await bob.page.getByRole('button', { name: '7001', exact: true }).getAttribute('aria-pressed')) === 'true');
  await cleo.page.getByRole('button', { name: '9003', exact: true }).click();
  for (const { page } of [ann, bob, dora]) await hasChosen(page, 'cleo');
  assert.equal(await front(bob.page, 'bob'), '7001');
  // his own card he finds again
  await bob.page.reload();
  await until('it is there again', async () => (await front(bob.page, 'bob')) === '7001');
  await hasChosen(bob.page, 'cleo');
  for (const { page } of [ann, bob, cleo, dora]) assert.deepEqual(await barriers(page), []);

  // nothing that has come to anybody says a word of what others have chosen
  assert.deepEqual(points(ann.heard.text()), []);
  assert.deepEqual(points(dora.heard.text()), []);
  // one's own cards alone
  assert.deepEqual(points(bob.heard.text()).filter((value) => !['8002', '7001'].includes(value)), []);
  assert.deepEqual(points(cleo.heard.text()).filter((value) => value !== '9003'), []);
  for (const { page } of [ann, cleo, dora]) assert.equal(await front(page, 'bob'), '');
  assert.match(ann.heard.text(), /"member_id":"bob"/, 'that he has chosen is heard');
  // and who asks for it is told nothing
  const token = await millrace('token', '--user', 'ann', '--key', key);
  const asking = new Client({ base: guarded.url, token: () => token });
  const estimation_id = await ann.page.locator('[data-estimation]').first().getAttribute('data-estimation');
  assert.deepEqual((await asking.query('estimation/my_estimates', { estimation_id, member_id: 'bob' })).rows, []);

  await until('it can be turned up', () => turn.isEnabled());
  await turn.click();
  for (const { page } of [ann, bob, cleo, dora]) {
    await page.locator('[data-outcome]').getByText('9003').first().waitFor();
    await page.getByText('From 7001 to 9003').waitFor();
    assert.equal(await front(page, 'bob'), '7001');
    assert.equal(await front(page, 'cleo'), '9003');
    assert.deepEqual(await barriers(page), []);
  }
  // what was to be heard now is heard by the same ears
  for (const { heard } of [ann, dora]) await until('it is heard', () => ['7001', '9003', '2002'].every((value) => points(heard.text()).includes(value)));

  await ann.page.getByRole('button', { name: 'Another round' }).click();
  for (const { page } of [ann, bob, cleo, dora]) {
    await page.getByText('Round 2', { exact: true }).waitFor();
    for (const id of ['bob', 'cleo']) await hasChosen(page, id, 'false');
    assert.equal(await page.locator('[data-outcome]').count(), 0);
  }
  assert.equal(await bob.page.locator('.pick[aria-pressed="true"]').count(), 0);
  // both choose the same: all agree
  for (const { page } of [bob, cleo]) await page.getByRole('button', { name: '5', exact: true }).click();
  await until('it can be turned up', () => turn.isEnabled());
  await turn.click();
  for (const { page } of [ann, bob]) await page.getByText('All agree').waitFor();

  // who is taken out while the table is open is told so, as on the board
  await send(world.url, 'projects/DeleteMembership', { team_id: 'crew', user_id: 'cleo' }, 'ann');
  await cleo.page.getByRole('heading', { name: 'You are not in crew any more' }).waitFor();
  for (const { page } of [ann, bob, cleo, dora]) await page.context().close();
});

test('the scales have their cards, and a table is played without a mouse', async () => {
  const page = await chrome.open(`${world.url}/projects#/project/p/poker`, { user: 'ann', expected: [422] });
  await page.locator('[data-standing="live"]').first().waitFor({ timeout: 60_000 });
  const open = async (title, scale) => {
    await page.getByLabel('What is to be estimated').fill(title);
    await page.getByLabel('Cards', { exact: true }).selectOption({ label: scale });
    await page.getByLabel('What is to be estimated').press('Enter');
    await page.getByRole('heading', { name: title }).waitFor();
    return page.locator('.pick').allTextContents().then((all) => all.map((text) => text.trim()));
  };
  assert.deepEqual(await open('Shirts', 'T-shirt'), ['XS', 'S', 'M', 'L', 'XL', 'XXL']);
  assert.deepEqual(await open('Rabbits', 'Fibonacci'), ['0', '1', '2', '3', '5', '8', '13', '21', '34', '55', '89']);
  await page.getByRole('button', { name: '13', exact: true }).focus();
  await page.keyboard.press('Enter');
  await hasChosen(page, 'ann');
  await page.locator('[data-seat="ann"]').getByText(': 13').waitFor({ state: 'attached' });
  // one alone turns nothing up
  assert.equal(await page.getByRole('button', { name: 'Turn the cards up' }).isDisabled(), true);
  await page.getByRole('link', { name: 'Shirts' }).click();
  await page.getByRole('heading', { name: 'Shirts' }).waitFor();
  assert.equal(await page.locator('.pick[aria-pressed="true"]').count(), 0);
  for (const scheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme: scheme });
    assert.deepEqual(await barriers(page), []);
  }
  await page.setViewportSize({ width: 320, height: 700 });
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 320);
  await page.context().close();
});
