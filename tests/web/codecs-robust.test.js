import test from 'node:test';
import assert from 'node:assert/strict';
import { Presence, SILENT_AFTER_MS, WITHOUT_MS } from '../../web/player/codecs/presence.js';
import { STUCK_MS, Watchdog } from '../../web/player/codecs/watchdog.js';

/** Both kinds come every 20 ms, sound until `soundEndsMs`. */
function presence(untilMs, soundEndsMs = Infinity) {
  const made = new Presence();
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 20) {
    made.came('video', nowMs, nowMs);
    if (nowMs <= soundEndsMs) made.came('audio', nowMs, nowMs);
  }
  return made;
}

test('sound that comes is there, also when it has run out for a moment', () => {
  const made = presence(2000);
  assert.deepEqual([made.hasSound(false), made.hasSound(true), made.newestMs], [true, true, 2000]);
});

test('sound has ended when it has run out and pictures come without it', () => {
  const ended = (afterMs, isDry) => !presence(1000 + afterMs, 1000).hasSound(isDry);
  assert.deepEqual([ended(WITHOUT_MS - 20, true), ended(WITHOUT_MS, true)], [false, true]);
  // What came earlier is still to be heard.
  assert.equal(ended(WITHOUT_MS, false), false);
  // Not that long, whatever the sound thread says.
  assert.equal(ended(SILENT_AFTER_MS, false), true);
});

test('sound that comes again is there at once', () => {
  const made = presence(5000, 1000);
  assert.equal(made.hasSound(true), false);
  made.came('audio', 5000, 5000);
  assert.equal(made.hasSound(true), true);
});

test('where nothing comes at all, sound has not ended', () => {
  const made = presence(1000);
  made.came('video', 1020, 1020);
  assert.equal(made.hasSound(true), true);
});

test('a stream without sound has none, and one without a picture has nothing else', () => {
  const made = new Presence();
  assert.deepEqual([made.hasSound(false), made.newestMs], [false, 0]);
  made.came('video', 500, 0);
  assert.equal(made.hasSound(false), false);
  made.clear();
  assert.equal(made.newestMs, 0);
  made.came('audio', 9000, 0);
  assert.deepEqual([made.hasSound(true), made.newestMs], [true, 9000]);
});

/** When it is stuck, looked at every 40 ms; null where it never is. */
function stuckAt(untilMs, owes, gives = () => false) {
  const watchdog = new Watchdog();
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 40) {
    if (gives(nowMs)) watchdog.gave();
    if (watchdog.isStuck(nowMs, owes(nowMs))) return nowMs;
  }
  return null;
}

test('what owes something and gives nothing is stuck after a while', () => {
  assert.equal(
    stuckAt(10_000, () => true),
    STUCK_MS,
  );
  // It gave until the fifth second.
  assert.equal(
    stuckAt(
      20_000,
      () => true,
      (nowMs) => nowMs <= 5000,
    ),
    5000 + STUCK_MS - 40,
  );
});

test('what owes nothing, or gives now and then, is never stuck', () => {
  assert.equal(
    stuckAt(60_000, () => false),
    null,
  );
  assert.equal(
    stuckAt(
      60_000,
      () => true,
      (nowMs) => nowMs % 2000 === 0,
    ),
    null,
  );
  assert.equal(
    stuckAt(60_000, (nowMs) => nowMs % 2000 !== 0),
    null,
  );
});

test('after a sleep nothing is stuck yet', () => {
  const watchdog = new Watchdog();
  assert.equal(watchdog.isStuck(0, true), false);
  assert.equal(watchdog.isStuck(3_600_000, true), false);
  assert.equal(watchdog.isStuck(3_600_040, true), false);
});

test('a page that runs once a second is given more of them', () => {
  const watchdog = new Watchdog();
  const looks = Array.from({ length: 20 }, (_, second) => watchdog.isStuck(second * 1000, true));
  assert.deepEqual([looks.indexOf(true) > 10, looks.at(-1)], [true, true]);
});
