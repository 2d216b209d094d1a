// Newest media time less arrival time: how fast the way from the publisher has been at best. With it the
// playback position becomes a latency, without a clock in common. Pure.

export class Lead {
  /**
   * The best of this half window and of the one before.
   *
   * @type {number | null}
   */
  #bestMs = null;
  /** @type {number | null} */
  #formerMs = null;
  #turnedAtMs = 0;

  /**
   * @param {number} leadMs
   * @param {number} nowMs
   */
  add(leadMs, nowMs) {
    this.#turn(nowMs);
    this.#bestMs = this.#bestMs === null ? leadMs : Math.max(this.#bestMs, leadMs);
  }

  /** @param {number} nowMs */
  at(nowMs) {
    this.#turn(nowMs);
    if (this.#bestMs === null || this.#formerMs === null) return this.#bestMs ?? this.#formerMs;
    return Math.max(this.#bestMs, this.#formerMs);
  }

  /** @param {number} nowMs */
  #turn(nowMs) {
    if (nowMs - this.#turnedAtMs < 2500) return;
    this.#turnedAtMs = nowMs;
    // Where frames are rare the last one known holds.
    this.#formerMs = this.#bestMs ?? this.#formerMs;
    this.#bestMs = null;
  }
}
