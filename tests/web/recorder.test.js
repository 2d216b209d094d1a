import test from 'node:test';
import assert from 'node:assert/strict';
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

test('H.264 is offered last, with a word about Firefox', () => {
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
