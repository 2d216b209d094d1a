// Feeds one SourceBuffer: appends in order, one at a time, and keeps the memory bounded.
//
// Pieces that wait are joined into one append, but never over the start of a Cluster: Firefox
// wants an append that opens a Cluster to begin there.
//
// Trimming must end exactly at a keyframe. `remove(from, to)` also removes every frame that
// depends on what it removed, up to the next keyframe at or after `to`; with no such keyframe,
// everything. So the queue remembers where keyframes are, and trims only up to one of them.

import { joined } from './webm-scan.js';

/** @typedef {{ appended: () => void, failed: (error: Error) => void }} Listener */
/**
 * Where a piece may be appended: `keyframeAt` are the seconds of the keyframe that it opens with.
 *
 * @typedef {{ startsAppend: boolean, keyframeAt: number | null }} Place
 */
/** @typedef {Place & { bytes: Uint8Array }} Append */

/** Seconds of played media kept, for the decoder's sake more than the viewer's. */
const KEEP_BEHIND_SECONDS = 10;
/** Seconds kept in all while playback stands still (paused, or a hidden tab). */
const KEEP_UNPLAYED_SECONDS = 30;
/** Trimming is not worth an operation for less than this. */
const TRIM_STEP_SECONDS = 5;
const APPEND_BYTES = 1 << 20;

/**
 * The latest keyframe at or before `limit`, or null. `keyframes` ascend.
 *
 * @param {number[]} keyframes
 * @param {number} limit
 */
export function trimPoint(keyframes, limit) {
  let point = null;
  for (const time of keyframes) {
    if (time > limit) break;
    point = time;
  }
  return point;
}

/**
 * Where played media may be cut off, given the position and the newest buffered second.
 *
 * @param {number} position
 * @param {number} end
 */
export function trimLimit(position, end) {
  return Math.max(position - KEEP_BEHIND_SECONDS, end - KEEP_UNPLAYED_SECONDS);
}

export class AppendQueue {
  /** @type {SourceBuffer | null} */
  #buffer = null;
  /**
   * Waiting: `{ bytes, startsAppend }` or `{ mime }` for a change of type.
   *
   * @type {({ bytes: Uint8Array, startsAppend: boolean, mime?: undefined } | { mime: string, bytes?: undefined, startsAppend?: undefined })[]}
   */
  #waiting = [];
  /**
   * Seconds, ascending: where the buffered GOPs begin.
   *
   * @type {number[]}
   */
  #keyframes = [];
  #position;
  #on;
  #hasFailed = false;

  /**
   * `position()` gives the playback position; `on.appended()`, `on.failed(error)`.
   *
   * @param {() => number} position
   * @param {Listener} on
   */
  constructor(position, on) {
    this.#position = position;
    this.#on = on;
  }

  /** Seconds, ascending. */
  get keyframes() {
    return this.#keyframes;
  }

  /** Whether all that was pushed is in the SourceBuffer. */
  get isIdle() {
    return this.#buffer !== null && !this.#buffer.updating && !this.#waiting.length;
  }

  /**
   * From now on appends go out. Pieces may be pushed before.
   *
   * @param {SourceBuffer} sourceBuffer
   */
  attach(sourceBuffer) {
    this.#buffer = sourceBuffer;
    sourceBuffer.mode = 'segments';
    sourceBuffer.addEventListener('updateend', () => {
      if (this.#hasFailed) return;
      this.#on.appended();
      this.#next();
    });
    sourceBuffer.addEventListener('error', () => this.#fail(new Error('the browser could not read the stream')));
    this.#next();
  }

  /**
   * @param {Uint8Array} bytes
   * @param {Partial<Place>} options
   */
  push(bytes, { startsAppend = false, keyframeAt = null } = {}) {
    if (keyframeAt !== null) this.#keyframes.push(keyframeAt);
    this.#waiting.push({ bytes, startsAppend });
    this.#next();
  }

  /**
   * Other codecs from the next piece on; also forgets a half-read element.
   *
   * @param {string} mime
   */
  changeType(mime) {
    this.#waiting.push({ mime });
    this.#next();
  }

  /** Nothing more goes out, and nothing more is reported. */
  stop() {
    this.#hasFailed = true;
    this.#waiting = [];
  }

  #next() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#hasFailed) return;
    try {
      if (this.#trim(buffer, trimLimit(this.#position(), endOf(buffer)), TRIM_STEP_SECONDS)) return;
      const next = this.#waiting.shift();
      if (!next) return;
      if (next.mime !== undefined) {
        buffer.changeType(next.mime);
        this.#next();
        return;
      }
      const bytes = this.#take(next.bytes);
      try {
        buffer.appendBuffer(/** @type {Uint8Array<ArrayBuffer>} */ (bytes));
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'QuotaExceededError') throw error;
        this.#waiting.unshift({ bytes, startsAppend: next.startsAppend });
        // Full: give up everything before the GOP that is playing, or fail.
        if (!this.#trim(buffer, this.#position(), 0)) this.#fail(error);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * What may be appended together with `first`.
   *
   * @param {Uint8Array} first
   */
  #take(first) {
    const parts = [first];
    let total = first.length;
    for (;;) {
      const next = this.#waiting[0];
      if (!next?.bytes || next.startsAppend || total + next.bytes.length > APPEND_BYTES) break;
      this.#waiting.shift();
      parts.push(next.bytes);
      total += next.bytes.length;
    }
    return joined(parts);
  }

  /**
   * Removes whole GOPs before `limit`, when that frees at least `step` seconds.
   *
   * @param {SourceBuffer} buffer
   * @param {number} limit
   * @param {number} step
   */
  #trim(buffer, limit, step) {
    const { buffered } = buffer;
    if (!buffered.length) return false;
    const point = trimPoint(this.#keyframes, limit);
    if (point === null || point - buffered.start(0) <= step) return false;
    this.#keyframes = this.#keyframes.filter((time) => time >= point);
    // Half a millisecond early: the browser rounds, and rounding up would cost the next GOP.
    buffer.remove(0, point - 0.0005);
    return true;
  }

  /** @param {unknown} error */
  #fail(error) {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#on.failed(error instanceof Error ? error : new Error(String(error)));
  }
}

/** @param {SourceBuffer} buffer */
function endOf({ buffered }) {
  return buffered.length ? buffered.end(buffered.length - 1) : 0;
}
