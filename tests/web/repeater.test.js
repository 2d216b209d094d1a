import test from 'node:test';
import assert from 'node:assert/strict';
import { Repeater } from '../../web/publisher/repeater.js';

test('a moving picture is never repeated', () => {
  const repeater = new Repeater(250);
  for (let ms = 0; ms < 2000; ms += 33) {
    assert.equal(repeater.fresh(ms * 1000, ms), ms * 1000);
    assert.equal(repeater.repeat(ms + 20), null);
  }
});

test('a still picture gives four frames a second, each later than the one before', () => {
  const repeater = new Repeater(250);
  repeater.fresh(5_000_000, 100);
  const given = [];
  for (let ms = 110; ms <= 3100; ms += 10) {
    const timestamp = repeater.repeat(ms);
    if (timestamp !== null) given.push(timestamp);
  }
  assert.equal(given.length, 12);
  assert.deepEqual(given.slice(0, 2), [5_250_000, 5_500_000]);
});

test('time does not go back when the picture moves again', () => {
  const repeater = new Repeater(250);
  repeater.fresh(0, 0);
  repeater.repeat(300);
  assert.equal(repeater.fresh(290_000, 310), 300_001);
  assert.equal(repeater.fresh(333_000, 343), 333_000);
});

test('nothing is repeated before the first frame', () => {
  assert.equal(new Repeater().repeat(10_000), null);
});
