// The bar over what one can go back to, its Live button, and the keys that move along it.

import { clock } from '../lib/format.js';
import { lengthInWords } from './time-shift.js';

/** One can go back by less than this: there is no bar. */
const LEAST_MS = 3000;

/** What keys do to how far behind live it is, in milliseconds; for the bar, and for the whole page. */
const STEPS = /** @type {Record<string, number>} */ ({
  ArrowLeft: 5000,
  ArrowRight: -5000,
  j: 10_000,
  l: -Infinity,
  Home: Infinity,
  End: -Infinity,
});
const BAR_STEPS = /** @type {Record<string, number>} */ ({
  ...STEPS,
  ArrowDown: 5000,
  ArrowUp: -5000,
  PageDown: 60_000,
  PageUp: -60_000,
});

/**
 * How much further behind live a key leads, or null for one that is not ours.
 *
 * @param {string} key
 * @param {boolean} isOnBar
 */
export function stepOf(key, isOnBar) {
  return (isOnBar ? BAR_STEPS : STEPS)[key] ?? null;
}

export class SeekBar {
  #timeline;
  #bar;
  #live;
  #behind;
  #isHeld = false;
  #isPaused = false;

  /**
   * `seek(behindMs)`: the person wants to be there; `goLive()`: to watch live.
   *
   * @param {{ timeline: HTMLElement, bar: HTMLInputElement, live: HTMLButtonElement, behind: HTMLElement }} elements
   * @param {(behindMs: number) => void} seek
   * @param {() => void} goLive
   */
  constructor({ timeline, bar, live, behind }, seek, goLive) {
    this.#timeline = timeline;
    this.#bar = bar;
    this.#live = live;
    this.#behind = behind;
    bar.addEventListener('input', () => {
      this.#isHeld = true;
      this.#tell(-Number(bar.value) * 1000);
    });
    bar.addEventListener('change', () => {
      this.#isHeld = false;
      seek(-Number(bar.value) * 1000);
    });
    live.addEventListener('click', () => goLive());
  }

  /**
   * `backMs`: how far back one can go, `behindMs`: where it is. A picture that is paused is not live.
   *
   * @param {{ backMs: number, behindMs: number, isThere: boolean, isPaused: boolean }} place
   */
  show({ backMs, behindMs, isThere, isPaused }) {
    this.#isPaused = isPaused;
    this.#timeline.hidden = !isThere || backMs < LEAST_MS;
    this.#live.hidden = this.#timeline.hidden;
    if (this.#timeline.hidden) this.#behind.hidden = true;
    if (this.#timeline.hidden || this.#isHeld) return;
    this.#bar.min = String(-Math.floor(Math.max(backMs, behindMs) / 1000));
    this.#bar.value = String(-Math.round(behindMs / 1000));
    this.#tell(behindMs);
  }

  /** @param {number} behindMs */
  #tell(behindMs) {
    const isLive = behindMs < 1000;
    const back = -Number(this.#bar.min) || 1;
    this.#bar.style.setProperty('--played', `${100 - Math.min(100, behindMs / 10 / back)}%`);
    const words = isLive ? 'Live' : `${lengthInWords(behindMs)} behind live`;
    if (this.#bar.getAttribute('aria-valuetext') !== words) this.#bar.setAttribute('aria-valuetext', words);
    this.#live.setAttribute('aria-pressed', String(isLive && !this.#isPaused));
    const text = isLive ? '' : `\u2212${clock(Math.round(behindMs / 1000))}`;
    this.#behind.hidden = isLive;
    if (this.#behind.textContent !== text) this.#behind.textContent = text;
  }
}
