// Bytes of tiny WebM streams, for tests.

const UNKNOWN = [0x01, 255, 255, 255, 255, 255, 255, 255];
const text = (word) => [...new TextEncoder().encode(word)];
const element = (id, body) => [...id, 0x80 | body.length, ...body];
const track = (number, type, codec) =>
  element([0xae], [...element([0xd7], [number]), ...element([0x83], [type]), ...element([0x86], text(codec))]);

export const VIDEO = track(1, 1, 'V_VP8');
export const AUDIO = track(2, 2, 'A_OPUS');
const KEY_FRAME = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0, 0, 0, 0];
const DELTA_FRAME = [0x31, 0, 0, 0, 0];

export const bytes = (...parts) => new Uint8Array(parts.flat());

export function init(...tracks) {
  return bytes(
    element([0x1a, 0x45, 0xdf, 0xa3], element([0x42, 0x82], text('webm'))),
    [0x18, 0x53, 0x80, 0x67, ...UNKNOWN],
    element([0x16, 0x54, 0xae, 0x6b], tracks.flat()),
  );
}

/** A Cluster's head; blocks follow. */
export const cluster = (ms) => [0x1f, 0x43, 0xb6, 0x75, ...UNKNOWN, ...element([0xe7], [ms >> 24, ms >> 16, ms >> 8, ms])];
const block = (number, relativeMs, flags, frame) => element([0xa3], [0x80 | number, relativeMs >> 8, relativeMs, flags, ...frame]);
export const keyframe = (relativeMs) => block(1, relativeMs, 0x80, KEY_FRAME);
export const frame = (relativeMs) => block(1, relativeMs, 0, DELTA_FRAME);
export const sound = (relativeMs) => block(2, relativeMs, 0x80, [9, 9]);
