import test from 'node:test';
import assert from 'node:assert/strict';
import { DecodedTimes } from '../../web/player/codecs/decoded-times.js';
import { SampleRing } from '../../web/player/codecs/sample-ring.js';
import { configsOf, isSameSound } from '../../web/player/codecs/track-config.js';
import { AUDIO, init, VIDEO } from './webm.js';

const RATE = 1000;
/** `ms` milliseconds of sound, each sample being its own time. */
const sound = (fromMs, ms) => [Float32Array.from({ length: ms }, (_, i) => fromMs + i)];
function read(from, length, step = 1) {
  const output = new Float32Array(length);
  from.read([output], step);
  return output;
}
function ring(fromMs = 5000, ms = 500) {
  const made = new SampleRing(RATE, 1);
  made.push(fromMs, sound(fromMs, ms));
  made.moveTo(fromMs);
  return made;
}

test('sound is read from where the position is put, and moves it on', () => {
  const made = ring();
  made.moveTo(5100);
  const output = read(made, 200);
  assert.deepEqual([output[150], output[199], made.positionMs], [5250, 5299, 5300]);
});

test('sound begins softly', () => {
  const output = read(ring(), 128);
  assert.ok(output[0] < 100 && output[50] < output[90], String(output));
});

test('a speed moves the position faster, between the samples', () => {
  const made = ring();
  const output = read(made, 300, 1.02);
  assert.equal(Math.round(made.positionMs), 5306);
  assert.ok(Math.abs(output[250] - 5255) < 0.1, String(output[250]));
});

test('before it is placed, and before the first sound, there is silence', () => {
  const made = new SampleRing(RATE, 1);
  made.moveTo(100);
  assert.deepEqual([...read(made, 4)], [0, 0, 0, 0]);
  assert.deepEqual([made.positionMs, made.endMs, made.underflows], [null, null, 0]);
});

test('ahead of the sound the position waits in silence, and the sound is met on time', () => {
  const made = ring();
  made.moveTo(4900);
  const output = read(made, 300);
  assert.deepEqual([output[50], output[99], output[250]], [0, 0, 5150]);
});

test('sound that runs out stands still, fades, and is counted once', () => {
  const made = ring(5000, 200);
  const output = read(made, 300);
  assert.deepEqual([made.positionMs, made.underflows, made.isDry], [5199, 1, true]);
  assert.ok(output[299] < output[200], 'no click');
  read(made, 100);
  assert.equal(made.underflows, 1);
  made.push(5200, sound(5200, 200));
  assert.equal(read(made, 150)[149], 5348);
  assert.equal(made.isDry, false);
});

test('rounded timestamps leave no holes, and real gaps are silence of their length', () => {
  const made = ring(5000, 100);
  made.push(5103, sound(5100, 100));
  made.push(5300, sound(5300, 100));
  const output = read(made, 380);
  assert.deepEqual([output[150], output[250], output[350], made.underflows], [5150, 0, 5350, 0]);
});

test('what came twice is kept once', () => {
  const made = ring(5000, 200);
  made.push(5100, sound(5100, 200));
  assert.equal(made.endMs, 5300);
  made.push(5000, sound(5000, 100));
  assert.deepEqual([made.endMs, read(made, 280)[270]], [5300, 5270]);
});

test('old sound makes room, also over a gap longer than what is kept', () => {
  const made = ring(0, 3000);
  made.push(3000, sound(3000, 3000));
  made.moveTo(1000);
  assert.equal(read(made, 10)[9], 0, 'no longer kept');
  made.push(90_000, sound(90_000, 500));
  made.moveTo(90_000);
  assert.equal(read(made, 300)[299], 90_299);
});

const text = (word) => [...new TextEncoder().encode(word)];
const element = (id, body) => [...id, 0x80 | body.length, ...body];
const entry = (number, type, codec, ...more) =>
  element([0xae], [...element([0xd7], [number]), ...element([0x83], [type]), ...element([0x86], text(codec)), ...more.flat()]);
const codecPrivate = (...bytes) => element([0x63, 0xa2], bytes);

