// <video-stream src>: a live stream in a page, with the attributes, properties and events of <video> as
// far as they make sense for one.
//
// It is connected while it is in a document: what is removed closes everything, and begins again when it
// is added again. A move within a document interrupts nothing.

import { make } from './make.js';
import { SHEET, sheetOf } from './sheet.js';
import { StreamPlayer } from './stream-player.js';

/** Importing this must not fail where there is no document. */
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

/** Told by the player alone; `volumechange` and `resize` come from the video element. */
const FORWARDED = /** @type {const} */ ([
  ...['play', 'pause', 'playing', 'waiting', 'ended', 'error'],
  ...['statechange', 'skip', 'generation', 'viewerschange'],
]);
/** A change of one of these begins anew. */
const SOURCES = ['src', 'player', 'latency'];
/** Properties that may have been set before the element was defined. */
const PROPERTIES = /** @type {const} */ (['src', 'key', 'token', 'player', 'latency', 'poster', 'autoplay', 'controls', 'muted', 'volume']);

/** @typedef {import('./stream-player.js').PlayerState} PlayerState */
/** @typedef {import('./stream-player.js').PlayerError} PlayerError */

/** The element. Its events are those of a `StreamPlayer`. */
export class VideoStreamElement extends Base {
  static observedAttributes = [...SOURCES, 'poster', 'controls', 'muted', 'volume', 'autoplay'];

  #video = document.createElement('video');
  #still = make(document.createElement('img'), { part: 'poster', class: 'poster', alt: '' });
  #stage = make(document.createElement('div'), { class: 'stage' });
  /** @type {import('./controls.js').Controls | null} */
  #controls = null;
  /** @type {StreamPlayer | null} */
  #player = null;
  /** @type {string | null} */
  #key = null;
  /** @type {string | null} */
  #token = null;
  /** Whether it is to play: by `autoplay`, by `play()`, and until a pause. */
  #wantsPlay = false;
  #isRenewing = false;
  /** @type {PlayerState} */
  #state = 'paused';

