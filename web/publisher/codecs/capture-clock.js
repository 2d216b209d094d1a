// Brings a track's own timestamps onto the clock of the page. Pure.
//
// Each track counts from where it likes; some count samples, and a busy computer loses some of these.
// What came soonest after its timestamp tells how the two clocks lie to each other of late; what came
// later was only late.

export class CaptureClock {
  #windowMs;
  /** How much later than its timestamp each came: oldest first, and each later than the one before. @type {{ atMs: number, laterMs: number }[]} */
  #soonest = [];

  /** @param {number} windowMs the soonest of so long counts */
  constructor(windowMs) {
    this.#windowMs = windowMs;
  }

  /**
   * When something was captured whose timestamp is `timestampMs`, and which came at `nowMs`.
   *
   * @param {number} timestampMs
   * @param {number} nowMs
   */
  at(timestampMs, nowMs) {
    const laterMs = nowMs - timestampMs;
    const list = this.#soonest;
    while (list.length && list[list.length - 1].laterMs >= laterMs) list.pop();
    list.push({ atMs: nowMs, laterMs });
    while (nowMs - list[0].atMs > this.#windowMs) list.shift();
    return timestampMs + list[0].laterMs;
  }
}
