// The choice of player: WebCodecs, Media Source Extensions, a row of files, or the plain stream in the
// video element.

import { latencyOf } from '../player/latency.js';
import { rangesOf } from '../player/live-edge.js';
import { canPlay } from '../player/media-source.js';
import { isShifted, LIVE_WITHIN_MS, restartBehindMs } from './time-shift.js';
import { kindsOf, mseType } from './types.js';

/** After so long without a picture, the page says why. */
const SLOW_MS = 2500;
/** How long the plain stream may take to show a picture: browsers want seconds of it first. */
const PLAIN_WITHIN_MS = 3000;
/**
 * The same where the browser has a decoder for the picture, so that it will come: Chromium reads
 * 32 KB at a time, and wants two or three of them.
 */
const PLAIN_KNOWN_WITHIN_MS = 20_000;
const POLL_MS = 3000;

const NO_FIGURES = {
  latency_ms: null,
  buffer_ms: 0,
  target_ms: null,
  rate: 1,
  bitrate_bps: null,
  frames: null,
  dropped: null,
  underflows: 0,
  skips: 0,
};

/** @typedef {import('./states.js').State} State */
/** @typedef {typeof import('../player/codecs/codecs-player.js')} Codecs */
/** @typedef {typeof import('../player/classic-player.js')} Classic */
/** @typedef {typeof import('../player/mse-player.js')} Mse */
/** @typedef {import('../player/src-player.js').SrcPlayer} SrcPlayer */
/** @typedef {import('../player/mse-player.js').MsePlayer | SrcPlayer | import('../player/classic-player.js').ClassicPlayer | import('../player/codecs/codecs-player.js').CodecsPlayer} Player */

/** The module that plays through WebCodecs, or null where the browser has not what it takes. */
export async function loadCodecs() {
  const loaded = await import('../player/codecs/codecs-player.js').catch(() => null);
  return loaded?.canPlayByCodecs() ? loaded : null;
}

/** The module that plays by Media Source Extensions, or null where it does not come. */
export function loadMse() {
  return import('../player/mse-player.js').catch(() => null);
}

/** The module that plays a row of files, for browsers without Media Source Extensions. */
export function loadClassic() {
  return import('../player/classic-player.js');
}

export class Players {
  /** @type {Player | null} */
  player = null;
  #video;
  #send;
  #latency;
  /**
   * The plain stream that is wanted.
   *
   * @type {object | null}
   */
  #plain = null;
  /**
   * Null for those who did not ask for it, and once it could not play.
   *
   * @type {Codecs | null}
   */
  #codecs;
  #classic;
  /**
   * Null until it is needed: behind live, or where WebCodecs do not play.
   *
   * @type {Mse | null}
   */
  #mse;
  /** @type {Record<'late' | 'slow' | 'ask', ReturnType<typeof setTimeout> | undefined>} */
  #timers = { late: undefined, slow: undefined, ask: undefined };

  /**
   * `send` takes what happens to the player.
   *
   * @param {HTMLVideoElement} video
   * @param {(event: import('./states.js').Untimed) => void} send
   * @param {{ codecs: Codecs | null, mse: Mse | null, classic: Classic | null, latency: string | null }} options
   */
  constructor(video, send, { codecs, mse, classic, latency }) {
    this.#video = video;
    this.#send = send;
    this.#codecs = codecs;
    this.#mse = mse;
    this.#classic = classic;
    this.#latency = latencyOf(latency);
  }

  /** What the picture can be read from. */
  get picture() {
    return this.player && 'picture' in this.player ? this.player.picture : this.#video;
  }

  get hasPicture() {
    return this.#video.readyState > 2;
  }

  /**
   * Whether the chosen player plays a type. That WebCodecs do not shows when they get it.
   *
   * @param {string} mime
   * @param {State} state
   */
  plays(mime, { shift }) {
    return (this.#codecs !== null && !isShifted(shift)) || canPlay(mime);
  }

  stats() {
    return this.player?.stats() ?? NO_FIGURES;
  }

  /**
   * A new player for what the socket brings.
   *
   * @param {State} state
   */
  renew({ isClassic, ignored, shift }) {
    this.drop();
    const ready = () => this.#send({ type: 'ready' });
    const failed = (/** @type {Error} */ { message }) => this.#send({ type: 'failed', message });
    const declared = (/** @type {import('../player/webm-scan.js').Track[]} */ tracks) => this.#declared(tracks);
    const latency = this.#latency;
    if (this.#codecs && !isShifted(shift)) {
      const unable = (/** @type {Error} */ { message }) => {
        this.#codecs = null;
        this.#loadMse(`WebCodecs: ${message}`);
      };
      this.player = new this.#codecs.CodecsPlayer(this.#video, { ready, unable, declared }, { ignore: ignored, latency });
    } else if (isClassic && this.#classic) {
      this.player = new this.#classic.ClassicPlayer(this.#video, { ready, failed });
    } else if (!this.#mse) {
      this.#loadMse('');
    } else {
      const starved = (/** @type {import('./states.js').Kind | null} */ kind) => this.#send({ type: 'starved', kind });
      const behindMs = isShifted(shift) ? restartBehindMs(shift) : null;
      this.player = new this.#mse.MsePlayer(this.#video, { ready, failed, starved, declared }, { ignore: ignored, behindMs, latency });
    }
  }

  /**
   * Media that come while the script loads are lost, so the page joins afresh then.
   *
   * @param {string} message the warning in the browser's console
   */
  async #loadMse(message) {
    this.#mse ??= await loadMse();
    this.#send({ type: 'failed', message: this.#mse ? message : 'the script of the player did not load' });
  }

