// The choice of player: WebCodecs, Media Source Extensions, a row of files, or the plain stream in the
// video element.

import { latencyOf } from '../player/latency.js';
import { rangesOf } from '../player/live-edge.js';
import { canPlay } from '../player/media-source.js';
import { isShifted, LIVE_WITHIN_MS, restartBehindMs } from './time-shift.js';
import { mseType } from './types.js';

/** Without a socket, how often the server is asked what the stream is doing. */
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
  gaps: 0,
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
  if (!('VideoDecoder' in globalThis)) return null;
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
   * What opens the plain stream, once that is wanted; null where its script does not come.
   *
   * @type {Promise<import('./plain-stream.js').PlainStream | null> | null}
   */
  #plain = null;
  /**
   * The plain stream that is wanted.
   *
   * @type {object | null}
   */
  #wantedPlain = null;
  /**
   * Null where it is not wanted, and once it could not play.
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
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #asking = undefined;

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
    this.#wantedPlain = null;
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
  async openPlain(url, hasPictures, ask) {
    this.drop();
    const wanted = (this.#wantedPlain = {});
    clearInterval(this.#asking);
    this.#asking = setInterval(ask, POLL_MS);
    ask();
    this.#plain ??= import('./plain-stream.js').then(
      ({ PlainStream }) => new PlainStream(this.#video, this.#send),
      () => null,
    );
    const plain = await this.#plain;
    // Something else may be wanted by now.
    if (this.#wantedPlain !== wanted) return;
    if (plain) {
      this.player = plain.open(url, hasPictures);
    } else {
      this.#plain = null;
      this.#send({ type: 'plainLost', isBroken: false });
    }
  }

  /**
   * Reports where no picture of it comes in time.
   *
   * @param {State} state
   */
  async timePlain(state) {
    (await this.#plain)?.time(state);
  }

  async closePlain() {
    clearInterval(this.#asking);
    (await this.#plain)?.close();
  }

  /** @param {import('../player/webm-scan.js').Track[]} tracks */
  #declared(tracks) {
    this.#send({ type: 'declared', tracks });
    return !tracks.some(({ encoding }) => encoding);
  }
}
