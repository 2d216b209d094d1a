import test from 'node:test';
import assert from 'node:assert/strict';
import { SilenceWatch } from '../../web/publisher/silence.js';

const SEEN = { bitsPerSecond: 900_000, hasPicture: true, hasSound: true, isPictureMuted: false, isSoundMuted: false };

/** What is found at `atMs` when `seen(nowMs)` was seen four times a second until then. */
function found(atMs, seen) {
  const watch = new SilenceWatch();
  let missing = null;
  for (let nowMs = 0; nowMs <= atMs; nowMs += 250) {
    missing = watch.missing({ ...SEEN, nowMs, bytes: nowMs, frames: nowMs, ...seen(nowMs) });
  }
  return missing;
}

test('a source that gives both is not silent', () => {
  assert.equal(
    found(60_000, () => ({})),
    null,
  );
});

test('a recorder that delivers nothing is told within 3 s, by what is missing', () => {
  assert.equal(
    found(3000, () => ({ bytes: 0, frames: 0 })),
    'picture',
  );
  assert.equal(
    found(3000, () => ({ bytes: 0 })),
    'sound',
  );
  assert.equal(
    found(3000, () => ({ bytes: 0, hasSound: false })),
    'recorder',
  );
  assert.equal(
    found(3000, () => ({ bytes: 0, frames: null })),
    'recorder',
  );
  assert.equal(
    found(3000, () => ({ bytes: 0, frames: null, isSoundMuted: true })),
    'sound',
  );
  assert.equal(
    found(3000, () => ({ bytes: 0, frames: null, hasPicture: false })),
    'sound',
  );
});

test('a picture that stops while sound goes on is told', () => {
  const stops = (nowMs) => ({ frames: Math.min(nowMs, 10_000), bitsPerSecond: nowMs > 12_000 ? 100_000 : 900_000 });
  assert.equal(found(10_000, stops), null);
  assert.equal(found(13_000, stops), 'picture');
});

test('a page that shows no frames, but records a moving picture, is only slow', () => {
  assert.equal(
    found(20_000, () => ({ frames: 0 })),
    null,
  );
  assert.equal(
    found(20_000, () => ({ frames: null, bitsPerSecond: 1000 })),
    null,
  );
});

test('a muted picture is told, a short mute is not', () => {
  assert.equal(
    found(3000, () => ({ isPictureMuted: true })),
    'picture',
  );
  assert.equal(
    found(3000, (nowMs) => ({ isPictureMuted: nowMs === 1000 || nowMs === 3000 })),
    null,
  );
});
