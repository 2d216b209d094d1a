import test from 'node:test';
import assert from 'node:assert/strict';
import { Lane, planLanes } from '../../web/player/lane.js';
import { Pictures } from '../../web/player/pictures.js';
import { readInit, Scanner } from '../../web/player/webm-scan.js';
import { FakeBuffer } from './fakes.js';
import { AUDIO, bytes, cluster, frame, init, keyframe, sound, VIDEO } from './webm.js';

const MIME = 'video/webm;codecs="vp8,opus"';
const ON = { appended() {}, failed: (error) => assert.fail(error) };

/** A lane whose SourceBuffer takes everything at once, with what it took. */
function lane(without, { hasPictures = without !== 'video' } = {}) {
  const it = new Lane(without, hasPictures ? new Pictures({ isFirefox: false }) : null, () => 0, ON);
  const buffer = new FakeBuffer();
  it.attach(buffer);
  const scanner = new Scanner();
  const drain = () => {
    while (buffer.updating) buffer.done();
  };
  return {
    it,
    buffer,
    init(...tracks) {
      const segment = init(...tracks);
      scanner.push(segment);
      it.init(segment);
      drain();
    },
    push(...parts) {
      for (const piece of scanner.push(bytes(...parts))) it.push(piece);
      drain();
    },
    /** `[kind, ms]` of the blocks that were appended, as the browser reads them. */
    blocks() {
      const back = new Scanner();
      return buffer.log
        .flatMap((append) => back.push(append))
        .flatMap(({ blocks }) => blocks.map(({ kind, timestampMs }) => [kind, timestampMs]));
    },
  };
}

test('picture and sound get a lane each, and what is alone gets one', () => {
  assert.deepEqual(planLanes({ hasVideo: true, hasAudio: true }), ['audio', 'video']);
  assert.deepEqual(planLanes({ hasVideo: true, hasAudio: false }), [null]);
  assert.deepEqual(planLanes({ hasVideo: false, hasAudio: true }), [null]);
});

test('a lane has the type, the tracks and the blocks of its own kind', () => {
  for (const [without, kind, type] of [
    ['audio', 'video', 'video/webm;codecs="vp8"'],
    ['video', 'audio', 'audio/webm;codecs="opus"'],
  ]) {
    const { it, buffer, init: begin, push, blocks } = lane(without);
    begin(VIDEO, AUDIO);
    push(cluster(1000), keyframe(0), sound(0), frame(40), sound(20));
    assert.equal(it.type(MIME), type);
    assert.deepEqual(
      readInit(buffer.log[0]).tracks.map((track) => track.kind),
      [kind],
    );
    assert.deepEqual(blocks(), [
      [kind, 1000],
      [kind, kind === 'video' ? 1040 : 1020],
    ]);
  }
});

test('a lane without another takes the stream as it is', () => {
  const { it, buffer, init: begin, push, blocks } = lane(null, { hasPictures: false });
  assert.equal(it.type('audio/webm;codecs="opus"'), 'audio/webm;codecs="opus"');
  begin(AUDIO);
  push(cluster(500), sound(0));
  push(sound(20));
  assert.deepEqual(buffer.log.slice(1), [bytes(cluster(500), sound(0)), bytes(sound(20))]);
  assert.deepEqual(blocks(), [
    ['audio', 500],
    ['audio', 520],
  ]);
});

test('only an append with a Cluster head is one that can be entered', () => {
  const { it, init: begin, push } = lane('video');
  begin(VIDEO, AUDIO);
  push(cluster(1000), keyframe(0), sound(10));
  push(sound(30));
  push(cluster(2000), sound(0));
  assert.deepEqual(it.keyframes, [1.01, 2]);
  const picture = lane('audio');
  picture.init(VIDEO, AUDIO);
  picture.push(cluster(1000), keyframe(0), frame(40));
  picture.push(cluster(2000), keyframe(0));
  assert.deepEqual(picture.it.keyframes, [1, 2]);
});

test('a picture that stands still is repeated up to the time that is asked for', () => {
  const { it, init: begin, push, blocks } = lane('audio');
  begin(VIDEO, AUDIO);
  push(cluster(1000), keyframe(0));
  const { length } = blocks();
  it.fill(2000, 100);
  assert.equal(length, 1);
  const sound_ = lane('video');
  sound_.init(VIDEO, AUDIO);
  sound_.it.fill(2000, 100);
  assert.equal(sound_.buffer.log.length, 1);
});

test('a message that has nothing for a lane appends nothing', () => {
  const { buffer, init: begin, push } = lane('video');
  begin(VIDEO, AUDIO);
  push(cluster(1000), sound(0));
  push(frame(40));
  assert.equal(buffer.log.length, 2);
});

test('a change of type keeps its place, and what waits is not idle', () => {
  const it = new Lane('audio', null, () => 0, ON);
  assert.equal(it.isIdle, false);
  const buffer = new FakeBuffer();
  it.attach(buffer);
  assert.equal(it.isIdle, true);
  it.init(init(VIDEO, AUDIO));
  it.changeType('video/webm;codecs="vp9,opus"');
  assert.equal(it.isIdle, false);
  buffer.done();
  assert.equal(buffer.log.at(-1), 'video/webm;codecs="vp9"');
  assert.equal(it.isIdle, true);
  it.stop();
  it.init(init(VIDEO, AUDIO));
  assert.equal(buffer.log.length, 2);
});
