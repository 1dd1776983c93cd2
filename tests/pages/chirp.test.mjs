// The network: register, post, follow, edit, delete; a feed that moves, and goes on for as long as somebody reads.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { browser, send, until, up } from './world.mjs';

let world, chrome;
before(async () => ([world, chrome] = await Promise.all([up(), browser()])));
after(async () => {
  await chrome?.stop();
  await world?.stop();
  chrome?.check();
});

const register = (id, name) => send(world.url, 'chirp/RegisterUser', { user_id: id, username: name });
const follow = (who, whom) => send(world.url, 'chirp/FollowUser', { follower_id: who, followee_id: whom });
const post = (author, id, content) => send(world.url, 'chirp/PostChirp', { chirp_id: id, author_id: author, content });

test('somebody joins under a name that nobody has', async () => {
  await register('zoe', 'Zoe');
  const page = await chrome.open(`${world.url}/chirp`, { user: 'ann', expected: [404, 422] });
  await page.getByLabel('Username').fill('zOE');
  await page.getByRole('button', { name: 'Register' }).click();
  await page.getByText('RegistrationFailed').waitFor();
  assert.equal(await page.getByLabel('Username').getAttribute('aria-invalid'), 'true');
  await page.getByLabel('Username').fill('Ann');
  await page.getByRole('button', { name: 'Register' }).click();
  await page.getByRole('region', { name: 'You' }).getByText('@Ann').waitFor();
  await page.getByLabel('What is going on?').waitFor();
});

test('what somebody posts, changes and deletes moves in a follower’s window', async () => {
  await Promise.all([register('bea', 'Bea'), register('cleo', 'Cleo')]);
  const [author, reader] = await Promise.all(['bea', 'cleo'].map((user) => chrome.open(`${world.url}/chirp`, { user, expected: [404, 422] })));
  // found by name, followed on the profile
  await reader.getByLabel('Find somebody').fill('@BEA');
  await reader.getByRole('button', { name: 'Find', exact: true }).click();
  await reader.getByRole('heading', { name: '@Bea' }).waitFor();
  await reader.getByRole('region', { name: 'Profile' }).getByRole('button', { name: 'Follow @Bea' }).click();
  await reader.getByRole('region', { name: 'Profile' }).getByRole('button', { name: 'Unfollow @Bea' }).waitFor();
  await until('a follower', async () => (await reader.locator('[data-followers]').textContent()) === '1');
  await reader.getByRole('link', { name: 'Your feed' }).click();

  await author.getByLabel('What is going on?').fill('   ');
  await author.getByRole('button', { name: 'Chirp', exact: true }).click();
  await author.getByRole('alert').filter({ hasText: /blank/ }).first().waitFor();
  assert.equal(await author.getByLabel('What is going on?').getAttribute('aria-invalid'), 'true');
  await author.getByLabel('What is going on?').fill('Hello, world 🌍');
  await author.getByText('266').waitFor();
  await author.getByRole('button', { name: 'Chirp', exact: true }).click();
  await author.getByText('Posted').waitFor();
  await reader.getByText('Hello, world 🌍').waitFor();

  await author.getByRole('link', { name: 'Your chirps' }).click();
  await author.getByRole('button', { name: /^Edit/ }).click();
  await author.getByLabel('New text').fill('Hello, river');
  await author.getByRole('button', { name: 'Save' }).click();
  await reader.getByText('Hello, river').waitFor();
  await reader.getByText('edited').waitFor();
  assert.equal(await reader.getByText('Hello, world 🌍').count(), 0);

  await author.getByRole('button', { name: /^Delete/ }).click();
  await author.getByRole('button', { name: 'Delete for good' }).click();
  await author.getByText('Not a word so far').waitFor();
  await until('it is gone', async () => (await reader.getByText('Hello, river').count()) === 0);
  // somebody who stops following reads nothing more of them
  await post('bea', 'again', 'Once more');
  await reader.getByText('Once more').waitFor();
  await reader.getByRole('link', { name: '@Bea' }).first().click();
  await reader.getByRole('region', { name: 'Profile' }).getByRole('button', { name: 'Unfollow @Bea' }).click();
  await reader.getByRole('region', { name: 'Profile' }).getByRole('button', { name: 'Follow @Bea' }).waitFor();
  await reader.getByRole('link', { name: 'Your feed' }).click();
  await reader.getByText('Nothing here yet').waitFor();
});

test('a feed goes on, page by page, with nothing missing and nothing twice', async () => {
  await Promise.all([register('dora', 'Dora'), register('eva', 'Eva'), register('fay', 'Fay')]);
  await Promise.all([follow('fay', 'dora'), follow('fay', 'eva')]);
  const count = 65;
  for (let n = 0; n < count; n++) await post(n % 3 ? 'dora' : 'eva', `c${n}`, `number ${n}`);
  const page = await chrome.open(`${world.url}/chirp`, { user: 'fay' });
  const shown = () => page.locator('[data-chirp]').evaluateAll((chirps) => chirps.map((chirp) => chirp.dataset.chirp));
  await until('the first page', async () => (await shown()).length === 20);
  const older = page.getByRole('button', { name: 'Older chirps' });
  for (let pages = 2; (await older.count()) > 0; pages++) {
    assert.ok(pages < 6);
    await older.click();
    await until('more of them', async () => (await shown()).length === Math.min(20 * pages, count));
  }
  assert.deepEqual(await shown(), Array.from({ length: count }, (_, n) => `c${count - 1 - n}`));
});

