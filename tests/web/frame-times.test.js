import test from 'node:test';
import assert from 'node:assert/strict';
import { FrameTimes } from '../../web/player/frame-times.js';

const frames = (...times) => times.map((timestampMs, i) => ({ timestampMs, isKeyframe: false, i }));
const keyframe = (timestampMs) => ({ timestampMs, isKeyframe: true });

/** What Firefox makes of appends: the frames that it would drop for a step too long. */
function firefoxLoses(appends) {
  let last = null;
  let longest = 0;
  const lost = [];
  for (const append of appends) {
    append.forEach(({ timestampMs, isKeyframe }, i) => {
      const before = i > 0 ? append[i - 1].timestampMs : last;
      if (i === 0 && last !== null && timestampMs - last > 2 * longest && !isKeyframe) lost.push(timestampMs);
      const length = i + 1 < append.length ? append[i + 1].timestampMs - timestampMs : timestampMs - (before ?? timestampMs);
      longest = Math.max(1, length, isKeyframe ? 0 : longest);
    });
    last = append.at(-1).timestampMs;
  }
  return lost;
}

function dated(appends) {
  const times = new FrameTimes();
  return appends.map((append) => {
    const at = times.date(append);
    return append.map((frame, i) => ({ ...frame, timestampMs: at[i] }));
  });
}

test('an even flow of frames keeps its times', () => {
  const appends = [[keyframe(0), ...frames(33)], frames(66), frames(100, 133), frames(166)];
  assert.deepEqual(dated(appends), appends);
});

test('a frame after a pause is dated earlier, and the rest is made up', () => {
  const appends = [[keyframe(0), ...frames(33)], frames(66), frames(300), frames(333), frames(366), frames(400), frames(433)];
  assert.ok(firefoxLoses(appends).length > 0);
  const even = dated(appends);
  assert.deepEqual(firefoxLoses(even), []);
  assert.equal(even[2][0].timestampMs, 66 + 65);
  assert.equal(even.at(-1)[0].timestampMs, 433);
});

test('a pause inside one append needs no help', () => {
  const appends = [[keyframe(0), ...frames(33)], frames(66, 300), frames(333)];
  assert.deepEqual(dated(appends), appends);
});

test('whatever the pauses, Firefox loses nothing and no time is late or goes back', () => {
  let seed = 7;
  const random = () => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  };
  for (let run = 0; run < 50; run += 1) {
    const appends = [];
    let at = 0;
    for (let n = 0; n < 200; n += 1) {
      const append = [];
      const count = 1 + Math.floor(random() * 3);
      for (let i = 0; i < count; i += 1) {
        at += random() < 0.1 ? 100 + Math.floor(random() * 900) : 5 + Math.floor(random() * 40);
        append.push({ timestampMs: at, isKeyframe: n % 30 === 0 && i === 0 });
      }
      appends.push(append);
    }
    const even = dated(appends);
    assert.deepEqual(firefoxLoses(even), []);
    const [before, after] = [appends.flat(), even.flat()];
    after.forEach(({ timestampMs }, i) => {
      assert.ok(timestampMs <= before[i].timestampMs);
      assert.ok(i === 0 || timestampMs > after[i - 1].timestampMs);
    });
  }
});

test('a pause of many seconds is a new beginning', () => {
  const appends = [[keyframe(0), ...frames(33)], [keyframe(9000)]];
  assert.deepEqual(dated(appends), appends);
});
