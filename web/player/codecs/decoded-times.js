// Which frame of sound came out of a decoder. Pure.
//
// Chromium counts on from the first frame, also over gaps: after a lost packet the times of what comes
// out are too early, for good. Opus has one piece of sound for each frame, so its times are known.

/** A decoder that owes so many gives them no more. */
const OWED_MOST = 200;

export class DecodedTimes {
  #isOneForOne;
  /** Oldest first; timestamps in microseconds. @type {{ timestamp: number, atMs: number }[]} */
  #fed = [];

  /** @param {string} codec */
  constructor(codec) {
    this.#isOneForOne = codec === 'opus';
  }

  /**
   * @param {number} timestamp
   * @param {number} nowMs
   */
  fed(timestamp, nowMs) {
    this.#fed.push({ timestamp, atMs: nowMs });
    if (this.#fed.length > OWED_MOST) this.#fed.shift();
  }

  /**
   * What came out with `timestamp`: its own time, and when it went in, null where that is not known.
   *
   * @param {number} timestamp
   * @returns {{ timestamp: number, atMs: number | null }}
   */
  came(timestamp) {
    if (this.#isOneForOne) return this.#fed.shift() ?? { timestamp, atMs: null };
    // Those before it came to nothing.
    const later = this.#fed.findIndex((each) => each.timestamp > timestamp);
    const own = this.#fed.splice(0, later < 0 ? this.#fed.length : later).at(-1);
    return { timestamp, atMs: own?.timestamp === timestamp ? own.atMs : null };
  }

  clear() {
    this.#fed = [];
  }
}
