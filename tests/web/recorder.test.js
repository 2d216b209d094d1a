import test from 'node:test';
import assert from 'node:assert/strict';
import { withGlobals } from './fakes.js';
import { keyframeCount, Recorder, recordableCodecs, typeFor } from '../../web/publisher/recorder.js';

/** A MediaRecorder whose data comes when told to. As the real one, `state` runs ahead of events. */
class FakeRecorder {
  state = 'inactive';

  constructor(media, options) {
    Object.assign(this, { media, options, mimeType: options.mimeType });
  }

  start() {
    this.state = 'recording';
  }

  stop() {
    this.state = 'inactive';
  }

  give(data) {
    this.ondataavailable?.({ data: { size: data.length, data } });
  }

  end(last = '') {
    this.state = 'inactive';
    this.give(last);
    this.onstop?.();
  }
}

function recorder() {
  const made = [];
  const heard = [];
  const on = {
    data: ({ data }) => heard.push(data),
    failed: () => heard.push('FAILED'),
    finished: () => heard.push('FINISHED'),
  };
  const it = new Recorder(on, (media, options) => {
    made.push(new FakeRecorder(media, options));
    return made.at(-1);
  });
  return { it, made, heard };
}

const OPTIONS = { mimeType: 'video/webm;codecs=vp8', videoBitsPerSecond: 1e6 };

test('a new recording takes over only after the last byte of the old one', () => {
  const { it, made, heard } = recorder();
  it.start('a', OPTIONS);
  made[0].give('a1');
  it.start('b', OPTIONS);
  made[0].give('a2');
  made[1].give('b1');
  assert.equal(made[0].state, 'inactive');
  made[1].give('b2');
  made[0].end('a3');
  made[1].give('b3');
  assert.deepEqual(heard, ['a1', 'a2', 'a3', 'b1', 'b2', 'b3']);
});

test('a recording that ended by itself waits for the one that follows', () => {
  const { it, made, heard } = recorder();
  it.start('a', OPTIONS);
  made[0].give('a1');
  it.start('b', OPTIONS);
  made[0].end('a2');
  assert.deepEqual(heard, ['a1', 'a2']);
  made[1].give('b1');
  assert.deepEqual(heard, ['a1', 'a2', 'b1']);
  assert.ok(it.isRecording);
});

test('the last of two quick restarts counts', () => {
  const { it, made, heard } = recorder();
  it.start('a', OPTIONS);
  it.start('b', OPTIONS);
  it.start('c', OPTIONS);
  made[1].give('b1');
  made[2].give('c1');
  made[0].end('a1');
  assert.deepEqual(heard, ['a1', 'c1']);
});

test('empty chunks are not handed on, and do not take over', () => {
  const { it, made, heard } = recorder();
  it.start('a', OPTIONS);
  it.start('b', OPTIONS);
  made[0].give('');
  made[1].give('');
  assert.equal(made[0].state, 'recording');
  assert.deepEqual(heard, []);
});

test('finishing hands on the last block', () => {
  const { it, made, heard } = recorder();
  it.start('a', OPTIONS);
  made[0].give('a1');
  it.finish();
  made[0].end('a2');
  assert.deepEqual(heard, ['a1', 'a2', 'FINISHED']);
  assert.ok(!it.isRecording);
});

test('a new start while finishing follows without a mix', () => {
  const { it, made, heard } = recorder();
  it.start('a', OPTIONS);
  it.finish();
  it.start('b', OPTIONS);
  made[1].give('b1');
  made[0].end('a1');
  made[1].give('b2');
  assert.deepEqual(heard, ['a1', 'b1', 'b2']);
});

test('stopping at once silences both recordings', () => {
  const { it, made, heard } = recorder();
  it.start('a', OPTIONS);
  it.start('b', OPTIONS);
  it.stop();
  made.forEach((each) => each.end('late'));
  assert.deepEqual(heard, []);
});

test('a recording that ends unasked is a failure', () => {
  const { it, made, heard } = recorder();
  it.start('a', OPTIONS);
  made[0].end();
  assert.deepEqual(heard, ['FAILED']);
});

