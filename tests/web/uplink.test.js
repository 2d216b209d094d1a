import test from 'node:test';
import assert from 'node:assert/strict';
import { Uplink } from '../../web/publisher/uplink.js';

function flowing(bitsPerSecond = 1_000_000) {
  const uplink = new Uplink(bitsPerSecond);
  for (let ms = 0; ms < 4000; ms += 50) uplink.recorded(bitsPerSecond / 160, ms);
  return uplink;
}

test('a queue of less than two seconds is left alone', () => {
  const uplink = flowing();
  assert.equal(uplink.decide(200_000, 4000), null);
  assert.ok(!uplink.isDraining);
});

test('more than two seconds queued stops the recording, and it starts anew when drained', () => {
  const uplink = flowing();
  assert.equal(uplink.decide(300_000, 4000), 'stop');
  assert.equal(uplink.decide(200_000, 4500), null);
  assert.equal(uplink.decide(1000, 6000), 'start');
  assert.equal(uplink.decide(1000, 6100), null);
});

test('each congestion asks for a lower bit rate, down to a least', () => {
  const uplink = flowing();
  uplink.decide(300_000, 4000);
  assert.equal(uplink.videoBitsPerSecond, 700_000);
  for (let i = 0; i < 20; i += 1) {
    uplink.decide(0, 5000 + i);
    uplink.decide(900_000, 5000 + i);
  }
  assert.equal(uplink.videoBitsPerSecond, 200_000);
});

test('a few packets queued at the start are no congestion', () => {
  assert.equal(new Uplink(200_000).decide(60_000, 0), null);
});
