// Who somebody is: introduced, renamed, at another address, with a sealed token, removed; by mouse and without one.
import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { barriers, browser, Client, millrace, send, until, up } from './world.mjs';

let world, chrome;
before(async () => ([world, chrome] = await Promise.all([up(), browser()])));
after(async () => {
  await chrome?.stop();
  await world?.stop();
  chrome?.check();
});

const add = (id, more = {}) => {
  const person = { auth0_id: id, email: `${id}@example.org`, email_verified: true, first_name: id, last_name: 'Miller', picture: '', locale: 'en-GB' };
  return send(world.url, 'identity/AddUser', { user_id: id, ...person, ...more }, id);
};
const rowOf = async (id) => (await new Client({ base: world.url, user: () => id }).query('identity/users', { user_id: id })).rows[0];
const open = (user, more = {}) => chrome.open(`${world.url}/identity`, { user, expected: [422], ...more });
const part = (page, name) => page.getByRole('region', { name, exact: true });
const isInvalid = (field) => until('the field says so', async () => (await field.getAttribute('aria-invalid')) === 'true');
const hasFocus = (field) => until('it has the focus', () => field.evaluate((element) => element === document.activeElement));

test('somebody introduces themselves, and each refusal is beside its field', async () => {
  const page = await open('ann', { locale: 'de-AT' });
  await page.getByRole('heading', { name: 'Introduce yourself' }).waitFor();
  const language = page.getByLabel('Language');
  assert.equal(await language.inputValue(), 'de-AT');
  assert.match(await language.locator('option:checked').textContent(), /Deutsch/);
  await page.getByLabel('E-mail address').fill('ann at home');
  await page.getByLabel('Address of a picture').fill('ftp://example.org/ann.png');
  await page.getByRole('button', { name: 'Introduce me' }).click();
  for (const label of ['E-mail address', 'Address of a picture']) await isInvalid(page.getByLabel(label));
  await hasFocus(page.getByLabel('E-mail address'));
  assert.deepEqual(await barriers(page), []);
  await page.getByLabel('First name').fill('Ann');
  await page.getByLabel('Last name').fill('Lee');
  await page.getByLabel('E-mail address').fill('Ann@example.org');
  await page.getByLabel('This address is verified').check();
  await page.getByLabel('Address of a picture').fill('https://example.org/ann.png');
  await page.getByRole('button', { name: 'Introduce me' }).click();
  await page.getByRole('heading', { name: 'Ann Lee' }).waitFor();
  await page.getByText('You are Ann.').waitFor();
  await part(page, 'You').getByText('Verified', { exact: true }).waitFor();
  // what had the focus is gone: keys go on at the top of what came
  await hasFocus(page.getByRole('heading', { name: 'Profile', exact: true }));
  const { email, email_verified, locale } = await rowOf('ann');
  assert.deepEqual([email, email_verified, locale], ['Ann@example.org', true, 'de-AT']);
});

test('a name that is changed moves in another window, and what is typed there stays', async () => {
  await add('bea');
  const [page, other] = [await open('bea'), await open('bea')];
  for (const window of [page, other]) await window.locator('[data-standing="live"]').waitFor({ timeout: 60_000 });
  await other.getByLabel('Last name').fill('typed meanwhile');
  const sent = [];
  page.on('request', (request) => request.url().includes('/UpdateUser') && sent.push(request.postDataJSON().data));
  const names = part(page, 'Name, picture and language');
  await names.getByRole('button', { name: 'Save' }).click();
  await names.getByText('Nothing is different.').waitFor();
  await names.getByLabel('First name').fill(' Beatrice ');
  await names.getByLabel('Language').selectOption('fr');
  await names.getByRole('button', { name: 'Save' }).click();
  await other.getByRole('heading', { name: 'Beatrice Miller' }).waitFor();
  await page.getByText('français').first().waitFor();
  await until('fields show it', async () => (await names.getByLabel('First name').inputValue()) === 'Beatrice');
  assert.equal(await other.getByLabel('First name').inputValue(), 'Beatrice');
  assert.equal(await other.getByLabel('Last name').inputValue(), 'typed meanwhile');
  assert.deepEqual(sent, [{ user_id: 'bea', first_name: 'Beatrice', locale: 'fr' }], 'only what was changed');
  const picture = names.getByLabel('Address of a picture');
  await picture.fill('ftp://example.org/bea.png');
  await picture.press('Enter');
  await isInvalid(picture);
  await hasFocus(picture);
});

