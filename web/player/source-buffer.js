// Feeds one SourceBuffer: appends in order, one at a time, and keeps the memory bounded.
//
// Pieces that wait are joined into one append, but never over the start of a Cluster: Firefox
// wants an append that opens a Cluster to begin there.
//
// Trimming must end exactly at a keyframe. `remove(from, to)` also removes every frame that
// depends on what it removed, up to the next keyframe at or after `to`; with no such keyframe,
// everything. So the queue remembers where keyframes are, and trims only up to one of them.

import { joined } from './webm-scan.js';

/** Seconds of played media kept, for the decoder's sake more than the viewer's. */
const KEEP_BEHIND_SECONDS = 10;
/** Seconds kept in all while playback stands still (paused, or a hidden tab). */
const KEEP_UNPLAYED_SECONDS = 30;
/** Trimming is not worth an operation for less than this. */
const TRIM_STEP_SECONDS = 5;
const APPEND_BYTES = 1 << 20;

/** The latest keyframe at or before `limit`, or null. `keyframes` ascend. */
export function trimPoint(keyframes, limit) {
  let point = null;
  for (const time of keyframes) {
    if (time > limit) break;
    point = time;
  }
  return point;
}

/** Where played media may be cut off, given the position and the newest buffered second. */
export function trimLimit(position, end) {
  return Math.max(position - KEEP_BEHIND_SECONDS, end - KEEP_UNPLAYED_SECONDS);
}

export class AppendQueue {
  #buffer = null;
  /** Waiting: `{ bytes, startsAppend }` or `{ mime }` for a change of type. */
  #waiting = [];
  /** Seconds, ascending: where the buffered GOPs begin. */
  #keyframes = [];
  #position;
  #on;
  #hasFailed = false;

  /** `position()` gives the playback position; `on.appended()`, `on.failed(error)`. */
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

  /** From now on appends go out. Pieces may be pushed before. */
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

  push(bytes, { startsAppend = false, keyframeAt = null } = {}) {
    if (keyframeAt !== null) this.#keyframes.push(keyframeAt);
    this.#waiting.push({ bytes, startsAppend });
    this.#next();
  }

  /** Other codecs from the next piece on; also forgets a half-read element. */
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
      if (this.#trim(trimLimit(this.#position(), this.#end()), TRIM_STEP_SECONDS)) return;
      const next = this.#waiting[0];
      if (!next) return;
      if (next.mime) {
        this.#waiting.shift();
        buffer.changeType(next.mime);
        this.#next();
        return;
      }
      const parts = this.#take();
      try {
        buffer.appendBuffer(joined(parts));
      } catch (error) {
        if (error.name !== 'QuotaExceededError') throw error;
        this.#waiting.unshift({ bytes: joined(parts), startsAppend: next.startsAppend });
        // Full: give up everything before the GOP that is playing, or fail.
        if (!this.#trim(this.#position(), 0)) this.#fail(error);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #take() {
    const parts = [this.#waiting.shift().bytes];
    let total = parts[0].length;
    while (this.#waiting.length) {
      const { bytes, startsAppend, mime } = this.#waiting[0];
      if (mime || startsAppend || total + bytes.length > APPEND_BYTES) break;
      this.#waiting.shift();
      parts.push(bytes);
      total += bytes.length;
    }
    return parts;
  }

  /** Removes whole GOPs before `limit`, when that frees at least `step` seconds. */
  #trim(limit, step) {
    const { buffered } = this.#buffer;
    if (!buffered.length) return false;
    const point = trimPoint(this.#keyframes, limit);
    if (point === null || point - buffered.start(0) <= step) return false;
    this.#keyframes = this.#keyframes.filter((time) => time >= point);
    // Half a millisecond early: the browser rounds, and rounding up would cost the next GOP.
    this.#buffer.remove(0, point - 0.0005);
    return true;
  }

  #end() {
    const { buffered } = this.#buffer;
    return buffered.length ? buffered.end(buffered.length - 1) : 0;
  }

  #fail(error) {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#on.failed(error);
  }
}
