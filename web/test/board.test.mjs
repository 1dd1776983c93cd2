import assert from 'node:assert/strict';
import { test } from 'node:test';

const { cardOf, columnNames, labelOf, lifted, newest, proposePrefix, shown } = await import('../build/web/src/projects/board.js');

const row = (task_id, column, rank, version = 1, more = {}) => ({ task_id, column, rank, version: String(version), number: '1', title: task_id, created_at: '0', updated_at: '0', ...more });
const cards = (...rows) => newest(rows).values();
const ids = (columns) => columns.map(({ name, cards }) => [name, cards.map(({ id }) => id)]);

test('cards are shown by rank and id and those of no column in the first one', () => {
  // the same as `board::shown` of the domain
  const found = shown(['todo', 'done'], cards(row('t1', 'todo', 'b'), row('t3', 'todo', 'a'), row('t2', 'todo', 'a'), row('t4', 'todo', 'B'), row('t5', 'gone', 'aa'), row('t6', 'done', '0')));
  assert.deepEqual(ids(found), [['todo', ['t4', 't2', 't3', 't5', 't1']], ['done', ['t6']]]);
  assert.deepEqual(shown([], cards(row('t1', 'todo', 'b'))), []);
});

test('of a card that is in two rows the newer one counts, whichever came first', () => {
  const [old, now] = [row('t1', 'todo', 'a', 9), row('t1', 'done', 'b', 10)];
  for (const rows of [[old, now], [now, old]]) assert.deepEqual(ids(shown(['todo', 'done'], cards(...rows))), [['todo', []], ['done', ['t1']]]);
});

test('a row that has not changed gives the same card', () => {
  const one = row('t1', 'todo', 'a');
  assert.equal(cardOf(one), cardOf(one));
  assert.notEqual(cardOf(one), cardOf({ ...one }));
});

test('a card that somebody holds is shown where they hold it', () => {
  const columns = shown(['todo', 'done'], cards(row('a', 'todo', '1'), row('b', 'todo', '2'), row('c', 'done', '1')));
  const card = columns[0].cards[0];
  assert.deepEqual(ids(lifted(columns, card, { column: 'todo', before: null })), [['todo', ['b', 'a']], ['done', ['c']]]);
  assert.deepEqual(ids(lifted(columns, card, { column: 'done', before: 'c' })), [['todo', ['b']], ['done', ['a', 'c']]]);
  assert.deepEqual(ids(lifted(columns, card, { column: 'done', before: 'gone' })), [['todo', ['b']], ['done', ['c', 'a']]]);
  assert.deepEqual(ids(lifted(columns, card, { column: 'no more', before: null })), [['todo', ['b']], ['done', ['c']]]);
});

test('ten thousand cards are ordered in the time of some frames', () => {
  const rows = Array.from({ length: 10_000 }, (_, at) => row(`t${at}`, `c${at % 5}`, String((at * 7919) % 10_000).padStart(4, '0')));
  const names = Array.from({ length: 5 }, (_, at) => `c${at}`);
  shown(names, newest(rows).values());
  const begun = performance.now();
  const columns = shown(names, newest(rows).values());
  assert.ok(performance.now() - begun < 200);
  assert.equal(columns.reduce((sum, { cards }) => sum + cards.length, 0), 10_000);
});

test('columns, labels and prefixes', () => {
  assert.deepEqual(columnNames('["To do","Done"]'), ['To do', 'Done']);
  assert.equal(labelOf('MIL', { number: '7' }), 'MIL-7');
  assert.equal(labelOf('MIL', { number: null }), 'MIL-…');
  for (const [name, prefix] of [['Millrace', 'MIL'], ['Mill race', 'MR'], ['the big red dog of a very long name', 'TBRDOA'], ['Évora', 'EVO'], ['x', ''], ['', ''], ['7 up', 'UP'], ['水車', '']]) {
    assert.equal(proposePrefix(name), prefix, name);
  }
});

const { changeOf, draftOf, freshColumn, wrongWith } = await import('../build/web/src/projects/columns.js');
const named = (names, wanted) => changeOf(names, wanted.map(([was, name]) => (was === null ? freshColumn(name) : { ...draftOf([was])[0], name })));

test('a column that is called something else takes its cards along, and is there until they have gone', () => {
  assert.deepEqual(named(['a', 'b'], [['b', 'b'], ['a', 'a']]), { between: ['b', 'a'], after: ['b', 'a'], renamed: [] });
  assert.deepEqual(named(['a', 'b'], [['a', ' x '], [null, 'n'], ['b', 'b']]), { between: ['a', 'x', 'n', 'b'], after: ['x', 'n', 'b'], renamed: [{ from: 'a', to: 'x' }] });
  // names that change their places are columns that do
  assert.deepEqual(named(['a', 'b'], [['a', 'b'], ['b', 'a']]), { between: ['b', 'a'], after: ['b', 'a'], renamed: [] });
  // the name of one that goes
  assert.deepEqual(named(['a', 'b'], [['a', 'b']]), { between: ['a', 'b'], after: ['b'], renamed: [{ from: 'a', to: 'b' }] });
  // of one that others have taken away there is nothing to take along
  assert.deepEqual(named(['b'], [['a', 'x'], ['b', 'b']]).renamed, []);
});

test('columns have names, each another one', () => {
  assert.equal(wrongWith(draftOf(['a', 'b'])), null);
  assert.match(wrongWith([freshColumn(' ')]), /has a name/);
  assert.match(wrongWith([freshColumn('a'), freshColumn('a ')]), /only one “a”/);
});

const { overlaid, isShown, wished } = await import('../build/web/src/projects/wishes.js');

test('what somebody wants lies over what is, until the rows are as new', () => {
  const card = cardOf(row('a', 'todo', '1', 5));
  const place = { column: 'done', rank: '9' };
  const wish = { number: 1, place, version: null };
  assert.deepEqual(wished(card, [wish]), { ...card, ...place, isPending: true });
  assert.deepEqual(wished(card, [{ ...wish, version: 6n }]), { ...card, ...place, isPending: false });
  // others have moved it again since
  assert.equal(wished(card, [{ ...wish, version: 5n }]), card);
  assert.deepEqual([isShown({ ...wish, version: 6n }, card), isShown({ ...wish, version: 5n }, card), isShown(wish, card)], [false, true, false]);

  const made = { ...card, id: 'new', number: null, version: 0n, isPending: true };
  const all = new Map([['a', card]]);
  assert.deepEqual(overlaid(all, [['new', [{ number: 2, made, version: null }]], ['a', [{ number: 3, isGone: true, version: null }]]]).map(({ id }) => id), ['new']);
  assert.equal(isShown({ number: 3, isGone: true, version: 7n }, undefined), true);
  assert.equal(wished(undefined, [wish]), undefined, 'nothing is made by moving it');
});
