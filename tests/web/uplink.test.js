import test from 'node:test';
import assert from 'node:assert/strict';
import { Delivery } from '../../web/publisher/delivery.js';
import { qualityFor, Uplink } from '../../web/publisher/uplink.js';

const WANTED = { videoBitsPerSecond: 2_500_000, pixelsPerSecond: 1280 * 720 * 30, hasAudio: true };
const HD = 1280 * 720 * 30;

/** A publisher of 2.5 Mbit/s whose connection carries `link(seconds)` bits per second, as the page sees it. */
function simulate(link, seconds, { encodes = 1, noise = 0.2, wanted = WANTED } = {}) {
  const STEP_MS = 50;
  const uplink = new Uplink(wanted);
  const delivery = new Delivery();
  const log = [];
  let seed = 1;
  const random = () => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  let [handed, arrived, quality, isRecording] = [0, 0, uplink.quality, true];
  let next = null;
  for (let ms = 0; ms < seconds * 1000; ms += STEP_MS) {
    if (next && ms >= next.atMs) [quality, isRecording, next] = [next.quality, true, null];
    if (isRecording) {
      // Each second begins with a keyframe, four times as large as what follows.
      const size = ms % 1000 === 0 ? 4 : 17 / 19 - 1 / 19;
      const rate = quality.videoBitsPerSecond * encodes * size * (1 - noise / 2 + noise * random()) + quality.audioBitsPerSecond;
      const bytes = Math.round((rate / 8000) * STEP_MS);
      handed += bytes;
      uplink.recorded(bytes, ms);
      delivery.handed(bytes, ms);
    }
    arrived = Math.min(handed, arrived + (link(ms / 1000) / 8000) * STEP_MS);
    // The system's buffers hold 64 KB of what has not arrived.
    delivery.queued(Math.max(0, handed - arrived - 65_536), ms);
    if (ms % 500 === 0) {
      delivery.asked(ms);
      delivery.answered(Math.floor(arrived), ms);
    }
    if (ms % 250 !== 0) continue;
    const signs = { waitingBytes: delivery.waitingBytes(ms), behindMs: delivery.behindMs(ms) };
    const decision = uplink.decide({ ...signs, arrivedBitsPerSecond: delivery.arrivedBitsPerSecond, nowMs: ms });
    if (decision === 'stop') isRecording = false;
    // A new recording takes a moment before it takes over.
    if (decision === 'change' || decision === 'start') next = { atMs: ms + 150, quality: uplink.quality };
    const bits = quality.videoBitsPerSecond + quality.audioBitsPerSecond;
    log.push({ s: ms / 1000, behindMs: signs.behindMs, decision, bits, scale: quality.scale });
  }
  return { uplink, log };
}

const between = (log, from, until) => log.filter(({ s }) => s >= from && s < until);
const changes = (log) => log.filter(({ decision }) => decision !== null).length;
const longest = (log) => Math.max(...log.map(({ behindMs }) => behindMs));

for (const kbps of [300, 600, 1200]) {
  test(`an uplink of ${kbps} kbit/s is used and not overrun, and its full rate returns when the limit is removed`, () => {
    const { uplink, log } = simulate((s) => (s < 10 || s >= 70 ? 10_000_000 : kbps * 1000), 150);
    assert.equal(changes(between(log, 0, 10)), 0);
    // Down within 2 s, and the backlog is gone soon after.
    assert.ok(between(log, 10, 12.5).some(({ decision }) => decision !== null));
    const settled = between(log, 30, 70);
    const late = settled.filter(({ behindMs }) => behindMs > 1000).length / settled.length;
    assert.ok(late < 0.05, `late ${late}`);
    assert.ok(longest(settled) < 2500, `${longest(settled)} ms behind`);
    const mean = settled.reduce((sum, { bits }) => sum + bits, 0) / settled.length;
    assert.ok(mean > kbps * 500 && mean <= kbps * 1000, `${mean} of ${kbps} kbit/s`);
    assert.ok(changes(settled) <= 8, `${changes(settled)} changes in 40 s`);
    assert.ok(!settled.some(({ decision }) => decision === 'stop'), 'no stop once it has settled');
    assert.equal(uplink.isReduced, false);
    assert.equal(log.at(-1).scale, 1);
    assert.ok(longest(between(log, 80, 150)) < 500);
  });
}