test('an address is checked; one that is taken is refused, and stays as it was typed', async () => {
  await add('cleo');
  await add('dora');
  const page = await open('cleo');
  const form = part(page, 'E-mail address');
  await form.waitFor();
  let answer;
  const gate = new Promise((resolve) => (answer = resolve));
  await page.route('**/v1/commands/**', async (route) => (await gate, route.continue()));
  await form.getByLabel('Your address').fill('DORA@example.org');
  // of another address nobody has said so
  assert.equal(await form.getByLabel('This address is verified').isChecked(), false);
  await form.getByLabel('This address is verified').check();
  await form.getByRole('button', { name: 'Change address' }).click();
  await form.getByText('The address is being checked').waitFor();
  answer();
  await form.getByText('This address is somebody else’s. Write another one.').waitFor();
  assert.equal(await form.getByLabel('Your address').inputValue(), 'DORA@example.org');
  await isInvalid(form.getByLabel('Your address'));
  await hasFocus(form.getByLabel('Your address'));
  assert.deepEqual(await barriers(page), []);
  assert.equal((await rowOf('cleo')).email, 'cleo@example.org');
  // one that nobody has verified is claimed by nobody
  await form.getByLabel('Your address').fill('cleo@example.net');
  await form.getByLabel('This address is verified').uncheck();
  await form.getByRole('button', { name: 'Change address' }).click();
  await part(page, 'You').getByText('cleo@example.net').waitFor();
  await part(page, 'You').getByText('Not verified').waitFor();
  await form.getByText('Nothing is different.').waitFor({ state: 'detached' });
  await form.getByLabel('This address is verified').check();
  await form.getByRole('button', { name: 'Change address' }).click();
  await part(page, 'You').getByText('Verified', { exact: true }).waitFor();
});

test('a token is in the one command and nowhere else', async () => {
  await add('eva');
  const page = await open('eva');
  const form = part(page, 'Accounting');
  const field = form.getByLabel('Token of the accounting service');
  await field.fill('too short');
  const asked = [];
  page.on('request', (request) => asked.push({ url: request.url(), text: `${request.url()} ${JSON.stringify(request.headers())} ${request.postData() ?? ''}` }));
  await field.press('Enter');
  await form.getByText('That is too short').waitFor();
  assert.equal(asked.filter(({ url }) => url.includes('/v1/commands/')).length, 0, 'it is said before anything is sent');
  assert.deepEqual([await field.getAttribute('type'), await field.getAttribute('autocomplete')], ['password', 'off']);
  const secret = 'a-token-of-the-accounting-service';
  await field.fill(` ${secret} `);
  await field.press('Enter');
  await form.getByText('Enabled', { exact: true }).waitFor();
  const said = await form.locator('[data-enabled]').textContent();
  assert.match(said, /Enabled since .*Fingerprint: [\w-]{43}\b/s);
  const again = form.getByLabel('Another token of the accounting service');
  assert.equal(await again.inputValue(), '');

  const holding = asked.filter(({ text }) => text.includes(secret));
  assert.deepEqual(holding.map(({ url }) => new URL(url).pathname), ['/v1/commands/identity/EnableAccounting']);
  const everywhere = () => {
    const values = [...document.querySelectorAll('input, textarea')].map((input) => input.value);
    return [document.documentElement.outerHTML, ...values, JSON.stringify({ ...localStorage, ...sessionStorage })].join(' ');
  };
  assert.ok(!(await page.evaluate(everywhere)).includes(secret), 'it is nowhere in the page');
  // what the page computes is what the gateway has made: the same one is known again
  await again.fill(secret);
  await again.press('Enter');
  await form.getByText('this is the token that the user has already').waitFor();
  await hasFocus(again);
  assert.ok(!(await page.evaluate(everywhere)).includes(secret), 'nor after a refusal');
  assert.deepEqual(await barriers(page), []);
  await page.reload();
  await form.getByText('Enabled', { exact: true }).waitFor();
});

test('where a deployment has no key, it says so and takes no token', async () => {
  await add('fay');
  const page = await chrome.open(`${world.url}/`, { user: 'fay', expected: [404] });
  const unknown = { type: 'urn:millrace:problem:unknown', title: 'x', status: 404 };
  await page.route('**/v1/keys', (route) => route.fulfill({ status: 404, contentType: 'application/problem+json', body: JSON.stringify(unknown) }));
  await page.getByRole('link', { name: 'Profile', exact: true }).click();
  await part(page, 'Accounting').getByText('This deployment has no key').waitFor();
  assert.equal(await part(page, 'Accounting').getByRole('button').count(), 0);
});

test('who is removed is told what goes, in every window, and comes back no more', async () => {
  await add('gil');
  const [page, other] = [await open('gil'), await open('gil')];
  await other.locator('[data-standing="live"]').waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Remove gil' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('cannot be used again').waitFor();
  await dialog.getByLabel('Type the id to confirm').fill('gill');
  await dialog.getByRole('button', { name: 'Remove for good' }).click();
  await dialog.getByText('Type gil, if you want to remove it.').waitFor();
  assert.deepEqual(await barriers(page), []);
  assert.ok(await rowOf('gil'));
  await dialog.getByLabel('Type the id to confirm').fill('gil');
  await dialog.getByRole('button', { name: 'Remove for good' }).click();
  for (const window of [page, other]) await window.getByRole('heading', { name: 'gil is removed' }).waitFor();
  await hasFocus(page.getByRole('heading', { name: 'gil is removed' }));
  assert.deepEqual(await barriers(page), []);
  assert.equal(await rowOf('gil'), undefined);

  await page.reload();
  await page.getByLabel('First name').fill('Gil');
  await page.getByLabel('E-mail address').fill('gil@example.org');
  await page.getByRole('button', { name: 'Introduce me' }).click();
  await page.getByText('The id gil is taken, or was once').waitFor();
});

