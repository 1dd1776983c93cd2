import assert from 'node:assert/strict';
import { test } from 'node:test';

const { changed, unsettled } = await import('../build/web/src/lib/changes.js');
const { firstTag, languages, nameOf } = await import('../build/web/src/identity/languages.js');
const { fingerprintOf, wrongSecret } = await import('../build/web/src/identity/secret.js');
const { takenAddress, usedId } = await import('../build/web/src/identity/words.js');
const { Problem } = await import('../build/web/src/client/index.js');
const { subjectOf, userOf } = await import('../build/web/src/lib/who.js');

const row = { first_name: 'Ann', last_name: 'Lee', picture: '', locale: 'en', user_id: 'ann' };

test('what is sent is what differs, without blanks around it', () => {
  assert.deepEqual(changed(row, {}), {});
  assert.deepEqual(changed(row, { first_name: ' Ann ', last_name: ' ', locale: 'fr' }), { last_name: '', locale: 'fr' });
});

test('what is typed stays until it is known, to the letter', () => {
  assert.deepEqual(unsettled(row, { first_name: 'Ann', last_name: 'Lee ', locale: 'fr' }), { last_name: 'Lee ', locale: 'fr' });
});

test('languages are there once, whatever else a browser or a row names', () => {
  const tags = languages('de-AT', 'gsw', '', 'en-US@posix').map(({ tag }) => tag);
  assert.equal(new Set(tags).size, tags.length);
  assert.ok(tags.includes('gsw') && tags.includes('de-AT') && !tags.includes('') && !tags.includes('en-US@posix'));
  assert.deepEqual([...tags].sort(), tags);
  assert.deepEqual([firstTag(['en-US@posix', 'nl', 'de']), firstTag([])], ['nl', '']);
  assert.match(nameOf('de-AT'), /Deutsch/);
  assert.deepEqual([nameOf('qaa'), nameOf('no tag')], ['qaa', 'no tag']);
});

test('a secret is measured before it is sent', () => {
  assert.match(wrongSecret(''), /Paste/);
  assert.match(wrongSecret('x'.repeat(15)), /too short/);
  assert.equal(wrongSecret('x'.repeat(16)), null);
  assert.equal(wrongSecret('ü'.repeat(8)), null, 'bytes count');
  assert.match(wrongSecret('ü'.repeat(2_025)), /too long/);
});

test('a fingerprint is the one that a gateway makes', async () => {
  // as in the gateway's own test
  const made = await fingerprintOf('hunter2hunter2hunter2', 'E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe20=');
  assert.equal(made, 'J-C9f2D9tgb95b3SiXl63v1MuhcBMzB9nWhg2Zl523o');
});

test('refusals for programs have words for people', () => {
  const refused = (field, code) => new Problem({ type: 'urn:millrace:problem:rejected', title: 'x', status: 422, violations: [{ field, code, message: 'm' }] });
  assert.match(takenAddress(refused('email', 'AlreadyExists')), /somebody else/);
  assert.match(usedId(refused('user_id', 'AlreadyExists'), 'ann'), /The id ann is taken/);
  for (const other of [null, refused('email', 'InvalidArgument'), refused('user_id', 'InvalidState')]) {
    assert.deepEqual([takenAddress(other), usedId(other, 'ann')], [null, null]);
  }
});

test('a token says what its issuer calls the user, and whose it is here', async () => {
  const token = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
  assert.deepEqual(await userOf(token({ sub: 'ann' })), { user: 'ann' });
  const { user } = await userOf(token({ iss: 'https://issuer.example', sub: 'auth0|ann' }));
  assert.match(user, /^[0-9a-f]{8}-[0-9a-f]{4}-5/);
  assert.equal(subjectOf(token({ sub: 'auth0|ann' })), 'auth0|ann');
  for (const none of ['', 'a.b.c', 'a.b', token({}), token(null)]) {
    assert.equal(subjectOf(none), null, none);
    assert.ok('wrong' in (await userOf(none)), none);
  }
});
