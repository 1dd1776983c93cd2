// What operators see: everything that the console shows is what the terminal shows, and it is theirs alone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { barriers, browser, Client, millrace, send, until, up } from './world.mjs';

let world, chrome, guarded, tokens;
before(async () => {
  [world, chrome] = await Promise.all([up(), browser()]);
  const { url } = world;
  await send(url, 'orders/CreateOrder', { order_id: 'o1', user_id: 'ann', total: 4_990n });
  await send(url, 'orders/ShipOrder', { order_id: 'o1', carrier: 'DHL', tracking_number: 'T1' });
  const key = join(world.folder, 'dev.key');
  tokens = { ann: await millrace('token', '--user', 'ann', '--make-key', '--key', key) };
  tokens.olga = await millrace('token', '--user', 'olga', '--role', 'operator', '--key', key);
  guarded = await world.gateway([
    ['MILLRACE_GATEWAY_AUTH', 'jwt'],
    ['MILLRACE_GATEWAY_JWT_ISSUERS', 'millrace-dev'],
    ['MILLRACE_GATEWAY_JWT_KEYS', `${key}.pub`],
  ]);
});
after(async () => {
  await chrome?.stop();
  await world?.stop();
  chrome?.check();
});

const servers = () => ['--sqlite', join(world.folder, 'data/tables'), ...['kafka', 'registry'].flatMap((name) => [`--${name}`, world.place(name)])];

/** A look takes seconds where a machine is busy, and who waits too long for their turn is told to ask again, which the page does. */
const LONG = { timeout: 60_000 };
const OPERATOR = { user: 'olga', expected: [503] };

const PARTS = {
  '': 'All contexts',
  'context/orders': 'orders.commands',
  roles: 'orders · processor',
  views: 'orders · shop',
  faults: /Nothing is in the way|What you can do/,
  dead: 'Nothing is dead',
  command: 'Command id',
  'history/orders%3AOrder%2Fo1': 'State at version 2',
};

for (const scheme of ['light', 'dark']) {
  for (const width of [320, 1280]) {
    test(`nothing of it is in anybody’s way: ${scheme}, ${width}`, async () => {
      for (const [part, text] of Object.entries(PARTS)) {
        const page = await chrome.open(`${world.url}/console#/${part}`, { ...OPERATOR, scheme, viewport: { width, height: 900 } });
        await page.getByText(text).first().waitFor(LONG);
        assert.deepEqual(await barriers(page), [], part);
        assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${part} scrolls sideways`);
        await page.context().close();
      }
    });
  }
}

test('a command is told as a time line, from what was asked to the rows, and leads to the history of what it changed', async () => {
  const client = new Client({ base: world.url });
  const { command_id } = await client.send('orders/CreateOrder', { order_id: 'o2', user_id: 'ann', total: 7n });
  const page = await chrome.open(`${world.url}/console#/command`, OPERATOR);
  await page.getByLabel('Command id').fill(command_id);
  await page.keyboard.press('Enter');
  const story = page.getByRole('region', { name: 'The story of the command' });
  await story.getByText('Answered: accepted').waitFor(LONG);
  const kinds = await story.locator('li[data-kind]').evaluateAll((items) => items.map((item) => item.dataset.kind));
  assert.equal(kinds[0], 'asked');
  assert.ok(kinds.indexOf('event') < kinds.indexOf('rows'), kinds.join(' '));
  await story.getByText('shop_orders').first().waitFor();
  // what is shown is what is in the log: the trace that this client has begun
  const { asked } = await client.operations('explain', { command_id });
  await story.getByText(asked[0].traceparent.split('-')[1]).waitFor();
  await story.getByRole('link', { name: 'Its history' }).first().click();
  await page.getByText('State at version 1').waitFor(LONG);
  assert.match(await page.getByLabel('Aggregate').inputValue(), /^orders:.*o2$/);
});

test('a history says what each version has changed', async () => {
  const page = await chrome.open(`${world.url}/console#/history/${encodeURIComponent('orders:Order/o1')}`, { ...OPERATOR, expected: [404, 503] });
  const second = page.locator('[data-version="2"]');
  await second.getByText('DHL').first().waitFor(LONG);
  assert.match(await second.innerText(), /SHIPPED/);
  const told = JSON.parse(await millrace('history', 'orders:Order/o1', '--changes', '--json', ...servers()));
  const fields = told.events[1].changes.map(({ field }) => field);
  const shown = await second.locator('tbody th').allInnerTexts();
  assert.deepEqual(shown, fields, 'the terminal says the same');
  await page.getByLabel('Aggregate').fill('Order/nobody');
  await page.getByRole('button', { name: 'Show its history' }).click();
  await page.getByText('Order/nobody has no event').waitFor(LONG);
  await page.context().close();
});

test('what is declared and what is seen are told apart by colour, and a context is opened by keys', async () => {
  const page = await chrome.open(`${world.url}/console`, OPERATOR);
  await page.locator('[data-box="context:orders"]').waitFor(LONG);
  await page.locator('[data-box="context:orders"]').focus();
  await page.keyboard.press('Enter');
  await page.locator('[data-box="processor:orders"][data-standing="live"]').waitFor(LONG);
  const seen = page.locator('.arrow[data-tone="seen"]').first();
  await seen.waitFor({ state: 'attached', ...LONG });
  const colours = await page.evaluate(() => ['seen', 'declared'].map((tone) => getComputedStyle(document.querySelector(`.arrow[data-tone="${tone}"]`)).stroke));
  assert.notEqual(colours[0], colours[1], 'declared and seen are told apart');
  await page.context().close();
});

test('it is for operators alone, and asks for a token where the gateway does', async () => {
  const page = await chrome.open(`${guarded.url}/console`, { expected: [401, 403, 503] });
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Token').fill(tokens.ann);
  await dialog.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('This is for operators.').waitFor(LONG);
  await page.getByRole('button', { name: /ann/ }).click();
  await dialog.getByLabel('Token').fill(tokens.olga);
  await dialog.getByRole('button', { name: 'Go on' }).click();
  await page.locator('[data-box="context:orders"]').waitFor(LONG);
  // with keys alone
  const tab = page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name: 'Roles' });
  await tab.focus();
  await page.keyboard.press('Enter');
  await page.locator('[data-role="processor:orders"]').waitFor(LONG);
  await until('its members', async () => /Members\s*[1-9]/.test(await page.locator('[data-role="processor:orders"]').innerText()), 60_000);
});