test('resolution gives way after the bit rate', () => {
  const scaleAt = (kbps) => simulate((s) => (s < 5 ? 10_000_000 : kbps * 1000), 30).log.at(-1).scale;
  assert.deepEqual([1200, 800, 600, 300].map(scaleAt), [1, 3 / 4, 1 / 2, 1 / 3]);
});

test('an uplink that is too slow from the start is adapted to as well', () => {
  const { log } = simulate(() => 400_000, 40);
  assert.ok(longest(between(log, 20, 40)) < 2500, `${longest(between(log, 20, 40))}`);
});

test('an encoder that makes more than it is asked for is asked for less', () => {
  const { log } = simulate((s) => (s < 5 ? 10_000_000 : 800_000), 60, { encodes: 1.4 });
  assert.ok(longest(between(log, 30, 60)) < 2500, `${longest(between(log, 30, 60))}`);
});

test('a picture that takes little keeps its quality on a slow uplink', () => {
  const { uplink, log } = simulate(() => 300_000, 60, { encodes: 0.04 });
  assert.deepEqual([changes(log), uplink.isReduced], [0, false]);
});

test('an uplink that is held for 3 s loses no quality that it does not get back', () => {
  const { uplink, log } = simulate((s) => (s >= 10 && s < 13 ? 0 : 10_000_000), 90);
  assert.ok(longest(between(log, 20, 90)) < 500);
  assert.equal(uplink.isReduced, false);
});

test('a quality that was too much is tried less and less often', () => {
  const { log } = simulate((s) => (s < 5 ? 10_000_000 : 600_000), 305);
  const lowered = log.filter(({ s, bits }, i) => s > 20 && bits < log[i - 1].bits).map(({ s }) => s);
  const pauses = lowered.slice(1).map((s, i) => s - lowered[i]);
  assert.ok(Math.max(...pauses) > 60, `${lowered}`);
  assert.ok(lowered.length <= 12, `${lowered}`);
});

test('a queue without any word of the server stops the recording, and it starts anew, smaller, when drained', () => {
  const uplink = new Uplink({ videoBitsPerSecond: 1_000_000, hasAudio: false });
  for (let ms = 0; ms < 4000; ms += 50) uplink.recorded(6250, ms);
  const decide = (waitingBytes, behindMs, nowMs) => uplink.decide({ waitingBytes, behindMs, arrivedBitsPerSecond: null, nowMs });
  assert.equal(decide(200_000, 1600, 4000), null);
  assert.equal(decide(400_000, 3200, 4250), 'stop');
  assert.ok(uplink.isDraining);
  assert.equal(decide(200_000, 3000, 4500), null);
  assert.equal(decide(1000, 0, 6000), 'start');
  assert.equal(uplink.quality.videoBitsPerSecond, 750_000);
  assert.equal(decide(1000, 0, 6250), null);
});

test('a few packets queued at the start are no congestion', () => {
  const uplink = new Uplink({ videoBitsPerSecond: 200_000 });
  assert.equal(uplink.decide({ waitingBytes: 60_000, behindMs: 200, arrivedBitsPerSecond: null, nowMs: 0 }), null);
});

test('a low bit rate that a person chose for a large picture keeps its size', () => {
  const wanted = { videoBitsPerSecond: 600_000, pixelsPerSecond: HD };
  assert.deepEqual(qualityFor(696_000, wanted), { videoBitsPerSecond: 600_000, audioBitsPerSecond: 96_000, scale: 1 });
  assert.equal(qualityFor(100_000, wanted).videoBitsPerSecond, 80_000);
  assert.equal(qualityFor(300_000, wanted).audioBitsPerSecond, 48_000);
});
