// Where a gateway wants to know who asks, a page asks for a token, keeps it in its tab, and sends it in a header.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { browser, millrace, up } from './world.mjs';

let world, chrome, guarded, token;
before(async () => {
  [world, chrome] = await Promise.all([up(), browser()]);
  const key = join(world.folder, 'dev.key');
  token = await millrace('token', '--user', 'ann', '--make-key', '--key', key);
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

test('a page asks for a token, and acts for whom it is of', async () => {
  const page = await chrome.open(`${guarded.url}/shop`, { expected: [401, 403] });
  const addresses = [];
  page.on('request', (request) => addresses.push(request.url()));
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Token').fill('nonsense');
  await dialog.getByRole('button', { name: 'Go on' }).click();
  await dialog.getByText('That is no token').waitFor();
  // one that looks like one, and is signed by nobody
  const claims = Buffer.from(JSON.stringify({ sub: 'ann', iss: 'millrace-dev', exp: 4_000_000_000 })).toString('base64url');
  await dialog.getByLabel('Token').fill(`${token.split('.')[0]}.${claims}.AAAA`);
  await dialog.getByRole('button', { name: 'Go on' }).click();
  await dialog.getByRole('alert').waitFor();
  await dialog.getByLabel('Token').fill(token);
  await dialog.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('Nothing ordered yet').waitFor();
  await page.getByLabel('Total').fill('5');
  await page.getByLabel('Order id').fill('o-1');
  await page.getByRole('button', { name: 'Order', exact: true }).click();
  await page.locator('[data-order="o-1"]').waitFor();
  assert.ok(addresses.length > 0 && addresses.every((address) => !address.includes(token)), 'a token is in no address');
  // it stays in this tab, over its pages
  await page.goto(`${guarded.url}/accounts`);
  await page.getByText('No account yet').waitFor();
  assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage }).includes('ey')), false);
  const other = await page.context().newPage();
  await other.goto(`${guarded.url}/shop`);
  await other.getByRole('dialog').getByLabel('Token').waitFor();
  // the next story kills the gateway, and nothing is to be said of that here
  await page.context().close();
});

test('a token that expires takes nothing along', async () => {
  const bobs = await millrace('token', '--user', 'bob', '--key', join(world.folder, 'dev.key'));
  const page = await chrome.open(`${guarded.url}/shop`, { expected: [401, 403, 502, 503, 'cut'] });
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Token').fill(bobs);
  await dialog.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('Nothing ordered yet').waitFor();
  await page.getByLabel('Total').fill('12.34');
  // it is not good any more: first for what is sent, then for what is followed
  const unauthenticated = { type: 'urn:millrace:problem:unauthenticated', title: 'x', status: 401, detail: 'The credentials have expired. Go on from the last token with new ones.' };
  await page.route('**/v1/**', (route) => route.fulfill({ status: 401, contentType: 'application/problem+json', body: JSON.stringify(unauthenticated) }));
  await page.getByRole('button', { name: 'Order', exact: true }).click();
  await dialog.getByRole('alert').filter({ hasText: 'Your token is not good any more. What you have written is still here' }).waitFor();
  await guarded.kill();
  await page.locator('[data-standing="off"]').first().waitFor();
  assert.equal(await page.getByText('Go on from the last token').count(), 0);
  await guarded.start();
  await page.unrouteAll();
  await dialog.getByLabel('Token').fill(bobs);
  await dialog.getByRole('button', { name: 'Go on' }).click();
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await page.getByLabel('Total').inputValue(), '12.34');
  await page.getByRole('button', { name: 'Order', exact: true }).click();
  await page.getByText('€12.34').waitFor();
  await page.locator('[data-standing="live"]').first().waitFor({ timeout: 60_000 });
});
