import test from 'node:test';
import assert from 'node:assert/strict';
import { announcementOf, hintFor, lockOf, noMatch, summaryOf } from '../../web/home/words.js';
import { next, start, STATES } from '../../web/home/machine.js';

const hint = (name, more = {}) =>
  hintFor({ name, typed: name, watchAddress: 'host/video/live/', isLive: false, spare: 'stream-7f3a', ...more });

test('a good name shows its address', () => {
  assert.deepEqual(hint('show'), { text: 'People watch at host/video/live/show', isGood: true, suggestion: null });
});

test('typed letters of other scripts show the name that they become', () => {
  const { text, isGood } = hint('Moy-kot', { typed: 'Мой кот' });
  assert.ok(isGood);
  assert.match(text, /^“Мой кот” becomes “Moy-kot”\. People watch at /);
});

test('a name that cannot be written gets a sentence and a suggestion that stays', () => {
  const { text, isGood, suggestion } = hint('日本');
  assert.ok(!isGood);
  assert.match(text, /^“日本” cannot be written in an address\. Use letters \(a to z\)/);
  assert.equal(suggestion, 'stream-7f3a');
});

test('a name on air is shown before a takeover', () => {
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
  // What is left is no name.
  assert.equal(hint('.hidden.webm').suggestion, 'stream-7f3a');
  assert.ok(hint('show.webm.x').isGood);
});

test('an empty field and a leading dot get the rule', () => {
  for (const name of ['', '.x', ' ']) {
    assert.ok(!hint(name).isGood);
    assert.match(hint(name).text, /Use letters \(a to z\)/);
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

test('a missing key and a wrong key each have a sentence', () => {
  const before = start('show', 'stream-7f3a');
  assert.equal(lockOf(before), null);
  const locked = next(before, { type: 'refused', hasKey: false });
  assert.deepEqual(lockOf(locked), { title: 'Streams here need a key.', text: 'Enter the key that you were given.', isWrong: false });
  const streams = [{ name: 'open', viewers: 3 }];
  const more = next(before, { type: 'listed', streams, isLocked: true, hasKey: true });
  assert.equal(summaryOf(more), '1 stream, 3 viewers');
  assert.deepEqual(lockOf(more), {
    title: 'More streams here need a key.',
    text: 'The key you gave does not open them. Try another one.',
    isWrong: true,
  });
  const trying = lockOf(next(more, { type: 'keyGiven' }));
  assert.deepEqual([trying.text, trying.isWrong], ['Checking the key…', false]);
});

test('viewers who come and go are not read out, and a search is', () => {
  const list = (viewers) => ({
    type: 'listed',
    streams: ['cam-1', 'cam-2', 'studio'].map((name) => ({ name, live: true, viewers })),
    isLocked: false,
    hasKey: false,
  });
  const state = next(start('show', 'stream-7f3a'), list(1));
  assert.equal(announcementOf(state), '3 streams on air');
  assert.equal(announcementOf(next(state, list(5))), '3 streams on air');
  const searched = (search) => announcementOf(next(state, { type: 'searched', search }));
  assert.equal(searched(' CAM '), '2 of 3 streams found');
  assert.equal(searched('roof'), noMatch('roof'));
  assert.equal(noMatch('roof'), 'No stream on air has “roof” in its name.');
});
