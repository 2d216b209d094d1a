import test from 'node:test';
import assert from 'node:assert/strict';
import { BlockOrder } from '../../web/publisher/codecs/block-order.js';
import { CaptureClock } from '../../web/publisher/codecs/capture-clock.js';
import { i420, matrixFor } from '../../web/publisher/codecs/limited-range.js';
import { SoundTimeline } from '../../web/publisher/codecs/sound-timeline.js';
import { WebmWriter } from '../../web/publisher/codecs/webm-writer.js';
import { configsOf } from '../../web/player/codecs/track-config.js';
import { Scanner } from '../../web/player/webm-scan.js';

const VP8 = { codec: 'vp8', width: 640, height: 360 };
const block = (kind, timeMs, isKeyframe = false) => ({ kind, timeMs, isKeyframe, bytes: new Uint8Array(300) });

/** What a player reads of the blocks that a recorder wrote. */
function written(tracks, blocks) {
  const writer = new WebmWriter(tracks);
  const scanner = new Scanner();
  return blocks.flatMap((each) => writer.block(each).flatMap((piece) => scanner.push(piece.slice())));
}

test('a recording begins with a keyframe, and each keyframe opens a Cluster', () => {
  const pieces = written({ video: VP8, audio: { channels: 2 } }, [
    block('audio', 90),
    block('video', 100),
    block('video', 140, true),
    block('audio', 160),
    block('video', 180),
    block('video', 1140, true),
  ]);
  const blocks = pieces.flatMap(({ blocks: those }) => those);
  assert.deepEqual(
    blocks.map(({ kind, timestampMs, isKeyframe }) => [kind, timestampMs, isKeyframe]),
    [
      ['video', 0, true],
      ['audio', 20, true],
      ['video', 40, false],
      ['video', 1000, true],
    ],
  );
  assert.deepEqual([pieces.filter(({ type }) => type === 'init').length, pieces.filter(({ type }) => type === 'cluster').length], [1, 2]);
});

test('a player reads the codecs, the size of the sound and the colours from the head', () => {
  const colour = { matrix: 'smpte170m', primaries: 'bt709', transfer: 'bt709', fullRange: false };
  const read = (codec, audio) => {
    const [{ bytes }] = written({ video: { ...VP8, codec, colour }, audio }, [block('video', 0, true)]);
    return configsOf(bytes, 'video/webm;codecs="av01.0.08M.08,opus"');
  };
  const { video, audio } = read('vp8', { channels: 1 });
  assert.deepEqual([video.config.codec, video.config.colorSpace, audio.config.numberOfChannels, audio.delayMs], ['vp8', colour, 1, 6.5]);
  assert.equal(read('vp09.00.41.08', null).video.config.codec, 'vp09.00.10.08');
  assert.equal(read('av01.0.08M.08', null).video.config.codec, 'av01.0.08M.08');
});

test('times of a recording never go back, and sound that is late for good is left out', () => {
  const pieces = written({ video: VP8, audio: { channels: 2 } }, [
    block('video', 0, true),
    block('video', 200),
    block('audio', 190),
    block('audio', 60),
    block('audio', 210),
  ]);
  const times = pieces.flatMap(({ blocks }) => blocks.map(({ timestampMs }) => timestampMs));
  assert.deepEqual(times, [0, 200, 200, 210]);
});

test('a recording of sound alone has a Cluster for each second', () => {
  const packets = Array.from({ length: 150 }, (_, i) => block('audio', i * 20, true));
  const pieces = written({ video: null, audio: { channels: 2 } }, packets);
  assert.equal(pieces.filter(({ type }) => type === 'cluster').length, 3);
});

test('a picture waits for the sound of its time, and no longer than sound comes', () => {
  const order = new BlockOrder({ hasSound: true });
  order.sound(block('audio', 0), 20, 25);
  order.picture(block('video', 30), 32);
  assert.equal(order.take(32, null).kind, 'audio');
  assert.equal(order.take(33, null), null);
  order.sound(block('audio', 20), 20, 45);
  assert.deepEqual([order.take(45, null).timeMs, order.take(45, null).timeMs], [20, 30]);
  order.picture(block('video', 60), 62);
  assert.equal(order.take(200, null), null);
  assert.equal(order.take(500, null).timeMs, 60);
});

