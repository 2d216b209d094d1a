// Which frames go to the decoder, and when. Pure.
//
// After a gap a decoder can start from a keyframe only. While nothing is shown (paused, or a hidden
// tab) frames wait from the newest keyframe on, so that the picture is there at once afterwards.

/** @typedef {{ timestampMs: number, isKeyframe: boolean, bytes: Uint8Array }} Coded */

/** What waits at most: a GOP of 10 s at 12 Mbit/s. More, and the next keyframe is waited for. */
const WAITING_BYTES_MOST = 16 << 20;

export class KeyframeGate {
  /** Frames that were left out. */
  dropped = 0;
  #needsKeyframe = true;
  #isHeld = false;
  /** @type {Coded[]} */
  #waiting = [];
  #waitingBytes = 0;

  get needsKeyframe() {
    return this.#needsKeyframe;
  }

  get length() {
    return this.#waiting.length;
  }

  /** What came before is of no use to what comes next. */
  gap() {
    this.#needsKeyframe = true;
  }

  /** Nothing goes out until `release`. */
  hold() {
    this.#isHeld = true;
  }

  release() {
    this.#isHeld = false;
  }

  /** Forgets all that waits. */
  clear() {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#needsKeyframe = true;
  }

  /** @param {Coded} frame */
  push(frame) {
    if (frame.isKeyframe) {
      // Held, nothing before it will be shown.
      if (this.#isHeld) this.#leaveOut(this.#waiting.length);
      this.#needsKeyframe = false;
    } else if (this.#needsKeyframe) {
      this.dropped += 1;
      return;
    }
    this.#waiting.push(frame);
    this.#waitingBytes += frame.bytes.length;
    if (this.#waitingBytes > WAITING_BYTES_MOST) {
      this.dropped += this.#waiting.length;
      this.clear();
    }
  }

  /**
   * The next frame to decode, or null. A decoder that is late leaves out whole GOPs: of those that
   * are due at `mediaMs` only the newest is decoded.
   *
   * @param {number | null} mediaMs
   * @returns {Coded | null}
   */
  take(mediaMs) {
    if (this.#isHeld) return null;
    if (mediaMs !== null) {
      const newest = this.#waiting.findLastIndex(({ isKeyframe, timestampMs }) => isKeyframe && timestampMs <= mediaMs);
      if (newest > 0) this.#leaveOut(newest);
    }
    const frame = this.#waiting.shift() ?? null;
    if (frame) this.#waitingBytes -= frame.bytes.length;
    return frame;
  }

  /** @param {number} count */
  #leaveOut(count) {
    this.dropped += count;
    for (const { bytes } of this.#waiting.splice(0, count)) this.#waitingBytes -= bytes.length;
  }
}
