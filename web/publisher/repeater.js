// Decides when the last frame of a still picture is sent once more, and with which timestamp.
//
// Pure: times come in, timestamps go out. Timestamps are microseconds, as VideoFrame has them.

/** Four frames a second: viewers' clocks run on, and a repeated frame costs a few hundred bytes. */
const REST_MS = 250;

export class Repeater {
  #restMs;
  /** @type {number | null} */
  #timestamp = null;
  #atMs = 0;

  constructor(restMs = REST_MS) {
    this.#restMs = restMs;
  }

  /**
   * The timestamp of a frame that came now: its own, unless a repeated frame already passed it.
   *
   * @param {number} timestamp
   * @param {number} nowMs
   */
  fresh(timestamp, nowMs) {
    return this.#give(this.#timestamp === null ? timestamp : Math.max(timestamp, this.#timestamp + 1), nowMs);
  }

  /**
   * The timestamp for a repeated frame, or null while none is needed.
   *
   * @param {number} nowMs
   */
  repeat(nowMs) {
    if (this.#timestamp === null || nowMs - this.#atMs < this.#restMs) return null;
    return this.#give(this.#timestamp + Math.round((nowMs - this.#atMs) * 1000), nowMs);
  }

  /**
   * @param {number} timestamp
   * @param {number} nowMs
   */
  #give(timestamp, nowMs) {
    this.#timestamp = timestamp;
    this.#atMs = nowMs;
    return timestamp;
  }
}
