import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fromBase64, toBase64 } from '../src/text.ts';
import { seal } from '../src/seal.ts';

const SOURCE = new URL('../../src/', import.meta.url);

test('nothing is compiled at run time, and nothing but the client on Kafka needs Node', () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  assert.ok(files.length > 20, String(files));
  for (const name of files) {
    const code = readFileSync(new URL(name, SOURCE), 'utf8');
    assert.doesNotMatch(code, /\beval\(|new Function|WebAssembly/, name);
    if (name !== 'kafka.ts') assert.doesNotMatch(code, /\bBuffer\b|from 'node:|@platformatic/, name);
  }
});

test('a secret is sealed to the bytes that a gateway makes', () => {
  const key = fromBase64('E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe20=')!;
  const { box, fingerprint } = seal(key, 'c1', 'hunter2hunter2hunter2');
  assert.equal(
    toBase64(box),
    '7iTasHHVA7ZuJMd122Ob8CW67YtbYzsJo27wviB2aUpkgpHGtA7x1YvaLnh76FAiqpDrZFKCxW6Ev3UuOuwvsIXU5uj5',
  );
  assert.equal(fingerprint, 'J-C9f2D9tgb95b3SiXl63v1MuhcBMzB9nWhg2Zl523o');
  assert.throws(() => seal(key, 'c1', 'too short'), RangeError);
});
