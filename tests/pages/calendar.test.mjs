// The calendar: a week of slots that are scheduled, moved by mouse and by keys, and removed; days of 23 and 25 hours.
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

const HOUR = 3_600_000;
/** What the rule says of a slot that ends before it begins. */
const RANGE = /begin before it ends/;
const micros = (text) => BigInt(Date.parse(text)) * 1_000n;
const slot = (page, id) => page.locator(`[data-slot="${id}"]`);
const label = (page, id) => slot(page, id).first().getAttribute('aria-label');
const rowsOf = async (user) => (await new Client({ base: world.url }).query('calendar/calendar_timeslots', { calendar_id: user })).rows;

/** Presses the button of the form, and waits until it was decided. */
async function schedule(page) {
  await page.getByRole('button', { name: 'Schedule' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached', timeout: 60_000 });
}

async function calendar(user, slots) {
  await send(world.url, 'calendar/CreateCalendar', { calendar_id: user });
  for (const [id, start, end, title = id] of slots) {
    const data = { calendar_id: user, timeslot_id: id, title, start: micros(start), end: micros(end) };
    await send(world.url, 'calendar/ScheduleTimeslot', data);
  }
}

async function open(user, day, more = {}) {
  const page = await chrome.open(`${world.url}/shop`, { user, expected: [422], ...more });
  await page.getByLabel('Go to a day').fill(day);
  return page;
}

async function drag(page, id, { hours = 0, days = 0 }) {
  const place = slot(page, id).first();
  await place.scrollIntoViewIfNeeded();
  const box = await place.boundingBox();
  const column = await page.locator('[data-start]').first().boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + 8];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + days * column.width, y + hours * 44 + 2, { steps: 8 });
  await page.mouse.up();
}

test('a slot is scheduled, and another that overlaps is refused beside its field', async () => {
  const page = await open('ann', '2026-12-01');
  await page.getByRole('button', { name: 'New slot' }).click();
  await page.getByLabel('Title').fill('Dentist');
  await page.getByLabel('Starts').fill('2026-12-01T09:00');
  await page.getByLabel('Ends').fill('2026-12-01T10:00');
  await page.getByRole('button', { name: 'Schedule' }).click();
  // there is no calendar yet: the page says so, and can begin one
  await page.getByText('TimeslotSchedulingFailed').waitFor();
  await page.getByRole('button', { name: 'Begin the calendar' }).click();
  await page.getByText('The calendar is there').waitFor();
  await schedule(page);
  await page.getByRole('button', { name: /^Dentist, Tue 1, 09:00–10:00$/ }).waitFor();
  assert.equal((await rowsOf('ann'))[0].start, String(micros('2026-12-01T09:00+01:00')));

  await page.getByRole('button', { name: 'New slot' }).click();
  await page.getByLabel('Title').fill('Lunch');
  await page.getByLabel('Starts').fill('2026-12-01T09:30');
  await page.getByLabel('Ends').fill('2026-12-01T11:00');
  await page.getByRole('button', { name: 'Schedule' }).click();
  const wrong = page.getByRole('alert').filter({ hasText: 'another slot of the calendar' });
  await wrong.waitFor();
  // in the zone that is shown, not in UTC
  assert.match(await wrong.textContent(), /09:00/);
  assert.equal(await page.getByLabel('Starts').getAttribute('aria-invalid'), 'true');
  assert.equal(await page.locator('[data-slot]').count(), 1, 'what was hoped for is taken back');
  await page.getByLabel('Ends').fill('2026-12-01T09:00');
  await page.getByRole('button', { name: 'Schedule' }).click();
  await page.getByRole('dialog').getByRole('alert').filter({ hasText: RANGE }).waitFor();
  // touching ends do not overlap
  await page.getByLabel('Starts').fill('2026-12-01T10:00');
  await page.getByLabel('Ends').fill('2026-12-01T11:00');
  await schedule(page);
  await page.getByRole('button', { name: /^Lunch, Tue 1, 10:00–11:00$/ }).waitFor();
});

