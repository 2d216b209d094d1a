import test from 'node:test';
import assert from 'node:assert/strict';
import { countDue, FrameQueue } from '../../web/player/codecs/frame-queue.js';
import { KeyframeGate } from '../../web/player/codecs/keyframe-gate.js';

const frames = (queue, ...timesMs) => {
  const made = timesMs.map((ms) => {
    const frame = { timestamp: ms * 1000, closed: 0, close: () => (frame.closed += 1) };
    queue.push(frame);
    return frame;
  });
  return made;
};

test('frames up to the refresh nearest to now are due', () => {
  assert.deepEqual(
    [0, 91, 95, 200].map((nowMs) => countDue([100, 133, 166], nowMs)),
    [0, 0, 1, 3],
  );
  assert.equal(countDue([], 100), 0);
});

test('the newest frame that is due is shown, those before it are closed, later ones wait', () => {
  const queue = new FrameQueue();
  const [a, b, c] = frames(queue, 0, 33, 66);
  assert.equal(queue.take(40), b);
  assert.deepEqual([a.closed, b.closed, c.closed, queue.dropped, queue.length], [1, 0, 0, 1, 1]);
  assert.equal(queue.take(50), null);
  assert.equal(queue.take(66), c);
});

test('a late frame is shown when there is no newer one', () => {
  const queue = new FrameQueue();
  const [late] = frames(queue, 0);
  queue.dropLate(500);
  assert.equal(queue.take(500), late);
  assert.equal(queue.dropped, 0);
});

test('a cleared queue has closed its frames', () => {
  const queue = new FrameQueue();
  const made = frames(queue, 0, 33);
  queue.clear();
  assert.deepEqual([made.map(({ closed }) => closed), queue.length], [[1, 1], 0]);
});

const coded = (timestampMs, isKeyframe = false, size = 10) => ({ timestampMs, isKeyframe, bytes: new Uint8Array(size) });
const taken = (gate, mediaMs = null) => {
  const times = [];
  for (let frame = gate.take(mediaMs); frame; frame = gate.take(mediaMs)) times.push(frame.timestampMs);
  return times;
};
const pushed = (gate, ...all) => all.forEach((frame) => gate.push(frame));

test('decoding begins at a keyframe, also after a gap', () => {
  const gate = new KeyframeGate();
  pushed(gate, coded(0), coded(10, true), coded(20));
  assert.deepEqual(taken(gate), [10, 20]);
  gate.gap();
  pushed(gate, coded(30), coded(40, true), coded(50));
  assert.deepEqual(taken(gate), [40, 50]);
  assert.equal(gate.dropped, 2);
});

test('without a gap a keyframe is nothing special', () => {
  const gate = new KeyframeGate();
  pushed(gate, coded(0, true), coded(10), coded(20, true), coded(30));
  assert.deepEqual(taken(gate, 5), [0, 10, 20, 30]);
});

test('a late decoder leaves out the GOPs before the newest that is due', () => {
  const gate = new KeyframeGate();
  pushed(gate, coded(0, true), coded(10), coded(20, true), coded(30), coded(40, true), coded(50));
  assert.deepEqual(taken(gate, 35), [20, 30, 40, 50]);
  assert.equal(gate.dropped, 2);
});

test('held, frames wait from the newest keyframe on', () => {
  const gate = new KeyframeGate();
  pushed(gate, coded(0, true), coded(10));
  gate.hold();
  pushed(gate, coded(20), coded(30, true), coded(40));
  assert.equal(gate.take(null), null);
  gate.release();
  assert.deepEqual(taken(gate), [30, 40]);
});

test('what waits is bounded: beyond that the next keyframe is waited for', () => {
  const gate = new KeyframeGate();
  gate.hold();
  pushed(gate, coded(0, true, 1 << 20));
  for (let i = 1; i < 40; i += 1) gate.push(coded(i, false, 1 << 20));
  assert.deepEqual([gate.length, gate.needsKeyframe], [0, true]);
  gate.push(coded(100, true));
  gate.release();
  assert.deepEqual(taken(gate), [100]);
});
