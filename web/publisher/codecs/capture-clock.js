// Brings a track's own timestamps onto the clock of the page. Pure.
//
// Each track counts from where it likes, and a sound card's second is not quite a second. What comes
// soonest after its timestamp tells how the two clocks lie; that is followed slowly, so that times
// stay even.

/** The soonest of so long. */
const WINDOW_MS = 10_000;
/** At first the soonest counts at once. */
const LEARN_MS = 2000;
/** The share of passed time by which the clock moves at most: a bad sound card needs a tenth of it. */
const DRIFT_MOST = 0.0005;
/** Farther off for so long, the track has begun to count anew. */
const JUMP_MS = 200;
const JUMP_AFTER_MS = 1000;

export class CaptureClock {
  /** How much later than its timestamp each came, oldest first; each is later than the one before. @type {{ atMs: number, laterMs: number }[]} */
  #soonest = [];
  #offsetMs = Infinity;
  #beganMs = -Infinity;
  #movedMs = 0;
  /** @type {number | null} */
  #farSinceMs = null;

  /**
   * When something was captured whose timestamp is `timestampMs`, and which came at `nowMs`.
   *
   * @param {number} timestampMs
   * @param {number} nowMs
   */
  at(timestampMs, nowMs) {
    const laterMs = nowMs - timestampMs;
    this.#farSinceMs = Math.abs(laterMs - this.#offsetMs) > JUMP_MS ? (this.#farSinceMs ?? nowMs) : null;
    if (this.#offsetMs === Infinity || nowMs - (this.#farSinceMs ?? nowMs) > JUMP_AFTER_MS) this.#restart(nowMs);
    const wishedMs = this.#soonestOf(laterMs, nowMs);
    if (nowMs - this.#beganMs < LEARN_MS) {
      this.#offsetMs = wishedMs;
    } else {
      const most = (nowMs - this.#movedMs) * DRIFT_MOST;
      this.#offsetMs += Math.max(-most, Math.min(most, wishedMs - this.#offsetMs));
    }
    this.#movedMs = nowMs;
    return timestampMs + this.#offsetMs;
  }

  /**
   * @param {number} laterMs
   * @param {number} nowMs
   */
  #soonestOf(laterMs, nowMs) {
    const list = this.#soonest;
    while (list.length && list[list.length - 1].laterMs >= laterMs) list.pop();
    list.push({ atMs: nowMs, laterMs });
    while (nowMs - list[0].atMs > WINDOW_MS) list.shift();
    return list[0].laterMs;
  }

  /** @param {number} nowMs */
  #restart(nowMs) {
    this.#soonest = [];
    this.#beganMs = nowMs;
    this.#farSinceMs = null;
  }
}
