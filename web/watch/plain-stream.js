// Plays the plain stream in the video element, where no other player can. Reports its first picture and its end, and
// that a picture did not come in time.

import { canPlay } from '../player/media-source.js';
import { SrcPlayer } from '../player/src-player.js';
import { kindsOf } from './types.js';

/** After so long without a picture, the page says why. */
const SLOW_MS = 2500;
/** How long the plain stream may take to show a picture: browsers want seconds of it first. */
const PLAIN_WITHIN_MS = 3000;
/**
 * The same where the browser has a decoder for the picture, so that it will come: Chromium reads
 * 32 KB at a time, and begins with two or three of them.
 */
const PLAIN_KNOWN_WITHIN_MS = 20_000;

export class PlainStream {
  #video;
  #send;
  /** @type {Record<'late' | 'slow', ReturnType<typeof setTimeout> | undefined>} */
  #timers = { late: undefined, slow: undefined };

  /**
   * @param {HTMLVideoElement} video
   * @param {(event: import('./states.js').Untimed) => void} send takes what happens to it
   */
  constructor(video, send) {
    this.#video = video;
    this.#send = send;
  }

  /**
   * @param {string} url
   * @param {() => boolean} hasPictures whether a picture is expected
   */
  open(url, hasPictures) {
    const ready = () => {
      // Sound without its picture is no success.
      if (!hasPictures() || this.#video.videoWidth) this.#send({ type: 'ready' });
    };
    const lost = () => this.#send({ type: 'plainLost', isBroken: this.#video.error !== null });
    return new SrcPlayer(this.#video, { ready, lost }, url);
  }

  /**
   * Reports where no picture comes in time.
   *
   * @param {import('./states.js').State} state
   */
  time({ mime, tracks }) {
    const pictures = kindsOf(mime).video;
    const isKnown = !tracks.some(({ encoding }) => encoding) && pictures.every((codec) => this.#decodes(codec));
    this.close();
    if (isKnown) this.#timers.slow = setTimeout(() => this.#send({ type: 'plainSlow', codecs: pictures }), SLOW_MS);
    this.#timers.late = setTimeout(
      () => {
        if (this.#video.readyState < 2 || (pictures.length && !this.#video.videoWidth)) this.#send({ type: 'plainLate' });
      },
      isKnown ? PLAIN_KNOWN_WITHIN_MS : PLAIN_WITHIN_MS,
    );
  }

  /** Its picture is there, or is wanted no longer. */
  close() {
    clearTimeout(this.#timers.late);
    clearTimeout(this.#timers.slow);
  }

  /** @param {string} codec */
  #decodes(codec) {
    const asMp4 = `video/mp4;codecs="${codec.length > 4 ? codec : `${codec}.42E01E`}"`;
    return this.#video.canPlayType(asMp4) !== '' || canPlay(`video/webm;codecs="${codec}"`);
  }
}
