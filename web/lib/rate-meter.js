// How many bytes per second went by, over a short window.

/** Pure: the time is passed in. */
export class RateMeter {
  /** Oldest first: `[atMs, bytes]`. */
  #samples = [];
  #sum = 0;
  #windowMs;
  #startedMs = null;

  constructor(windowMs = 2000) {
    this.#windowMs = windowMs;
  }

  get hasBegun() {
    return this.#startedMs !== null;
  }

  add(bytes, nowMs) {
    this.#startedMs ??= nowMs;
    this.#samples.push([nowMs, bytes]);
    this.#sum += bytes;
    this.#forget(nowMs);
  }

  /** Bytes per second; a window not yet full counts only the time it has seen. */
  bytesPerSecond(nowMs) {
    this.#forget(nowMs);
    if (this.#startedMs === null) return 0;
    const seenMs = Math.min(this.#windowMs, Math.max(250, nowMs - this.#startedMs));
    return (this.#sum * 1000) / seenMs;
  }

  bitsPerSecond(nowMs) {
    return this.bytesPerSecond(nowMs) * 8;
  }

  #forget(nowMs) {
    while (this.#samples.length && this.#samples[0][0] < nowMs - this.#windowMs) {
      this.#sum -= this.#samples.shift()[1];
    }
  }
}