test('a slot is moved by mouse, at once, and in another window too', async () => {
  await calendar('bea', [['s1', '2026-12-01T09:00+01:00', '2026-12-01T10:00+01:00', 'Yoga']]);
  const [page, other] = [await open('bea', '2026-12-01'), await open('bea', '2026-12-01')];
  await slot(page, 's1').waitFor();
  await slot(other, 's1').waitFor();
  await drag(page, 's1', { days: 2, hours: 1.5 });
  assert.equal(await label(page, 's1'), 'Yoga, Thu 3, 10:30–11:30');
  await until('the other window', async () => (await label(other, 's1')) === 'Yoga, Thu 3, 10:30–11:30');
  await until('it was decided', async () => (await rowsOf('bea'))[0].start === String(micros('2026-12-03T10:30+01:00')));
  // onto itself, moved a little
  await drag(page, 's1', { hours: 0.5 });
  assert.equal(await label(page, 's1'), 'Yoga, Thu 3, 11:00–12:00');
  await until('that too', async () => (await rowsOf('bea'))[0].start === String(micros('2026-12-03T11:00+01:00')));
  // a click opens it, and moves nothing
  await slot(page, 's1').click();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  for (const window of [page, other]) await until('it is gone', async () => (await slot(window, 's1').count()) === 0);
});

test('what cannot be there goes back where it was, and it is said why', async () => {
  await calendar('cleo', [
    ['s1', '2026-12-01T09:00+01:00', '2026-12-01T10:00+01:00', 'Piano'],
    ['s2', '2026-12-01T11:00+01:00', '2026-12-01T12:00+01:00', 'Review'],
  ]);
  const page = await open('cleo', '2026-12-01');
  await slot(page, 's1').waitFor();
  let answer;
  const held = new Promise((resolve) => (answer = resolve));
  await page.route('**/v1/commands/**', async (route) => (await held, route.continue()));
  await drag(page, 's1', { hours: 2 });
  // it is there as long as nobody says no
  assert.equal(await label(page, 's1'), 'Piano, Tue 1, 11:00–12:00');
  answer();
  await page.getByText('“Piano” is back where it was').waitFor();
  await page.getByText('TimeslotReschedulingFailed').waitFor();
  await page.getByText(/another slot of the calendar takes the time from 1 Dec 2026, 11:00 to 1 Dec 2026, 12:00/).waitFor();
  assert.equal(await label(page, 's1'), 'Piano, Tue 1, 09:00–10:00');
});

test('a slot is moved by keys, and by its form', async () => {
  await calendar('dora', [['s1', '2026-12-01T09:00+01:00', '2026-12-01T10:00+01:00', 'Call']]);
  const page = await open('dora', '2026-12-01');
  await slot(page, 's1').focus();
  for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight']) await page.keyboard.press(key);
  await until('it is shown there', async () => (await label(page, 's1')) === 'Call, Wed 2, 09:30–10:30');
  await page.keyboard.press('Escape');
  await until('it is left', async () => (await label(page, 's1')) === 'Call, Tue 1, 09:00–10:00');
  await slot(page, 's1').focus();
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await until('it was decided', async () => (await rowsOf('dora'))[0].start === String(micros('2026-12-01T08:45+01:00')));
  await until('and is shown', async () => (await label(page, 's1')) === 'Call, Tue 1, 08:45–09:45');
  await slot(page, 's1').focus();
  await page.keyboard.press('Enter');
  await page.getByLabel('Ends').fill('2026-12-01T12:00');
  await page.getByLabel('Ends').press('Enter');
  await until('the form closes', async () => (await page.getByRole('dialog').count()) === 0);
  assert.equal(await label(page, 's1'), 'Call, Tue 1, 08:45–12:00');
});

