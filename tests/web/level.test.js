import test from 'node:test';
import assert from 'node:assert/strict';
import { LevelWatch, meterLength } from '../../web/publisher/level.js';

test('the meter is full at the loudest, empty at -60 dB, and half at -30', () => {
  assert.equal(meterLength(1), 1);
  assert.equal(meterLength(0), 0);
  assert.equal(meterLength(0.0005), 0);
  assert.ok(Math.abs(meterLength(10 ** (-30 / 20)) - 0.5) < 1e-9);
});

test('the meter rises at once and falls within a second', () => {
  const watch = new LevelWatch();
  assert.equal(watch.see(1, 0), 1);
  const soon = watch.see(0, 300);
  assert.ok(soon > 0.5 && soon < 1, String(soon));
  assert.equal(watch.see(0, 1300), 0);
  assert.equal(watch.see(1, 1380), 1);
});

test('six seconds of nothing are called silent, and a single sound ends that', () => {
  const watch = new LevelWatch();
  for (let ms = 0; ms < 5900; ms += 100) watch.see(0.0001, ms);
  assert.equal(watch.verdict(5900), 'good');
  watch.see(0, 6100);
  assert.equal(watch.verdict(6100), 'silent');
  watch.see(0.2, 6200);
  assert.equal(watch.verdict(6200), 'good');
});

test('a sound that is cut off again and again is called loud, a single bang is not', () => {
  const watch = new LevelWatch();
  for (let ms = 0; ms <= 300; ms += 100) watch.see(0.99, ms);
  assert.equal(watch.verdict(300), 'good');
  watch.see(0.99, 400);
  assert.equal(watch.verdict(2900), 'loud');
  assert.equal(watch.verdict(3100), 'good');
  watch.reset();
  assert.equal(watch.verdict(0), 'good');
});
