// Which time of the stream is to be seen now: it is steered, by small changes of speed, to where it
// should be, and follows the sound where there is some, so that both are in step.
//
// Pure: times come in and go out.
//
//   without sound   wished ─► PlayClock ─► picture
//   with sound      wished ─► speed of the sound ─► heard ─► PlayClock ─► picture

/** @typedef {{ perMs: number, most: number, slackMs: number, jumpMs: number }} Steering */

/** Nobody hears a picture's speed. */
export const PICTURE = { perMs: 0.002, most: 0.1, slackMs: 3 };
/** Two in a hundred is a third of a semitone. */
export const SOUND = { perMs: 0.0004, most: 0.02, slackMs: 5 };

/** A step this large is no noise of the reading: the clock takes it as it is. */
const FOLLOW_JUMP_MS = 60;
/** Of a smaller one, each reading corrects this share. */
const FOLLOW_SHARE = 0.15;

/**
 * What to do about being `errorMs` behind: a speed, or a jump. Pure.
 *
 * @param {number} errorMs
 * @param {Steering} steering
 * @returns {{ rate: number, isJump: boolean }}
 */
export function steer(errorMs, { perMs, most, slackMs, jumpMs }) {
  if (Math.abs(errorMs) > jumpMs) return { rate: 1, isJump: true };
  if (Math.abs(errorMs) < slackMs) return { rate: 1, isJump: false };
  return { rate: 1 + Math.max(-most, Math.min(most, errorMs * perMs)), isJump: false };
}

export class PlayClock {
  jumps = 0;
  rate = 1;
  /** @type {number | null} */
  #mediaMs = null;
  #atMs = 0;
  #isHeld = false;
  #jumpMs;

  /** @param {number} jumpMs */
  constructor(jumpMs) {
    this.#jumpMs = jumpMs;
  }

  /**
   * The stream's time, or null before it is known.
   *
   * @param {number} nowMs
   */
  at(nowMs) {
    if (this.#mediaMs === null || this.#isHeld) return this.#mediaMs;
    return this.#mediaMs + (nowMs - this.#atMs) * this.rate;
  }

  /**
   * Stands still until `go`.
   *
   * @param {number} nowMs
   */
  hold(nowMs) {
    this.#mediaMs = this.at(nowMs);
    this.#isHeld = true;
  }

  /** Goes on, from wherever the next `steer` or `follow` puts it. */
  go() {
    if (this.#isHeld) this.#mediaMs = null;
    this.#isHeld = false;
  }

  /**
   * Without sound.
   *
   * @param {number} nowMs
   * @param {number} wishedMs
   */
  steer(nowMs, wishedMs) {
    if (this.#isHeld) return;
    const mediaMs = this.at(nowMs);
    if (mediaMs === null) {
      this.#set(nowMs, wishedMs, 1);
      return;
    }
    const { rate, isJump } = steer(wishedMs - mediaMs, { ...PICTURE, jumpMs: this.#jumpMs });
    if (isJump) this.jumps += 1;
    this.#set(nowMs, isJump ? wishedMs : mediaMs, rate);
  }

  /**
   * With sound: `heardMs` of the stream is heard now, and goes on at `rate`.
   *
   * @param {number} nowMs
   * @param {number} heardMs
   * @param {number} rate
   */
  follow(nowMs, heardMs, rate) {
    if (this.#isHeld) return;
    const mediaMs = this.at(nowMs);
    const errorMs = mediaMs === null ? Infinity : heardMs - mediaMs;
    const isFar = mediaMs === null || Math.abs(errorMs) > FOLLOW_JUMP_MS;
    this.#set(nowMs, isFar ? heardMs : mediaMs + errorMs * FOLLOW_SHARE, rate);
  }

  /**
   * @param {number} nowMs
   * @param {number} mediaMs
   * @param {number} rate
   */
  #set(nowMs, mediaMs, rate) {
    this.#atMs = nowMs;
    this.#mediaMs = mediaMs;
    this.rate = rate;
  }
}
