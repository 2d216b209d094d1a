// Whether the way from the server gives out a segment as it grows, and how media go on where it does
// not. Pure: times come in.
//
//   streams    ▁▁▁▁▁▁▁▁▁▁▁▁     each block when it comes
//   whole                 █     each block at the pace of its time, so late that the next segment is here

/** @typedef {{ askedMs: number, firstMs: number, lastMs: number, mediaMs: number }} Transfer */

/** A segment that comes in less of its own time than this came whole. */
const WHOLE_SHARE = 0.5;
/** Only a request that waited for so much of a segment's time tells: an old one comes at once anywhere. */
const WAITED_SHARE = 0.25;
/** Segments in a row that have to stream before a way that did not counts as one that does. */
const STREAMED_LEAST = 4;
/** Media are so much later than the latest segment was: the next may be later. */
const MARGIN_MS = 200;
/** How soon a late segment is forgotten: by this share with each that is not. */
const EASING = 0.02;

export class Pace {
  #isWhole = false;
  #streamed = 0;
  /**
   * The clock less the media's time, where media go out now.
   *
   * @type {number | null}
   */
  #behindMs = null;

  /** Whether segments come whole. */
  get isWhole() {
    return this.#isWhole;
  }

  /**
   * What is known of a transfer of which nothing has come for so long.
   *
   * @param {number} waitedMs
   * @param {number} mediaMs how long a segment is, as far as is known
   */
  waits(waitedMs, mediaMs) {
    if (waitedMs > mediaMs * WHOLE_SHARE) this.#isWhole = true;
  }

  /**
   * A segment has come.
   *
   * @param {Transfer} transfer
   */
  came({ askedMs, firstMs, lastMs, mediaMs }) {
    if (mediaMs <= 0) return;
    if (lastMs - firstMs >= mediaMs * WHOLE_SHARE) {
      this.#streamed += 1;
      if (this.#streamed >= STREAMED_LEAST) this.#isWhole = false;
    } else if (firstMs - askedMs >= mediaMs * WAITED_SHARE) {
      this.#streamed = 0;
      this.#isWhole = true;
    }
  }

  /**
   * When a block of this time that has come now goes out.
   *
   * @param {number} timestampMs
   * @param {number} nowMs
   */
  due(timestampMs, nowMs) {
    if (!this.#isWhole) {
      this.#behindMs = null;
      return nowMs;
    }
    this.#behindMs ??= nowMs - timestampMs;
    return Math.max(nowMs, this.#behindMs + timestampMs);
  }

  /**
   * The first block of a segment has come: the delay is what the latest of them needs.
   *
   * @param {number} timestampMs
   * @param {number} nowMs
   */
  begins(timestampMs, nowMs) {
    if (!this.#isWhole || this.#behindMs === null) return;
    const neededMs = nowMs - timestampMs + MARGIN_MS;
    if (neededMs > this.#behindMs) this.#behindMs = neededMs;
    else this.#behindMs -= (this.#behindMs - neededMs) * EASING;
  }

  /** Time begins anew. */
  reset() {
    this.#behindMs = null;
  }
}
