// Accounts: opened, filled, emptied, closed; money of any size to the last digit; and both ends of a transfer move.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, send, until, up } from './world.mjs';

let world, chrome;
before(async () => ([world, chrome] = await Promise.all([up(), browser()])));
after(async () => {
  await chrome?.stop();
  await world?.stop();
  chrome?.check();
});

const balance = (page) => page.locator('[data-balance]').textContent();

async function move(page, what, amount, more = {}) {
  await page.getByRole('group', { name: 'What to do' }).getByRole('button', { name: what }).click();
  const form = page.locator(`[data-move="${what.toLowerCase()}"]`);
  await form.getByLabel('Amount').fill(amount);
  for (const [label, text] of Object.entries(more)) await form.getByLabel(label).fill(text);
  await form.getByRole('button', { name: what }).click();
}

test('an account is opened, filled and emptied, with a statement', async () => {
  const page = await chrome.open(`${world.url}/accounts`, { user: 'ann', expected: [422] });
  await page.getByText('No account yet').waitFor();
  await page.getByText('Open an account', { exact: true }).click();
  await page.getByLabel('Account id').fill('a-1');
  await page.getByLabel('Currency').fill('XYZ');
  await page.getByRole('button', { name: 'Open account' }).click();
  await until('the field says so', async () => (await page.getByLabel('Currency').getAttribute('aria-invalid')) === 'true');
  await page.getByLabel('Currency').fill('eur');
  await page.getByRole('button', { name: 'Open account' }).click();
  await until('it is there', async () => (await balance(page)) === '€0.00');

  await move(page, 'Deposit', '100,5', { Reference: 'salary' });
  await until('it is in', async () => (await balance(page)) === '€100.50');
  await page.getByRole('row', { name: /Paid in salary .* \+€100\.50 €100\.50/ }).waitFor();
  await move(page, 'Withdraw', '200');
  await page.getByText('WithdrawalFailed').waitFor();
  assert.equal(await page.getByLabel('Amount').getAttribute('aria-invalid'), 'true');
  await move(page, 'Withdraw', '0.005');
  await page.getByText('EUR has 2 digits behind the point.').waitFor();
  await move(page, 'Withdraw', '100.50');
  await until('it is out', async () => (await balance(page)) === '€0.00');
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  await page.getByRole('button', { name: 'Close a-1' }).click();
  await page.getByText('This account is closed.').waitFor();
  await page.getByRole('row', { name: /Account closed/ }).waitFor();
});

test('no digit is lost, however much it is, and no currency has others than its own', async () => {
  const most = 9_223_372_036_854_775_807n;
  for (const [id, currency, amount] of [['much', 'EUR', most], ['yen', 'JPY', 1_234_567n]]) {
    await send(world.url, 'accounting/OpenAccount', { account_id: id, owner_id: 'bea', currency });
    await send(world.url, 'accounting/Deposit', { account_id: id, amount, currency, reference: '' });
  }
  const page = await chrome.open(`${world.url}/accounts`, { user: 'bea', expected: [422] });
  for (const [id, text] of [['much', '€92,233,720,368,547,758.07'], ['yen', 'JP¥1,234,567']]) {
    await page.getByText('Look at another account').click();
    await page.getByLabel('Its id').fill(id);
    await page.getByRole('button', { name: 'Show it' }).click();
    await until(`the balance of ${id}`, async () => (await balance(page)) === text);
    await page.getByText('Look at another account').click();
  }
  await page.locator('[data-account="much"]').click();
  await move(page, 'Deposit', '0.01');
  await page.getByRole('alert').first().waitFor();
  await move(page, 'Withdraw', '92233720368547758.06');
  await until('a cent is left', async () => (await balance(page)) === '€0.01');
});

test('a transfer moves both ends, in the windows of both', async () => {
  for (const who of ['cleo', 'dora']) await send(world.url, 'accounting/OpenAccount', { account_id: who, owner_id: who, currency: 'EUR' });
  await send(world.url, 'accounting/Deposit', { account_id: 'cleo', amount: 10_000n, currency: 'EUR', reference: '' });
  const [from, to] = await Promise.all(['cleo', 'dora'].map((user) => chrome.open(`${world.url}/accounts`, { user, expected: [422] })));
  await until('both', async () => (await balance(from)) === '€100.00' && (await balance(to)) === '€0.00');
  await move(from, 'Transfer', '25', { 'To account': 'dora' });
  await until('it went', async () => (await balance(from)) === '€75.00');
  await until('it came', async () => (await balance(to)) === '€25.00');
  await to.getByRole('row', { name: /From cleo/ }).waitFor();
  await from.getByRole('row', { name: /To dora/ }).waitFor();
  await move(from, 'Transfer', '1', { 'To account': 'nobody' });
  await from.getByText('TransferFailed').waitFor();
  assert.equal(await from.getByLabel('To account').getAttribute('aria-invalid'), 'true');
});

test('what is said, cleared and sent is what was there when the button was pressed', async () => {
  await send(world.url, 'accounting/OpenAccount', { account_id: 'eva', owner_id: 'eva', currency: 'EUR' });
  const page = await chrome.open(`${world.url}/accounts`, { user: 'eva' });
  await until('it is there', async () => (await balance(page)) === '€0.00');
  let answer;
  const gate = new Promise((resolve) => (answer = resolve));
  await page.route('**/v1/commands/**', async (route) => (await gate, route.continue()));
  await move(page, 'Deposit', '12', { Reference: 'gift' });
  await page.getByRole('group', { name: 'What to do' }).getByRole('button', { name: 'Withdraw' }).click();
  await page.getByLabel('Amount').fill('5');
  answer();
  await page.getByRole('status').getByText('Paid in', { exact: true }).waitFor();
  assert.equal(await page.getByRole('status').getByText('Paid out').count(), 0);
  assert.deepEqual([await page.getByLabel('Amount').inputValue(), await page.getByLabel('Reference').inputValue()], ['5', '']);
  for (const [amount, text] of [['0', 'more than nothing'], ['99999999999999999999', 'is the most']]) {
    await page.getByLabel('Amount').fill(amount);
    await page.getByLabel('Amount').press('Enter');
    await page.getByText(text).waitFor();
  }
});

test('a transfer whose answer is lost is asked for again, and is one', async () => {
  for (const who of ['fay', 'gil']) await send(world.url, 'accounting/OpenAccount', { account_id: who, owner_id: who, currency: 'EUR' });
  await send(world.url, 'accounting/Deposit', { account_id: 'fay', amount: 10_000n, currency: 'EUR', reference: '' });
  const page = await chrome.open(`${world.url}/accounts`, { user: 'fay', expected: [408] });
  await until('it is there', async () => (await balance(page)) === '€100.00');
  const ids = [];
  await page.route('**/v1/commands/accounting/Transfer', async (route) => {
    ids.push(route.request().postDataJSON().data.transfer_id);
    // the first answer is lost, in words for it
    if (ids.length > 1) return route.continue();
    await route.fetch();
    return route.fulfill({ status: 408, contentType: 'application/problem+json', body: JSON.stringify({ type: 'urn:millrace:problem:too-slow', title: 'Too slow', status: 408 }) });
  });
  await move(page, 'Transfer', '25', { 'To account': 'gil' });
  await until('it was asked for again', () => ids.length >= 2);
  await until('it went once', async () => (await balance(page)) === '€75.00');
  assert.equal(new Set(ids).size, 1);
});
