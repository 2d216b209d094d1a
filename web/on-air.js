// Which state the publisher page is in while it sends, or tries to.
//
//   connecting ─► live ◄─► slow ◄─► stuck      what is sent arrives, late, or not
//                  ▲  └──► reconnecting         no connection
//                  └─────► silent               nothing to send

import { SilenceWatch } from './silence.js';

/** A backlog is told from here on, and until it is below the second figure: no flicker. */
const SLOW_MS = { from: 1500, until: 800 };

/** The states in which a stream is on air, or comes back there by itself. */
export const ON_AIR = ['live', 'silent', 'slow', 'stuck', 'reconnecting'];

/**
 * The state that follows `state`. `isConnected`: the server said that it is ready, and the socket
 * is open. `wasLive`: it has been on air before. `missing`: see silence.js. `isDraining`: see
 * uplink.js. `isStuck`, `behindMs`: see delivery.js. Pure.
 */
export function airState({ state, isConnected, wasLive, hasSent, missing, isDraining, isStuck, behindMs }) {
  // Whatever becomes of the connection: without a source there is nothing to send.
  if (missing) return 'silent';
  if (!isConnected || !hasSent) return wasLive ? 'reconnecting' : 'connecting';
  if (isStuck) return 'stuck';
  const wasSlow = state === 'slow' || state === 'stuck';
  return isDraining || behindMs >= (wasSlow ? SLOW_MS.until : SLOW_MS.from) ? 'slow' : 'live';
}

/** Looks at a broadcast, its source and its preview, a few times a second. */
export class AirWatch {
  missing = null;
  #silence = new SilenceWatch();

  /** Another source, or another try. */
  reset() {
    this.missing = null;
    this.#silence.reset();
  }

  /** The state that follows `state`, for what there is now. */
  look(state, { broadcast, capture, preview, source, wasLive, nowMs }) {
    this.#listen({ broadcast, capture, preview, source, nowMs });
    const { isConnected, isDraining, isStuck, behindMs, hasSent } = broadcast;
    return airState({ state, isConnected, wasLive, hasSent, missing: this.missing, isDraining, isStuck, behindMs });
  }

  #listen({ broadcast, capture, preview, source, nowMs }) {
    if (!broadcast.isRecording) {
      this.#silence.reset();
      return;
    }
    const found = this.#silence.missing({ nowMs, ...signs(broadcast, capture, preview, source) });
    // A recording that was only just begun proves nothing yet: what was missing still is.
    if (found || broadcast.recordedBytes > 0) this.missing = found;
  }
}

function signs({ recordedBytes, recordedBitsPerSecond }, { stream, tracks }, preview, source) {
  const has = (kind) => stream.getTracks().some((track) => track.kind === kind && track.readyState === 'live');
  const isMuted = (kind) => tracks.some((track) => track.kind === kind && track.muted);
  return {
    bytes: recordedBytes,
    bitsPerSecond: recordedBitsPerSecond,
    frames: framesShown(preview, source),
    hasPicture: has('video'),
    hasSound: has('audio'),
    isPictureMuted: isMuted('video'),
    isSoundMuted: isMuted('audio'),
  };
}

/** Frames that the preview has shown; null where that says nothing. */
function framesShown(preview, source) {
  if (document.hidden) return null;
  // No frame at all, yet.
  if (preview.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return 0;
  // A screen may stand still. Some browsers do not count the frames of a live source.
  return source === 'screen' ? null : preview.getVideoPlaybackQuality?.().totalVideoFrames || null;
}
