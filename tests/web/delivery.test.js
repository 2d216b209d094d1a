import test from 'node:test';
import assert from 'node:assert/strict';
import { Delivery } from '../../web/publisher/delivery.js';

/** 1000 bytes each 50 ms until `untilMs`; the server is asked each second and comes to lack `lacks`. */
function flow(delivery, fromMs, untilMs, { lacks = 0, queued = 0, start = { handed: 0 } } = {}) {
  for (let ms = fromMs; ms < untilMs; ms += 50) {
    delivery.handed(1000, ms);
    start.handed += 1000;
    delivery.queued(queued, ms);
    if (ms % 1000 === 0) {
      delivery.asked(ms);
      delivery.answered(7_000_000 + start.handed - Math.min(lacks, 20 * (ms - fromMs)), ms + 20);
    }
  }
  return start;
}

test('a flowing stream has no backlog, and its rate is the sent rate', () => {
  const delivery = new Delivery();
  flow(delivery, 0, 5000);
  assert.equal(delivery.behindMs(5000), 0);
  assert.equal(delivery.waitingBytes(5000), 0);
  assert.ok(!delivery.isStuck(5000));
  assert.ok(Math.abs(delivery.bitsPerSecond(5000) - 160_000) < 16_000);
});

test('bytes that the socket still holds do not count as sent', () => {
  const delivery = new Delivery();
  for (let ms = 0; ms < 4000; ms += 50) {
    delivery.handed(1000, ms);
    delivery.queued(20 * ms + 1000, ms);
  }
  assert.equal(delivery.bitsPerSecond(4000), 0);
  assert.ok(delivery.behindMs(4000) >= 3900);
  assert.equal(delivery.waitingBytes(4000), 80_000);
});

test('a backlog that only the server sees is reported with its age', () => {
  const delivery = new Delivery();
  const start = flow(delivery, 0, 5000);
  flow(delivery, 5000, 9000, { lacks: 40_000, start });
  const behindMs = delivery.behindMs(9000);
  assert.ok(behindMs >= 1800 && behindMs <= 2200, `${behindMs} ms`);
  assert.ok(delivery.waitingBytes(9000) >= 39_000);
  flow(delivery, 9000, 11_000, { start });
  assert.equal(delivery.behindMs(11_000), 0);
});

test('a server that no longer answers is stuck within 2.3 s of the last answer, until it answers', () => {
  const delivery = new Delivery();
  flow(delivery, 0, 3000);
  delivery.asked(3000);
  for (let ms = 3000; ms <= 6000; ms += 50) delivery.handed(1000, ms);
  assert.ok(!delivery.isStuck(4100));
  assert.ok(delivery.isStuck(4300));
  assert.ok(delivery.behindMs(6000) >= 3000);
  assert.ok(delivery.waitingBytes(6000) >= 60_000);
  delivery.answered(null, 6000);
  assert.ok(!delivery.isStuck(6000));
  assert.equal(delivery.behindMs(6000), 0);
});

test('a count that also has framing, or begins anew, gives no backlog', () => {
  const delivery = new Delivery();
  let received = 0;
  for (let second = 1; second <= 60; second += 1) {
    received += 20_160;
    if (second === 30) received = 20_160;
    delivery.handed(20_000, second * 1000);
    delivery.answered(received, second * 1000 + 10);
    assert.equal(delivery.waitingBytes(second * 1000 + 10), 0, `${second} s`);
  }
});
