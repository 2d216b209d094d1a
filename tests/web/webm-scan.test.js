import test from 'node:test';
import assert from 'node:assert/strict';
import { elementAt, readInit, Scanner } from '../../web/player/webm-scan.js';
import { codecsOf, mimeWithoutKind, withoutFrameLength, withoutKind } from '../../web/player/webm-edit.js';

const UNKNOWN = [0x01, 255, 255, 255, 255, 255, 255, 255];
const text = (word) => [...new TextEncoder().encode(word)];
const element = (id, body) => [...id, 0x80 | body.length, ...body];
const track = (number, type, codec) =>
  element([0xae], [...element([0xd7], [number]), ...element([0x83], [type]), ...element([0x86], text(codec))]);
const VIDEO = track(1, 1, 'V_VP8');
const AUDIO = track(2, 2, 'A_OPUS');
const init = (...tracks) => [
  ...element([0x1a, 0x45, 0xdf, 0xa3], element([0x42, 0x82], text('webm'))),
  0x18,
  0x53,
  0x80,
  0x67,
  ...UNKNOWN,
  ...element([0x15, 0x49, 0xa9, 0x66], element([0x2a, 0xd7, 0xb1], [0x0f, 0x42, 0x40])),
  ...element([0x16, 0x54, 0xae, 0x6b], tracks.flat()),
];
const cluster = (ms) => [0x1f, 0x43, 0xb6, 0x75, ...UNKNOWN, ...element([0xe7], [ms >> 8, ms & 255])];
const block = (number, relative, flags) => element([0xa3], [0x80 | number, (relative >> 8) & 255, relative & 255, flags, 9, 9]);
const group = (number, relative, isKeyframe) =>
  element([0xa0], [...element([0xa1], [0x80 | number, 0, relative, 0, 7]), ...(isKeyframe ? [] : element([0xfb], [1]))]);
const bytes = (...parts) => new Uint8Array(parts.flat());

function scanner() {
  const scan = new Scanner();
  scan.push(bytes(init(VIDEO, AUDIO)));
  return scan;
}

test('element heads of every width are read, unknown sizes too', () => {
  assert.deepEqual(elementAt(bytes([0xa3, 0x82, 1, 2]), 0), { id: 0xa3, size: 2, body: 2 });
  assert.deepEqual(elementAt(bytes([0xa3, 0x40, 0x02]), 0), { id: 0xa3, size: 2, body: 3 });
  assert.deepEqual(elementAt(bytes([0x1f, 0x43, 0xb6, 0x75], UNKNOWN), 0), { id: 0x1f43b675, size: Infinity, body: 12 });
  assert.equal(elementAt(bytes([0xa3, 0xff]), 0).size, Infinity);
});

test('a head that is not whole is no head', () => {
  for (const part of [[], [0xa3], [0x1f, 0x43], [0xa3, 0x40], [0x00, 0x81]]) assert.equal(elementAt(bytes(part), 0), null);
});

test('an init segment tells its tracks', () => {
  assert.deepEqual(readInit(bytes(init(VIDEO, AUDIO))), {
    timestampScale: 1_000_000,
    tracks: [
      { number: 1, kind: 'video', codecId: 'V_VP8' },
      { number: 2, kind: 'audio', codecId: 'A_OPUS' },
    ],
  });
});

test('a message is cut where an init segment and a Cluster begin', () => {
  const scan = new Scanner();
  const message = bytes(init(VIDEO, AUDIO), cluster(1000), block(1, 0, 0x80), block(2, 20, 0x80), cluster(2000), block(1, 0, 0x80));
  const pieces = scan.push(message);
  assert.deepEqual(
    pieces.map(({ type }) => type),
    ['init', 'cluster', 'cluster'],
  );
  assert.equal(
    pieces.reduce((sum, piece) => sum + piece.bytes.length, 0),
    message.length,
  );
  assert.deepEqual(pieces[1].bytes.subarray(0, 4), bytes([0x1f, 0x43, 0xb6, 0x75]));
});

