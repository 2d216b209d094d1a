import test from 'node:test';
import assert from 'node:assert/strict';
import { hintFor, lockOf, summaryOf } from '../../web/home/words.js';
import { next, start, STATES } from '../../web/home/machine.js';

const hint = (name, more = {}) =>
  hintFor({ name, typed: name, watchAddress: 'host/video/live/', isLive: false, spare: 'stream-7f3a', ...more });

test('a good name is told by its address', () => {
  assert.deepEqual(hint('show'), { text: 'People watch at host/video/live/show', isGood: true, suggestion: null });
});

test('what was typed in other letters is told with what became of it', () => {
  const { text, isGood } = hint('Moy-kot', { typed: 'Мой кот' });
  assert.ok(isGood);
  assert.match(text, /^“Мой кот” becomes “Moy-kot”\. People watch at /);
});

test('a name that cannot be written gets a sentence and a suggestion that stays', () => {
  const { text, isGood, suggestion } = hint('日本');
  assert.ok(!isGood);
  assert.match(text, /^“日本” cannot be written in an address\. Use letters a to z/);
  assert.equal(suggestion, 'stream-7f3a');
});

test('a name on air is told before it is taken over', () => {
  assert.equal(hint('show', { isLive: true }).text, 'show is on air now. Going live takes it over.');
});

test('endings that are addresses of files are refused with a sentence', () => {
  for (const ending of ['webm', 'mkv', 'jpg', 'webp']) {
    const { text, isGood, suggestion } = hint(`show.${ending}`);
    assert.ok(!isGood);
    assert.match(text, new RegExp(`cannot end in \\.${ending}`));
    assert.equal(suggestion, 'show');
  }
  // What typing it makes of it.
  assert.match(hint('show', { typed: 'show.webm' }).text, /^A name cannot end in \.webm: .*“show\.webm” becomes “show”\. People/);
  assert.equal(hint('a.webm.jpg').suggestion, 'stream-7f3a');
  assert.ok(hint('show.webm.x').isGood);
});

test('an empty field and a leading dot get the rule', () => {
  for (const name of ['', '.x', ' ']) {
    assert.ok(!hint(name).isGood);
    assert.match(hint(name).text, /Use letters a to z/);
  }
});

test('every state of the home page has words', () => {
  const state = start('show', 'stream-7f3a');
  for (const name of STATES) {
    assert.equal(typeof summaryOf({ ...state, name }), 'string', name);
    assert.ok(summaryOf({ ...state, name }) || name === 'locked', name);
  }
  assert.throws(() => summaryOf({ ...state, name: 'lost' }));
});

test('the key is asked for in a whole sentence, and a wrong one is told', () => {
  const before = start('show', 'stream-7f3a');
  assert.equal(lockOf(before), null);
  const locked = next(before, { type: 'refused', hasKey: false });
  assert.deepEqual(lockOf(locked), { title: 'Streams here need a key.', text: 'Enter the key that you were given.' });
  const streams = [{ name: 'open', viewers: 3 }];
  const more = next(before, { type: 'listed', streams, isLocked: true, hasKey: true });
  assert.equal(summaryOf(more), '1 stream, 3 viewers');
  assert.deepEqual(lockOf(more), {
    title: 'More streams here need a key.',
    text: 'The key you gave does not open them. Try another one.',
  });
});
