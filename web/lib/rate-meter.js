// How many bytes per second went by, over a short window.

/** Pure: the time is passed in. */
export class RateMeter {
  /**
   * Oldest first: `[atMs, bytes]`.
   *
   * @type {[number, number][]}
   */
  #samples = [];
  #sum = 0;
  #windowMs;
  /** @type {number | null} */
  #startedMs = null;

  constructor(windowMs = 2000) {
    this.#windowMs = windowMs;
  }

  get hasBegun() {
    return this.#startedMs !== null;
  }

  /**
   * @param {number} bytes
   * @param {number} nowMs
   */
  add(bytes, nowMs) {
    this.#startedMs ??= nowMs;
    this.#samples.push([nowMs, bytes]);
    this.#sum += bytes;
    this.#forget(nowMs);
  }

  /**
   * Bytes per second; a window not yet full counts only the time it has seen.
   *
   * @param {number} nowMs
   */
  bytesPerSecond(nowMs) {
    this.#forget(nowMs);
    if (this.#startedMs === null) return 0;
    const seenMs = Math.min(this.#windowMs, Math.max(250, nowMs - this.#startedMs));
    return (this.#sum * 1000) / seenMs;
  }

  /** @param {number} nowMs */
  bitsPerSecond(nowMs) {
    return this.bytesPerSecond(nowMs) * 8;
  }

  /** @param {number} nowMs */
  #forget(nowMs) {
    while (this.#samples.length && this.#samples[0][0] < nowMs - this.#windowMs) {
      this.#sum -= this.#samples[0][1];
      this.#samples.shift();
    }
  }
}
