import test from 'node:test';
import assert from 'node:assert/strict';
import { BehindLive } from '../../web/player/behind-live.js';
import { LiveEdge, TARGET_AUDIO_SECONDS, TARGET_VIDEO_SECONDS } from '../../web/player/live-edge.js';

/** Plays for a while: chunks come every `periodMs`, the position moves at the decided rate. */
function play(edge, { lag, forMs, periodMs = 60 }) {
  let end = 100;
  let position = end - lag;
  const rates = new Set();
  let changes = 0;
  let last = 1;
  let lowest = Infinity;
  for (let nowMs = 0; nowMs < forMs; nowMs += 10) {
    if (nowMs % periodMs === 0) end = 100 + nowMs / 1000;
    const { rate, seekTo } = edge.decide({ nowMs, position, ranges: [[90, end]] });
    if (seekTo !== null) position = seekTo;
    if (rate !== last) changes += 1;
    last = rate;
    rates.add(rate);
    position = Math.min(end, position + rate * 0.01);
    if (nowMs > forMs / 2) lowest = Math.min(lowest, end - position);
  }
  return { rates, changes, lowest, lag: end - position };
}

test('playback enters near the end of the newest range', () => {
  const edge = new LiveEdge({ hasAudio: true });
  assert.equal(
    edge.landing([
      [0, 5],
      [8, 20],
    ]),
    20 - TARGET_AUDIO_SECONDS,
  );
  assert.equal(edge.landing([[7.9, 8]]), 7.9);
});

test('the first play waits for the target, but not for ever', () => {
  const edge = new LiveEdge({ hasAudio: false });
  const ranges = [[10, 10.05]];
  assert.ok(!edge.mayStart({ position: 10, ranges, waitedMs: 100 }));
  assert.ok(edge.mayStart({ position: 10, ranges: [[10, 10 + TARGET_VIDEO_SECONDS]], waitedMs: 100 }));
  assert.ok(edge.mayStart({ position: 10, ranges, waitedMs: 1000 }));
});

test('a little lag is won back by speed and ends near the target without running dry', () => {
  const edge = new LiveEdge({ hasAudio: true });
  const { lag, lowest, changes, rates } = play(edge, { lag: 0.7, forMs: 12_000 });
  assert.equal(edge.seeks, 0);
  assert.ok(lag < TARGET_AUDIO_SECONDS + 0.1, `lag ${lag}`);
  assert.ok(lowest > 0.1, `lowest ${lowest}`);
  assert.ok(Math.max(...rates) <= 1.25);
  assert.ok(changes <= 6, `${changes} changes of speed`);
});

test('at the live edge the speed stays at one', () => {
  const edge = new LiveEdge({ hasAudio: true });
  const { rates } = play(edge, { lag: TARGET_AUDIO_SECONDS, forMs: 10_000 });
  assert.deepEqual([...rates], [1]);
});

test('whole seconds behind is a seek', () => {
  const edge = new LiveEdge({ hasAudio: true });
  const decision = edge.decide({ nowMs: 0, position: 10, ranges: [[5, 14]] });
  assert.equal(decision.reason, 'behind');
  assert.equal(decision.seekTo, 14 - TARGET_AUDIO_SECONDS);
});

test('a machine too slow for the stream seeks less and less', () => {
  const edge = new LiveEdge({ hasAudio: false });
  let position = 0;
  let seeks = 0;
  for (let nowMs = 0; nowMs < 120_000; nowMs += 100) {
    const { seekTo } = edge.decide({ nowMs, position, ranges: [[0, 10 + nowMs / 1000]] });
    if (seekTo !== null) {
      seeks += 1;
      position = seekTo;
    }
    position += 0.05; // half speed, whatever rate was asked for
  }
  assert.ok(seeks < 12, `${seeks} seeks`);
});

test('an underflow makes the target grow, quiet lets it shrink again', () => {
  const edge = new LiveEdge({ hasAudio: false });
  edge.underflow(0);
  edge.underflow(100);
  const grown = edge.target;
  assert.ok(Math.abs(grown - TARGET_VIDEO_SECONDS * 1.44) < 1e-9);
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += 1000) {
    edge.decide({ nowMs, position: nowMs / 1000, ranges: [[0, nowMs / 1000 + grown]] });
  }
  assert.equal(edge.target, TARGET_VIDEO_SECONDS);
  for (let i = 0; i < 100; i += 1) edge.underflow(4_000_000);
  assert.equal(edge.target, 2);
});

