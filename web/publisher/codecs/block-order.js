// Puts picture and sound into one order of time, with as little waiting as that takes. Pure.
//
//   sound     ├─ 20 ms ─┤├─ 20 ms ─┤├─ …        complete at its end: so a picture waits for the
//   picture        │           │                sound of its time, which it is shown with anyway
//
// Sound waits only for pictures that are in the encoder. A picture that comes later than its
// sound gets a time a few milliseconds later, too few to see.

/** @typedef {import('./webm-writer.js').Block} Block */

/** The other track gives nothing for so long: what waits for it goes. */
const SILENT_MS = 400;
/** And in any case after so long: both are there, far apart. */
const WAIT_MOST_MS = 1000;

export class BlockOrder {
  #hasSound;
  /** @type {{ block: Block, cameMs: number }[]} */
  #pictures = [];
  /** @type {{ block: Block, cameMs: number }[]} */
  #sounds = [];
  /** Up to here sound has come, and when. */
  #soundUntilMs = -Infinity;
  #soundAtMs = -Infinity;

  /** @param {{ hasSound: boolean }} tracks */
  constructor({ hasSound }) {
    this.#hasSound = hasSound;
  }

  get isEmpty() {
    return !this.#pictures.length && !this.#sounds.length;
  }

  /**
   * @param {Block} block
   * @param {number} nowMs
   */
  picture(block, nowMs) {
    this.#pictures.push({ block, cameMs: nowMs });
  }

  /**
   * @param {Block} block
   * @param {number} lengthMs
   * @param {number} nowMs
   */
  sound(block, lengthMs, nowMs) {
    this.#sounds.push({ block, cameMs: nowMs });
    this.#soundUntilMs = block.timeMs + lengthMs;
    this.#soundAtMs = nowMs;
  }

  /**
   * The next block whose time has come, or null. `encodingMs`: of the oldest picture in the encoder, null
   * without one.
   *
   * @param {number} nowMs
   * @param {number | null} encodingMs
   * @returns {Block | null}
   */
  take(nowMs, encodingMs) {
    const [picture, sound] = [this.#pictures[0], this.#sounds[0]];
    if (picture && (!sound || picture.block.timeMs <= sound.block.timeMs)) {
      const isReached = sound || !this.#hasSound || this.#soundUntilMs >= picture.block.timeMs;
      const waitedMs = nowMs - picture.cameMs;
      const isOverdue = waitedMs > WAIT_MOST_MS || (waitedMs > SILENT_MS && nowMs - this.#soundAtMs > SILENT_MS);
      return isReached || isOverdue ? this.#shift(this.#pictures) : null;
    }
    if (!sound) return null;
    const isReached = picture || encodingMs === null || encodingMs > sound.block.timeMs;
    return isReached || nowMs - sound.cameMs > SILENT_MS ? this.#shift(this.#sounds) : null;
  }

  /**
   * All that is left, at the end.
   *
   * @returns {Block | null}
   */
  takeRest() {
    return this.take(Infinity, null);
  }

  /** @param {{ block: Block }[]} waiting */
  #shift(waiting) {
    return waiting.shift()?.block ?? null;
  }
}
