// The player's controls: buttons, volume, keys, taps, and when they are in sight.

import { element } from '../lib/element.js';
import { rememberVolume } from '../lib/volume.js';
import { actionFor, placeOf } from './keys.js';

const SEEN_MS = 2500;
const VOLUME_STEP = 0.1;
/** What a person who turns the sound on wants to hear. */
const VOLUME_AT_LEAST = 0.5;

/**
 * What the page does itself. `seekBy` is further back, in milliseconds; `seen` tells that the controls
 * came in sight; `hides` whether taps find them hidden.
 *
 * @typedef {object} Listener
 * @property {() => void} toggle
 * @property {(byMs: number) => void} seekBy
 * @property {() => void} unmuted
 * @property {() => void} stats
 * @property {() => void} help
 * @property {() => void} seen
 * @property {() => boolean} isPaused
 * @property {() => boolean} hides
 */

const $ = (/** @type {string} */ id) => element(id, HTMLElement);

/**
 * A button's name, also for those who do not see its sign.
 *
 * @param {string} id
 * @param {string} label
 * @param {string} [key]
 */
function call(id, label, key) {
  const button = $(id);
  if (button.ariaLabel === label) return;
  button.ariaLabel = label;
  button.title = key ? `${label} (${key})` : label;
}

export class Controls {
  #stage = $('stage');
  #video = element('video', HTMLVideoElement);
  #volume = element('volume', HTMLInputElement);
  #on;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #hideTimer = undefined;
  /** A tap that found the controls hidden shows them, and does nothing else. */
  #onlyShows = false;

  /** @param {Listener} on */
  constructor(on) {
    this.#on = on;
    this.#wireButtons();
    this.#wireTaps();
    document.addEventListener('keydown', (event) => this.#key(event));
    this.#showVolume();
    // In sight since the page is there.
    this.#hideAfter(SEEN_MS - performance.now());
  }

  /** In sight, for a while. */
  show() {
    this.#stage.classList.add('active');
    this.#on.seen();
    this.#hideAfter(SEEN_MS);
  }

  /** @param {number} ms */
  #hideAfter(ms) {
    clearTimeout(this.#hideTimer);
    this.#hideTimer = setTimeout(() => this.#stage.classList.remove('active'), ms);
  }

  /** @param {boolean} isPaused */
  tellPaused(isPaused) {
    call('pause', isPaused ? 'Play' : 'Pause', 'K');
  }

  #wireButtons() {
    const video = this.#video;
    $('pause').onclick = () => this.#on.toggle();
    $('mute').onclick = () => this.#toggleMute();
    $('unmute').onclick = () => {
      video.muted = false;
      this.#keepVolume();
      this.#on.unmuted();
    };
    this.#volume.oninput = () => this.#setVolume(Number(this.#volume.value));
    $('stats-button').onclick = () => this.#on.stats();
    $('pip').onclick = () => this.#togglePip();
    $('fullscreen').onclick = () => this.#toggleFullscreen();
    video.ondblclick = () => this.#toggleFullscreen();
    video.addEventListener('volumechange', () => this.#showVolume());
    video.addEventListener('enterpictureinpicture', () => call('pip', 'Leave picture in picture', 'I'));
    video.addEventListener('leavepictureinpicture', () => call('pip', 'Picture in picture', 'I'));
    document.addEventListener('fullscreenchange', () => {
      call('fullscreen', document.fullscreenElement ? 'Leave full screen' : 'Full screen', 'F');
    });
  }

  #wireTaps() {
    const stage = this.#stage;
    stage.addEventListener('pointerdown', ({ pointerType, target }) => {
      const isButton = target instanceof Element && target.closest('.button, a');
      this.#onlyShows = pointerType !== 'mouse' && !isButton && this.#on.hides() && !stage.classList.contains('active');
      this.show();
    });
    stage.addEventListener('pointermove', () => this.show());
    stage.addEventListener('focusin', () => this.show());
    // By the time of the click they are in sight, and would take it.
    stage.addEventListener(
      'click',
      (event) => {
        if (!this.#onlyShows) return;
        this.#onlyShows = false;
        event.stopPropagation();
        event.preventDefault();
      },
      { capture: true },
    );
    stage.addEventListener('click', (event) => {
      const isControl = event.target instanceof Element && event.target.closest('.controls, .button, a, .stats');
      if (isControl) return;
      // A tap anywhere on the picture plays; on one that plays, it puts the controls away.
      if (this.#on.isPaused()) this.#on.toggle();
      else if (/** @type {PointerEvent} */ (event).pointerType === 'touch') stage.classList.remove('active');
    });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (document.querySelector('dialog[open]')) return;
    const action = actionFor(event, placeOf(event.target instanceof Element ? event.target : null));
    if (!action) return;
    event.preventDefault();
    if (action.does === 'seek') this.#on.seekBy(action.byMs);
    else this.#do(action.does);
    this.show();
  }

  /** @param {import('./keys.js').Command} command */
  #do(command) {
    /** @type {Record<import('./keys.js').Command, () => void>} */
    const commands = {
      toggle: () => this.#on.toggle(),
      mute: () => this.#toggleMute(),
      fullscreen: () => this.#toggleFullscreen(),
      pip: () => this.#togglePip(),
      stats: () => this.#on.stats(),
      help: () => this.#on.help(),
      louder: () => this.#setVolume(this.#heard + VOLUME_STEP),
      quieter: () => this.#setVolume(this.#heard - VOLUME_STEP),
    };
    commands[command]();
  }

  get #heard() {
    return this.#video.muted ? 0 : this.#video.volume;
  }

  /** @param {number} volume */
  #setVolume(volume) {
    this.#video.volume = Math.min(1, Math.max(0, volume));
    this.#video.muted = this.#video.volume === 0;
    this.#keepVolume();
  }

  #toggleMute() {
    const video = this.#video;
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) video.volume = VOLUME_AT_LEAST;
    this.#keepVolume();
  }

  /** Only what the person chose: a browser that lets no sound begin says nothing of that. */
  #keepVolume() {
    rememberVolume({ volume: this.#video.volume, isMuted: this.#video.muted });
  }

  #showVolume() {
    const { muted, volume } = this.#video;
    document.documentElement.toggleAttribute('data-muted', muted);
    this.#volume.value = String(muted ? 0 : volume);
    this.#volume.setAttribute('aria-valuetext', `${Math.round(100 * this.#heard)} %`);
    call('mute', muted ? 'Unmute' : 'Mute', 'M');
    if (!muted) $('unmute').hidden = true;
  }

  #toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.#stage.requestFullscreen) this.#stage.requestFullscreen().catch(() => {});
    // Older phones' own.
    else /** @type {any} */ (this.#video).webkitEnterFullscreen?.();
  }

  #togglePip() {
    if (document.pictureInPictureElement) document.exitPictureInPicture();
    else if (!$('pip').hidden) this.#video.requestPictureInPicture?.().catch(() => {});
  }
}
