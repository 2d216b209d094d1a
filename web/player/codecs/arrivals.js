// Decides how far behind the newest data a stream is played: a jitter buffer that adapts.
//
// Pure: timestamps and the time come in, a delay comes out.
//
//   due by the stream's clock   │   │   │   │   │   │
//   came                        │    │     │ │  │     │
//   lateness                    0   20    90 ...          the delay covers most of these
//
// Lateness is measured against the earliest arrivals of late, so neither the clocks of the two ends
// nor what the way here always takes is part of it.

import { Lead } from '../live-edge.js';

/** @typedef {'video' | 'audio'} Kind */
/** @typedef {import('../latency.js').Latency} Latency */
/**
 * `video` and `audio` are the shares of all arrivals that the delay covers. A late picture is shown
 * as soon as it is there; late sound is a hole. The picture may be `aheadMs` before its sound, which
 * comes later than a picture in nature too: few people notice less than 100 ms.
 *
 * @typedef {{ video: number, audio: number, videoMarginMs: number, audioMarginMs: number, aheadMs: number, mostMs: number, jumpMs: number }} Plan
 */

/** @type {Record<Latency, Plan>} */
export const PLANS = {
  low: { video: 0.4, audio: 0.92, videoMarginMs: 0, audioMarginMs: 4, aheadMs: 30, mostMs: 600, jumpMs: 150 },
  normal: { video: 0.8, audio: 0.98, videoMarginMs: 0, audioMarginMs: 8, aheadMs: 0, mostMs: 1500, jumpMs: 250 },
  smooth: { video: 0.995, audio: 0.995, videoMarginMs: 80, audioMarginMs: 100, aheadMs: 0, mostMs: 2500, jumpMs: 700 },
};

/** Before there is anything to measure by. */
const FIRST_MS = { video: 40, audio: 110 };
/** Arrivals within this time are one: what is late comes in a burst. */
const BURST_MS = 50;
const WINDOW_MS = 15_000;
const SAMPLES_LEAST = 12;
/** The backlog that a newcomer gets is old, and not late. */
const SETTLE_MS = 400;
/** What each underflow adds, and when it is forgotten. */
const UNDERFLOW_MS = 25;
const UNDERFLOWS_MOST_MS = 200;
const QUIET_MS = 15_000;
/** So much of it. */
const FORGOTTEN_MS = 8;
/** The delay is worked out this often. */
const REVIEW_MS = 200;

export class Arrivals {
  underflows = 0;
  #plan;
  #lead = new Lead();
  /** @type {Record<Kind, { atMs: number, lateMs: number }[]>} */
  #late = { video: [], audio: [] };
  /** How long decoding takes, at its slower. */
  #decodeMs = { video: 0, audio: 0 };
  #settledAtMs = -Infinity;
  #hasSettled = false;
  #extraMs = 0;
  #extraAtMs = 0;
  #reviewedAtMs = -Infinity;
  #wasSounding = false;
  #targetMs = 0;

  /** @param {Plan} plan */
  constructor(plan) {
    this.#plan = plan;
  }

  /** Another beginning: the clock of the stream, and what comes first, are new. */
  restart() {
    this.#lead = new Lead();
    this.#hasSettled = false;
  }

  /**
   * What comes for a while is old.
   *
   * @param {number} nowMs
   */
  settle(nowMs) {
    this.#hasSettled = true;
    this.#settledAtMs = nowMs + SETTLE_MS;
  }

  /**
   * @param {Kind} kind
   * @param {number} timestampMs
   * @param {number} nowMs
   */
  came(kind, timestampMs, nowMs) {
    if (!this.#hasSettled) this.settle(nowMs);
    this.#lead.add(timestampMs - nowMs, nowMs);
    if (nowMs < this.#settledAtMs) return;
    const lateMs = nowMs + (this.#lead.at(nowMs) ?? 0) - timestampMs;
    const samples = this.#late[kind];
    const last = samples.at(-1);
    if (last && nowMs - last.atMs < BURST_MS) last.lateMs = Math.max(last.lateMs, lateMs);
    else samples.push({ atMs: nowMs, lateMs });
    while (nowMs - samples[0].atMs > WINDOW_MS) samples.shift();
  }

  /**
   * @param {Kind} kind
   * @param {number} tookMs
   */
  decoded(kind, tookMs) {
    const former = this.#decodeMs[kind];
    this.#decodeMs[kind] = former + (tookMs - former) * (tookMs > former ? 0.3 : 0.02);
  }

  /**
   * Sound ran out, or a picture came after its time.
   *
   * @param {number} nowMs
   */
  underflow(nowMs) {
    // At the beginning nothing is known yet.
    if (!this.#hasSettled || nowMs < this.#settledAtMs) return;
    this.underflows += 1;
    this.#extraMs = Math.min(UNDERFLOWS_MOST_MS, this.#extraMs + UNDERFLOW_MS);
    this.#extraAtMs = nowMs;
    this.#reviewedAtMs = -Infinity;
  }

  /**
   * The newest timestamp minus the time, at the earliest arrivals of late; null before any.
   *
   * @param {number} nowMs
   */
  leadMs(nowMs) {
    return this.#lead.at(nowMs);
  }

  /**
   * How far behind that to play. `soundMs` is how long sound takes from us to the ear, or null
   * where none is played.
   *
   * @param {number} nowMs
   * @param {number | null} soundMs
   */
  targetMs(nowMs, soundMs) {
    const isSounding = soundMs !== null;
    if (nowMs - this.#reviewedAtMs < REVIEW_MS && isSounding === this.#wasSounding) return this.#targetMs;
    this.#reviewedAtMs = nowMs;
    this.#wasSounding = isSounding;
    if (this.#extraMs > 0 && nowMs - this.#extraAtMs > QUIET_MS) {
      this.#extraMs = Math.max(0, this.#extraMs - FORGOTTEN_MS);
      this.#extraAtMs = nowMs;
    }
    const picture = this.#covered('video') + this.#plan.videoMarginMs;
    const sound = isSounding ? this.#covered('audio') + this.#plan.audioMarginMs + soundMs + this.#extraMs : 0;
    this.#targetMs = Math.min(this.#plan.mostMs, Math.max(picture, sound));
    return this.#targetMs;
  }

  /** @param {Kind} kind */
  #covered(kind) {
    const sorted = this.#late[kind].map(({ lateMs }) => lateMs).sort((a, b) => a - b);
    if (sorted.length < SAMPLES_LEAST) return Math.max(FIRST_MS[kind], this.#decodeMs[kind]);
    return sorted[Math.floor((sorted.length - 1) * this.#plan[kind])] + this.#decodeMs[kind];
  }
}
