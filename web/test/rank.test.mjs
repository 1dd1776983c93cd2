import assert from 'node:assert/strict';
import { test } from 'node:test';

const { between, LONGEST, place, spread } = await import('../build/web/src/lib/rank.js');

/** Numbers that are the same in every run. */
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const bytes = (one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other));
const isRank = (rank) => assert.match(rank, /^[0-9A-Za-z]{1,64}$/);

/** Does what a page does: moves neighbours, each in turn, and puts one in. The list stays in order after each. */
function put(ranks, at, random) {
  const { at: found, rank, shifts } = place(ranks, at, random);
  isRank(rank);
  for (const shift of shifts) {
    isRank(shift.rank);
    ranks[shift.at] = shift.rank;
    for (const near of [shift.at - 1, shift.at]) {
      if (ranks[near] !== undefined && ranks[near + 1] !== undefined) assert.ok(bytes(ranks[near], ranks[near + 1]) <= 0, `${ranks[near]} ${ranks[near + 1]}`);
    }
  }
  ranks.splice(found, 0, rank);
  for (const near of [found - 1, found]) {
    if (near >= 0 && near + 1 < ranks.length) assert.ok(bytes(ranks[near], ranks[near + 1]) < 0, `${ranks[near]} < ${ranks[near + 1]}`);
  }
  return { found, shifts };
}

test('whatever lies on both sides, a rank lies between', () => {
  const random = seeded(1);
  for (const [before, after] of [[null, null], [null, '1'], ['z', null], ['zzzz', null], ['a', 'b'], ['a', 'a1'], ['a0', 'a01'], ['A', 'a'], ['Zz', 'a'], [null, '00001'], ['z'.repeat(63), null]]) {
    const rank = between(before, after, random);
    isRank(rank);
    if (before !== null) assert.ok(bytes(before, rank) < 0, `${before} < ${rank}`);
    if (after !== null) assert.ok(bytes(rank, after) < 0, `${rank} < ${after}`);
  }
});

test('where there is no rank between two, it says so', () => {
  const long = `a${'0'.repeat(62)}`;
  for (const [before, after] of [['a', 'a'], ['a', 'a0'], [null, '0'], ['b', 'a'], ['z'.repeat(64), null], [`${long}1`, `${long}2`]]) {
    assert.equal(between(before, after, seeded(2)), null, `${before} ${after}`);
  }
  assert.equal(spread('a', 'a0', 1), null);
});

test('ten thousand are put anywhere, each strictly between its neighbours', () => {
  for (const seed of [3, 4, 5]) {
    const [random, ranks] = [seeded(seed), []];
    for (let count = 0; count < 10_000; count++) {
      const at = Math.floor(random() * (ranks.length + 1));
      const { found, shifts } = put(ranks, at, random);
      assert.equal(found, at);
      assert.equal(shifts.length, 0);
    }
    assert.ok(ranks.every((rank, at) => at === 0 || bytes(ranks[at - 1], rank) < 0));
    assert.ok(Math.max(...ranks.map((rank) => rank.length)) <= 12);
  }
});

test('ten thousand at an end stay short', () => {
  for (const at of [() => 0, (count) => count]) {
    const [random, ranks] = [seeded(6), []];
    for (let count = 0; count < 10_000; count++) put(ranks, at(count), random);
    assert.ok(Math.max(...ranks.map((rank) => rank.length)) <= 8, 'short');
  }
});

test('always in front of the same one, neighbours are moved apart before a rank is too long', () => {
  const [random, ranks] = [seeded(7), ['a', 'b']];
  let moved = 0;
  for (let count = 0; count < 3_000; count++) moved += put(ranks, ranks.length - 1, random).shifts.length;
  assert.ok(ranks.every((rank, at) => at === 0 || bytes(ranks[at - 1], rank) < 0));
  assert.ok(moved > 0 && moved < 3_000, `${moved} were moved`);
  assert.ok(Math.max(...ranks.map((rank) => rank.length)) <= LONGEST);
});

test('between equal ranks neighbours are moved apart; where they are too many, the nearest place will do', () => {
  const few = ['a', 'm', 'm', 'm', 'z'];
  const { found, shifts } = put(few, 2, seeded(8));
  assert.equal(found, 2);
  assert.ok(shifts.length > 0 && shifts.length <= 2, `${shifts.length}`);

  const many = Array.from({ length: 400 }, () => 'm');
  const near = put(many, 150, seeded(9));
  assert.deepEqual([near.found, near.shifts], [0, []]);
  const lowest = Array.from({ length: 40 }, () => '0');
  assert.equal(put(lowest, 10, seeded(10)).found, 40, 'in front of 0 there is nothing');
});

test('two at once seldom choose the same', () => {
  const random = seeded(11);
  for (const [before, after] of [['V', null], [null, 'V'], ['a', 'b'], [null, null]]) {
    const found = new Set(Array.from({ length: 50 }, () => between(before, after, random)));
    assert.ok(found.size > 10, `${before} ${after}: ${found.size}`);
  }
});

test('what others have chosen is borne: any ranks, in order, take one more at any place', () => {
  const random = seeded(12);
  const letters = '0123456789ABCXYZabcxyz';
  for (let round = 0; round < 400; round++) {
    const one = () => Array.from({ length: 1 + Math.floor(random() * (round % 4 === 0 ? 64 : 3)) }, () => letters[Math.floor(random() * (round % 3 === 0 ? 2 : letters.length))]).join('');
    const ranks = Array.from({ length: Math.floor(random() * 30) }, one).sort(bytes);
    const { at, rank, shifts } = place(ranks, Math.floor(random() * (ranks.length + 1)), random);
    isRank(rank);
    const after = [...ranks];
    shifts.forEach((shift) => (after[shift.at] = shift.rank));
    after.splice(at, 0, rank);
    assert.deepEqual([...after].sort(bytes), after, JSON.stringify({ ranks, at, rank, shifts }));
  }
});