test('a gap is crossed once the far side can carry playback, or this side runs dry', () => {
  const edge = new LiveEdge({ hasAudio: false });
  const near = [10, 11];
  assert.equal(edge.decide({ nowMs: 0, position: 10.5, ranges: [near, [13, 13.05]] }).seekTo, null);
  assert.equal(edge.decide({ nowMs: 10, position: 10.5, ranges: [near, [13, 13.5]] }).reason, 'gap');
  const dry = new LiveEdge({ hasAudio: false });
  assert.equal(dry.decide({ nowMs: 0, position: 10.97, ranges: [near, [13, 13.05]] }).seekTo, 13);
  assert.deepEqual([edge.gaps, dry.gaps], [1, 1]);
});

test('a gap is crossed by a position that stands some frames before it, also soon after a seek', () => {
  for (const edge of [new LiveEdge({ hasAudio: true }), new BehindLive(() => 10)]) {
    const decide = (nowMs, position, ranges) => edge.decide({ nowMs, position, ranges });
    assert.equal(
      decide(0, 9.98, [
        [9, 10],
        [10.05, 11],
      ]).reason,
      'gap',
    );
    const ranges = [
      [9, 10],
      [10.05, 11],
      [11.05, 11.1],
    ];
    assert.equal(decide(600, 10.8, ranges).seekTo, null);
    assert.equal(decide(650, 10.89, ranges).seekTo, null);
    assert.equal(decide(750, 10.89, ranges).seekTo, null);
    assert.equal(decide(800, 10.89, ranges).reason, 'gap');
    assert.equal(edge.gaps, 2);
  }
});

test('a position that does not move right after a seek waits for its frames, also near a gap', () => {
  const edge = new LiveEdge({ hasAudio: true });
  const decide = (nowMs, position, ranges) => edge.decide({ nowMs, position, ranges });
  assert.equal(
    decide(0, 9.98, [
      [9, 10],
      [10.05, 11],
    ]).seekTo,
    10.78,
  );
  const ranges = [
    [9, 10],
    [10.05, 11],
    [11.05, 11.1],
  ];
  for (const nowMs of [50, 200, 350, 500, 600]) assert.equal(decide(nowMs, 10.78, ranges).seekTo, null);
  assert.equal(decide(650, 10.78, ranges).reason, 'gap');
});

test('behind live each range plays, however short the gap before it', () => {
  for (const gap of [0.03, 0.05, 0.5]) {
    const edge = new BehindLive(() => 9);
    const ranges = [
      [9, 10],
      [10 + gap, 11],
      [11 + gap, 12],
    ];
    const decide = (nowMs, position) => edge.decide({ nowMs, position, ranges }).seekTo;
    assert.equal(edge.mayStart({ position: 10 + gap, ranges, waitedMs: 0 }), true);
    assert.equal(decide(0, 9.99), 10 + gap);
    for (const position of [10 + gap, 10.1 + gap, 10.3 + gap]) assert.equal(decide(position * 1000, position), null);
    assert.equal(decide(20_000, 10.99), 11 + gap);
    assert.equal(decide(30_000, 11.99 + gap), null);
    assert.equal(edge.gaps, 2);
  }
});

test('a position that stands far from a gap stays while what lies behind it is too little to go on with', () => {
  for (const edge of [new LiveEdge({ hasAudio: true }), new BehindLive(() => 10)]) {
    const decide = (nowMs, position) =>
      edge.decide({
        nowMs,
        position,
        ranges: [
          [9, 12],
          [12.05, 12.1],
        ],
      });
    for (const nowMs of [0, 200, 400, 600]) assert.equal(decide(nowMs, 10).seekTo, null);
    assert.equal(edge.gaps, 0);
  }
});

test('playback that stands still with data ahead is nudged', () => {
  const edge = new LiveEdge({ hasAudio: true });
  const decide = (nowMs) => edge.decide({ nowMs, position: 10, ranges: [[9, 10.9]] });
  decide(0);
  assert.equal(decide(900).seekTo, null);
  assert.equal(decide(1000).reason, 'stuck');
});

test('a paused or seeking player is not moved', () => {
  const edge = new LiveEdge({ hasAudio: true });
  const ranges = [[0, 60]];
  assert.equal(edge.decide({ nowMs: 0, position: 1, ranges, isPaused: true }).seekTo, null);
  assert.equal(edge.decide({ nowMs: 5000, position: 1, ranges, isSeeking: true }).seekTo, null);
  assert.equal(edge.decide({ nowMs: 9000, position: 0, ranges: [] }).rate, 1);
});