  constructor() {
    super();
    this.#video.setAttribute('part', 'video');
    this.#video.playsInline = true;
    this.#still.hidden = true;
    this.#stage.append(this.#video, this.#still);
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [sheetOf(SHEET)];
    root.append(this.#stage);
    this.#video.addEventListener('volumechange', () => this.#tell('volumechange'));
    this.#video.addEventListener('resize', () => {
      const { videoWidth, videoHeight } = this.#video;
      if (videoWidth) this.#stage.style.setProperty('--ratio', `${videoWidth} / ${videoHeight}`);
      this.#tell('resize');
    });
    this.#video.addEventListener('loadeddata', () => this.#show());
    this.#still.addEventListener('load', () => this.#show());
  }

  connectedCallback() {
    // Properties that were set on it before it was one of these.
    for (const name of PROPERTIES) this.#upgrade(name);
    if (this.autoplay) this.#wantsPlay = true;
    if (!this.#player) this.#renew();
  }

  disconnectedCallback() {
    // One that is moved is back before this runs.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#close();
      this.#show();
    });
  }

  /** `moveBefore()`: nothing has to be closed. */
  connectedMoveCallback() {}

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} value
   */
  attributeChangedCallback(name, before, value) {
    if (before === value && name !== 'src') return;
    if (SOURCES.includes(name)) this.#renewSoon();
    else if (name === 'muted') this.muted = value !== null;
    else if (name === 'volume') this.#setVolume(value);
    else if (name === 'controls') this.#control();
    else if (name === 'autoplay' && value !== null && this.isConnected && this.#player) this.play().catch(() => {});
    this.#show();
  }

  // --- Attributes as properties

  /** The address of the stream's page. As of `<video>`, it reads as a whole address. */
  get src() {
    const src = this.getAttribute('src');
    return src === null ? '' : (URL.parse?.(src, document.baseURI)?.href ?? src);
  }

  set src(src) {
    this.setAttribute('src', src);
  }

  get poster() {
    return this.getAttribute('poster') ?? '';
  }

  set poster(poster) {
    this.setAttribute('poster', poster);
  }

  get autoplay() {
    return this.hasAttribute('autoplay');
  }

  set autoplay(isOn) {
    this.toggleAttribute('autoplay', isOn);
  }

  get controls() {
    return this.hasAttribute('controls');
  }

  set controls(isOn) {
    this.toggleAttribute('controls', isOn);
  }

  get defaultMuted() {
    return this.hasAttribute('muted');
  }

  set defaultMuted(isOn) {
    this.toggleAttribute('muted', isOn);
  }

  /** How it is played: `mse` (as without it), `webcodecs`, `src` or `classic`. */
  get player() {
    return this.getAttribute('player') ?? '';
  }

  set player(player) {
    this.setAttribute('player', player);
  }

  /** `low`, `normal` or `smooth`. */
  get latency() {
    return this.getAttribute('latency') ?? '';
  }

  set latency(latency) {
    this.setAttribute('latency', latency);
  }

  // --- Properties of their own

  /** The key of the stream. No attribute: markup is for everybody. */
  get key() {
    return this.#key;
  }

  set key(key) {
    this.#key = key;
    if (this.#player) this.#player.key = key;
  }

  /** The token of a signed link. */
  get token() {
    return this.#token;
  }

  set token(token) {
    if (token === this.#token) return;
    this.#token = token;
    this.#renewSoon();
  }

  /** @returns {PlayerState} */
  get state() {
    return this.#state;
  }

  /** @returns {PlayerError | null} */
  get error() {
    return this.#player?.error ?? null;
  }

  /** The state in a sentence for people; empty where there is nothing to say. */
  get message() {
    return this.#player?.message ?? '';
  }

  /** The name of the stream. */
  get stream() {
    return this.#player?.stream ?? '';
  }

  /** @returns {number | null} */
  get viewers() {
    return this.#player?.viewers ?? null;
  }

  /** Seconds from the server to the screen; NaN where that is not known. */
  get delay() {
    return this.#player?.delay ?? NaN;
  }

  get paused() {
    return this.#player?.paused ?? true;
  }

  get ended() {
    return this.#state === 'ended';
  }

  get muted() {
    return this.#video.muted;
  }

  set muted(isMuted) {
    if (this.#player) this.#player.muted = isMuted;
    else this.#video.muted = isMuted;
  }

  get volume() {
    return this.#video.volume;
  }

  set volume(volume) {
    this.#video.volume = volume;
  }

  get videoWidth() {
    return this.#video.videoWidth;
  }

  get videoHeight() {
    return this.#video.videoHeight;
  }

  // --- Methods

  /**
   * Resolves when it plays: see `StreamPlayer.play`.
   *
   * @returns {Promise<void>}
   */
  play() {
    this.#wantsPlay = true;
    if (!this.#player) return Promise.reject(new DOMException('the element has no src, or is in no document', 'InvalidStateError'));
    return this.#player.play();
  }

  pause() {
    this.#wantsPlay = false;
    this.#player?.pause();
  }

  /** To the live picture, from a pause or from further back. */
  goLive() {
    this.#wantsPlay = true;
    this.#player?.goLive();
  }

  /**
   * The picture that is shown, as a file.
   *
   * @param {string} [type]
   * @param {number} [quality]
   * @returns {Promise<Blob>}
   */
  screenshot(type, quality) {
    if (!this.#player) return Promise.reject(new DOMException('there is no picture yet', 'InvalidStateError'));
    return this.#player.screenshot(type, quality);
  }

  // --- Inside

  /** @param {(typeof PROPERTIES)[number]} name */
  #upgrade(name) {
    if (!Object.hasOwn(this, name)) return;
    const self = /** @type {any} */ (this);
    const value = self[name];
    delete self[name];
    self[name] = value;
  }

  /** Several attributes that change at once are one change. */
  #renewSoon() {
    if (this.#isRenewing || !this.isConnected) return;
    this.#isRenewing = true;
    queueMicrotask(() => {
      this.#isRenewing = false;
      if (this.isConnected) this.#renew();
    });
  }

  #renew() {
    const wantsPlay = this.#wantsPlay || this.autoplay;
    this.#close();
    const src = this.getAttribute('src');
    if (src === null) {
      this.#show();
      return;
    }
    const how = /** @type {any} */ ({ player: this.player || null, latency: this.latency || null });
    const player = new StreamPlayer(this.#video, src, { ...how, key: this.#key, token: this.#token, autoplay: wantsPlay });
    this.#player = player;
    for (const type of FORWARDED) {
      player.on(type, ({ detail }) => {
        if (player === this.#player) this.#tell(type, detail);
      });
    }
    this.#still.hidden = true;
    this.#still.removeAttribute('src');
    this.#show();
  }

  #close() {
    const player = this.#player;
    this.#player = null;
    player?.close();
    this.#state = 'paused';
    this.#stage.style.removeProperty('--ratio');
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail = null) {
    const player = this.#player;
    if (player) {
      this.#state = player.state;
      // By the controls of the browser, too.
      if (type === 'play' || type === 'pause') this.#wantsPlay = type === 'play';
    }
    this.#show();
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {string | null} text */
  #setVolume(text) {
    const volume = Number(text);
    if (text !== null && volume >= 0 && volume <= 1) this.volume = volume;
  }

  /** Only those who want them load them. */
  async #control() {
    if (!this.controls) {
      this.#controls?.remove();
      this.#controls = null;
      return;
    }
    const loaded = await import('./controls.js').catch(() => null);
    if (!loaded || this.#controls || !this.controls) return;
    this.#controls = new loaded.Controls(this.#stage, {
      toggle: () => (this.paused || this.state === 'failed' ? this.play().catch(() => {}) : this.pause()),
      goLive: () => this.goLive(),
      mute: (isMuted) => this.#mute(isMuted),
      setVolume: (volume) => {
        this.volume = volume;
        this.#mute(volume === 0);
      },
      fullscreen: () => this.#toggleFullscreen(),
    });
    this.#show();
  }

  /** @param {boolean} isMuted */
  #mute(isMuted) {
    this.muted = isMuted;
    if (!isMuted && this.volume === 0) this.volume = 0.5;
  }

  #toggleFullscreen() {
    if (this.matches(':fullscreen')) document.exitFullscreen();
    else this.requestFullscreen?.().catch(() => {});
  }

  #show() {
    this.#showPoster();
    const { state, paused, muted, volume, message } = this;
    const player = this.#player;
    this.#controls?.show({
      ...{ state, paused, muted, volume, message },
      mutedByBrowser: player?.mutedByBrowser ?? false,
      isBegun: player !== null,
    });
  }

  /** The poster stands where there is no picture: before the first one, and while the stream is off air. */
  #showPoster() {
    const isOffAir = this.#state === 'waiting' || this.#state === 'ended';
    const isWanted = this.#player !== null && (isOffAir || this.#video.readyState < 2);
    const url = this.hasAttribute('poster') ? this.poster : (this.#player?.poster ?? '');
    if (isWanted && url && this.#still.getAttribute('src') !== url) this.#still.src = url;
    this.#still.hidden = !isWanted || !url || !this.#still.complete || this.#still.naturalWidth === 0;
  }
}
