import test from 'node:test';
import assert from 'node:assert/strict';
import { AppendQueue, trimLimit, trimPoint } from '../../web/player/source-buffer.js';

/** A SourceBuffer that finishes an operation when told to. */
class FakeBuffer extends EventTarget {
  updating = false;
  log = [];
  ranges = [];
  full = 0;

  get buffered() {
    const { ranges } = this;
    return { length: ranges.length, start: (i) => ranges[i][0], end: (i) => ranges[i][1] };
  }

  appendBuffer(bytes) {
    if (this.full > 0) {
      this.full -= 1;
      throw Object.assign(new Error('full'), { name: 'QuotaExceededError' });
    }
    this.updating = true;
    this.log.push([...bytes]);
  }

  remove(from, to) {
    this.updating = true;
    this.log.push(`remove ${from} ${to}`);
    this.ranges[0][0] = to;
  }

  changeType(mime) {
    this.log.push(mime);
  }

  done() {
    this.updating = false;
    this.dispatchEvent(new Event('updateend'));
  }
}

const bytes = (...values) => new Uint8Array(values);

function queueFor(buffer, position = 0) {
  const failures = [];
  const queue = new AppendQueue(() => position, { appended() {}, failed: (error) => failures.push(error) });
  queue.attach(buffer);
  return { queue, failures };
}

test('what waits is joined, but an append never runs over the start of a Cluster', () => {
  const buffer = new FakeBuffer();
  const { queue } = queueFor(buffer);
  queue.push(bytes(1));
  queue.push(bytes(2));
  queue.push(bytes(3));
  queue.push(bytes(4), { startsAppend: true });
  queue.push(bytes(5));
  for (let i = 0; i < 4; i += 1) buffer.done();
  assert.deepEqual(buffer.log, [[1], [2, 3], [4, 5]]);
});

test('a change of type keeps its place in the order', () => {
  const buffer = new FakeBuffer();
  const { queue } = queueFor(buffer);
  queue.push(bytes(1));
  queue.changeType('video/webm');
  queue.push(bytes(2));
  buffer.done();
  assert.deepEqual(buffer.log, [[1], 'video/webm', [2]]);
});

test('pieces pushed before the buffer exists are kept', () => {
  const queue = new AppendQueue(() => 0, { appended() {}, failed() {} });
  queue.push(bytes(1));
  const buffer = new FakeBuffer();
  queue.attach(buffer);
  assert.deepEqual(buffer.log, [[1]]);
});

test('trimming ends at a keyframe, never inside the GOP that plays', () => {
  assert.equal(trimPoint([0, 5, 9, 14], 10), 9);
  assert.equal(trimPoint([12], 10), null);
  assert.equal(trimLimit(40, 40.2), 30);
  assert.equal(trimLimit(5, 100), 70);
  const buffer = new FakeBuffer();
  buffer.ranges = [[0, 40]];
  const { queue } = queueFor(buffer, 40);
  queue.push(bytes(1), { startsAppend: true, keyframeAt: 0 });
  buffer.done();
  queue.push(bytes(2), { startsAppend: true, keyframeAt: 29 });
  buffer.done();
  assert.deepEqual(buffer.log, [[1], 'remove 0 28.9995', [2]]);
});

test('a full buffer gives up the past and tries again', () => {
  const buffer = new FakeBuffer();
  buffer.ranges = [[0, 4]];
  const { queue, failures } = queueFor(buffer, 4);
  queue.push(bytes(1), { startsAppend: true, keyframeAt: 3 });
  buffer.done();
  buffer.full = 1;
  queue.push(bytes(2));
  assert.equal(buffer.log.at(-1), 'remove 0 2.9995');
  buffer.done();
  assert.deepEqual(buffer.log.at(-1), [2]);
  assert.equal(failures.length, 0);
});

test('a buffer that stays full is reported once', () => {
  const buffer = new FakeBuffer();
  buffer.ranges = [[0, 4]];
  buffer.full = 9;
  const { queue, failures } = queueFor(buffer, 4);
  queue.push(bytes(1));
  queue.push(bytes(2));
  assert.equal(failures.length, 1);
});
