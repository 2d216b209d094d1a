import test from 'node:test';
import assert from 'node:assert/strict';
import { hintFor } from '../../web/home/words.js';

const hint = (name, more = {}) => hintFor({ name, typed: name, watchAddress: 'host/video/live/', isLive: false, ...more });

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
  assert.match(suggestion, /^stream-[0-9a-f]{4}$/);
  assert.equal(hint('日本語', { suggestion }).suggestion, suggestion);
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
  assert.match(hint('a.webm.jpg').suggestion, /^stream-/);
  assert.ok(hint('show.webm.x').isGood);
});

test('an empty field and a leading dot get the rule', () => {
  for (const name of ['', '.x', ' ']) {
    assert.ok(!hint(name).isGood);
    assert.match(hint(name).text, /Use letters a to z/);
  }
});
