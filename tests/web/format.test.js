import test from 'node:test';
import assert from 'node:assert/strict';
import { bitRate, bytes, clock, counted, milliseconds, since } from '../../web/lib/format.js';

const plain = (text) => text.replaceAll('\u202f', ' ');

test('a clock shows hours only once there are any', () => {
  assert.equal(clock(7), '0:07');
  assert.equal(clock(754.9), '12:34');
  assert.equal(clock(3723), '1:02:03');
  assert.equal(clock(undefined), '0:00');
});

test('a length is shown in the largest useful units', () => {
  assert.equal(plain(since(59)), 'just started');
  assert.equal(plain(since(720)), '12 min');
  assert.equal(plain(since(3 * 3600 + 300)), '3 h 5 min');
  assert.equal(plain(since(3 * 3600)), '3 h');
  assert.equal(plain(since(50 * 3600)), '2 days');
});

test('a bit rate moves from kbit to Mbit without a jump', () => {
  assert.equal(plain(bitRate(640_000)), '640 kbit/s');
  assert.equal(plain(bitRate(999_400)), '999 kbit/s');
  assert.equal(plain(bitRate(999_600)), '1.0 Mbit/s');
  assert.equal(plain(bitRate(12_300_000)), '12 Mbit/s');
  assert.equal(plain(bitRate(undefined)), '0 kbit/s');
});

test('bytes never show a thousand of a unit', () => {
  assert.equal(plain(bytes(512)), '512 B');
  assert.equal(plain(bytes(48_200)), '48.2 KB');
  assert.equal(plain(bytes(999_600)), '1.0 MB');
});

test('a count agrees with its noun', () => {
  assert.equal(counted(1, 'viewer'), '1 viewer');
  assert.equal(counted(0, 'viewer'), '0 viewers');
  assert.equal(counted(12_400, 'viewer'), '12,400 viewers');
});

test('an unknown latency is a dash', () => {
  assert.equal(milliseconds(null), '–');
  assert.equal(plain(milliseconds(240.4)), '240 ms');
  assert.equal(plain(milliseconds(2300)), '2.3 s');
  assert.deepEqual([999, 1000, 1700].map(milliseconds).map(plain), ['999 ms', '1.0 s', '1.7 s']);
});
