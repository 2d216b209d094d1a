// What <video-stream controls> shows over its picture: few and plain controls, and words where it does not
// play. Everything is made by the DOM, so that a page that allows no inline style and no markup by
// script can have it.

import { CONTROLS_SHEET } from './controls-sheet.js';
import { make } from './make.js';
import { sheetOf } from './sheet.js';

const SVG = 'http://www.w3.org/2000/svg';
/** Without a pointer or a key for so long, the controls go. */
const IDLE_MS = 2500;
/** States with words in the middle. In `live` and in a pause there is nothing to say. */
const SILENT_STATES = ['live', 'paused'];

const ICONS = {
  play: 'M8 5.5v13l10.5-6.5z',
  pause: 'M8.5 5.5v13M15.5 5.5v13',
  sound: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11',
  muted: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5',
  fullscreen:
    'M4 9V5.5A1.5 1.5 0 0 1 5.5 4H9M15 4h3.5A1.5 1.5 0 0 1 20 5.5V9M20 15v3.5a1.5 1.5 0 0 1-1.5 1.5H15M9 20H5.5A1.5 1.5 0 0 1 4 18.5V15',
};

/**
 * What the controls show, and act on.
 *
 * @typedef {object} Shown
 * @property {import('./stream-player.js').PlayerState} state
 * @property {boolean} paused
 * @property {boolean} muted
 * @property {boolean} mutedByBrowser
 * @property {number} volume
 * @property {string} message
 * @property {boolean} isBegun whether it has been asked to play
 */
/**
 * @typedef {object} Actions
 * @property {() => void} toggle
 * @property {() => void} goLive
 * @property {(isMuted: boolean) => void} mute
 * @property {(volume: number) => void} setVolume
 * @property {() => void} fullscreen
 */

/** @param {keyof typeof ICONS} name */
function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', ICONS[name]);
  if (name === 'play') path.setAttribute('class', 'filled');
  svg.append(path);
  return svg;
}

/**
 * @param {string} part
 * @param {string} label
 * @param {(Node | string)[]} children
 */
function button(part, label, ...children) {
  const attributes = { part, type: 'button', ...(label ? { 'aria-label': label, title: label } : {}) };
  return make(document.createElement('button'), attributes, ...children);
}

export class Controls {
  #stage;
  #actions;
  #play = button('play-button', 'Play', icon('play'));
  #mute = button('mute-button', 'Mute', icon('sound'));
  #volume = make(document.createElement('input'), {
    part: 'volume',
    class: 'volume',
    type: 'range',
    min: '0',
    max: '1',
    step: '0.05',
    'aria-label': 'Volume',
  });
  #live = button('live-button', '', document.createElement('i'), 'Live');
  #full = button('fullscreen-button', 'Full screen', icon('fullscreen'));
  #bar = make(
    document.createElement('div'),
    { part: 'controls', class: 'controls', role: 'group', 'aria-label': 'Player' },
    this.#play,
    this.#mute,
    this.#volume,
    this.#live,
    make(document.createElement('span'), { class: 'gap' }),
    this.#full,
  );
  #big = button('big-play-button', 'Play', icon('play'));
  #unmute = button('unmute-button', '', icon('muted'), 'Unmute');
  #message = make(document.createElement('p'), { part: 'message', class: 'message', role: 'status' });
  #spinner = make(document.createElement('div'), { part: 'spinner', class: 'spinner', 'aria-hidden': 'true' });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle = undefined;
  #icons = { play: '', mute: '' };
  #abort = new AbortController();

  /**
   * @param {HTMLElement} stage
   * @param {Actions} actions
   */
  constructor(stage, actions) {
    this.#stage = stage;
    this.#actions = actions;
    this.#live.className = 'live';
    this.#big.className = 'big';
    this.#unmute.className = 'unmute';
    this.#full.hidden = !document.fullscreenEnabled;
    const root = stage.getRootNode();
    const sheet = sheetOf(CONTROLS_SHEET);
    if (root instanceof ShadowRoot && !root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
    stage.append(this.#spinner, this.#message, this.#big, this.#unmute, this.#bar);
    const { signal } = this.#abort;
    const on = (/** @type {EventTarget} */ target, /** @type {string} */ type, /** @type {(event: any) => void} */ listener) =>
      target.addEventListener(type, listener, { signal });
    for (const each of [this.#play, this.#big]) on(each, 'click', () => actions.toggle());
    on(this.#mute, 'click', () => actions.mute(this.#icons.mute === 'sound'));
    on(this.#unmute, 'click', () => actions.mute(false));
    on(this.#volume, 'input', () => actions.setVolume(Number(this.#volume.value)));
    on(this.#live, 'click', () => actions.goLive());
    on(this.#full, 'click', () => actions.fullscreen());
    on(stage, 'dblclick', ({ target }) => this.#isPicture(target) && actions.fullscreen());
    on(stage, 'click', (event) => this.#tapped(event));
    for (const type of ['pointermove', 'focusin', 'keydown']) on(stage, type, () => this.#wake());
    on(stage, 'pointerleave', () => stage.classList.remove('active'));
    this.#wake();
  }

  /** @param {Shown} shown */
  show({ state, paused, muted, mutedByBrowser, volume, message, isBegun }) {
    const isFailed = state === 'failed';
    this.#stage.classList.toggle('paused', paused || isFailed);
    this.#label(this.#play, 'play', paused || isFailed ? 'play' : 'pause', isFailed ? 'Try again' : paused ? 'Play' : 'Pause');
    this.#label(this.#mute, 'mute', muted ? 'muted' : 'sound', muted ? 'Unmute' : 'Mute');
    this.#volume.value = String(muted ? 0 : volume);
    this.#live.setAttribute('aria-pressed', String(state === 'live'));
    this.#live.title = state === 'live' ? 'You are watching live' : 'Go to live';
    this.#big.hidden = !paused || isFailed;
    this.#unmute.hidden = !mutedByBrowser || paused;
    const isWaiting = isBegun && !paused && (state === 'connecting' || state === 'stalled');
    this.#spinner.hidden = !isWaiting;
    // A moment of waiting is no matter of words.
    const text = SILENT_STATES.includes(state) || isWaiting ? '' : message;
    if (this.#message.textContent !== text) this.#message.textContent = text;
    this.#message.hidden = text === '';
  }

  remove() {
    this.#abort.abort();
    clearTimeout(this.#idle);
    for (const each of [this.#spinner, this.#message, this.#big, this.#unmute, this.#bar]) each.remove();
    this.#stage.classList.remove('active', 'paused');
  }

  /**
   * @param {HTMLButtonElement} of
   * @param {'play' | 'mute'} which
   * @param {keyof typeof ICONS} name
   * @param {string} label
   */
  #label(of, which, name, label) {
    if (of.title !== label) {
      of.setAttribute('aria-label', label);
      of.title = label;
    }
    if (this.#icons[which] === name) return;
    this.#icons[which] = name;
    of.replaceChildren(icon(name));
  }

  /** A first tap shows the controls, where a pointer had not done so. @param {PointerEvent} event */
  #tapped(event) {
    if (!this.#isPicture(event.target)) return;
    const wasActive = this.#stage.classList.contains('active') || this.#stage.classList.contains('paused');
    this.#wake();
    if (wasActive || event.pointerType === 'mouse') this.#actions.toggle();
  }

  /** @param {EventTarget | null} target */
  #isPicture(target) {
    return target instanceof Element && !this.#bar.contains(target) && !target.closest('button');
  }

  #wake() {
    this.#stage.classList.add('active');
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#stage.classList.remove('active'), IDLE_MS);
  }
}
