// Which state the publisher page is in while it sends, or tries to.
//
//   connecting ─► live ◄─► slow ◄─► stuck      what is sent arrives, late, or not
//                  ▲  └──► reconnecting         no connection
//                  └─────► silent               nothing to send

import { SilenceWatch } from './silence.js';

/** @typedef {'connecting' | 'live' | 'slow' | 'stuck' | 'silent' | 'reconnecting'} Air */
/**
 * @typedef {object} Signs
 * @property {string} state
 * @property {boolean} isConnected
 * @property {boolean} wasLive
 * @property {boolean} hasSent
 * @property {string | null} missing
 * @property {boolean} isDraining
 * @property {boolean} isStuck
 * @property {number} behindMs
 */
/**
 * @typedef {object} Seen
 * @property {import('./broadcast.js').Broadcast} broadcast
 * @property {import('./capture.js').Capture} capture
 * @property {string | null} source
 * @property {number} nowMs
 */

/** The page shows a backlog above the first figure, until it is below the second one: no flicker. */
const SLOW_MS = { from: 1500, until: 800 };

/**
 * The states in which a stream is on air, or comes back there by itself.
 *
 * @type {string[]}
 */
export const ON_AIR = ['live', 'silent', 'slow', 'stuck', 'reconnecting'];

/**
 * The state that follows `state`. `isConnected`: the server said that it is ready, and the socket
 * is open. `wasLive`: it has been on air before. `missing`: see silence.js. `isDraining`: see
 * uplink.js. `isStuck`, `behindMs`: see delivery.js. Pure.
 *
 * @param {Signs} options
 * @returns {Air}
 */
export function airState({ state, isConnected, wasLive, hasSent, missing, isDraining, isStuck, behindMs }) {
  // Whatever becomes of the connection: without a source there is nothing to send.
  if (missing) return 'silent';
  if (!isConnected || !hasSent) return wasLive ? 'reconnecting' : 'connecting';
  if (isStuck) return 'stuck';
  const wasSlow = state === 'slow' || state === 'stuck';
  return isDraining || behindMs >= (wasSlow ? SLOW_MS.until : SLOW_MS.from) ? 'slow' : 'live';
}

/** Looks at a broadcast, its source and its preview (a video element), a few times a second. */
export class AirWatch {
  /** @type {import('./silence.js').Missing | null} */
  missing = null;
  #silence = new SilenceWatch();
  #preview;
  /** Frames that the preview has shown. */
  #frames = 0;

  /** @param {HTMLVideoElement} preview */
  constructor(preview) {
    this.#preview = preview;
    const count = () => {
      this.#frames += 1;
      preview.requestVideoFrameCallback(count);
    };
    preview.requestVideoFrameCallback?.(count);
  }

  /** Another source: its first frame is still to come. */
  changeSource() {
    this.#frames = 0;
    this.reset();
  }

  /** Another try. */
  reset() {
    this.missing = null;
    this.#silence.reset();
  }

  /**
   * The state that follows `state`, for what there is now.
   *
   * @param {string} state
   * @param {Seen & { wasLive: boolean }} options
   * @returns {Air}
   */
  look(state, { broadcast, capture, source, wasLive, nowMs }) {
    this.#listen({ broadcast, capture, source, nowMs });
    const { isConnected, isDraining, isStuck, behindMs, hasSent } = broadcast;
    return airState({ state, isConnected, wasLive, hasSent, missing: this.missing, isDraining, isStuck, behindMs });
  }

  /** @param {Seen} options */
  #listen({ broadcast, capture, source, nowMs }) {
    if (!broadcast.isRecording) {
      this.#silence.reset();
      return;
    }
    // A picture that is hidden on purpose may well stand still.
    const isHidden = capture.stream.getVideoTracks().some((track) => !track.enabled);
    const frames = isHidden ? null : this.#framesShown(source);
    const found = this.#silence.missing({ nowMs, ...signs(broadcast, capture, frames) });
    // A recording that was only just begun proves nothing yet: what was missing still is.
    if (found || broadcast.recordedBytes > 0) this.missing = found;
  }

  /**
   * Null where the preview says nothing: it may be hidden, and a screen may stand still.
   *
   * @param {string | null} source
   */
  #framesShown(source) {
    const canTell = !document.hidden && this.#preview.requestVideoFrameCallback;
    // The first frame is wanted of every source.
    return canTell && (source !== 'screen' || this.#frames === 0) ? this.#frames : null;
  }
}

/**
 * @param {import('./broadcast.js').Broadcast} options
 * @param {import('./capture.js').Capture} options
 * @param {number | null} frames
 */
function signs({ recordedBytes, recordedBitsPerSecond }, { stream, tracks }, frames) {
  const has = (/** @type {string} */ kind) => stream.getTracks().some((track) => track.kind === kind && track.readyState === 'live');
  const isMuted = (/** @type {string} */ kind) => tracks.some((track) => track.kind === kind && track.muted);
  return {
    bytes: recordedBytes,
    bitsPerSecond: recordedBitsPerSecond,
    frames,
    hasPicture: has('video'),
    hasSound: has('audio'),
    isPictureMuted: isMuted('video'),
    isSoundMuted: isMuted('audio'),
  };
}
