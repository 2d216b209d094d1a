// Keeps the steps between video frames within what Firefox takes for one picture.
//
// Firefox ends a run of frames when the next comes later than twice the longest frame since the
// last keyframe, and then drops all up to the next keyframe. A frame's length it takes from the
// next frame of the same append, or else from the frame before. A camera that skips two frames is
// enough. So a frame after a longer pause is dated a little earlier, and those that follow make
// the rest up in steps just small enough: a pause that looks a bit shorter, instead of a second
// without a picture.
//
//   came    │ │ │ │          │ │ │ │ │ │
//   dated   │ │ │ │    │    │   │   │ │ │
//
// Pure.

/** A longer pause is a new beginning, at a keyframe. */
const PAUSE_LONGEST_MS = 5000;
/** Times are whole milliseconds: recorders round them. */
const MARGIN_MS = 1;

export class FrameTimes {
  /** @type {number | null} */
  #lastMs = null;
  /** The longest frame since the last keyframe, as Firefox reckons. */
  #longestMs = 0;

  /**
   * The times to give the frames of one append: `frames` are `{ timestampMs, isKeyframe }` in
   * order.
   *
   * @param {{ timestampMs: number, isKeyframe: boolean }[]} frames
   */
  date(frames) {
    /** @type {number[]} */
    const dated = [];
    for (const { timestampMs } of frames) dated.push(this.#step(timestampMs, dated.at(-1)));
    frames.forEach(({ isKeyframe }, i) => {
      const before = i > 0 ? dated[i - 1] : this.#lastMs;
      const length = i + 1 < dated.length ? dated[i + 1] - dated[i] : dated[i] - (before ?? dated[i]);
      this.#longestMs = Math.max(1, length, isKeyframe ? 0 : this.#longestMs);
    });
    this.#lastMs = dated.at(-1) ?? this.#lastMs;
    return dated;
  }

  /**
   * @param {number} timestampMs
   * @param {number | undefined} beforeMs
   */
  #step(timestampMs, beforeMs) {
    // Within one append Firefox sees how long the frame before is.
    if (beforeMs !== undefined) return Math.max(timestampMs, beforeMs + 1);
    if (this.#lastMs === null || timestampMs - this.#lastMs > PAUSE_LONGEST_MS) return timestampMs;
    // Each step may be nearly twice the one before, so even a long pause is made up in a few frames.
    const most = Math.max(2, Math.floor(2 * this.#longestMs) - MARGIN_MS);
    return Math.min(timestampMs, this.#lastMs + most);
  }
}