test('a type is found for every set of tracks', () => {
  const chromium = (type) =>
    /^(video\/(webm|x-matroska);codecs=(vp8|vp9|av01\.0\.04M\.08|avc1)(,opus)?|audio\/webm;codecs=opus)$/.test(type);
  assert.equal(typeFor('vp8', { hasVideo: true, hasAudio: true }, chromium), 'video/webm;codecs=vp8,opus');
  assert.equal(typeFor('vp9', { hasVideo: true, hasAudio: false }, chromium), 'video/webm;codecs=vp9');
  assert.equal(typeFor('vp9', { hasVideo: false, hasAudio: true }, chromium), 'audio/webm;codecs=opus');
  assert.deepEqual(
    recordableCodecs(chromium).map(({ id }) => id),
    ['vp8', 'vp9', 'av1', 'h264'],
  );
  const firefox = (type) => /^(video\/webm;codecs=vp8(,opus)?|audio\/webm;codecs=opus)$/.test(type);
  assert.deepEqual(
    recordableCodecs(firefox).map(({ id }) => id),
    ['vp8'],
  );
  assert.equal(
    typeFor('h264', { hasVideo: true, hasAudio: true }, () => false),
    null,
  );
});

test('H.264 is offered last, with a note about Firefox', () => {
  const codecs = recordableCodecs((type) => /vp8|avc1/.test(type));
  assert.deepEqual(
    codecs.map(({ id }) => id),
    ['vp8', 'h264'],
  );
  assert.match(codecs[1].note, /Firefox/);
});

test('keyframes are asked for by frames, about one a second of motion', () => {
  assert.equal(keyframeCount(30), 29);
  assert.equal(keyframeCount(undefined), 29);
  assert.equal(keyframeCount(3.2), 9);
  assert.equal(keyframeCount(240), 59);
  const { it, made } = recorder();
  it.start({ getVideoTracks: () => [{ getSettings: () => ({ frameRate: 25 }) }] }, OPTIONS);
  assert.equal(made[0].options.videoKeyFrameIntervalCount, 24);
  assert.ok(!('videoKeyFrameIntervalDuration' in made[0].options));
});

/** A recorder that can change its bit rates, and fails when the test says so. */
class FakeCodecs extends FakeRecorder {
  rates = [];
  slices = [];

  setRates(rates) {
    this.rates.push(rates);
  }

  setSlice(sliceMs) {
    this.slices.push(sliceMs);
  }

  fail() {
    this.state = 'inactive';
    this.onerror?.({ error: new Error('no encoder') });
  }
}

/** A recorder of the other kind, with a MediaRecorder behind it. */
function byCodecs(t) {
  const made = [];
  const heard = [];
  const keep = (each) => made.push(each) && each;
  withGlobals(t, {
    MediaRecorder: class {
      constructor(media, options) {
        return keep(new FakeRecorder(media, options));
      }
    },
  });
  t.mock.method(console, 'warn', () => {});
  const on = { data: ({ data }) => heard.push(data), failed: () => heard.push('FAILED') };
  return { it: new Recorder(on, (media, options) => keep(new FakeCodecs(media, options))), made, heard };
}

test('after a failure of WebCodecs a MediaRecorder goes on', (t) => {
  const { it, made, heard } = byCodecs(t);
  it.start('a', OPTIONS);
  made[0].give('a1');
  made[0].fail();
  made[1].give('b1');
  assert.deepEqual(
    [heard, made.map(({ setRates }) => Boolean(setRates))],
    [
      ['a1', 'b1'],
      [true, false],
    ],
  );
  it.start('c', OPTIONS);
  assert.deepEqual([made.length, Boolean(made[2].setRates)], [3, false]);
  made[1].end();
  assert.deepEqual(heard, ['a1', 'b1']);
});

test('other bit rates need no new recording where the recorder can change them', (t) => {
  const { it, made } = byCodecs(t);
  const rates = { ...OPTIONS, videoBitsPerSecond: 500_000, audioBitsPerSecond: 48_000 };
  assert.equal(it.setRates(rates), false);
  it.start('a', OPTIONS);
  assert.equal(it.setRates(rates), true);
  assert.deepEqual(made[0].rates, [{ videoBitsPerSecond: 500_000, audioBitsPerSecond: 48_000 }]);
  made[0].fail();
  assert.equal(made[1].options.videoBitsPerSecond, 500_000);
  assert.equal(it.setRates(rates), false);
});

test('with many viewers blocks go out together', (t) => {
  const { it, made } = byCodecs(t);
  it.start('a', OPTIONS);
  it.setViewers(3);
  it.setViewers(1000);
  assert.deepEqual(made[0].slices, [0, 50]);
});
