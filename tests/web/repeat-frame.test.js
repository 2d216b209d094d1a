import test from 'node:test';
import assert from 'node:assert/strict';
import { Repeater } from '../../web/player/repeat-frame.js';

/** A VP8 keyframe's head (RFC 6386, 9.1), and behind it what a partition begins with. */
const vp8Key = (width, height, first = 0) =>
  new Uint8Array([0x10, 0, 0, 0x9d, 0x01, 0x2a, width & 255, width >> 8, height & 255, height >> 8, first, 0, 0]);
const bits = (text) =>
  new Uint8Array(
    text
      .replaceAll(' ', '')
      .match(/.{1,8}/g)
      .map((byte) => parseInt(byte.padEnd(8, '0'), 2)),
  );
const hex = (frame) => Buffer.from(frame.bytes).toString('hex');

test("a VP8 repeat is a small inter frame that is shown, and tells its partition's length", () => {
  const repeater = new Repeater('V_VP8');
  repeater.see(vp8Key(320, 240), true);
  const { bytes, isKeyframe } = repeater.frame();
  assert.equal(isKeyframe, false);
  assert.equal(bytes[0] & 0x1f, 0x11);
  const partition = (bytes[0] | (bytes[1] << 8) | (bytes[2] << 16)) >> 5;
  assert.equal(partition + 4, bytes.length);
  assert.ok(bytes.length < 100, `${bytes.length} bytes`);
  // As libvpx and ffmpeg decode it (see the browser tests for what they show).
  assert.equal(hex(repeater.frame()), 'd1020000000000000030b05fe80011000866bf5ae49f38e60000');
});

test('VP8 segments that the publisher uses stay switched on', () => {
  const plain = new Repeater('V_VP8');
  plain.see(vp8Key(64, 64), true);
  const before = hex(plain.frame());
  // An inter frame whose first bit is one.
  plain.see(new Uint8Array([0x31, 0, 0, 0xff, 0, 0]), false);
  assert.notEqual(hex(plain.frame()), before);
  plain.see(new Uint8Array([0x31, 0, 0, 0x00, 0, 0]), false);
  assert.equal(hex(plain.frame()), before);
});

test('a VP9 repeat shows the slot that the last shown frame went to', () => {
  const repeater = new Repeater('V_VP9');
  repeater.see(bits('10 00 0 0 1 0'), true);
  assert.equal(hex(repeater.frame()), '88');
  // Inter, shown, not resilient, reset 00, refreshes slot 2.
  repeater.see(bits('10 00 0 1 1 0 00 00000100'), false);
  assert.equal(hex(repeater.frame()), '8a');
  // Shows slot 5 itself.
  repeater.see(bits('10 00 1 101'), false);
  assert.equal(hex(repeater.frame()), '8d');
  // Hidden, and overwrites slot 5.
  repeater.see(bits('10 00 0 1 0 0 0 00 00100000'), false);
  assert.equal(repeater.frame(), null);
});

test('a VP9 frame that is kept nowhere cannot be repeated', () => {
  const repeater = new Repeater('V_VP9');
  repeater.see(bits('10 00 0 1 1 0 00 00000000'), false);
  assert.equal(repeater.frame(), null);
});

test('the frames of a VP9 superframe are seen one by one', () => {
  const repeater = new Repeater('V_VP9');
  const hidden = bits('10 00 0 1 0 0 0 00 00000010');
  const shown = bits('10 00 0 1 1 0 00 00001000');
  repeater.see(new Uint8Array([...hidden, ...shown, 0xc1, hidden.length, shown.length, 0xc1]), false);
  assert.equal(hex(repeater.frame()), '8b');
});

test('what stands alone is shown again in any codec, and nothing else', () => {
  const repeater = new Repeater('V_AV1');
  const frame = new Uint8Array([1, 2, 3]);
  repeater.see(frame, true);
  assert.deepEqual(repeater.frame(), { bytes: frame, isKeyframe: true });
  repeater.see(frame, false);
  assert.equal(repeater.frame(), null);
});
