import assert from 'node:assert/strict';
import { test } from 'node:test';

const { cardsOf, labelOf, readScale, steps, tally } = await import('../build/web/src/projects/scales.js');

test('the cards of a scale, and what they say', () => {
  const cards = cardsOf('[{"points":1,"label":"XS"},{"points":"2","label":"S"}]');
  assert.deepEqual(cards, [{ points: 1n, label: 'XS' }, { points: 2n, label: 'S' }]);
  assert.deepEqual([labelOf(cards, 2n), labelOf(cards, 7n)], ['S', '7']);
  assert.deepEqual(tally(cards, [2n, 1n, 2n]), [{ label: 'XS', count: 1 }, { label: 'S', count: 2 }]);
  assert.deepEqual([steps(cards, [1n, 2n]), steps(cards, [2n, 2n]), steps(cards, [])], [1, 0, 0]);
});

test('a scale of one’s own is rising whole numbers', () => {
  assert.deepEqual(readScale(' 1, 2,4;8 '), { scale: '1,2,4,8' });
  assert.deepEqual(readScale('0 1000000'), { scale: '0,1000000' });
  for (const [text, wrong] of [['1', /2 to 50/], ['', /2 to 50/], ['1, 1', /rise/], ['2, 1', /rise/], ['1, x', /whole numbers/], ['1.5, 2', /whole numbers/], ['-1, 2', /whole numbers/], ['1, 1000001', /greater/], [Array.from({ length: 51 }, (_, at) => at).join(), /2 to 50/]]) {
    assert.match(readScale(text).wrong, wrong, text);
  }
});
