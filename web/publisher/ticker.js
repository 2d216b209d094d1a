// Calls back at a steady pace, also in a hidden tab.
//
// Browsers slow a hidden page's timers down to one call a second; a worker's timers they leave
// alone. Without workers it is an ordinary interval.

export class Ticker {
  /** @type {Worker | null} */
  #worker = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #interval = undefined;

  /**
   * @param {number} everyMs
   * @param {() => void} onTick
   */
  constructor(everyMs, onTick) {
    try {
      this.#worker = new Worker(new URL('./ticker-worker.js', import.meta.url));
      this.#worker.onmessage = onTick;
      this.#worker.onerror = () => {
        this.stop();
        this.#interval = setInterval(onTick, everyMs);
      };
      this.#worker.postMessage(everyMs);
    } catch {
      this.#interval = setInterval(onTick, everyMs);
    }
  }

  stop() {
    this.#worker?.terminate();
    this.#worker = null;
    clearInterval(this.#interval);
  }
}
