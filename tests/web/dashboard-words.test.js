import assert from 'node:assert/strict';
import test from 'node:test';
import { ago, chartInWords, lockOf, metaOf, PROCESS_CHARTS, STREAM_CHARTS, summaryOf } from '../../web/dashboard/words.js';

const plain = (text) => text.replaceAll('\u202f', ' ');
const stream = {
  name: 'a',
  viewers: 3,
  viewers_peak: 7,
  uptime_s: 720,
  codecs: 'vp8,opus',
  width: 1280,
  height: 720,
  recording: false,
  skips: 0,
};

test('the summary counts streams and viewers, or says what is wrong', () => {
  const of = (state, streams) => summaryOf({ state, streams });
  assert.equal(of('live', [stream, { ...stream, viewers: 1 }]), '2 streams, 4 viewers');
  assert.equal(of('live', []), 'No streams right now');
  assert.match(of('reconnecting', [stream]), /does not answer\. Trying again\.$/);
  assert.match(of('connecting', []), /^Connecting/);
});

test('a stream is described by what is known of it', () => {
  assert.equal(plain(metaOf(stream)), 'on air 12 min · 1280 × 720 · vp8, opus · 7 viewers at most');
  assert.match(metaOf({ ...stream, uptime_s: 5 }), /^just started · /);
  assert.match(metaOf({ ...stream, viewers_peak: 1 }), / · 1 viewer at most$/);
  assert.match(metaOf({ ...stream, viewers_peak: 1234 }), / · 1,234 viewers at most$/);
  const sound = { ...stream, width: null, height: null, codecs: null, recording: true, skips: 2 };
  assert.equal(plain(metaOf(sound)), 'on air 12 min · 7 viewers at most · 2 skips · recording');
});

test('figures that a title does not explain have a sentence', () => {
  for (const title of ['Server delay', 'Skips', 'Ring', 'Loop turn']) {
    const kind = [...STREAM_CHARTS, ...PROCESS_CHARTS].find((one) => one.title === title);
    assert.match(kind.about, /^[A-Z].*\.$/, title);
  }
});

test('a figure has its unit, and as many digits as matter', () => {
  const say = (charts, figure, value) => plain(charts.find((one) => one.figure === figure).say(value));
  assert.equal(say(STREAM_CHARTS, 'delay_ms', 0.342), '0.3 ms');
  assert.equal(say(STREAM_CHARTS, 'delay_ms', 2400), '2.4 s');
  assert.equal(say(STREAM_CHARTS, 'ring_ms', 12_340), '12 s');
  assert.equal(say(STREAM_CHARTS, 'viewers', 1200), '1,200');
  assert.equal(say(PROCESS_CHARTS, 'cpu_percent', 1.26), '1.3 %');
  assert.equal(say(PROCESS_CHARTS, 'memory_bytes', 48_200_000), '48.2 MB');
});

test('a chart has words for those who do not see it', () => {
  const [viewers] = STREAM_CHARTS;
  const words = (now, peak) => chartInWords(viewers, { now, peak, span: 'the last hour' });
  assert.equal(words(3, 9), 'Viewers: 3 now, at most 9 in the last hour');
  assert.equal(words(null, 9), 'Viewers: not known now, at most 9 in the last hour');
  assert.equal(words(null, null), 'Viewers: nothing known yet');
});

test('a time is as rough as it is far', () => {
  assert.deepEqual([0, 45, 600].map(ago), ['now', '45 s ago', '10 min ago']);
});

test('a key is asked for where one would show more, and a wrong one is called wrong', () => {
  assert.equal(lockOf({ locked: false, hasKey: true, count: 0 }), null);
  assert.match(lockOf({ locked: true, hasKey: false, count: 0 }).text, /Enter the key/);
  assert.match(lockOf({ locked: true, hasKey: true, count: 0 }).text, /does not open/);
  assert.match(lockOf({ locked: true, hasKey: true, count: 1 }).title, /^More/);
});
