import test from 'node:test';
import assert from 'node:assert/strict';
import * as watch from '../../web/watch-words.js';
import * as publish from '../../web/publish-words.js';
import { explainCaptureError } from '../../web/capture.js';
import { statsRows } from '../../web/stats-panel.js';
import { posterSize } from '../../web/poster.js';

const isSentence = ({ title, text }) => {
  assert.match(title, /[.?]$/);
  if (text) assert.match(text, /[.=?]$/);
};

test('every state of the viewer page has whole sentences', () => {
  for (const state of watch.STATES) isSentence(watch.wordsFor(state, { name: 'show' }));
  isSentence(watch.wordsFor('playing', { name: 'show', isPaused: true }));
  assert.throws(() => watch.wordsFor('lost', {}));
});

test('every state of the publisher page has whole sentences and an action', () => {
  for (const state of publish.STATES) {
    for (const source of ['camera', 'screen', 'test', null]) {
      isSentence(publish.wordsFor(state, { source }));
      isSentence(publish.wordsFor(state, { source, hasPreview: source !== null }));
      assert.ok(publish.actionFor(state).label);
    }
  }
  assert.throws(() => publish.wordsFor('gone'));
});

test('capture errors name the cause and the next step', () => {
  const names = ['NotAllowedError', 'NotReadableError', 'NotFoundError', 'SecurityError', 'AbortError', 'Odd', ''];
  for (const name of names) for (const source of ['camera', 'screen']) isSentence(explainCaptureError(name, source));
  assert.match(explainCaptureError('SecurityError', 'camera').text, /https/);
  assert.match(explainCaptureError('NotReadableError', 'camera').title, /another program/);
});

test('refusals are told by their status, and unknown ones are retried', () => {
  assert.ok(publish.explainRefusal(401).wantsKey);
  for (const explain of [publish.explainRefusal, watch.explainRefusal]) {
    for (const status of [400, 401, 403]) isSentence(explain(status));
    assert.equal(explain(200), null);
  }
});

test('figures that are not known yet are dashes', () => {
  const rows = statsRows({
    latency_ms: null, buffer_ms: 0, target_ms: null, rate: 1, bitrate_bps: null, width: 0, height: 0,
    frames: null, dropped: null, codecs: '', underflows: 0, skips: 0, glass_ms: null,
  });
  assert.ok(rows.every(([label, value]) => label && !/NaN|undefined|null/.test(value)));
});

test('a poster is at most 640 wide and never enlarged', () => {
  assert.deepEqual(posterSize(1280, 720), { width: 640, height: 360 });
  assert.deepEqual(posterSize(320, 240), { width: 320, height: 240 });
  assert.deepEqual(posterSize(5000, 1), { width: 640, height: 1 });
});
