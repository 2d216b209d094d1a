import test from 'node:test';
import assert from 'node:assert/strict';
import { Pictures } from '../../web/player/pictures.js';
import { Scanner } from '../../web/player/webm-scan.js';

const UNKNOWN = [0x01, 255, 255, 255, 255, 255, 255, 255];
const text = (word) => [...new TextEncoder().encode(word)];
const element = (id, body) => [...id, 0x80 | body.length, ...body];
const INIT = new Uint8Array([
  ...element([0x1a, 0x45, 0xdf, 0xa3], element([0x42, 0x82], text('webm'))),
  0x18,
  0x53,
  0x80,
  0x67,
  ...UNKNOWN,
  ...element(
    [0x16, 0x54, 0xae, 0x6b],
    element([0xae], [...element([0xd7], [1]), ...element([0x83], [1]), ...element([0x86], text('V_VP8'))]),
  ),
]);
const KEY = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0, 0, 0, 0];
const INTER = [0x31, 0, 0, 0, 0];
const cluster = (ms) => [0x1f, 0x43, 0xb6, 0x75, ...UNKNOWN, ...element([0xe7], [ms >> 24, ms >> 16, ms >> 8, ms])];
const block = (ms, frame) => element([0xa3], [0x81, ms >> 8, ms, frame === KEY ? 0x80 : 0, ...frame]);

/** Feeds frames, and reads back what was written: `[ms, isKeyframe]`. */
function lane({ isFirefox = false } = {}) {
  const pictures = new Pictures({ isFirefox });
  const from = new Scanner();
  const back = new Scanner();
  from.push(INIT);
  back.push(INIT);
  pictures.init(INIT);
  let clusterMs = null;
  const written = [];
  const read = (append) => {
    if (!append) return [];
    const blocks = back
      .push(append.bytes)
      .flatMap((piece) => piece.blocks)
      .map(({ timestampMs, isKeyframe }) => [timestampMs, isKeyframe]);
    written.push(...blocks);
    return blocks;
  };
  return {
    pictures,
    written,
    frame(ms, isKeyframe = false) {
      const opens = isKeyframe || clusterMs === null;
      if (opens) clusterMs = ms;
      const bytes = new Uint8Array([...(opens ? cluster(ms) : []), ...block(ms - clusterMs, isKeyframe ? KEY : INTER)]);
      return from.push(bytes).flatMap((piece) => read(pictures.push(piece)));
    },
    fill: (toMs, lateMs) => read(pictures.fill(toMs, lateMs)),
  };
}

/** Chromium takes a frame for a new beginning that comes later than twice the length before it. */
function steps(written) {
  return written.slice(1).map(([ms], i) => ms - written[i][0]);
}

for (const isFirefox of [false, true]) {
  const browser = isFirefox ? 'Firefox' : 'others';

  test(`an even flow passes as it came, for ${browser}`, () => {
    const { frame, fill, written } = lane({ isFirefox });
    for (let i = 0; i < 50; i += 1) {
      frame(1000 + i * 40, i % 25 === 0);
      fill(1000 + i * 40 + 20, 190);
    }
    const all = Array.from({ length: 50 }, (_, i) => [1000 + i * 40, i % 25 === 0]);
    // Firefox has to learn first how long a frame is: see frame-times.js.
    if (isFirefox) assert.deepEqual(written.slice(-38), all.slice(-38));
    else assert.deepEqual(written, all);
  });

  for (const everyMs of [1000, 5000, 10_000]) {
    test(`a frame each ${everyMs} ms leaves no pause in the picture, for ${browser}`, () => {
      const { frame, fill, written } = lane({ isFirefox });
      for (let ms = 0; ms <= 60_000; ms += 20) {
        if (ms % everyMs === 0) frame(ms, ms % 20_000 === 0);
        fill(ms, 190);
      }
      assert.ok(Math.max(...steps(written)) <= 200, `${Math.max(...steps(written))} ms`);
      assert.ok(Math.min(...steps(written)) > 0);
      assert.ok(written.at(-1)[0] > 59_900);
    });
  }
}

test('the frame itself is where the publisher dated it, however few there are', () => {
  const { frame, fill } = lane();
  frame(0, true);
  fill(990, 190);
  assert.deepEqual(frame(1000).at(-1), [1000, false]);
});

test('a long pause that is past is filled in few steps, each at most twice the one before', () => {
  const { frame, written } = lane();
  frame(0, true);
  frame(600_000, true);
  const all = steps(written);
  assert.ok(all.length < 60, `${all.length} steps`);
  all.slice(1).forEach((step, i) => assert.ok(step <= 2 * all[i] + 1, `${all[i]} then ${step}`));
  assert.ok(all.at(-1) <= 60);
});

test('a picture may stand for longer than a Cluster can be', () => {
  const { frame, fill, written } = lane();
  frame(0, true);
  for (let ms = 0; ms <= 120_000; ms += 60) fill(ms, 190);
  assert.ok(Math.abs(written.at(-1)[0] - 120_000) <= 60);
  assert.deepEqual(frame(120_010, true).at(-1), [120_010, true]);
});

test('a frame that comes late shows at once, and the next ones are on time again', () => {
  const { frame, fill, pictures } = lane();
  frame(0, true);
  fill(500, 190);
  assert.deepEqual(frame(450), [[501, false]]);
  assert.equal(pictures.takeOvershot(), 50);
  assert.equal(pictures.takeOvershot(), 0);
  assert.deepEqual(frame(550), [[550, false]]);
});

test('frames that are late for long are shown later, and no further with each', () => {
  for (const isFirefox of [false, true]) {
    const { frame, fill, written, pictures } = lane({ isFirefox });
    // Few frames, and then 30 a second that come 400 ms later than the ones before them.
    let nowMs = 0;
    const until = (toMs) => {
      for (; nowMs < toMs; nowMs += 50) fill(nowMs - 40, 190);
    };
    for (let ms = 0; ms < 5000; ms += 1000) {
      until(ms);
      frame(ms, ms === 0);
    }
    for (let ms = 5000; ms < 15_000; ms += 33) {
      until(ms + 400);
      frame(ms);
    }
    const [lastMs] = written.at(-1);
    assert.ok(lastMs < 15_500, `written up to ${lastMs} ms`);
    assert.ok(pictures.offsetMs < 500, `${pictures.offsetMs} ms later`);
    // On time again: what they were shown later is made up for.
    for (let ms = 15_000; ms < 20_000; ms += 33) {
      until(ms);
      frame(ms);
    }
    assert.equal(pictures.offsetMs, 0);
    assert.ok(Math.max(...steps(written)) <= 300, `${Math.max(...steps(written))} ms`);
  }
});

test('a rare frame behind a repeat is no late one', () => {
  const { frame, fill, pictures } = lane();
  frame(0, true);
  fill(500, 190);
  frame(450);
  assert.equal(pictures.takeOvershot(), 50);
  fill(900, 190);
  frame(800);
  assert.equal(pictures.takeOvershot(), 0);
});

test('time that is set back is followed, and a pause gives it back', () => {
  const { frame, fill, pictures } = lane();
  frame(0, true);
  fill(3000, 190);
  assert.deepEqual(frame(1000, true), [[3030, true]]);
  assert.equal(pictures.offsetMs, 2030);
  assert.deepEqual(frame(1040), [[3060, false]]);
  frame(4000);
  assert.equal(pictures.offsetMs, 0);
});

test('what cannot be repeated is passed on as it is', () => {
  const pictures = new Pictures({ isFirefox: false });
  assert.equal(pictures.fill(1000, 0), null);
  assert.equal(pictures.canRepeat, false);
});