test('a follow that is refused goes back, and it is said why', async () => {
  await Promise.all([register('gil', 'Gil'), register('hana', 'Hana')]);
  const page = await chrome.open(`${world.url}/chirp#/hana`, { user: 'gil', expected: [422] });
  const button = page.getByRole('region', { name: 'Profile' }).getByRole('button');
  await button.waitFor();
  await until('it can be pressed', () => button.isEnabled());
  // as somebody else has done it with another page that this one does not hear of
  await page.route('**/v1/commands/chirp/FollowUser', (route) =>
    route.fulfill({
      status: 422,
      contentType: 'application/problem+json',
      body: JSON.stringify({ type: 'urn:millrace:problem:rejected', title: 'x', status: 422, detail: 'no', violations: [{ code: 'AlreadyFollowing', message: 'gil follows hana already', field: 'followee_id' }] }),
    }),
  );
  await button.click();
  await page.getByText('@Hana is not followed').waitFor();
  assert.equal(await button.getAttribute('aria-pressed'), 'false');
});

test('a chirp that is asked for twice is one, and what is written meanwhile stays', async () => {
  await register('ida', 'Ida');
  const page = await chrome.open(`${world.url}/chirp`, { user: 'ida', expected: ['cut'] });
  const text = page.getByLabel('What is going on?');
  await text.fill('Only once');
  let answer;
  const gate = new Promise((resolve) => (answer = resolve));
  const sent = [];
  await page.route('**/v1/commands/**', async (route) => {
    sent.push(route.request().postDataJSON().data.chirp_id);
    await gate;
    // the first answer is lost on the way
    if (sent.length > 1) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await text.press('Control+Enter');
  await text.press('Control+Enter');
  await until('it was sent', () => sent.length === 1);
  await text.fill('And another');
  await text.press('Control+Enter');
  answer();
  await page.getByText('Posted').waitFor();
  assert.equal(await text.inputValue(), 'And another');
  assert.equal(new Set(sent).size, 1, 'one id');
  await page.unrouteAll();
  await text.press('Control+Enter');
  await until('it is sent now', async () => (await text.inputValue()) === '');
  await page.getByRole('link', { name: 'Your chirps' }).click();
  await page.locator('[data-chirp]').first().waitFor();
  await until('two chirps', async () => JSON.stringify(await page.locator('.content').allTextContents()) === '["And another","Only once"]');
});

test('a chirp that is changed stays while others come in front of it', async () => {
  await register('jo', 'Joe');
  await post('jo', 'j0', 'the first');
  const page = await chrome.open(`${world.url}/chirp#/jo`, { user: 'jo' });
  await page.getByRole('button', { name: 'Edit: the first' }).click();
  await page.getByLabel('New text').fill('the very first');
  for (let n = 1; n <= 21; n++) await post('jo', `j${n}`, `number ${n}`);
  await page.getByText('number 21').waitFor();
  assert.equal(await page.getByLabel('New text').inputValue(), 'the very first');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Changed').waitFor();
  await until('it goes where it belongs', async () => (await page.getByText('the very first').count()) === 0);
  await page.getByRole('button', { name: 'Older chirps' }).click();
  await page.getByText('the very first').waitFor();
});

test('a chirp of many lines is folded', async () => {
  await register('kai', 'Kai');
  await post('kai', 'k', `top${'\n'.repeat(138)}bottom`);
  const page = await chrome.open(`${world.url}/chirp#/kai`, { user: 'kai' });
  const chirp = page.locator('[data-chirp="k"]');
  await chirp.waitFor();
  assert.ok((await chirp.boundingBox()).height < 400);
  await chirp.getByRole('button', { name: 'Show all of it' }).click();
  assert.ok((await chirp.boundingBox()).height > 2_000);
});

test('a feed that begins anew has no hole', async () => {
  await Promise.all([register('lou', 'Lou'), register('mia', 'Mia')]);
  await follow('mia', 'lou');
  const post100 = async (from, to) => {
    for (let n = from; n < to; n++) await post('lou', `l${n}`, `number ${n}`);
  };
  await post100(0, 45);
  // the stream is told that it cannot go on where it was, with the next connection
  const key = `${world.folder}/other.key`;
  await writeFile(key, randomBytes(32), { mode: 0o600 });
  const gateway = await world.gateway([['MILLRACE_GATEWAY_RESUME_KEY_FILE', key]]);
  const page = await chrome.open(`${gateway.url}/chirp`, { user: 'mia', expected: ['cut', 502, 503] });
  const shown = () => page.locator('[data-chirp]').evaluateAll((chirps) => chirps.map((chirp) => chirp.dataset.chirp));
  const older = page.getByRole('button', { name: 'Older chirps' });
  const standing = (what) => until(what, async () => (await page.getByRole('region', { name: 'Your feed' }).locator(`[data-standing="${what}"]`).count()) === 1, 60_000);
  await standing('live');
  await older.click();
  await until('two pages', async () => (await shown()).length === 40);
  await gateway.kill();
  await standing('away');
  await post100(45, 90);
  await writeFile(key, randomBytes(32), { mode: 0o600 });
  await gateway.start();
  await until('what is new', async () => (await shown())[0] === 'l89', 60_000);
  for (let pages = 0; (await older.count()) > 0 && pages < 8; pages++) {
    const before = (await shown()).length;
    await older.click();
    await until('more', async () => (await shown()).length > before);
  }
  assert.deepEqual(await shown(), Array.from({ length: 90 }, (_, n) => `l${89 - n}`));
});
