import test from 'node:test';
import assert from 'node:assert/strict';
import * as publish from '../../web/publish-words.js';

const isSentence = ({ title, text }) => {
  assert.match(title, /[.?]$/);
  if (text) assert.match(text, /[.=?]$/);
};

test('a source that gives nothing, and an upload that is too slow, are named as such', () => {
  for (const source of ['camera', 'screen', 'test']) {
    for (const missing of ['picture', 'sound', 'recorder']) isSentence(publish.wordsFor('silent', { source, missing }));
  }
  assert.equal(publish.wordsFor('silent', { source: 'camera', missing: 'picture' }).title, 'Nothing comes from the camera.');
  assert.equal(publish.wordsFor('slow', { behindMs: 3200 }).title, 'Your upload is too slow: 3 s behind.');
  isSentence(publish.wordsFor('slow', { behindMs: 900, isDraining: true }));
  isSentence(publish.wordsFor('stuck', { behindMs: 4000 }));
  assert.match(publish.wordsFor('taken', { name: 'show' }).title, /^show is on air now\.$/);
});

test('only a stream that arrives has the badge Live', () => {
  for (const state of publish.STATES) assert.equal(publish.badgeFor(state) === 'Live', state === 'live', state);
  assert.equal(publish.badgeFor('slow', { behindMs: 2600 }), '3 s behind');
  assert.equal(publish.badgeFor('silent', { missing: 'sound' }), 'No sound');
});

test('warnings of the server are sentences, known or not', () => {
  for (const code of ['keyframe-interval', 'timestamps', 'tracks', 'text', 'recording', 'new']) {
    assert.match(publish.explainWarning({ code, message: 'send binary messages' }), /^[A-Z].*\.$/);
  }
});

test('a wrong key is told apart from a missing one', () => {
  assert.match(publish.explainRefusal(401).title, /needs a key/);
  assert.match(publish.explainRefusal(401, { hadKey: true }).title, /not the right one/);
  assert.ok(publish.explainRefusal(401, { hadKey: true }).wantsKey);
});
