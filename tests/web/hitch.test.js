import test from 'node:test';
import assert from 'node:assert/strict';
import { hitchOf, isTooSlow } from '../../web/watch/hitch.js';

const calm = { nowMs: 10_000, movedAtMs: 9950, dataAtMs: 9950, isOnAir: true, isOffline: false, isStalled: false };

test('a moving picture with arriving data shows no message', () => {
  assert.deepEqual(hitchOf(calm), { hitch: '', isStill: false });
  assert.equal(hitchOf({ ...calm, movedAtMs: 9601 }).isStill, false);
});

test('a stop of 0.4 s is shown', () => {
  assert.deepEqual(hitchOf({ ...calm, movedAtMs: 9600 }), { hitch: 'dry', isStill: true });
});

test('the cause of a stall is shown within 3 s', () => {
  assert.equal(hitchOf({ ...calm, dataAtMs: 7500 }).hitch, 'line');
  assert.equal(hitchOf({ ...calm, isStalled: true }).hitch, 'publisher');
  assert.equal(hitchOf({ ...calm, isStalled: true, isOffline: true, dataAtMs: 0 }).hitch, 'offline');
  // Off air nothing is expected.
  assert.equal(hitchOf({ ...calm, isOnAir: false, dataAtMs: 0 }).hitch, '');
});

test('three skips in 20 s are a slow connection, for as long as they are that near', () => {
  assert.equal(isTooSlow([0, 9000, 19_000], 19_500), true);
  assert.equal(isTooSlow([0, 9000, 19_000], 20_000), false);
  assert.equal(hitchOf({ ...calm, skipsAtMs: [1000, 2000, 3000] }).hitch, 'slow');
  assert.equal(hitchOf({ ...calm, skipsAtMs: [1000, 2000] }).hitch, '');
  assert.equal(hitchOf({ ...calm, stopsAtMs: [1000, 2000, 3000] }).hitch, 'stops');
  assert.equal(hitchOf({ ...calm, lapsesAtMs: [1000, 2000, 3000] }).hitch, 'device');
  assert.equal(hitchOf({ ...calm, skipsAtMs: [1, 2, 3], stopsAtMs: [1, 2, 3] }).hitch, 'slow');
});