test('all of it is done without a mouse', async () => {
  const page = await open('hal');
  const { keyboard } = page;
  /** Goes on with the Tab key until it is there. */
  const tabTo = async (name) => {
    for (let times = 0; times < 40; times++) {
      const at = await page.evaluate(() => {
        const one = document.activeElement;
        return [one?.labels?.[0]?.textContent, one?.getAttribute('aria-label'), one?.textContent].find((text) => text?.trim())?.trim() ?? '';
      });
      if (at.startsWith(name)) return;
      await keyboard.press('Tab');
    }
    assert.fail(`no key leads to ${name}`);
  };
  await page.getByRole('heading', { name: 'Introduce yourself' }).waitFor();
  await tabTo('First name');
  await keyboard.type('Hal');
  await tabTo('E-mail address');
  await keyboard.type('hal@example.org');
  await tabTo('This address is verified');
  await keyboard.press('Space');
  await keyboard.press('Enter');
  await hasFocus(page.getByRole('heading', { name: 'Profile', exact: true }));
  await tabTo('Last name');
  await keyboard.type('Lee');
  await keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Hal Lee' }).waitFor();
  await tabTo('Your address');
  await keyboard.press('End');
  await keyboard.type('.uk');
  await keyboard.press('Enter');
  await part(page, 'You').getByText('hal@example.org.uk').waitFor();
  await tabTo('Token of the accounting service');
  await keyboard.type('a token of sixteen characters');
  await keyboard.press('Enter');
  await part(page, 'Accounting').getByText('Enabled', { exact: true }).waitFor();
  await tabTo('Remove hal');
  await keyboard.press('Enter');
  await hasFocus(page.getByLabel('Type the id to confirm'));
  await keyboard.press('Escape');
  await hasFocus(page.getByRole('button', { name: 'Remove hal' }));
  await keyboard.press('Enter');
  await hasFocus(page.getByLabel('Type the id to confirm'));
  await keyboard.type('hal');
  await keyboard.press('Enter');
  await hasFocus(page.getByRole('heading', { name: 'hal is removed' }));
});

test('with tokens, whoever comes is known as their token says, or introduces themselves without a word of verified', async () => {
  const key = join(world.folder, 'dev.key');
  const made = await millrace('token', '--user', 'ida', '--make-key', '--key', key);
  const guarded = await world.gateway([
    ['MILLRACE_GATEWAY_AUTH', 'jwt'],
    ['MILLRACE_GATEWAY_JWT_ISSUERS', 'millrace-dev'],
    ['MILLRACE_GATEWAY_JWT_KEYS', `${key}.pub`],
  ]);
  /** The token with more claims, signed again. */
  const token = async (more) => {
    const [head, claims] = made.split('.');
    const all = { ...JSON.parse(Buffer.from(claims, 'base64url')), ...more };
    const text = `${head}.${Buffer.from(JSON.stringify(all)).toString('base64url')}`;
    assert.equal(JSON.parse(Buffer.from(head, 'base64url')).alg, 'EdDSA');
    return `${text}.${sign(null, Buffer.from(text), await readFile(key)).toString('base64url')}`;
  };
  const enter = async (claims) => {
    const page = await chrome.open(`${guarded.url}/identity`, { expected: [401, 403, 404, 422, 'cut'] });
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Token').fill(await token(claims));
    await dialog.getByRole('button', { name: 'Go on' }).click();
    return page;
  };
  const known = await enter({ email: 'ida@example.org', email_verified: true, given_name: 'Ida', family_name: 'Berg' });
  await known.getByRole('heading', { name: 'Ida Berg' }).waitFor({ timeout: 60_000 });
  await part(known, 'You').getByText('Verified', { exact: true }).waitFor();
  assert.equal(await known.getByLabel('This address is verified').count(), 0);
  // this gateway was given no key
  await part(known, 'Accounting').getByText('This deployment has no key').waitFor();
  const address = part(known, 'E-mail address');
  await address.getByLabel('Your address').fill('ida@example.net');
  await address.getByText('Another address is not verified').waitFor();
  await address.getByRole('button', { name: 'Change address' }).click();
  await part(known, 'You').getByText('Not verified').waitFor();

  const page = await enter({ sub: 'auth0|jo' });
  await page.getByRole('heading', { name: 'Introduce yourself' }).waitFor();
  assert.equal(await page.getByLabel('This address is verified').count(), 0);
  const sent = page.waitForRequest('**/v1/commands/identity/AddUser');
  await page.getByLabel('First name').fill('Jo');
  await page.getByLabel('E-mail address').fill('jo@example.org');
  await page.getByRole('button', { name: 'Introduce me' }).click();
  const { auth0_id, email_verified } = (await sent).postDataJSON().data;
  assert.deepEqual([auth0_id, email_verified], ['auth0|jo', false], 'what the issuer calls them, and nothing more');
  await page.getByRole('heading', { name: 'Jo', exact: true }).waitFor();
});