test('days have the hours that they have, and times are instants', async () => {
  await calendar('eva', []);
  const page = await open('eva', '2026-10-25');
  const hours = () => page.locator('[data-hours]').evaluateAll((days) => days.map((day) => Number(day.dataset.hours)));
  await until('a week', async () => (await hours()).length === 7);
  assert.deepEqual(await hours(), [24, 24, 24, 24, 24, 24, 25]);
  const last = page.locator('[data-hours="25"]');
  const shown = await last.locator('[data-hour]').evaluateAll((hours) => hours.map((hour) => hour.dataset.hour));
  assert.deepEqual(shown.slice(0, 5), ['00:00', '01:00', '02:00', '02:00', '03:00']);
  assert.equal((await last.boundingBox()).height, 25 * 44);

  // the hour that comes twice: the second one, for half an hour
  await page.getByRole('button', { name: 'New slot' }).click();
  await page.getByLabel('Title').fill('Night shift');
  await page.getByLabel('Starts').fill('2026-10-25T02:15');
  await page.getByLabel('Ends').fill('2026-10-25T02:45');
  const choices = page.getByLabel('This time comes twice');
  assert.deepEqual(await choices.first().locator('option').allTextContents(), ['first, UTC+02:00', 'second, UTC+01:00']);
  await choices.first().selectOption('1');
  await choices.last().selectOption('1');
  await schedule(page);
  await page.getByRole('button', { name: /^Night shift/ }).waitFor();
  // the page shows a slot before it is in the table
  await until('it is there', async () => (await rowsOf('eva')).length === 1);
  const [row] = await rowsOf('eva');
  assert.deepEqual([row.start, row.end].map((micros) => new Date(Number(micros) / 1_000).toISOString()), ['2026-10-25T01:15:00.000Z', '2026-10-25T01:45:00.000Z']);
  const box = await page.getByRole('button', { name: /^Night shift/ }).boundingBox();
  const day = await last.boundingBox();
  assert.ok(Math.abs(box.y - day.y - 3.25 * 44) < 2, 'three hours and a quarter of that day have passed');
  // the first one is free
  await page.getByRole('button', { name: 'New slot' }).click();
  await page.getByLabel('Title').fill('Over both');
  await page.getByLabel('Starts').fill('2026-10-25T02:15');
  await page.getByLabel('Ends').fill('2026-10-25T02:15');
  await choices.last().selectOption('1');
  await schedule(page);
  await page.getByRole('button', { name: 'Over both, Sun 25, 02:15 (UTC+02:00)–02:15 (UTC+01:00)' }).waitFor();
  await until('both are there', async () => (await rowsOf('eva')).length === 2);
  const both = (await rowsOf('eva')).at(-1);
  assert.equal(BigInt(both.end) - BigInt(both.start), BigInt(HOUR) * 1_000n);

  // the hour that never comes
  await page.getByLabel('Go to a day').fill('2026-03-29');
  await until('a short day', async () => (await hours()).at(-1) === 23);
  await page.getByRole('button', { name: 'New slot' }).click();
  await page.getByLabel('Title').fill('Never');
  await page.getByLabel('Starts').fill('2026-03-29T02:30');
  await page.getByLabel('Ends').fill('2026-03-29T04:00');
  await page.getByRole('button', { name: 'Schedule' }).click();
  await page.getByText('There is no 02:30 on that day in Europe/Berlin: the clock jumps over it.').waitFor();
  // an hour of that day is an hour, although the clock says two
  await page.getByLabel('Starts').fill('2026-03-29T01:30');
  await page.getByLabel('Ends').fill('2026-03-29T03:30');
  await schedule(page);
  await page.getByRole('button', { name: /^Never/ }).waitFor();
  const never = (await rowsOf('eva')).find(({ title }) => title === 'Never');
  assert.equal(BigInt(never.end) - BigInt(never.start), BigInt(HOUR) * 1_000n);
  // the same instants in another zone
  await page.getByLabel('Time zone').selectOption('UTC');
  await page.getByRole('button', { name: /^Never, Sun 29, 00:30–01:30$/ }).waitFor();
});

test('the API takes instants, and nothing that may be two of them', async () => {
  await calendar('fay', []);
  const ask = async (start, end) => {
    const body = JSON.stringify({ data: { calendar_id: 'fay', timeslot_id: `t${Math.random()}`.slice(0, 12), title: 'x', start, end } });
    const answer = await fetch(`${world.url}/v1/commands/calendar/ScheduleTimeslot`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    return { ...(await answer.json()), status: answer.status };
  };
  const bare = await ask('2026-10-25T02:15', '2026-10-25T02:45');
  assert.equal(bare.status, 400);
  assert.match(bare.errors[0].detail, /no offset/);
  // both hours called 02
  assert.equal((await ask('2026-10-25T02:15+02:00', '2026-10-25T02:45+02:00')).status, 200);
  assert.equal((await ask('2026-10-25T02:15+01:00', '2026-10-25T02:45+01:00')).status, 200);
  const both = await ask('2026-10-25T02:30+02:00', '2026-10-25T02:30+01:00');
  assert.deepEqual([both.status, both.failure], [422, 'TimeslotSchedulingFailed']);
  assert.equal(both.violations[0].code, 'OverlapCalendar');
});

test('on a narrow screen there is one day at a time', async () => {
  await calendar('gil', [['s1', '2026-12-03T09:00+01:00', '2026-12-03T10:00+01:00', 'Yoga']]);
  const page = await open('gil', '2026-12-01', { viewport: { width: 375, height: 800 } });
  assert.equal(await page.locator('[data-start]').count(), 1);
  await page.getByRole('button', { name: /Thursday/ }).click();
  await slot(page, 's1').waitFor();
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 375);
});

