// Decides how much the recorder may make, so that the publisher's connection keeps up.
//
// Pure: bytes, what has arrived and the time come in, decisions go out.
//
//   flowing ─┬─► (half a second behind) ──► change: smaller, so that the backlog drains
//            ├─► (backlog gone, or all well for a while) ──► change: larger
//            └─► (over 4 s to drain) ──► stop, draining ──► (nearly empty) ──► start, smaller
//
// A recorder's bit rate is fixed: a change is a new recording that takes over without a gap (see
// recorder.js), with a keyframe. A queue can only be waited for, so the sooner a change comes, the
// shorter viewers' pictures stand: the bit rate goes straight to what the connection carries.

import { RateMeter } from '../lib/rate-meter.js';

/**
 * What the recorder is asked for. `scale`: of the picture's edges, 1 is the whole size.
 *
 * @typedef {{ videoBitsPerSecond: number, audioBitsPerSecond: number, scale: number }} Quality
 */
/**
 * What a person chose. `pixelsPerSecond` of the whole picture; 0 where that is not known.
 *
 * @typedef {{ videoBitsPerSecond: number, pixelsPerSecond?: number, hasAudio?: boolean }} Wanted
 */
/**
 * @typedef {object} Signs
 * @property {number} waitingBytes
 * @property {number} behindMs
 * @property {number | null} arrivedBitsPerSecond over the last second; null where that is not known
 * @property {number} nowMs
 */

/** Late: quality goes down above the first figure, and may go up below the second one. */
const LATE_MS = 500;
const IN_TIME_MS = 300;
/** From one change for the worse to the next: what the first one does must show. */
const SETTLE_MS = 1500;
/** A backlog is to be gone in this time, and one that needs longer than the second stops the recording. */
const DRAIN_S = 3;
const DRAIN_S_MOST = 4;
/** Of what the connection carries: keyframes come in bursts, and other traffic has to live. */
const SHARE = { most: 0.8, least: 0.35 };
const STEP_DOWN = 0.75;
const STEP_UP = 1.4;
/** All must have been well for so long before more is tried. Doubled when more was too much. */
const TRY_MS = { first: 8000, next: 5000, most: 64_000 };
/** Less arrives only over a connection that is held. */
const CARRIES_BITS_LEAST = 16_000;
const CONGESTED_S = 3;
const DRAINED_S = 0.2;
/** A slow start must not look like congestion. */
const QUEUE_BYTES_LEAST = 64 * 1024;

const VIDEO_BITS_LEAST = 80_000;
const AUDIO_BITS = { good: 96_000, small: 48_000 };
/** Sound gives way below this, for picture and sound together. */
const SMALL_BITS = 400_000;
/** Bits that a pixel needs; with fewer of them, fewer pixels look better. */
const BITS_PER_PIXEL = 0.03;
const SCALES = [1, 3 / 4, 1 / 2, 1 / 3];

/**
 * The quality for so many bits per second, picture and sound together.
 *
 * @param {number} bitsPerSecond
 * @param {Wanted} wanted
 * @returns {Quality}
 */
export function qualityFor(bitsPerSecond, { videoBitsPerSecond: most, pixelsPerSecond = 0, hasAudio = true }) {
  const audioBitsPerSecond = bitsPerSecond < SMALL_BITS ? AUDIO_BITS.small : AUDIO_BITS.good;
  const left = bitsPerSecond - (hasAudio ? audioBitsPerSecond : 0);
  const videoBitsPerSecond = Math.round(Math.min(most, Math.max(VIDEO_BITS_LEAST, left)));
  // A person who chose a low bit rate for a large picture gets it.
  const whole = Math.min(BITS_PER_PIXEL * pixelsPerSecond, most / 2);
  const scale = SCALES.find((each) => videoBitsPerSecond >= whole * each * each) ?? SCALES[SCALES.length - 1];
  return { videoBitsPerSecond, audioBitsPerSecond, scale };
}

export class Uplink {
  isDraining = false;
  #meter = new RateMeter(3000);
  #wanted;
  /** Picture and sound together. */
  #bits;
  #bitsMost;
  /** What the connection carried when it was last full. */
  #carried = Infinity;
  #changedMs = -Infinity;
  #isTrying = false;
  #tryAfterMs = TRY_MS.first;
  /** @type {number | null} */
  #lateSinceMs = null;
  /** @type {number | null} */
  #inTimeSinceMs = null;
  /** Backlogs of a moment ago, to see whether they grow: `[atMs, bytes]`. */
  #earlier = [-Infinity, 0];

  /** @param {Wanted} wanted */
  constructor(wanted) {
    this.#wanted = wanted;
    this.#bitsMost = wanted.videoBitsPerSecond + (wanted.hasAudio === false ? 0 : AUDIO_BITS.good);
    this.#bits = this.#bitsMost;
  }

