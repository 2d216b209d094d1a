import test from 'node:test';
import assert from 'node:assert/strict';
import {
  askedBehindMs,
  furthestBackMs,
  lengthInWords,
  restartBehindMs,
  seek,
  shiftOf,
  shownBehindMs,
  toldBack,
} from '../../web/watch/time-shift.js';
import { BehindLive, isThere, placeIn } from '../../web/player/behind-live.js';
import { stepOf } from '../../web/watch/seek-bar.js';
import { wordsFor } from '../../web/watch/words.js';

const buffered = (...ranges) => ({ length: ranges.length, start: (i) => ranges[i][0], end: (i) => ranges[i][1] });

test('an address asks for minus and seconds', () => {
  for (const [text, expected] of [
    [null, 0],
    ['0', 0],
    ['-30', 30_000],
    ['-1.5', 1500],
    ['-1e30', 1e12],
  ]) {
    assert.equal(askedBehindMs(text), expected);
  }
});

test('what lies before all media is corrected by what the server says', () => {
  const asked = shiftOf(0, 36_000_000);
  const told = (backMs) => toldBack(asked, { backMs, isGrowing: true, nowMs: 100 });
  assert.equal(told(60_000).wantedMs, 60_000);
  assert.equal(furthestBackMs(told(60_000), 1100), 61_000);
  assert.equal(told(35_999_000).wantedMs, 36_000_000);
  // Nothing has come yet.
  assert.equal(told(0).wantedMs, 36_000_000);
});

test('the time behind live is told in words', () => {
  for (const [ms, words] of [
    [400, '1 second'],
    [25_000, '25 seconds'],
    [60_000, '1 minute'],
    [125_400, '2 minutes 5 seconds'],
    [3_600_000, '1 hour'],
    [7_385_000, '2 hours 3 minutes'],
  ]) {
    assert.equal(lengthInWords(ms), words);
  }
  const say = (more) => Object.values(wordsFor('playing', { name: 'a', behindMs: 25_000, ...more })).join(' ');
  assert.equal(say({}).trim(), 'You are watching 25 seconds behind live.');
  assert.match(say({ isPaused: true }), /go on from here/);
});

test('a new connection begins where the person is, or wants to be', () => {
  const shift = { ...shiftOf(0), backMs: 60_000 };
  assert.equal(restartBehindMs({ ...shift, behindMs: 250 }), 0);
  const waiting = seek(shift, { behindMs: 20_000, isBuffered: false, nowMs: 0 }).shift;
  assert.equal(restartBehindMs({ ...waiting, behindMs: 3000 }), 20_000);
  const { shift: there } = seek(shift, { behindMs: 20_000, isBuffered: true, nowMs: 0 });
  // It was paused, say, and is further behind by now.
  assert.equal(restartBehindMs({ ...there, behindMs: 31_000.4 }), 31_000);
  assert.equal(shownBehindMs({ ...there, behindMs: null }), 20_000);
});

test('arrows move by five seconds, j by ten, l leads to live, and the bar has keys of its own', () => {
  assert.deepEqual(
    ['ArrowLeft', 'ArrowRight', 'j', 'l'].map((key) => stepOf(key, false)),
    [5000, -5000, 10_000, -Infinity],
  );
  assert.deepEqual(
    ['Home', 'End', 'PageUp'].map((key) => stepOf(key, true)),
    [Infinity, -Infinity, -60_000],
  );
  assert.equal(stepOf('ArrowUp', false), null);
  assert.equal(stepOf('ArrowUp', true), -5000);
  assert.equal(stepOf('x', true), null);
});

test('playback begins at the wanted time, or as near to it as there is something', () => {
  const ranges = [
    [10, 14],
    [20, 30],
  ];
  const at = (wanted, keyframes) => placeIn(ranges, wanted, keyframes ?? null);
  assert.deepEqual(
    [5, 12, 13.9, 17, 25, 99].map((wanted) => at(wanted)),
    [10, 12, 13.5, 20, 25, 29.5],
  );
  assert.equal(at(25.5, [10, 20, 22, 24, 26]), 24);
  assert.equal(new BehindLive(() => 25).landing(ranges), 25);
  assert.equal(new BehindLive(() => null).landing(ranges), 10);
});

test('what is buffered is there, but for its last moment', () => {
  const there = (wanted) => isThere(buffered([10, 14], [20, 30]), wanted);
  assert.deepEqual([9, 10, 13, 14, 17, 20, 29, 30].map(there), [false, true, true, false, false, true, true, false]);
});

test('behind live it plays at the pace of the stream, and goes over gaps', () => {
  const behind = new BehindLive(() => 10);
  const decide = (position, ranges, more = {}) => behind.decide({ nowMs: 0, position, ranges, ...more });
  assert.deepEqual(decide(12, [[10, 40]]), { rate: 1, seekTo: null, reason: 'steady' });
  const gap = [
    [10, 14],
    [20, 30],
  ];
  assert.equal(decide(13, gap).seekTo, null);
  assert.equal(decide(13.95, gap).seekTo, 20);
  assert.equal(decide(17, gap).seekTo, 20);
  assert.equal(decide(13.95, gap, { isPaused: true }).seekTo, null);
  assert.equal(decide(30, gap).seekTo, null);
  assert.equal(behind.seeks, 2);
  const mayStart = (position, waitedMs) => behind.mayStart({ position, ranges: gap, waitedMs });
  assert.deepEqual([mayStart(13, 0), mayStart(13.8, 0), mayStart(13.8, 1000)], [true, false, true]);
});
