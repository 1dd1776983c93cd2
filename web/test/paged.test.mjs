import assert from 'node:assert/strict';
import { test } from 'node:test';

const { Pages } = await import('../build/web/src/lib/paged.js');
const { lanesOf } = await import('../build/web/src/shop/lanes.js');

const KEY = { partition: [], clustering: ['-at'], numbers: ['at'] };
const rows = (from, to) => Array.from({ length: Math.max(0, from - to + 1) }, (_, n) => ({ at: String(from - n) }));
const ats = (shown) => shown.map(({ at }) => Number(at));
const range = (from, to) => ats(rows(from, to));

/** A view of rows 1..newest, and the list over it; `cursor` is the last row of a page. */
function listed({ newest, limit = 10, first = 5, step = 5, page = 7 }) {
  const view = { newest, asked: [], gone: new Set(), held: null };
  const older = async ({ cursor, known, after }) => {
    view.asked.push({ cursor, known, after });
    await view.held;
    const all = rows(view.newest, 1).filter(({ at }) => !view.gone.has(Number(at)));
    const begin = cursor === undefined ? 0 : all.findIndex(({ at }) => Number(at) < Number(cursor));
    const found = begin < 0 ? [] : all.slice(begin, begin + (cursor === undefined ? known + page : page));
    const last = found.at(-1);
    return { rows: found, ...(last && last.at !== all.at(-1).at && { cursor: last.at }) };
  };
  let changes = 0;
  const pages = new Pages({ key: KEY, limit, first, step, older }, () => (changes += 1));
  return { view, pages, shown: () => ats(pages.shown), changes: () => changes };
}

test('a list goes on behind what is live, page by page, to its end', async () => {
  const { view, pages, shown } = listed({ newest: 40 });
  pages.take(rows(40, 31), 1);
  assert.deepEqual(shown(), range(40, 36));
  await pages.more();
  assert.equal(view.asked.length, 0, 'what is known is not asked for');
  for (let count = 15; count <= 40; count += 5) {
    assert.ok(pages.hasMore);
    await pages.more();
    assert.deepEqual(shown(), range(40, 41 - count));
  }
  assert.equal(pages.hasMore, false);
  // what comes in front moves nothing out of the list behind
  view.newest = 42;
  pages.take(rows(42, 31), 1);
  assert.deepEqual(shown(), range(42, 3));
});

test('a snapshot that does not reach what was known leaves no hole', async () => {
  const { view, pages, shown } = listed({ newest: 40 });
  pages.take(rows(40, 31), 1);
  for (let times = 0; times < 4; times++) await pages.more();
  assert.deepEqual(shown(), range(40, 16));
  // a hundred more came while nobody heard of them
  view.newest = 140;
  pages.take(rows(140, 131), 2);
  assert.deepEqual(shown(), range(140, 136));
  for (let count = 10; count <= 140; count += 5) {
    await pages.more();
    assert.deepEqual(shown(), range(140, 141 - count));
  }
  assert.equal(pages.hasMore, false);
});

test('one that does keeps what is shown, and reads it anew', async () => {
  const { view, pages, shown } = listed({ newest: 40 });
  pages.take(rows(40, 31), 1);
  for (let times = 0; times < 4; times++) await pages.more();
  view.newest = 44;
  view.gone.add(20);
  pages.take(rows(44, 35), 2);
  assert.deepEqual(shown(), range(44, 20));
  await new Promise(setImmediate);
  assert.deepEqual(shown(), range(44, 19).filter((at) => at !== 20));
});

test('what is read for another snapshot, or for rows before, is not taken', async () => {
  const { view, pages, shown } = listed({ newest: 40 });
  pages.take(rows(40, 31), 1);
  await pages.more();
  let go;
  view.held = new Promise((resolve) => (go = resolve));
  const reading = pages.more();
  view.newest = 140;
  pages.take(rows(140, 131), 2);
  view.held = null;
  go();
  await reading;
  assert.deepEqual(shown(), range(140, 136));
  await pages.more();
  await pages.more();
  assert.deepEqual(shown(), range(140, 126));
});

test('fewer rows than were asked for are all that there are', () => {
  const { pages } = listed({ newest: 4 });
  pages.take(rows(4, 1), 1);
  assert.equal(pages.hasMore, false);
  pages.take(rows(4, 2), 1);
  assert.equal(pages.hasMore, false);
});

test('a failure is told, and the next time goes on from there', async () => {
  const { view, pages, shown } = listed({ newest: 40 });
  pages.take(rows(40, 31), 1);
  await pages.more();
  view.held = Promise.reject(new Error('away'));
  await assert.rejects(pages.more(), /away/);
  assert.deepEqual(shown(), range(40, 31));
  view.held = null;
  await pages.more();
  assert.deepEqual(shown(), range(40, 26));
});

test('a row that somebody works at stays, pushed out or gone', () => {
  const { pages, shown } = listed({ newest: 40 });
  pages.take(rows(40, 31), 1);
  const row = { at: '36' };
  pages.keep(row);
  pages.take(rows(43, 31), 1);
  assert.deepEqual(shown(), [...range(43, 39), 36]);
  pages.take(rows(143, 134), 2);
  assert.deepEqual(shown(), [...range(143, 139), 36]);
  pages.release(row);
  assert.deepEqual(shown(), range(143, 139));
});

test('older rows are read anew, with what an answer told of', async () => {
  const { view, pages, shown } = listed({ newest: 40 });
  pages.take(rows(40, 31), 1);
  await pages.more();
  await pages.more();
  view.gone.add(28);
  await pages.again('p');
  assert.equal(view.asked.at(-1).after, 'p');
  assert.deepEqual(shown(), range(40, 25).filter((at) => at !== 28));
});

test('boxes that would lie on each other stand beside each other', () => {
  const box = (top, bottom) => ({ top, bottom });
  assert.deepEqual(lanesOf([box(0, 44), box(44, 88)]), [{ lane: 0, lanes: 1 }, { lane: 0, lanes: 1 }]);
  // four quarters of an hour, each drawn higher than it is
  const quarters = [0, 11, 22, 33].map((top) => box(top, top + 18));
  assert.deepEqual(lanesOf(quarters).map(({ lane, lanes }) => [lane, lanes]), [[0, 2], [1, 2], [0, 2], [1, 2]]);
  assert.deepEqual(lanesOf([box(0, 10), box(5, 20), box(30, 40)]).map(({ lanes }) => lanes), [2, 2, 1]);
});
