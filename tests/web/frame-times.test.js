import test from 'node:test';
import assert from 'node:assert/strict';
import { FrameTimes } from '../../web/player/frame-times.js';

const frames = (...times) => times.map((timestampMs, i) => ({ timestampMs, isKeyframe: false, i }));
const keyframe = (timestampMs) => ({ timestampMs, isKeyframe: true });

/**
 * What Firefox makes of appends, with its reader always at the end: the frames that it drops because the step before
 * them is too long, and those that it passes over because they end before its reader expects the next one.
 */
function firefoxLoses(appends) {
  let [last, longest, expected] = [null, 0, -1];
  const [dropped, passedOver] = [[], []];
  for (const { times, isKeyframe, lengthMs } of appends) {
    times.forEach((time, i) => {
      if (i === 0 && last !== null && time - last > 2 * longest && !isKeyframe) dropped.push(time);
      const length = i + 1 < times.length ? times[i + 1] - time : lengthMs;
      longest = Math.max(length, isKeyframe && i === 0 ? 0 : longest);
      if (time + length <= expected) passedOver.push(time);
      expected = Math.max(expected, time + length);
    });
    last = times.at(-1);
  }
  return { dropped, passedOver };
}
const NOTHING = { dropped: [], passedOver: [] };

function dated(appends) {
  const times = new FrameTimes();
  return appends.map((append) => ({ ...times.date(append), isKeyframe: append[0].isKeyframe }));
}

/** As the queue joins what waits, when it may. */
function joined(appends) {
  const out = [];
  for (const append of appends) {
    const last = out.at(-1);
    if (last && !append.isApart && !append.isKeyframe) {
      last.times = [...last.times, ...append.times];
      last.lengthMs = append.lengthMs;
    } else out.push({ ...append });
  }
  return out;
}

/** As a track with this DefaultDuration, untouched. */
const untouched = (appends, lengthMs) =>
  appends.map((append) => ({ times: append.map(({ timestampMs }) => timestampMs), isKeyframe: append[0].isKeyframe, lengthMs }));
const times = (appends) => appends.flatMap((append) => append.times);

test('an even flow of frames keeps its times', () => {
  const appends = [[keyframe(0), ...frames(33)], frames(66), frames(100, 133), frames(166)];
  assert.deepEqual(times(dated(appends)), [0, 33, 66, 100, 133, 166]);
});

test('a frame after a pause is dated earlier, and the rest is made up', () => {
  const appends = [[keyframe(0), ...frames(33)], frames(66), frames(300), frames(333), frames(366), frames(400), frames(433)];
  assert.deepEqual(firefoxLoses(untouched(appends, 33)).dropped, [300]);
  const even = dated(appends);
  assert.deepEqual(firefoxLoses(even), NOTHING);
  assert.deepEqual(times(even), [0, 33, 66, 131, 333, 366, 400, 433]);
});

test('a pause inside one append needs no help', () => {
  const appends = [[keyframe(0), ...frames(33)], frames(66, 300), frames(333)];
  assert.deepEqual(times(dated(appends)), [0, 33, 66, 300, 333]);
});

test('two frames soon after one that was said to last long are passed over, so the last one is said to be shorter', () => {
  const appends = [[keyframe(0), ...frames(133)], frames(266), frames(276, 300), frames(333, 366), frames(400, 433)];
  assert.deepEqual(firefoxLoses(untouched(appends, 133)).passedOver, [276, 333, 400]);
  const even = dated(appends);
  assert.deepEqual(firefoxLoses(even), NOTHING);
  assert.deepEqual(times(even), [0, 133, 266, 276, 321, 333, 366, 400, 433]);
});

test('a keyframe alone lasts as long as the usual step, and so does the pause behind it', () => {
  const even = dated([[keyframe(0)], ...[100, 200, 300, 400, 500, 600].map((at) => frames(at)), [keyframe(700)], frames(800)]);
  assert.deepEqual(firefoxLoses(even), NOTHING);
  assert.deepEqual(times(even).slice(-3), [600, 700, 800]);
  assert.ok(even.at(-2).lengthMs > 70 && even.at(-2).lengthMs <= 100);
});

test('whatever the pauses, Firefox loses nothing, no time goes back and few are late', () => {
  let seed = 7;
  const random = () => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  };
  let [late, count] = [0, 0];
  for (let run = 0; run < 50; run += 1) {
    const appends = [];
    let at = 0;
    for (let n = 0; n < 200; n += 1) {
      const append = [];
      const frameCount = 1 + Math.floor(random() * 3);
      for (let i = 0; i < frameCount; i += 1) {
        at += random() < 0.1 ? 100 + Math.floor(random() * 900) : 5 + Math.floor(random() * 40);
        append.push({ timestampMs: at, isKeyframe: n % 30 === 0 && i === 0 });
      }
      appends.push(append);
    }
    const even = dated(appends);
    assert.deepEqual(firefoxLoses(even), NOTHING);
    const together = even.flatMap((append, i) => (i % 4 ? [] : joined(even.slice(i, i + 4))));
    assert.deepEqual(firefoxLoses(together).passedOver, []);
    const [before, after] = [appends.flat(), times(even)];
    after.forEach((time, i) => {
      const lateMs = time - before[i].timestampMs;
      assert.ok(lateMs <= 400, `${lateMs} ms late`);
      late += Math.max(0, lateMs);
      count += 1;
      assert.ok(i === 0 || time > after[i - 1]);
    });
  }
  assert.ok(late / count < 25, `${late / count} ms late on average`);
});

test('a pause of many seconds is a new beginning', () => {
  assert.deepEqual(times(dated([[keyframe(0), ...frames(33)], [keyframe(9000)], frames(9033)])), [0, 33, 9000, 9033]);
});

test('a slow stream leaves no hole that Firefox would not bridge', () => {
  const at = (n) => 250 * n + 50 * (n % 2);
  const even = dated([[keyframe(0)], ...Array.from({ length: 20 }, (_, n) => frames(at(n + 1)))]);
  let longest = 0;
  even.slice(0, -1).forEach((append, i) => {
    longest = Math.max(longest, append.lengthMs);
    const stepMs = even[i + 1].times[0] - append.times[0];
    // Half the longest frame on either side.
    if (i > 0) assert.ok(stepMs - append.lengthMs <= longest, `${stepMs} ms, ${append.lengthMs} of them, ${longest}`);
  });
});
