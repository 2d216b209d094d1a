// What the viewer page shows of its state: words, badges, poster, the shape of the stage, and the level of
// a stream that has no picture.

import { element } from '../lib/element.js';
import { countdown } from './brief-words.js';
import { isHitched, isPaused, isSlow, isSoundOnly } from './states.js';

/** Shapes nearer to one another than this are one. */
const SAME_SHAPE = 0.01;

/** @typedef {import('./states.js').State} State */

const $ = (/** @type {string} */ id) => element(id, HTMLElement);

/**
 * Touches only what changes.
 *
 * @param {string} id
 * @param {string} text
 */
export function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

/**
 * The poster stands behind the words while there is no picture, and where there is none at all.
 *
 * @param {State} state
 */
function hasStill(state) {
  if (state.name === 'playing') return isSoundOnly(state);
  return state.name === 'waiting' || state.name === 'ended' || state.name === 'connecting';
}

export class View {
  /** Where there are recordings of the stream, an end offers them. */
  hasRecordings = false;
  #poster;
  #isSmooth;
  #root = document.documentElement;
  #video = element('video', HTMLVideoElement);
  #still = element('still', HTMLImageElement);
  /** Width by height, once there was a picture. */
  #shape = 0;
  /** @type {import('./sound-view.js').SoundView | null} */
  #soundView = null;
  /** The sound of this state is to be seen. */
  #isHeard = false;

  /**
   * @param {{ poster: () => string, isSmooth: boolean }} page `isSmooth`: it has more delay already
   */
  constructor({ poster, isSmooth }) {
    this.#poster = poster;
    this.#isSmooth = isSmooth;
    this.#video.addEventListener('resize', () => this.fit());
    this.#video.addEventListener('loadedmetadata', () => this.fit());
  }

  /**
   * @param {State} state
   * @param {object | null} player
   * @param {import('./words.js').Words | null} words null until they are loaded
   */
  show(state, player, words) {
    const isQuiet = isPaused(state);
    const isSound = isSoundOnly(state);
    this.#mark(state);
    if (words) {
      write('title', words.title);
      write('sentence', `${words.title} ${words.text}`.trim());
    }
    write('badge', isHitched(state) ? 'Waiting' : state.shift.wantedMs ? 'Behind live' : 'Live');
    $('play').hidden = !isQuiet;
    if (isQuiet) $('unmute').hidden = true;
    this.#showActions(state);
    $('pip').hidden = isSound || !document.pictureInPictureEnabled;
    $('snapshot').hidden = isSound;
    this.showCountdown(state, words?.text);
    this.#showSound(isSound && state.name === 'playing' && !isQuiet, player);
    if (!hasStill(state)) this.#still.hidden = true;
    else if (isSound && this.#still.hidden) this.showStill(state);
  }

  /**
   * Not part of the sentence: a screen reader would read each second.
   *
   * @param {State} state
   * @param {string} [text]
   */
  showCountdown({ retryAtMs }, text) {
    const waiting = countdown(retryAtMs === null ? null : retryAtMs - performance.now());
    if (waiting) write('text', waiting);
    else if (text !== undefined) write('text', text);
  }

  /**
   * What the server has as a picture of the stream: its name at least.
   *
   * @param {State} state
   */
  showStill(state) {
    const still = this.#still;
    const isWanted = hasStill(state) && (this.#video.readyState < 2 || isSoundOnly(state));
    if (!isWanted) return;
    still.onload = () => {
      still.hidden = this.#root.dataset.state !== state.name;
    };
    // Lazy is what its place in the page needs; a hidden one would never load so.
    still.loading = 'eager';
    still.src = this.#poster();
  }

  /** The picture's own shape, as far as the window has room. */
  fit() {
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth || !videoHeight) return;
    const shape = videoWidth / videoHeight;
    if (Math.abs(shape / this.#shape - 1) < SAME_SHAPE) return;
    this.#shape = shape;
    $('stage').style.setProperty('--shape', shape.toFixed(3));
  }

  /**
   * What the style sheet needs to know.
   *
   * @param {State} state
   */
  #mark(state) {
    const isQuiet = isPaused(state);
    const root = this.#root;
    root.dataset.state = state.name;
    const isTold = state.name === 'playing' && !isQuiet && state.hitch !== '' && state.hitch !== 'dry';
    root.toggleAttribute('data-told', isTold);
    root.toggleAttribute('data-slow', isTold && isSlow(state));
    root.toggleAttribute('data-paused', isQuiet);
    root.toggleAttribute('data-blocked', isQuiet && state.isBlocked);
    root.toggleAttribute('data-still', state.isStill);
    root.toggleAttribute('data-hitched', isHitched(state));
    root.toggleAttribute('data-sound', isSoundOnly(state));
    root.toggleAttribute('data-shifted', state.shift.wantedMs > 0);
    root.toggleAttribute('data-seeking', state.shift.isConnecting);
  }

  /**
   * The ways on that the words offer.
   *
   * @param {State} state
   */
  #showActions(state) {
    const { name, error, retryAtMs, way, isClassic } = state;
    const canBeSmoother = !this.#isSmooth && way === 'socket' && !isClassic;
    $('key-form').hidden = name !== 'locked';
    $('retry').hidden = name !== 'error' && retryAtMs === null;
    write('retry', name === 'error' ? 'Try again' : 'Try now');
    $('smoother').hidden = name !== 'playing' || isPaused(state) || !isSlow(state) || !canBeSmoother;
    $('others').hidden = name !== 'ended' && name !== 'error';
    $('recordings').hidden = !this.hasRecordings || (name !== 'ended' && name !== 'waiting');
    $('vlc').hidden = !(error && 'why' in error && error.why === 'unplayable');
  }

  /**
   * @param {boolean} isHeard
   * @param {object | null} player
   */
  async #showSound(isHeard, player) {
    this.#isHeard = isHeard;
    if (!isHeard) {
      this.#soundView?.hide();
      return;
    }
    const loaded = await import('./sound-view.js').catch(() => null);
    if (!loaded || !this.#isHeard) return;
    this.#soundView ??= new loaded.SoundView(this.#video, this.#still);
    this.#soundView.show(player);
  }
}
