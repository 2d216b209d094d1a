// Decides whether the publisher's connection keeps up, and what to do when it does not.
//
// Pure: bytes, queue lengths and the time come in, decisions go out.
//
//   flowing ─► (over 2 s of stream queued) ─► draining ─► (nearly empty) ─► begin anew, smaller
//
// What waits in the queue grows old. So rather than play catch-up, the recording stops, the
// queue drains, and a new recording begins at the present moment.

import { RateMeter } from '../lib/rate-meter.js';

const CONGESTED_SECONDS = 2;
const DRAINED_SECONDS = 0.2;
/** A slow start must not look like congestion. */
const QUEUE_BYTES_LEAST = 64 * 1024;
const STEP_DOWN = 0.7;
const VIDEO_BITS_LEAST = 200_000;

export class Uplink {
  isDraining = false;
  #meter = new RateMeter(3000);
  #videoBitsPerSecond;

  /** @param {number} videoBitsPerSecond */
  constructor(videoBitsPerSecond) {
    this.#videoBitsPerSecond = videoBitsPerSecond;
  }

  /** What the next recording should ask of the encoder. */
  get videoBitsPerSecond() {
    return this.#videoBitsPerSecond;
  }

  /**
   * @param {number} bytes
   * @param {number} nowMs
   */
  recorded(bytes, nowMs) {
    this.#meter.add(bytes, nowMs);
  }

  /** @param {number} nowMs */
  bitsPerSecond(nowMs) {
    return this.#meter.bitsPerSecond(nowMs);
  }

  /**
   * `'stop'`: stop recording, let the queue drain. `'start'`: it has. Null: go on.
   *
   * @param {number} queuedBytes
   * @param {number} nowMs
   * @returns {'stop' | 'start' | null}
   */
  decide(queuedBytes, nowMs) {
    const perSecond = Math.max(this.#meter.bytesPerSecond(nowMs), this.#videoBitsPerSecond / 16);
    if (!this.isDraining && queuedBytes > Math.max(QUEUE_BYTES_LEAST, perSecond * CONGESTED_SECONDS)) {
      this.isDraining = true;
      this.#videoBitsPerSecond = Math.max(VIDEO_BITS_LEAST, Math.round(this.#videoBitsPerSecond * STEP_DOWN));
      return 'stop';
    }
    if (this.isDraining && queuedBytes <= Math.max(QUEUE_BYTES_LEAST / 4, perSecond * DRAINED_SECONDS)) {
      this.isDraining = false;
      return 'start';
    }
    return null;
  }
}