test('sound waits for an earlier picture that is being encoded', () => {
  const order = new BlockOrder({ hasSound: true });
  order.sound(block('audio', 40), 20, 65);
  assert.equal(order.take(65, 35), null);
  assert.equal(order.take(66, 70).timeMs, 40);
});

test('what comes late was captured when it says, by the soonest of late', () => {
  const clock = new CaptureClock(2000);
  clock.at(0, 1000);
  assert.equal(clock.at(20, 1090), 1020);
  assert.equal(clock.at(40, 1030), 1030);
  // Its clock lost 100 ms.
  for (let ms = 60; ms < 4000; ms += 20) clock.at(ms, 1090 + ms);
  assert.equal(clock.at(4000, 5090), 5090);
});

/** Feeds sound for so long; returns how much silence it got, and how far its place is from its time. */
function feed(timeline, { fromMs, forMs, lateMs = 0, uneven = () => 0 }) {
  let silenceMs = 0;
  let place = null;
  for (let ms = fromMs; ms < fromMs + forMs; ms += 10) {
    place = timeline.feed(5000 + ms + lateMs + uneven(ms), 10) ?? place;
    silenceMs += place.silenceMs;
  }
  return { silenceMs, offMs: timeline.capturedMs(place.atMs) - (5000 + fromMs + forMs - 10 + lateMs) };
}

test('sound that a busy computer lost leaves silence, and none is made up for unevenness', () => {
  const timeline = new SoundTimeline();
  const uneven = (ms) => (ms % 100) / 5;
  assert.equal(feed(timeline, { fromMs: 0, forMs: 5000, uneven }).silenceMs, 0);
  const { silenceMs, offMs } = feed(timeline, { fromMs: 5000, forMs: 10_000, lateMs: 300 });
  assert.ok(silenceMs > 240 && silenceMs < 320, `${silenceMs} ms of silence`);
  assert.ok(Math.abs(offMs) < 40, `${offMs} ms off`);
});

test('a device that begins with a burst of old sound loses nothing of what follows', () => {
  const timeline = new SoundTimeline();
  // 1.5 s come at once, and the rest in time.
  const places = Array.from({ length: 300 }, (_, i) => timeline.feed(Math.max(5000, 3500 + 10 * i), 10));
  assert.ok(places.slice(160).every((place) => place !== null && place.silenceMs === 0));
});

test('a computer that slept costs no silence', () => {
  const timeline = new SoundTimeline();
  feed(timeline, { fromMs: 0, forMs: 2000 });
  const { silenceMs, offMs } = feed(timeline, { fromMs: 2000, forMs: 1000, lateMs: 3_600_000 });
  assert.equal(silenceMs, 0);
  assert.ok(Math.abs(offMs) < 40, `${offMs} ms off`);
});

test('a drawn picture becomes limited range by the matrix that players take for granted', () => {
  assert.deepEqual(
    [matrixFor('vp8', 360).name, matrixFor('vp8', 720).name, matrixFor('vp09.00.41.08', 360).name],
    ['smpte170m', 'bt709', 'bt709'],
  );
  const plain = (r, g, b, isBlueFirst = false) => {
    const pixels = new Uint8Array(3 * 3 * 4).map((_, i) => [isBlueFirst ? b : r, g, isBlueFirst ? r : b, 255][i % 4]);
    const planes = i420(pixels, { width: 3, height: 3, isBlueFirst }, matrixFor('vp8', 360));
    assert.equal(planes.length, 9 + 4 + 4);
    return [planes[0], planes[8], planes[9], planes[13]];
  };
  assert.deepEqual(plain(0, 0, 0), [16, 16, 128, 128]);
  assert.deepEqual(plain(255, 255, 255), [235, 235, 128, 128]);
  // The corners of BT.601.
  assert.deepEqual(plain(255, 0, 0), [81, 81, 90, 240]);
  assert.deepEqual(plain(255, 0, 0, true), [81, 81, 90, 240]);
  assert.deepEqual(plain(0, 0, 255), [41, 41, 240, 110]);
});
