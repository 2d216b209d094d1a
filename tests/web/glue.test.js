import test from 'node:test';
import assert from 'node:assert/strict';
import { Glue, isDue, offsetOf, placeIn, TARGET_MS } from '../../web/player/glue.js';

const block = (timestampMs, more = {}) => ({ kind: 'video', timestampMs, isKeyframe: false, ...more });
const init = (text = 'init') => ({ type: 'init', bytes: Buffer.from(text), blocks: [] });
const gop = (text, timestampMs, more = {}) => ({
  type: 'cluster',
  bytes: Buffer.from(text),
  blocks: [block(timestampMs, { isKeyframe: true, ...more })],
});
const rest = (text, ...timesMs) => ({ type: 'blocks', bytes: Buffer.from(text), blocks: timesMs.map((ms) => block(ms)) });

function glued(...pieces) {
  const glue = new Glue();
  for (const piece of pieces) glue.push(piece);
  return glue;
}
const file = (glue) => Buffer.concat(glue.parts()).toString();

test('a file is the init segment and all from the first keyframe on', () => {
  const glue = glued(init(), rest('delta', 10), gop('K1', 100), rest('d', 140, 180), gop('K2', 200));
  assert.equal(file(glue), 'initK1dK2');
  assert.deepEqual([glue.startMs, glue.endMs], [100, 200]);
});

test('there is no file before a keyframe', () => {
  assert.deepEqual(glued().parts(), []);
  assert.deepEqual(glued(init(), rest('d', 10)).parts(), []);
  assert.deepEqual(glued(gop('K', 10)).parts(), []);
});

test('a Cluster that goes on with a long GOP begins none', () => {
  const glue = glued(init(), gop('K1', 0), gop('more', 33_000, { isKeyframe: false }));
  glue.trim(40_000);
  assert.equal(file(glue), 'initK1more');
});

test('sound alone may begin anywhere', () => {
  const glue = glued(init(), gop('S', 5, { kind: 'audio', isKeyframe: false }));
  assert.equal(file(glue), 'initS');
});

test('a new init segment begins a file of its own', () => {
  const glue = glued(init('one'), gop('K1', 100), init('two'));
  assert.equal(glue.generation, 2);
  assert.deepEqual(glue.parts(), []);
  glue.push(gop('K2', 300));
  assert.equal(file(glue), 'twoK2');
});

test('what was played goes, but for a keyframe before the place', () => {
  const glue = glued(init(), gop('A', 0), gop('B', 2000), gop('C', 6000), gop('D', 12_000));
  glue.trim(11_000);
  assert.equal(file(glue), 'initCD');
  glue.trim(1_000_000);
  assert.equal(file(glue), 'initD');
});

test('more than 32 MiB is never kept', () => {
  const large = (timestampMs) => ({ ...gop('', timestampMs), bytes: new Uint8Array(12 << 20) });
  const glue = glued(init(), large(0), large(1000), large(2000));
  glue.trim(0);
  assert.equal(glue.byteLength, 24 << 20);
});

test('the next file is due when the last one is nearly played, and there is more', () => {
  const shown = { startMs: 0, waitedMs: 0, shownEndMs: 5000 };
  assert.equal(isDue({ ...shown, positionMs: 2000, endMs: 8000 }), false);
  assert.equal(isDue({ ...shown, positionMs: 4000, endMs: 8000 }), true);
  assert.equal(isDue({ ...shown, positionMs: 5000, endMs: 5100 }), false);
  // Timestamps began anew.
  assert.equal(isDue({ ...shown, positionMs: 5000, endMs: 100 }), true);
});

test('the first file waits for some seconds to be in it, but not for ever', () => {
  const first = { shownEndMs: null, positionMs: 0, startMs: 100, waitedMs: 0 };
  assert.equal(isDue({ ...first, startMs: null, endMs: null, waitedMs: 60_000 }), false);
  assert.equal(isDue({ ...first, endMs: 1000 }), false);
  assert.equal(isDue({ ...first, endMs: 1000, waitedMs: 4000 }), true);
  assert.equal(isDue({ ...first, endMs: 100 + TARGET_MS }), true);
});

test('playback goes on where it was, or near the end', () => {
  const place = { startMs: 1000, endMs: 9000 };
  assert.equal(placeIn({ ...place, positionMs: 5000 }), 5000);
  assert.equal(placeIn({ ...place, positionMs: null }), 9000 - TARGET_MS);
  assert.equal(placeIn({ ...place, positionMs: 500 }), 9000 - TARGET_MS);
  assert.equal(placeIn({ ...place, positionMs: 9500 }), 9000 - TARGET_MS);
  assert.equal(placeIn({ startMs: 0, endMs: 60_000, positionMs: 10_000 }), 60_000 - TARGET_MS);
  assert.equal(placeIn({ startMs: 8000, endMs: 9000, positionMs: null }), 8000);
});

test('a browser that begins each file at 0 is told by its first frame', () => {
  assert.equal(offsetOf(6099, 6099), 0);
  assert.equal(offsetOf(6099, 0), 6099);
  assert.equal(offsetOf(100, 0), 0);
});
