// Notices what is fed and gives nothing: a decoder, or a sound thread, that hangs. Pure.
//
//   owes   ▁▁▁▁████▁▁▁████████████
//   gives      ▲   ▲              └─ nothing for 3 s: it is stuck
//
// Only time in which the page itself ran counts: after a sleep, or on a page that was held up, what is
// watched may have stood as well.

/** This long without anything that is owed. */
export const STUCK_MS = 3000;
/** Two looks further apart were held up. */
const STEP_MOST_MS = 200;

export class Watchdog {
  #waitedMs = 0;
  /** @type {number | null} */
  #lookedAtMs = null;

  /** Something came out. */
  gave() {
    this.#waitedMs = 0;
  }

  /**
   * Whether it is stuck. `owes` says that something is to come out of what went in.
   *
   * @param {number} nowMs
   * @param {boolean} owes
   */
  isStuck(nowMs, owes) {
    const passedMs = this.#lookedAtMs === null ? 0 : Math.min(STEP_MOST_MS, nowMs - this.#lookedAtMs);
    this.#lookedAtMs = nowMs;
    this.#waitedMs = owes ? this.#waitedMs + passedMs : 0;
    return this.#waitedMs >= STUCK_MS;
  }
}