test('blocks carry their kind, their time and whether they are keyframes', () => {
  const scan = scanner();
  scan.push(bytes(cluster(1000)));
  const [piece] = scan.push(bytes(block(1, 40, 0), block(2, -5, 0x80), group(1, 80, true), group(1, 120, false)));
  assert.equal(piece.type, 'blocks');
  assert.deepEqual(
    piece.blocks.map(({ kind, timestampMs, isKeyframe }) => [kind, timestampMs, isKeyframe]),
    [
      ['video', 1040, false],
      ['audio', 995, true],
      ['video', 1080, true],
      ['video', 1120, false],
    ],
  );
});

test('the time of a Cluster holds for the messages that follow', () => {
  const scan = scanner();
  scan.push(bytes(cluster(500), block(1, 0, 0x80)));
  assert.equal(scan.push(bytes(block(1, 33, 0)))[0].blocks[0].timestampMs, 533);
});

test('bytes that are no WebM are passed on whole', () => {
  const noise = bytes([0, 1, 2, 3]);
  const [piece] = new Scanner().push(noise);
  assert.deepEqual(piece.bytes, noise);
  assert.deepEqual(piece.blocks, []);
});

test('an ignored kind leaves the bytes, but is still seen', () => {
  const scan = new Scanner();
  scan.ignore('audio');
  scan.push(bytes(init(VIDEO, AUDIO)));
  const [piece] = scan.push(bytes(cluster(0), block(2, 0, 0x80), block(1, 5, 0x80), block(2, 20, 0x80)));
  assert.deepEqual(piece.bytes, bytes(cluster(0), block(1, 5, 0x80)));
  assert.deepEqual(
    piece.blocks.map(({ ignored }) => ignored),
    [true, false, true],
  );
});

test('an init segment can go on without its audio', () => {
  const left = withoutKind(bytes(init(VIDEO, AUDIO)), 'audio');
  assert.deepEqual(
    readInit(left).tracks.map(({ kind }) => kind),
    ['video'],
  );
});

test('an init segment can go on without the length of its frames', () => {
  const timed = [...VIDEO, ...element([0x23, 0xe3, 0x83], [0x3b, 0x9a, 0xca, 0])];
  timed[1] = 0x80 | (timed.length - 2);
  const left = withoutFrameLength(bytes(init(timed, AUDIO)));
  assert.ok(!left.join().includes('35,227,131'));
  assert.deepEqual(readInit(left).tracks, readInit(bytes(init(VIDEO, AUDIO))).tracks);
});

test('a block tells where it lies in its piece, also behind those that were taken out', () => {
  const scan = new Scanner();
  scan.ignore('audio');
  const message = bytes(init(VIDEO, AUDIO), cluster(0), block(2, 0, 0x80), block(1, 5, 0x80), block(2, 20, 0x80), group(1, 40, false));
  const [, piece] = scan.push(message);
  const own = piece.blocks.filter(({ ignored }) => !ignored);
  assert.deepEqual(
    own.map(({ timestampMs }) => timestampMs),
    [5, 40],
  );
  const at = (from, to) => [...piece.bytes.subarray(from, to)];
  assert.deepEqual(
    own.map(({ from, to }) => at(from, to)),
    [block(1, 5, 0x80), group(1, 40, false)],
  );
  assert.deepEqual(
    own.map(({ timeAt, frameTo }) => at(timeAt + 3, frameTo)),
    [[9, 9], [7]],
  );
});

test('a type can go on without its audio or its video', () => {
  assert.deepEqual(codecsOf('video/webm;codecs="vp8,opus"'), ['vp8', 'opus']);
  assert.deepEqual(codecsOf('video/webm; codecs=vp8'), ['vp8']);
  assert.deepEqual(codecsOf('video/webm'), []);
  assert.equal(mimeWithoutKind('video/webm;codecs="vp8,opus"', 'audio'), 'video/webm;codecs="vp8"');
  assert.equal(mimeWithoutKind('video/webm;codecs="vp8,opus"', 'video'), 'audio/webm;codecs="opus"');
});
