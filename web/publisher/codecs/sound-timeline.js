// Keeps sound that an encoder counts in samples beside the time at which it was captured. Pure.
//
//   captured   ├─┤├─┤├─┤     ├─┤├─┤       a busy computer loses some
//   encoded    ├─┤├─┤├─┤ 0 0 ├─┤├─┤       silence takes their place
//
// A sound card's second is not quite a second either: that little is followed in the timestamps.

/** Of each reading's error so much counts: half a second, and ten, at 100 readings a second. */
const QUICK_SHARE = 0.02;
const SLOW_SHARE = 0.001;
/** At first what comes soonest tells where sound lies: a device may begin with a burst of what it kept. */
const LEARN_MS = 500;
/** So much is no unevenness: sound is missing, or there is too much of it. */
const GAP_MS = 30;
/** A longer gap is left to the timestamps. */
const JUMP_MS = 2000;

export class SoundTimeline {
  /** When the first sample was captured. */
  #beganMs = 0;
  #hasBegun = false;
  #firstMs = 0;
  /** What the encoder has had. */
  #fedMs = 0;
  /** How much later than its place sound is captured. */
  #quickMs = 0;
  #slowMs = 0;

  /**
   * Where the encoder is to put what was captured at `capturedMs`: after so much silence. Null: leave it out.
   *
   * @param {number} capturedMs
   * @param {number} lengthMs
   * @returns {{ silenceMs: number, atMs: number } | null}
   */
  feed(capturedMs, lengthMs) {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#beganMs = this.#firstMs = capturedMs;
    }
    // As after the computer slept.
    if (Math.abs(capturedMs - this.#beganMs - this.#fedMs) > JUMP_MS) this.#beganMs = capturedMs - this.#fedMs;
    if (capturedMs - this.#firstMs < LEARN_MS) {
      this.#beganMs = Math.min(this.#beganMs, capturedMs - this.#fedMs);
      return this.#place(0, lengthMs);
    }
    const errorMs = capturedMs - this.#beganMs - this.#fedMs;
    this.#quickMs += (errorMs - this.#quickMs) * QUICK_SHARE;
    this.#slowMs += (errorMs - this.#slowMs) * SLOW_SHARE;
    const offMs = this.#quickMs - this.#slowMs;
    // The means follow slowly, and may tell of what is mended.
    if (offMs < -GAP_MS && errorMs < -GAP_MS) {
      this.#quickMs += lengthMs;
      return null;
    }
    const silenceMs = offMs > GAP_MS && errorMs > GAP_MS ? offMs : 0;
    this.#quickMs -= silenceMs;
    return this.#place(silenceMs, lengthMs);
  }

  /**
   * @param {number} silenceMs
   * @param {number} lengthMs
   */
  #place(silenceMs, lengthMs) {
    const atMs = this.#fedMs + silenceMs;
    this.#fedMs = atMs + lengthMs;
    return { silenceMs, atMs };
  }

  /**
   * When that was captured which the encoder has at `atMs`.
   *
   * @param {number} atMs
   */
  capturedMs(atMs) {
    return this.#beganMs + atMs + this.#slowMs;
  }
}
