// Tells a source that gives nothing from a connection that carries nothing.
//
// Pure: what is seen of the source and of the recorder comes in, what is missing comes out. A
// recorder that waits for one track delivers nothing of the other either, so its silence alone
// does not say which of them is missing.

/** @typedef {'picture' | 'sound' | 'recorder'} Missing */
/**
 * @typedef {object} Signs
 * @property {number} nowMs
 * @property {number} bytes recorded so far
 * @property {number} bitsPerSecond
 * @property {number | null} frames shown so far, null where that cannot be told
 * @property {boolean} hasPicture
 * @property {boolean} hasSound
 * @property {boolean} isPictureMuted
 * @property {boolean} isSoundMuted
 */

/** Below the 3 s within which the page has to say it. */
const SILENT_MS = 2200;
/** Sound and repeated frames alone; a camera's noise makes more. */
const EMPTY_BITS_PER_SECOND = 150_000;

export class SilenceWatch {
  /** @type {{ count: number, sinceMs: number } | null} */
  #bytes = null;
  /** @type {{ count: number | null, sinceMs: number } | null} */
  #frames = null;
  /** @type {number | null} */
  #mutedSinceMs = null;

  /** Begins anew: another source, another recording. */
  reset() {
    this.#bytes = null;
    this.#frames = null;
    this.#mutedSinceMs = null;
  }

  /**
   * `'picture'`, `'sound'` or `'recorder'`: what nothing comes from; or null.
   *
   * `bytes`: recorded so far. `frames`: shown so far, null where that cannot be told.
   *
   * @param {Signs} options
   * @returns {Missing | null}
   */
  missing({ nowMs, bytes, bitsPerSecond, frames, hasPicture, hasSound, isPictureMuted, isSoundMuted }) {
    if (bytes !== this.#bytes?.count) this.#bytes = { count: bytes, sinceMs: nowMs };
    if (frames === null || frames !== this.#frames?.count) this.#frames = { count: frames, sinceMs: nowMs };
    if (!isPictureMuted) this.#mutedSinceMs = null;
    else this.#mutedSinceMs ??= nowMs;

    const isSilent = nowMs - this.#bytes.sinceMs >= SILENT_MS;
    const isFrozen = frames !== null && nowMs - this.#frames.sinceMs >= SILENT_MS;
    const isMuted = this.#mutedSinceMs !== null && nowMs - this.#mutedSinceMs >= SILENT_MS / 2;
    if (hasPicture && (isMuted || (isFrozen && (isSilent || bitsPerSecond < EMPTY_BITS_PER_SECOND)))) return 'picture';
    if (!isSilent) return null;
    if (hasSound && (isSoundMuted || !hasPicture || frames !== null)) return 'sound';
    return 'recorder';
  }
}
