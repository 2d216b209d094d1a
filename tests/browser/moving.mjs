// What "it plays" means: frames keep coming, they differ, and media time goes on.

import assert from 'node:assert/strict';
import { sleep, until } from './lab.mjs';

const WINDOW_MS = 1500;
/** Longer than a page tells of stops that are over: a busy machine may begin with some. */
const FLOWS_WITHIN_MS = 30_000;
/** Windows to look at, at most: joining may cost a stall, and a busy machine a few more. */
const WINDOWS = 8;
const FRAMES_PER_SECOND = 6;

/**
 * Of the frames shown, so many differ visibly from the one before. Firefox's fake camera turns through colours
 * that a screen cannot show: for seconds it changes by little.
 */
const CHANGING = 0.25;
export const CHANGING_IN_FIREFOX = 0.05;

/** Watches until the tab's video moves, and returns what was seen then. */
export async function assertMoves(tab, { framesPerSecond = FRAMES_PER_SECOND, changing = CHANGING } = {}) {
  let seen;
  for (let i = 0; i < WINDOWS; i += 1) {
    seen = await tab.frames(WINDOW_MS);
    const isFluent = seen.shown >= (framesPerSecond * WINDOW_MS) / 1000;
    const isAlive = seen.changed >= 3 && seen.changed >= seen.shown * changing;
    if (isFluent && isAlive && seen.advancedMs > WINDOW_MS / 2) return seen;
  }
  return assert.fail(`the picture of ${tab.browserName} does not move: ${JSON.stringify(seen)}`);
}

/**
 * Asserts that all that came in from here on can be played: a player that loses frames, and be it
 * a whole GOP at a time, has gaps in its buffer however fast the machine is; one that decodes by itself
 * counts those that it left out, as it may where they are late. It looks for so long at least, and until
 * `happened` is fulfilled.
 */
export async function assertWhole(tab, forMs, { happened = () => Promise.resolve(), areLate = false } = {}) {
  const stats = () => tab.evaluate(() => window.videostream.stats());
  const before = await stats();
  const [from] = before.ranges.at(-1);
  await Promise.all([sleep(forMs), happened()]);
  const after = await stats();
  const since = after.ranges.filter(([, to]) => to > from);
  assert.equal(since.length, 1, `gaps in the buffer of ${tab.browserName}: ${JSON.stringify(since)}`);
  assert.equal(after.player, before.player, `${tab.browserName} plays on by another player`);
  if (!areLate) assert.equal(after.undecoded, before.undecoded, `frames that ${tab.browserName} left out`);
}

/** What a person at the screen would notice. */
function look() {
  const video = document.querySelector('video');
  const { ranges, seeks, state } = window.videostream.stats();
  return {
    at: video.currentTime,
    ranges,
    seeks,
    state,
    isSeeking: video.seeking,
    width: video.videoWidth,
    said: document.getElementById('sentence').textContent,
  };
}

/**
 * Asserts that playback goes on at about the clock's pace, close to what is there, in one piece;
 * `hadGaps` where there may be gaps from before.
 */
export async function assertFlows(tab, ms = 3000, { withinMs = FLOWS_WITHIN_MS, lagSeconds = 1.5, hadGaps = false } = {}) {
  let last;
  await until(
    `${tab.browserName} plays steadily`,
    async () => {
      const from = await tab.evaluate(look);
      const fromMs = performance.now();
      await sleep(ms);
      const to = await tab.evaluate(look);
      const passed = (performance.now() - fromMs) / 1000;
      last = { from, to, passed };
      const pace = (to.at - from.at) / passed;
      return (
        pace > 0.7 &&
        pace < 1.4 &&
        (hadGaps || to.ranges.length === 1) &&
        to.seeks === from.seeks &&
        !to.isSeeking &&
        to.width > 0 &&
        to.ranges.at(-1)[1] - to.at < lagSeconds &&
        /watching live/.test(to.said)
      );
    },
    { withinMs },
  ).catch((error) => {
    throw new Error(`${error.message} ${JSON.stringify(last)}`);
  });
}