  /** What the next recording should ask of the encoder. */
  get quality() {
    return qualityFor(this.#bits, this.#wanted);
  }

  /** Whether that is less than was chosen. */
  get isReduced() {
    return this.#bits < this.#bitsMost;
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

  /** Another connection: what waited is gone, what was learnt of the way stays. */
  reconnected() {
    this.isDraining = false;
    this.#meter = new RateMeter(3000);
    this.#lateSinceMs = null;
    this.#inTimeSinceMs = null;
    this.#earlier = [-Infinity, 0];
  }

  /**
   * `'stop'`: stop recording, let the queue drain. `'start'`: it has. `'change'`: begin a recording
   * of the new quality, and let it take over. Null: go on.
   *
   * @param {Signs} signs
   * @returns {'stop' | 'start' | 'change' | null}
   */
  decide({ waitingBytes, behindMs, arrivedBitsPerSecond, nowMs }) {
    const isLate = behindMs >= LATE_MS;
    const carries = isLate && arrivedBitsPerSecond !== null && arrivedBitsPerSecond >= CARRIES_BITS_LEAST ? arrivedBitsPerSecond : null;
    if (carries !== null) this.#carried = carries;
    if (this.isDraining) return this.#drain(waitingBytes, nowMs);
    this.#lateSinceMs = isLate ? (this.#lateSinceMs ?? nowMs) : null;
    this.#inTimeSinceMs = behindMs < IN_TIME_MS ? (this.#inTimeSinceMs ?? nowMs) : null;
    if (this.#isCongested(waitingBytes, carries, nowMs)) return this.#stop(carries, nowMs);
    const isShrinking = waitingBytes < this.#earlier[1];
    if (nowMs - this.#earlier[0] >= SETTLE_MS / 2) this.#earlier = [nowMs, waitingBytes];
    if (isLate && carries !== null && nowMs - this.#changedMs >= SETTLE_MS && !isShrinking)
      return this.#lower(waitingBytes, carries, nowMs);
    return this.#raise(nowMs);
  }

  /**
   * @param {number} waitingBytes
   * @param {number | null} carries
   * @param {number} nowMs
   */
  #isCongested(waitingBytes, carries, nowMs) {
    if (waitingBytes <= QUEUE_BYTES_LEAST) return false;
    if (carries !== null) return waitingBytes * 8 > carries * DRAIN_S_MOST;
    return waitingBytes > Math.max(this.#meter.bytesPerSecond(nowMs), this.#wanted.videoBitsPerSecond / 16) * CONGESTED_S;
  }

  /**
   * @param {number | null} carries
   * @param {number} nowMs
   */
  #stop(carries, nowMs) {
    this.isDraining = true;
    this.#failedTry(nowMs);
    this.#set(Math.min(this.#bits * STEP_DOWN, (carries ?? Infinity) * SHARE.most), nowMs);
    return /** @type {const} */ ('stop');
  }

  /**
   * @param {number} waitingBytes
   * @param {number} nowMs
   */
  #drain(waitingBytes, nowMs) {
    const perSecond = Math.max(this.#meter.bytesPerSecond(nowMs), this.#bits / 16);
    if (waitingBytes > Math.max(QUEUE_BYTES_LEAST / 4, perSecond * DRAINED_S)) return null;
    this.isDraining = false;
    // Measured while it was full: better than what was thought when it began.
    this.#set(Math.min(this.#bits, this.#carried * SHARE.most), nowMs);
    this.#inTimeSinceMs = null;
    return /** @type {const} */ ('start');
  }

  /**
   * @param {number} waitingBytes
   * @param {number} carries
   * @param {number} nowMs
   */
  #lower(waitingBytes, carries, nowMs) {
    const forNew = carries - (waitingBytes * 8) / DRAIN_S;
    const fit = Math.min(carries * SHARE.most, Math.max(carries * SHARE.least, forNew));
    // What arrives is as much as is recorded: a moment's trouble, unless it lasts.
    const isLasting = nowMs - (this.#lateSinceMs ?? nowMs) >= SETTLE_MS;
    if (fit >= this.#bits && !isLasting) return null;
    const former = this.#bits;
    this.#failedTry(nowMs);
    this.#set(isLasting ? Math.min(fit, this.#bits * STEP_DOWN) : fit, nowMs);
    return this.#bits < former ? /** @type {const} */ ('change') : null;
  }

  /** @param {number} nowMs */
  #raise(nowMs) {
    if (!this.isReduced || this.#inTimeSinceMs === null) return null;
    const wellMs = nowMs - Math.max(this.#inTimeSinceMs, this.#changedMs);
    // It was set lower than what the connection carries only to let the backlog drain.
    if (this.#bits < this.#carried * SHARE.most * 0.95 && this.#carried < Infinity && wellMs >= SETTLE_MS) {
      this.#set(this.#carried * SHARE.most, nowMs);
      return /** @type {const} */ ('change');
    }
    if (wellMs < (this.#isTrying ? TRY_MS.next : this.#tryAfterMs)) return null;
    // The last try went well: if the next one does not, the waits begin anew.
    if (this.#isTrying) this.#tryAfterMs = TRY_MS.first;
    this.#isTrying = true;
    this.#carried = Infinity;
    this.#set(this.#bits * STEP_UP, nowMs);
    return /** @type {const} */ ('change');
  }

  /** @param {number} nowMs */
  #failedTry(nowMs) {
    const isTooMuch = this.#isTrying && nowMs - this.#changedMs < TRY_MS.first;
    if (isTooMuch) this.#tryAfterMs = Math.min(TRY_MS.most, this.#tryAfterMs * 2);
    this.#isTrying = false;
  }

  /**
   * @param {number} bits
   * @param {number} nowMs
   */
  #set(bits, nowMs) {
    const { small } = AUDIO_BITS;
    const least = VIDEO_BITS_LEAST + (this.#wanted.hasAudio === false ? 0 : small);
    // The last step goes to the whole: not to just below it.
    this.#bits = bits >= this.#bitsMost * 0.9 ? this.#bitsMost : Math.max(Math.min(least, this.#bitsMost), Math.round(bits));
    this.#changedMs = nowMs;
  }
}