test('VP8 and Opus are told to the decoders by number, type and rate', () => {
  const { video, audio, unknown } = configsOf(init(VIDEO, AUDIO), 'video/webm;codecs="vp8,opus"');
  assert.deepEqual([video.number, video.config.codec, audio.number, audio.config.codec, unknown], [1, 'vp8', 2, 'opus', []]);
  assert.equal(audio.config.sampleRate, 48_000);
});

test('channels and the delay of the codec come from the track', () => {
  const stereo = entry(2, 2, 'A_OPUS', element([0xe1], element([0x9f], [2])), element([0x56, 0xaa], [0x63, 0x2e, 0xa0]));
  const { video, audio } = configsOf(init(stereo), 'audio/webm;codecs="opus"');
  assert.deepEqual([video, audio.config.numberOfChannels, audio.delayMs], [null, 2, 6.5]);
});

test('H.264 is named by its profile and level, and described by its head', () => {
  const avc = entry(1, 1, 'V_MPEG4/ISO/AVC', codecPrivate(1, 0x64, 0, 0x1f, 0xff));
  const { config } = configsOf(init(avc), 'video/x-matroska;codecs="avc1"').video;
  assert.deepEqual([config.codec, [...config.description]], ['avc1.64001f', [1, 0x64, 0, 0x1f, 0xff]]);
});

test('VP9 is named in full, by its features, or as profile 0', () => {
  const codec = (mime, ...more) => configsOf(init(entry(1, 1, 'V_VP9', ...more)), mime).video.config.codec;
  assert.equal(codec('video/webm;codecs="vp9"'), 'vp09.00.10.08');
  assert.equal(codec('video/webm;codecs="vp9"', codecPrivate(1, 1, 2, 2, 1, 31, 3, 1, 10)), 'vp09.02.31.10');
  assert.equal(codec('video/webm;codecs="vp09.01.20.08"'), 'vp09.01.20.08');
});

test('AAC is named by its object type', () => {
  const { audio } = configsOf(init(entry(2, 2, 'A_AAC', codecPrivate(0x12, 0x10))), 'audio/x-matroska;codecs="mp4a.40.2"');
  assert.equal(audio.config.codec, 'mp4a.40.2');
});

test('a codec without a known decoder is told by its name', () => {
  const { video, unknown } = configsOf(init(entry(1, 1, 'V_THEORA')), 'video/x-matroska;codecs="theora"');
  assert.deepEqual([video, unknown], [null, ['V_THEORA']]);
});

test('sound of the same codec, rate and head needs no other decoder', () => {
  const of = (...more) => configsOf(init(entry(2, 2, 'A_AAC', ...more)), '').audio;
  assert.ok(isSameSound(of(codecPrivate(0x12, 0x10)), of(codecPrivate(0x12, 0x10))));
  assert.ok(!isSameSound(of(codecPrivate(0x12, 0x10)), of(codecPrivate(0x12, 0x08))));
  assert.ok(!isSameSound(null, of(codecPrivate(0x12, 0x10))));
});

test('after a lost packet sound has the time of its frame, whatever the decoder counts', () => {
  const times = new DecodedTimes('opus');
  [0, 20_000, 520_000, 540_000].forEach((timestamp, i) => times.fed(timestamp, i));
  const counted = [0, 20_000, 40_000, 60_000];
  assert.deepEqual(
    counted.map((timestamp) => times.came(timestamp).timestamp),
    [0, 20_000, 520_000, 540_000],
  );
  assert.deepEqual(times.came(80_000), { timestamp: 80_000, atMs: null });
});

test('sound of other codecs goes by what the decoder says, which may leave frames out', () => {
  const times = new DecodedTimes('vorbis');
  [0, 10_000, 20_000].forEach((timestamp, i) => times.fed(timestamp, i));
  assert.deepEqual(
    [times.came(10_000), times.came(15_000)],
    [
      { timestamp: 10_000, atMs: 1 },
      { timestamp: 15_000, atMs: null },
    ],
  );
});
