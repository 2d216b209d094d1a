// Keeps the steps between video frames within what Firefox plays whole.
//
// Firefox takes a frame's length from the next frame of the same append. The last frame of an append
// is as long as its BlockDuration says, or else DefaultDuration. It loses frames in two ways:
//
// - A step longer than twice the longest frame since the last keyframe ends the run: all frames up
//   to the next keyframe are dropped. A camera that skips two frames is enough.
// - At the live edge its reader expects the next frame where the last one ends. A frame that ends
//   by then counts as played: it is never decoded, and the picture is broken up to the next
//   keyframe. A frame that is said to last too long is enough.
//
// So the last frame of an append is said to be half as long as the usual step, and as long as that
// where a keyframe has just ended the memory of longer frames. A frame after a longer pause is
// dated a little earlier, and those that follow make the rest up in steps just small enough: a
// pause that looks a bit shorter, instead of a second without a picture.
//
//   came    │ │ │ │          │ │ │ │ │ │
//   dated   │ │ │ │    │    │   │   │ │ │
//
// Pure.

/** A longer pause is a new beginning, at a keyframe. */
const PAUSE_LONGEST_MS = 5000;
/** Times are whole milliseconds: recorders round them. */
const MARGIN_MS = 1;
/** A frame's length at the least. */
const SHORT_MS = 15;
/** Until steps were seen, and at the most. */
const USUAL_STEP_MS = 33;
const USUAL_LONGEST_MS = 500;
/** The share that a new step has in the usual one: what is too short leaves holes, so it grows fast. */
const LONGER_SHARE = 0.5;
const SHORTER_SHARE = 0.25;

/**
 * When the frames of one append are; the length of the last one; and whether the append before must
 * not be joined with this one, whose frame would end too early with it.
 *
 * @typedef {{ times: number[], lengthMs: number, isApart: boolean }} Dated
 */

export class FrameTimes {
  /** @type {number | null} */
  #lastMs = null;
  /** The last frame's length, and the longest one since the last keyframe, as Firefox reckons. */
  #lengthMs = 0;
  #longestMs = 0;
  #usualMs = USUAL_STEP_MS;
  /**
   * The newest frame's time as it came.
   *
   * @type {number | null}
   */
  #cameMs = null;
  /** Where the reader may expect the append before to end, if that is a single frame. */
  #expectedMs = -Infinity;

  /**
   * `frames` are `{ timestampMs, isKeyframe }` in order: what came together. `stepMs` is there where
   * it is known when the next frame comes.
   *
   * @param {{ timestampMs: number, isKeyframe: boolean, stepMs?: number | null }[]} frames
   * @returns {Dated}
   */
  date(frames) {
    /** @type {number[]} */
    const times = [];
    for (const { timestampMs } of frames) times.push(this.#step(timestampMs, times));
    const expectedMs = this.#lastMs === null ? -Infinity : this.#lastMs + this.#lengthMs;
    const isApart = times.length > 0 && times[0] <= this.#expectedMs;
    frames.forEach(({ timestampMs, isKeyframe, stepMs: nextMs = null }, i) => {
      if (isKeyframe) this.#longestMs = 0;
      if (nextMs === null) this.#note(timestampMs);
      const stepMs = times[i] - (i > 0 ? times[i - 1] : (this.#lastMs ?? times[i]));
      this.#lengthMs = i + 1 < times.length ? times[i + 1] - times[i] : this.#lastLength(stepMs, i === 0, nextMs ?? this.#usualMs);
      this.#longestMs = Math.max(this.#longestMs, this.#lengthMs);
    });
    this.#lastMs = times.at(-1) ?? this.#lastMs;
    this.#expectedMs = times.length === 1 ? expectedMs : -Infinity;
    return { times, lengthMs: this.#lengthMs, isApart };
  }

  /** @param {number} timestampMs */
  #note(timestampMs) {
    const stepMs = Math.min(timestampMs - (this.#cameMs ?? timestampMs), USUAL_LONGEST_MS);
    const share = stepMs > this.#usualMs ? LONGER_SHARE : SHORTER_SHARE;
    if (stepMs > 0) this.#usualMs += (stepMs - this.#usualMs) * share;
    this.#cameMs = timestampMs;
  }

  /**
   * @param {number} timestampMs
   * @param {number[]} times of the same append, so far
   */
  #step(timestampMs, times) {
    const lastMs = this.#lastMs;
    const beforeMs = times.at(-1);
    if (lastMs === null || timestampMs - lastMs > PAUSE_LONGEST_MS) return Math.max(timestampMs, (beforeMs ?? -Infinity) + 1);
    if (beforeMs !== undefined) {
      // The first frame ends where the second one begins.
      const expectedMs = times.length === 1 ? lastMs + Math.floor(this.#lengthMs) : 0;
      return Math.max(timestampMs, beforeMs + 1, expectedMs + 1);
    }
    // Each step may be nearly twice the one before, so even a long pause is made up in a few frames.
    const most = Math.max(2, Math.floor(2 * this.#longestMs) - MARGIN_MS);
    return Math.min(Math.max(timestampMs, lastMs + 1), lastMs + most);
  }

  /**
   * @param {number} stepMs to it
   * @param {boolean} isAlone
   * @param {number} nextMs from it to the next one, probably
   */
  #lastLength(stepMs, isAlone, nextMs) {
    const wishedMs = Math.max(SHORT_MS, this.#longestMs >= nextMs ? nextMs / 2 : nextMs);
    // Behind the end of the frame before, which was read by now.
    return Math.ceil(isAlone ? Math.max(wishedMs, this.#lengthMs - stepMs + 1) : wishedMs);
  }
}
