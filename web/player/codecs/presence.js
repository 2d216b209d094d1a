// What has come of each kind, and whether sound goes along with the picture or has ended. Pure.
//
//   picture │ │ │ │ │ │ │ │ │ │ │ │ │
//   sound   ││││││││           ▲ it has run out, and pictures came without it: they go by their own clock
//
// Sound that is late has run out too, but then its pictures are late as a rule: all come by one way.

/** @typedef {'video' | 'audio'} Kind */
/** @typedef {{ timestampMs: number, cameAtMs: number }} Newest */

/** Sound that has run out, and of which nothing came for so long while pictures did, has ended. */
export const WITHOUT_MS = 300;
/** So has sound this far behind the picture. */
export const SILENT_AFTER_MS = 1000;

export class Presence {
  /** @type {Record<Kind, Newest | null>} */
  #newest = { video: null, audio: null };

  /** Another beginning. */
  clear() {
    this.#newest = { video: null, audio: null };
  }

  /**
   * @param {Kind} kind
   * @param {number} timestampMs
   * @param {number} nowMs
   */
  came(kind, timestampMs, nowMs) {
    this.#newest[kind] = { timestampMs, cameAtMs: nowMs };
  }

  /** The newest time of the stream, 0 before any. */
  get newestMs() {
    return Math.max(this.#newest.video?.timestampMs ?? 0, this.#newest.audio?.timestampMs ?? 0);
  }

  /**
   * Whether sound comes. `isDry` says that all that came was heard.
   *
   * @param {boolean} isDry
   */
  hasSound(isDry) {
    const { video, audio } = this.#newest;
    if (!audio) return false;
    if (!video) return true;
    if (video.timestampMs - audio.timestampMs >= SILENT_AFTER_MS) return false;
    return !isDry || video.cameAtMs - audio.cameAtMs < WITHOUT_MS;
  }
}
