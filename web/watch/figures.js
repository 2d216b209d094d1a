// The figures that the viewer page shows: the delay beside the badge, and the statistics.

import { milliseconds } from '../lib/format.js';
import { codecsOf } from '../player/webm-edit.js';
import { delayText } from './brief-words.js';
import { isHitched } from './states.js';
import { furthestBackMs, isShifted, shownBehindMs } from './time-shift.js';
import { write } from './view.js';

/** A figure beside a sentence should stand still. */
const STEP_MS = 50;

/** @typedef {import('./states.js').State} State */

export class Figures {
  /** @type {import('./extras.js').Extras | null} */
  #extras = null;
  #players;
  #video;
  #list;

  /**
   * @param {import('./players.js').Players} players
   * @param {HTMLVideoElement} video
   * @param {HTMLElement} list
   */
  constructor(players, video, list) {
    this.#players = players;
    this.#video = video;
    this.#list = list;
  }

  /** What few ask for, loaded when one does; null where it cannot be. */
  async extras() {
    if (this.#extras) return this.#extras;
    const loaded = await import('./extras.js').catch(() => null);
    if (loaded) this.#extras ??= new loaded.Extras();
    return this.#extras;
  }

  /** @param {State} state */
  stats(state) {
    const video = this.#video;
    if (!this.#extras) this.extras();
    return {
      state: state.name,
      ...this.#players.stats(),
      codecs: codecsOf(state.mime).join(', '),
      width: video.videoWidth,
      height: video.videoHeight,
      muted: video.muted,
      paused: video.paused,
      current_time_s: video.currentTime,
      glass_ms: this.#extras?.ageMs(this.#players.picture) ?? null,
      behind_ms: shownBehindMs(state.shift),
      back_ms: furthestBackMs(state.shift, performance.now()),
    };
  }

  /** @param {State} state */
  show(state) {
    const isMoving = state.name === 'playing' && state.wantsPlay && !isHitched(state) && !isShifted(state.shift);
    const latencyMs = isMoving ? this.#players.stats().latency_ms : null;
    const roundMs = latencyMs === null ? null : Math.max(STEP_MS, Math.round(latencyMs / STEP_MS) * STEP_MS);
    write('latency', roundMs === null ? '' : `About ${milliseconds(roundMs)} behind.`);
    write('delay', delayText(roundMs));
    if (!this.#list.hidden && this.#players.player) this.#extras?.stats(this.#list, this.stats(state));
  }
}
