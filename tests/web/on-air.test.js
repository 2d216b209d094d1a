import test from 'node:test';
import assert from 'node:assert/strict';
import { airState } from '../../web/publisher/on-air.js';

const GOOD = {
  state: 'live',
  isConnected: true,
  wasLive: true,
  hasSent: true,
  missing: null,
  isDraining: false,
  isStuck: false,
  behindMs: 100,
};
const state = (seen) => airState({ ...GOOD, ...seen });

test('on air means: connected, with something to send, which arrives', () => {
  assert.equal(state({}), 'live');
  assert.equal(state({ wasLive: false, isConnected: false }), 'connecting');
  assert.equal(state({ wasLive: false, hasSent: false }), 'connecting');
  assert.equal(state({ isConnected: false }), 'reconnecting');
});

test('a silent source is never called a lost connection', () => {
  for (const isConnected of [true, false]) assert.equal(state({ missing: 'picture', isConnected, hasSent: false }), 'silent');
});

test('a full uplink is slow, one that carries nothing is stuck', () => {
  assert.equal(state({ behindMs: 1600 }), 'slow');
  assert.equal(state({ isDraining: true, behindMs: 0 }), 'slow');
  assert.equal(state({ isStuck: true, behindMs: 4000 }), 'stuck');
});

test('a backlog near the limit does not flicker', () => {
  assert.equal(state({ behindMs: 1200 }), 'live');
  assert.equal(state({ state: 'slow', behindMs: 1200 }), 'slow');
  assert.equal(state({ state: 'slow', behindMs: 700 }), 'live');
});
