import test from 'node:test';
import assert from 'node:assert/strict';
import { Arrivals, PLANS } from '../../web/player/codecs/arrivals.js';
import { latencyOf, wantsCodecs } from '../../web/player/latency.js';

/** Frames of 20 ms, each as much later than at best as `lateMs` says, from `fromMs` on. */
function feed(arrivals, { fromMs = 0, forMs = 10_000, kind = 'video', lateMs = () => 0 }) {
  for (let atMs = fromMs; atMs < fromMs + forMs; atMs += 20) arrivals.came(kind, atMs, 50_000 + atMs + lateMs(atMs));
  return 50_000 + fromMs + forMs;
}

test('?latency= names a plan, and anything else is the normal one', () => {
  assert.deepEqual(['low', 'smooth', 'normal', 'high', '', null].map(latencyOf), ['low', 'smooth', 'normal', 'normal', 'normal', 'normal']);
});

test('WebCodecs play in Chromium and Firefox unless another player is asked for, and elsewhere for the least delay', () => {
  const asks = ['player=webcodecs', 'latency=low', 'latency=low&player=mse', 'latency=smooth', ''];
  const wanted = (browser) => asks.map((query) => wantsCodecs(new URLSearchParams(query), browser));
  const userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0';
  assert.deepEqual(wanted({ userAgent: '', userAgentData: {} }), [true, true, false, true, true]);
  assert.deepEqual(wanted({ userAgent }), [true, true, false, true, true]);
  assert.deepEqual(wanted({ userAgent: '' }), [true, true, false, false, false]);
});

test('lead is measured at the earliest arrivals', () => {
  const arrivals = new Arrivals(PLANS.normal);
  assert.equal(arrivals.leadMs(0), null);
  const nowMs = feed(arrivals, { lateMs: (atMs) => (atMs % 100 ? 30 : 0) });
  assert.equal(arrivals.leadMs(nowMs), -50_000);
});

test('a steady stream is played with no delay, and an uneven one behind most of its arrivals', () => {
  const steady = new Arrivals(PLANS.normal);
  assert.equal(steady.targetMs(feed(steady, {}), null), 0);
  const uneven = new Arrivals(PLANS.normal);
  const nowMs = feed(uneven, { lateMs: (atMs) => (atMs % 100 ? 0 : 60) });
  assert.ok(uneven.targetMs(nowMs, null) >= 60, String(uneven.targetMs(nowMs, null)));
});

test('the plans are in the order of their names, with sound and without', () => {
  const targets = ['low', 'normal', 'smooth'].map((latency) => {
    const arrivals = new Arrivals(PLANS[latency]);
    feed(arrivals, { kind: 'audio', lateMs: (atMs) => (atMs * 7) % 90 });
    const nowMs = feed(arrivals, { fromMs: 10_000, lateMs: (atMs) => (atMs * 7) % 90 });
    return [arrivals.targetMs(nowMs, null), arrivals.targetMs(nowMs, 20)];
  });
  for (const i of [0, 1]) assert.ok(targets[0][i] < targets[1][i] && targets[1][i] < targets[2][i], JSON.stringify(targets));
});

test('what the loudspeaker takes is part of the delay where there is sound', () => {
  const arrivals = new Arrivals(PLANS.normal);
  const nowMs = feed(arrivals, { kind: 'audio' });
  assert.equal(arrivals.targetMs(nowMs, 220) - arrivals.targetMs(nowMs, 120), 0, 'reviewed a few times in a second');
  assert.equal(arrivals.targetMs(nowMs + 1000, 220) - arrivals.targetMs(nowMs + 2000, 120), 100);
});

test('the backlog of a newcomer is not taken for lateness', () => {
  const arrivals = new Arrivals(PLANS.normal);
  for (let atMs = 0; atMs < 5000; atMs += 20) arrivals.came('video', atMs, 55_000);
  assert.equal(arrivals.targetMs(feed(arrivals, { fromMs: 5000 }), null), 0);
});

test('slow decoding makes the delay longer', () => {
  const arrivals = new Arrivals(PLANS.normal);
  const nowMs = feed(arrivals, {});
  for (let i = 0; i < 50; i += 1) arrivals.decoded('video', 30);
  assert.equal(Math.round(arrivals.targetMs(nowMs, null)), 30);
});

test('underflows make the delay of sound grow up to a limit, and quiet time takes that back', () => {
  const arrivals = new Arrivals(PLANS.normal);
  let nowMs = feed(arrivals, { kind: 'audio' });
  const before = arrivals.targetMs(nowMs, 0);
  for (let i = 0; i < 100; i += 1) arrivals.underflow(nowMs);
  const grown = arrivals.targetMs(nowMs, 0);
  assert.ok(grown > before + 100 && grown <= before + 200, `${before} to ${grown}`);
  for (let i = 0; i < 100; i += 1) {
    nowMs += 16_000;
    arrivals.targetMs(nowMs, 0);
  }
  assert.equal(arrivals.targetMs(nowMs + 16_000, 0), before);
  assert.equal(arrivals.underflows, 100);
});

test('no line is so uneven that the delay passes the plan’s limit', () => {
  const arrivals = new Arrivals(PLANS.low);
  const nowMs = feed(arrivals, { lateMs: (atMs) => (atMs % 200) * 40 });
  assert.equal(arrivals.targetMs(nowMs, null), PLANS.low.mostMs);
});

test('after another beginning the lead is a new one', () => {
  const arrivals = new Arrivals(PLANS.normal);
  feed(arrivals, {});
  arrivals.restart();
  assert.equal(arrivals.leadMs(60_000), null);
  arrivals.came('video', 10_000, 90_000);
  assert.equal(arrivals.leadMs(90_000), -80_000);
});