test('a slot between two seconds stays there, unless somebody moves it', async () => {
  const [start, end] = [micros('2026-12-01T09:00:30+01:00') + 123_456n, micros('2026-12-01T10:00:00+01:00') + 7n];
  await calendar('hal', []);
  await send(world.url, 'calendar/ScheduleTimeslot', { calendar_id: 'hal', timeslot_id: 's1', title: 'Odd', start, end });
  const page = await open('hal', '2026-12-01');
  const sent = [];
  page.on('request', (request) => /Reschedule/.test(request.url()) && sent.push(request.postData()));
  await slot(page, 's1').click();
  await page.getByRole('button', { name: 'Move it' }).click();
  await until('the form closes', async () => (await page.getByRole('dialog').count()) === 0);
  assert.equal(sent.length, 0, 'nothing was changed');
  // its end moves, its beginning does not
  await slot(page, 's1').click();
  await page.getByLabel('Ends').fill('2026-12-01T11:00');
  await page.getByRole('button', { name: 'Move it' }).click();
  await until('it was decided', async () => (await rowsOf('hal'))[0].end === String(micros('2026-12-01T11:00+01:00')));
  assert.equal((await rowsOf('hal'))[0].start, String(start));
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  // by keys it keeps its seconds, too
  await slot(page, 's1').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await until('that too', async () => (await rowsOf('hal'))[0].start === String(start + 900_000_000n));
});

test('quarters of an hour lie below each other, and a slot over days says its days', async () => {
  await calendar('ian', [
    ['q1', '2026-12-01T09:00+01:00', '2026-12-01T09:15+01:00'],
    ['q2', '2026-12-01T09:15+01:00', '2026-12-01T09:30+01:00'],
    ['f1', '2026-12-01T09:30+01:00', '2026-12-01T09:35+01:00'],
    ['f2', '2026-12-01T09:35+01:00', '2026-12-01T09:40+01:00'],
    ['n', '2026-12-02T22:00+01:00', '2026-12-04T07:00+01:00', 'Train'],
  ]);
  const page = await open('ian', '2026-12-01');
  await slot(page, 'n').first().waitFor();
  const boxes = await Promise.all(['q1', 'q2', 'f1', 'f2'].map((id) => slot(page, id).boundingBox()));
  for (const [place, one] of boxes.entries()) {
    for (const other of boxes.slice(place + 1)) {
      const isApart = one.y + one.height <= other.y + 0.5 || one.x + one.width <= other.x + 0.5 || other.x + other.width <= one.x + 0.5;
      assert.ok(isApart, JSON.stringify([one, other]));
    }
  }
  assert.equal(await label(page, 'n'), 'Train, 2 Dec 22:00 – 4 Dec 07:00');
});

test('a new slot is on the day that was chosen', async () => {
  await calendar('jan', []);
  const page = await open('jan', '2027-02-03');
  await page.getByRole('button', { name: 'New slot' }).click();
  assert.equal(await page.getByLabel('Starts').inputValue(), '2027-02-03T09:00');
});

test('an empty calendar is begun once, and one that was removed never again', async () => {
  await calendar('kim', []);
  const page = await open('kim', '2026-12-01');
  await page.getByRole('button', { name: 'Begin a calendar' }).click();
  await page.getByText('The calendar was there already').waitFor();
  await page.getByText('Nothing is in your calendar yet').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Begin a calendar' }).count(), 0);
  await page.getByRole('button', { name: 'Remove calendar …' }).click();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Keep it');
  await page.getByRole('button', { name: 'Remove the calendar' }).click();
  await page.getByText('This calendar was removed').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Begin a calendar' }).count(), 0);
  assert.equal(await page.getByRole('button', { name: 'New slot' }).isDisabled(), true);
  // another window finds out when it asks
  const other = await open('kim', '2026-12-01');
  await other.getByRole('button', { name: 'Begin a calendar' }).click();
  await other.getByText('This calendar was removed').waitFor();
});
