// Keeps the screen on (Screen Wake Lock), as long as it is wanted and the page is seen. Browsers let go of
// it when the page is hidden.

/** Whether this document may: of another site's frame, that site decides, and browsers complain of asking. */
function mayAsk() {
  const { featurePolicy } = /** @type {{ featurePolicy?: { allowsFeature: (name: string) => boolean } }} */ (document);
  return featurePolicy?.allowsFeature('screen-wake-lock') ?? true;
}

export class Awake {
  #isWanted = false;
  #isAsking = false;
  /** @type {WakeLockSentinel | null} */
  #lock = null;
  #abort = new AbortController();

  constructor() {
    document.addEventListener('visibilitychange', () => this.#settle(), { signal: this.#abort.signal });
  }

  /** @param {boolean} isWanted */
  want(isWanted) {
    this.#isWanted = isWanted;
    this.#settle();
  }

  close() {
    this.#abort.abort();
    this.want(false);
  }

  async #settle() {
    const isDue = this.#isWanted && !document.hidden && mayAsk();
    if (!isDue) {
      const lock = this.#lock;
      this.#lock = null;
      lock?.release();
    } else if (!this.#lock && !this.#isAsking) {
      this.#isAsking = true;
      const lock = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
      this.#isAsking = false;
      this.#lock = lock;
      lock?.addEventListener('release', () => {
        if (this.#lock === lock) this.#lock = null;
      });
      // It may be wanted no longer.
      if (lock && !(this.#isWanted && !document.hidden)) this.#settle();
    }
  }
}