test('where only keyframes will do, playback enters and leaps at keyframes', () => {
  const edge = new LiveEdge({ hasAudio: false, onlyToKeyframes: true });
  const keyframes = [10, 17.5];
  assert.equal(edge.landing([[10, 15]], keyframes), 10);
  assert.equal(edge.decide({ nowMs: 0, position: 12, ranges: [[10, 17.55]], keyframes }).seekTo, null);
  assert.equal(edge.decide({ nowMs: 100, position: 12, ranges: [[10, 17.8]], keyframes }).seekTo, 17.5);
  assert.equal(edge.catchUp(18, [[10, 21]], keyframes), null);
});

test('a seek that a gap keeps from ending begins anew behind the gap', () => {
  const edge = new LiveEdge({ hasAudio: false });
  const at = (nowMs, end) =>
    edge.decide({
      nowMs,
      position: 3.97,
      ranges: [
        [0, 4],
        [4.2, end],
      ],
      isSeeking: true,
    }).seekTo;
  assert.equal(at(0, 4.5), null);
  assert.equal(at(900, 5.4), null);
  assert.ok(at(1100, 5.6) > 4.2);
  assert.equal(at(1200, 5.7), null, 'and is given time again');
  assert.equal(edge.gaps, 1);
});

test('a seek that decodes a long GOP is not interrupted', () => {
  const edge = new LiveEdge({ hasAudio: false });
  const at = (nowMs) => edge.decide({ nowMs, position: 6, ranges: [[0, 6.2 + nowMs / 1000]], isSeeking: true }).seekTo;
  for (let nowMs = 0; nowMs < 7000; nowMs += 50) assert.equal(at(nowMs), null);
});

/**
 * A machine that decodes `speed` seconds of media in a second, and a keyframe each `gop` seconds.
 * Returns how much of the time the picture moved, and the lag at the end.
 */
function playSlowly(edge, { speed, gop, lag, forMs }) {
  const keyframes = [];
  let end = 100;
  let position = end - lag;
  let decoded = 0;
  let seek = null;
  let movedMs = 0;
  for (let nowMs = 0; nowMs < forMs; nowMs += 50) {
    end += 0.05;
    decoded += 1;
    while ((keyframes.at(-1) ?? 90) + gop <= end) keyframes.push((keyframes.at(-1) ?? 90) + gop);
    if (seek) {
      seek.at += speed * 0.05;
      if (seek.at >= position) seek = null;
    }
    const isSeeking = seek !== null;
    const { rate, seekTo } = edge.decide({ nowMs, position, ranges: [[90, end]], keyframes, isSeeking, decoded });
    if (seekTo !== null) {
      position = seekTo;
      seek = { at: keyframes.findLast((time) => time <= seekTo) ?? 90 };
    } else if (!isSeeking) {
      movedMs += 50;
      position = Math.min(end, position + Math.min(rate, speed) * 0.05);
    }
  }
  return { moved: movedMs / forMs, lag: end - position };
}

test('a slow decoder plays most of the time, and comes near the edge by keyframes', () => {
  for (const hasAudio of [false, true]) {
    for (const speed of [1.05, 1.3, 2, 20]) {
      const { moved, lag } = playSlowly(new LiveEdge({ hasAudio }), { speed, gop: 7.5, lag: 4, forMs: 60_000 });
      assert.ok(moved > 0.85, `at ${speed} it moved for ${moved} of the time`);
      assert.ok(lag < 2.5, `at ${speed} it was ${lag} s behind`);
    }
  }
});

test('a decoder slower than the stream leaps from keyframe to keyframe', () => {
  const { moved } = playSlowly(new LiveEdge({ hasAudio: true }), { speed: 0.7, gop: 7.5, lag: 4, forMs: 120_000 });
  assert.ok(moved > 0.85, `it moved for ${moved} of the time`);
});

test('a decoder at work is given longer before it counts as stuck', () => {
  const edge = new LiveEdge({ hasAudio: true });
  let decoded = 0;
  const decide = (nowMs) => edge.decide({ nowMs, position: 10, ranges: [[9, 11]], decoded: (decoded += 1) });
  for (let nowMs = 0; nowMs < 7900; nowMs += 50) assert.equal(decide(nowMs).seekTo, null);
  for (let nowMs = 7900; nowMs < 8000; nowMs += 50) decide(nowMs);
  assert.equal(edge.decide({ nowMs: 8000, position: 10, ranges: [[9, 11]], decoded }).reason, 'stuck');
});
