import assert from 'node:assert/strict';
import { test } from 'node:test';

const zone = await import('../build/web/src/lib/zone.js');
const { digitsOf, moneyText, plainText, readMoney } = await import('../build/web/src/lib/money.js');

const HOUR = 3_600_000;
const iso = (instants) => instants.map((instant) => new Date(instant).toISOString().slice(0, 16));
const day = (year, month, day) => ({ year, month, day });
const time = (text) => zone.fromInput(text);

test('an hour that comes twice is two instants, one that never comes is none', () => {
  assert.deepEqual(iso(zone.instantsOf('Europe/Berlin', time('2026-10-25T02:30'))), ['2026-10-25T00:30', '2026-10-25T01:30']);
  assert.deepEqual(iso(zone.instantsOf('Europe/Berlin', time('2026-10-25T03:00'))), ['2026-10-25T02:00']);
  assert.deepEqual(zone.instantsOf('Europe/Berlin', time('2026-03-29T02:30')), []);
  assert.deepEqual(iso(zone.instantsOf('Europe/Berlin', time('2026-03-29T03:00'))), ['2026-03-29T01:00']);
  // half an hour only
  assert.deepEqual(iso(zone.instantsOf('Australia/Lord_Howe', time('2026-04-05T01:45'))), ['2026-04-04T14:45', '2026-04-04T15:15']);
  assert.deepEqual(zone.instantsOf('Australia/Lord_Howe', time('2026-10-04T02:15')), []);
  assert.deepEqual(iso(zone.instantsOf('Asia/Kathmandu', time('2026-01-01T00:00'))), ['2025-12-31T18:15']);
});

test('days have 23, 24 or 25 hours, and each begins where the last ends', () => {
  const hours = (name, of) => zone.lengthOf(name, of) / HOUR;
  assert.equal(hours('Europe/Berlin', day(2026, 3, 29)), 23);
  assert.equal(hours('Europe/Berlin', day(2026, 10, 25)), 25);
  assert.equal(hours('Europe/Berlin', day(2026, 10, 26)), 24);
  assert.equal(hours('America/New_York', day(2026, 3, 8)), 23);
  assert.equal(hours('Australia/Lord_Howe', day(2026, 10, 4)), 23.5);
  // clocks jump over midnight
  assert.deepEqual(iso([zone.startOf('America/Santiago', day(2026, 9, 6))]), ['2026-09-06T04:00']);
  assert.equal(hours('America/Santiago', day(2026, 9, 6)), 23);
  const shown = zone.hoursOf('Europe/Berlin', day(2026, 10, 25)).map(({ hour }) => hour);
  assert.deepEqual(shown.slice(0, 5), [0, 1, 2, 2, 3]);
  assert.equal(shown.length, 25);
  const changed = zone.hoursOf('Europe/Berlin', day(2026, 3, 29)).filter(({ isChanged }) => isChanged);
  assert.deepEqual(changed.map(({ hour }) => hour), [3]);
});

test('whatever a clock shows is an instant at which it shows that', () => {
  // every quarter of an hour of two years, in zones that change at odd times
  for (const name of ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Santiago', 'Africa/Casablanca', 'UTC']) {
    for (let instant = Date.UTC(2026, 0, 1); instant < Date.UTC(2028, 0, 1); instant += 97 * 15 * 60_000) {
      const clock = zone.clockAt(name, instant);
      assert.ok(zone.instantsOf(name, clock).includes(instant), `${name} ${new Date(instant).toISOString()}`);
      const start = zone.startOf(name, clock);
      assert.ok(start <= instant && instant < start + zone.lengthOf(name, clock), `${name} ${new Date(instant).toISOString()}`);
    }
  }
});

test('years below 100 are those years', () => {
  assert.deepEqual(zone.later(day(99, 12, 31), 1), day(100, 1, 1));
  assert.deepEqual(zone.mondayOf(day(1, 1, 4)), day(1, 1, 1));
  assert.equal(new Date(zone.startOf('UTC', day(33, 4, 3))).toISOString(), '0033-04-03T00:00:00.000Z');
  assert.equal(zone.lengthOf('UTC', day(7, 2, 28)) / HOUR, 24);
});

test('weeks begin on Monday', () => {
  assert.deepEqual(zone.mondayOf(day(2026, 11, 30)), day(2026, 11, 30));
  assert.deepEqual(zone.mondayOf(day(2026, 12, 6)), day(2026, 11, 30));
  assert.deepEqual(zone.mondayOf(day(2027, 1, 1)), day(2026, 12, 28));
  assert.deepEqual(zone.later(day(2028, 2, 28), 1), day(2028, 2, 29));
});

test('inputs are read and written as they are', () => {
  assert.equal(zone.toInput({ year: 2026, month: 3, day: 9, hour: 4, minute: 5 }), '2026-03-09T04:05');
  assert.deepEqual(time('2026-03-09T04:05:30'), { year: 2026, month: 3, day: 9, hour: 4, minute: 5 });
  assert.equal(time(''), null);
  assert.equal(zone.offsetText(-4.5 * HOUR), '-04:30');
});

test('money has the digits of its currency, and all of its own', () => {
  assert.deepEqual(['EUR', 'JPY', 'KWD'].map(digitsOf), [2, 0, 3]);
  assert.equal(moneyText(9_223_372_036_854_775_807n, 'EUR', 'en'), '€92,233,720,368,547,758.07');
  assert.equal(moneyText(-5n, 'EUR', 'en'), '−€0.05');
  assert.equal(moneyText(1_234n, 'JPY', 'en'), '¥1,234');
  assert.equal(plainText(1_234_567n, 'KWD'), '1234.567');
  assert.equal(moneyText(123n, 'nonsense', 'en'), '1.23 nonsense');
});

test('what is typed is an amount to the last digit, or it is said why not', () => {
  const read = (text, currency = 'EUR') => readMoney(text, currency).minor ?? readMoney(text, currency).wrong;
  assert.equal(read('12.5'), 1_250n);
  assert.equal(read(' 12,50 '), 1_250n);
  assert.equal(read('0.07'), 7n);
  for (const nothing of ['-3', '0', '0.00', '-0']) assert.match(read(nothing), /more than nothing/, nothing);
  assert.match(read('92233720368547758.08'), /92,233,720,368,547,758\.07 is the most/);
  assert.equal(read('92233720368547758.07'), 9_223_372_036_854_775_807n);
  assert.equal(read('12', 'JPY'), 12n);
  for (const wrong of ['', 'x', '1e3', '1.234', '1.2.3', '1,000.00', '٣']) assert.equal(typeof read(wrong), 'string', wrong);
  assert.match(read('12.5', 'JPY'), /no smaller unit/);
});
