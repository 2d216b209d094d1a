// How loud the sound is that goes out, as a length and in words. Pure: peaks come in.

/** What the meter shows at its left end; a quiet room lies a little above. */
const FLOOR_DB = -60;
/** A voice below this cannot be heard; digital silence is far below. */
const SILENCE = 10 ** (-57 / 20);
const SILENT_MS = 6000;
/** Cut off at the top, and so often in so long: a cough is not worth a word. */
const LOUD = 0.985;
const LOUD_TIMES = 5;
const LOUD_MS = 3000;
/** The meter falls from full to nothing in this time, and rises at once. */
const FALL_MS = 900;

/**
 * A peak (0 to 1 of what a recording can hold) as a length of the meter, 0 to 1.
 *
 * @param {number} peak
 */
export function meterLength(peak) {
  if (peak <= 0) return 0;
  return Math.min(1, Math.max(0, 1 - (20 * Math.log10(peak)) / FLOOR_DB));
}

export class LevelWatch {
  #length = 0;
  /** @type {number | null} */
  #atMs = null;
  /** @type {number | null} */
  #silentSinceMs = null;
  /**
   * Of late.
   *
   * @type {number[]}
   */
  #loudMs = [];

  /** Another sound. */
  reset() {
    this.#length = 0;
    this.#atMs = null;
    this.#silentSinceMs = null;
    this.#loudMs = [];
  }

  /**
   * The length that the meter has now.
   *
   * @param {number} peak since the last call
   * @param {number} nowMs
   */
  see(peak, nowMs) {
    const fallen = this.#length - (nowMs - (this.#atMs ?? nowMs)) / FALL_MS;
    this.#length = Math.max(meterLength(peak), fallen, 0);
    this.#atMs = nowMs;
    this.#silentSinceMs = peak < SILENCE ? (this.#silentSinceMs ?? nowMs) : null;
    if (peak >= LOUD) this.#loudMs = [...this.#loudMs, nowMs].slice(-LOUD_TIMES);
    return this.#length;
  }

  /**
   * `'silent'`, `'loud'` or `'good'`.
   *
   * @param {number} nowMs
   */
  verdict(nowMs) {
    if (this.#silentSinceMs !== null && nowMs - this.#silentSinceMs >= SILENT_MS) return 'silent';
    return this.#loudMs.length === LOUD_TIMES && nowMs - this.#loudMs[0] < LOUD_MS ? 'loud' : 'good';
  }
}