  /** Loads what plays behind live: the seek waits for a moment, and so does its socket. */
  async prepareBack() {
    this.#mse ??= await loadMse();
  }

  drop() {
    this.#plain = null;
    this.player?.destroy();
    this.player = null;
  }

  /** @param {Uint8Array} bytes */
  push(bytes) {
    if (this.player && 'push' in this.player) this.player.push(bytes);
  }

  /**
   * @param {string} mime
   * @param {number} behindMs
   * @param {number | null} [backlog]
   */
  announce(mime, behindMs, backlog = null) {
    if (this.player && 'announce' in this.player) this.player.announce(mseType(mime), behindMs, backlog);
  }

  skipped() {
    if (this.player && 'skipped' in this.player) this.player.skipped();
  }

  /** @param {number} behindMs */
  seekHere(behindMs) {
    if (this.player && 'seekBehind' in this.player) this.player.seekBehind(behindMs);
  }

  /**
   * Whether no other connection is needed to be so far behind live: WebCodecs play nothing but live.
   *
   * @param {number} behindMs
   */
  has(behindMs) {
    const seeking = this.player && 'seekBehind' in this.player ? this.player : null;
    if (this.#codecs && behindMs < LIVE_WITHIN_MS) return seeking === null;
    return seeking?.has(behindMs) ?? false;
  }

  /** Whether the element can go on from where it stands. */
  get isBuffered() {
    const { buffered, currentTime } = this.#video;
    return rangesOf(buffered).some(([from, to]) => currentTime >= from && currentTime < to);
  }

  /**
   * The plain stream, and a question about it now and then.
   *
   * @param {string} url
   * @param {() => boolean} hasPictures whether a picture is expected
   * @param {() => void} ask
   */
  openPlain(url, hasPictures, ask) {
    this.drop();
    this.#showPlain(url, hasPictures);
    clearInterval(this.#timers.ask);
    this.#timers.ask = setInterval(ask, POLL_MS);
    ask();
  }

  /**
   * @param {string} url
   * @param {() => boolean} hasPictures
   */
  async #showPlain(url, hasPictures) {
    const ready = () => {
      // Sound without its picture is no success.
      if (!hasPictures() || this.#video.videoWidth) this.#send({ type: 'ready' });
    };
    const lost = () => this.#send({ type: 'plainLost', isBroken: this.#video.error !== null });
    const wanted = (this.#plain = {});
    const loaded = await import('../player/src-player.js').catch(() => null);
    // Something else may be wanted by now.
    if (this.#plain !== wanted) return;
    if (loaded) this.player = new loaded.SrcPlayer(this.#video, { ready, lost }, url);
    else lost();
  }

  /**
   * Without a picture in time, what is left is tried or told.
   *
   * @param {State} state
   */
  timePlain({ mime, tracks }) {
    const pictures = kindsOf(mime).video;
    const isKnown = !tracks.some(({ encoding }) => encoding) && pictures.every((codec) => this.#decodes(codec));
    clearTimeout(this.#timers.late);
    clearTimeout(this.#timers.slow);
    if (isKnown) this.#timers.slow = setTimeout(() => this.#send({ type: 'plainSlow', codecs: pictures }), SLOW_MS);
    this.#timers.late = setTimeout(
      () => {
        if (this.#video.readyState < 2 || (pictures.length && !this.#video.videoWidth)) this.#send({ type: 'plainLate' });
      },
      isKnown ? PLAIN_KNOWN_WITHIN_MS : PLAIN_WITHIN_MS,
    );
  }

  closePlain() {
    clearTimeout(this.#timers.late);
    clearTimeout(this.#timers.slow);
    clearInterval(this.#timers.ask);
  }

  /** @param {string} codec */
  #decodes(codec) {
    const asMp4 = `video/mp4;codecs="${codec.length > 4 ? codec : `${codec}.42E01E`}"`;
    return this.#video.canPlayType(asMp4) !== '' || canPlay(`video/webm;codecs="${codec}"`);
  }

  /** @param {import('../player/webm-scan.js').Track[]} tracks */
  #declared(tracks) {
    this.#send({ type: 'declared', tracks });
    return !tracks.some(({ encoding }) => encoding);
  }
}
