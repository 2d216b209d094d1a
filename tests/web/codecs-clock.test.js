import test from 'node:test';
import assert from 'node:assert/strict';
import { PICTURE, PlayClock, SOUND, steer } from '../../web/player/codecs/play-clock.js';

test('a small error is left alone, a larger one changes the speed within limits, a large one is a jump', () => {
  for (const steering of [PICTURE, SOUND].map((each) => ({ ...each, jumpMs: 250 }))) {
    assert.deepEqual(steer(2, steering), { rate: 1, isJump: false });
    assert.ok(steer(30, steering).rate > 1);
    assert.ok(steer(-30, steering).rate < 1);
    assert.equal(steer(249, steering).rate, 1 + steering.most);
    assert.equal(steer(-249, steering).rate, 1 - steering.most);
    assert.deepEqual([steer(251, steering).isJump, steer(-251, steering).isJump], [true, true]);
  }
});

test('without sound the clock comes to where it should be, and stays', () => {
  const clock = new PlayClock(250);
  assert.equal(clock.at(0), null);
  clock.steer(0, 1000);
  for (let nowMs = 40; nowMs < 10_000; nowMs += 40) clock.steer(nowMs, 1100 + nowMs);
  assert.ok(Math.abs(clock.at(10_000) - 11_100) < 5, String(clock.at(10_000)));
  assert.equal(clock.jumps, 0);
});

test('the clock never goes back over a small error', () => {
  const clock = new PlayClock(250);
  clock.steer(0, 1000);
  let former = 0;
  for (let nowMs = 10; nowMs < 5000; nowMs += 10) {
    clock.steer(nowMs, 800 + nowMs);
    assert.ok(clock.at(nowMs) > former);
    former = clock.at(nowMs);
  }
});

test('a jump is counted', () => {
  const clock = new PlayClock(250);
  clock.steer(0, 1000);
  clock.steer(40, 5000);
  assert.deepEqual([clock.at(40), clock.jumps], [5000, 1]);
});

test('uneven readings of the sound become an even clock', () => {
  const clock = new PlayClock(250);
  const noise = [0, 18, -12, 9, -15];
  const errors = [];
  for (let i = 0; i < 400; i += 1) {
    clock.follow(i * 40, i * 40 + noise[i % 5], 1);
    if (i > 50) errors.push(Math.abs(clock.at(i * 40) - i * 40));
  }
  assert.ok(Math.max(...errors) < 6, String(Math.max(...errors)));
});

test('the clock is where the sound is at once after a large step', () => {
  const clock = new PlayClock(250);
  clock.follow(0, 0, 1);
  clock.follow(40, 900, 1.02);
  assert.deepEqual([clock.at(40), clock.at(140)], [900, 1002]);
});

test('a held clock stands, and goes on from where it is put', () => {
  const clock = new PlayClock(250);
  clock.steer(0, 1000);
  clock.hold(100);
  clock.steer(500, 9000);
  clock.follow(600, 9000, 1);
  assert.equal(clock.at(700), 1100);
  clock.go();
  assert.equal(clock.at(800), null);
  clock.steer(800, 4000);
  assert.deepEqual([clock.at(800), clock.jumps], [4000, 0]);
});
