// One stream in one video element: wires a connection, the players and the viewer page's state machine.
//
//   Connection ─► machine (../watch/machine.js) ─► Players ─► video element
//                      └─► events (events.js) ─► the importer
//
// Nothing here knows of a page: that is for the importer, or for <video-stream> (video-stream.js).

import { mediaSourceClass } from '../player/media-source.js';
import { next } from '../watch/machine.js';
import { begin, seeks } from '../watch/states.js';
import { loadClassic, loadCodecs, loadMse, Players } from '../watch/players.js';
import { isShifted } from '../watch/time-shift.js';
import { kindsOf } from '../watch/types.js';
import { wordsFor } from '../watch/words.js';
import { addressOf, AddressError, withSecrets } from './address.js';
import { Connection } from './connection.js';
import { eventsBetween, IDLE, viewOf } from './events.js';

/** How often we look whether the picture moves, and whether the connection lives. */
const LOOK_MS = 100;
const TICK_MS = 500;

/**
 * Why a stream is not played: `code` is for programs, `message` for people.
 *
 * - `key`: it needs a key, or another one.
 * - `origin`: the server does not let pages of this origin play its streams.
 * - `policy`: the Content-Security-Policy of the page blocks it.
 * - `address`: `src` names no stream that this page can reach.
 * - `refused`: the server says no.
 * - `unplayable`: this browser cannot play what comes.
 *
 * @typedef {{ code: 'key' | 'origin' | 'policy' | 'address' | 'refused' | 'unplayable', message: string }} PlayerError
 */
/** @typedef {'connecting' | 'waiting' | 'live' | 'stalled' | 'paused' | 'ended' | 'failed'} PlayerState */
/** @typedef {'play' | 'pause' | 'playing' | 'waiting' | 'ended' | 'error' | 'volumechange' | 'resize' | 'statechange' | 'skip' | 'generation' | 'viewerschange'} PlayerEvent */
/**
 * @typedef {object} PlayerOptions
 * @property {boolean} [autoplay] begin at once (the default), or with `play()`
 * @property {string | null} [key] of the stream, where it needs one
 * @property {string | null} [token] of a signed link
 * @property {'mse' | 'webcodecs' | 'src' | 'classic' | null} [player] how it is played, where not by Media Source Extensions
 * @property {'socket' | 'segments' | null} [via] how it comes: `segments` needs no WebSocket, and is what is tried without one
 * @property {'low' | 'normal' | 'smooth' | null} [latency] how much delay may be spent on smoothness
 */

/** Plays a stream in a video element. Events are those of `PlayerEvent`. */
export class StreamPlayer extends EventTarget {
  #video;
  /** @type {import('./address.js').Address | null} */
  #address = null;
  #options;
  /** @type {Players | null} */
  #players = null;
  /** @type {Connection | null} */
  #connection = null;
  /** @type {import('../watch/states.js').State | null} */
  #state = null;
  /** What the importer was told of last. */
  #view = IDLE;
  /** @type {PlayerError | null} */
  #error = null;
  /** @type {number | null} */
  #viewers = null;
  /** Counts beginnings: what was asked for before is over. */
  #run = 0;
  #isClosed = false;
  #isMutedByBrowser = false;
  #hadCrossOrigin;
  /** @type {ReturnType<typeof setInterval>[]} */
  #timers = [];
  /** @type {{ resolve: () => void, reject: (reason: unknown) => void }[]} */
  #awaited = [];
  #abort = new AbortController();

  /**
   * `src` is the address of a stream's page, such as `https://example.org/live/demo`; relative to that
   * of the document.
   *
   * @param {HTMLVideoElement} video
   * @param {string} src
   * @param {PlayerOptions} [options]
   */
  constructor(video, src, options = {}) {
    super();
    this.#video = video;
    this.#options = { ...options };
    this.#hadCrossOrigin = video.crossOrigin;
    video.playsInline = true;
    const { signal } = this.#abort;
    for (const type of ['volumechange', 'resize']) video.addEventListener(type, () => this.#say(type), { signal });
    video.addEventListener('playing', () => this.#send({ type: 'playing' }), { signal });
    // By the browser's own controls, its keys or a headset. What it does to a page in the background is no wish.
    video.addEventListener('pause', () => video.paused && !video.ended && !document.hidden && this.pause(), { signal });
    video.addEventListener('play', () => !video.paused && this.#view.paused && this.#toggle(), { signal });
    document.addEventListener('securitypolicyviolation', (event) => this.#connection?.violated(event), { signal });
    document.addEventListener('visibilitychange', () => this.#shown(), { signal });
    globalThis.addEventListener('online', () => this.#send({ type: 'online' }), { signal });
    globalThis.addEventListener('offline', () => this.#look(), { signal });
    try {
      this.#address = addressOf(src, document.baseURI, options);
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      // Told when the importer can have begun to listen.
      queueMicrotask(() => this.#fail('address', error.message));
      return;
    }
    if (options.autoplay !== false) queueMicrotask(() => this.#begin());
  }

  /** @returns {PlayerState} */
  get state() {
    return this.#view.state;
  }

  /** Whether the person, or the browser, wants it not to play; true before it has begun. */
  get paused() {
    return this.#view.paused;
  }

  /** @returns {PlayerError | null} */
  get error() {
    return this.#error;
  }

  /** What a person may want to know about the state, in a sentence or two; empty where there is nothing to say. */
  get message() {
    if (this.#error) return this.#error.message;
    const state = this.#state;
    if (!state || !this.#address || this.#view.state === 'live' || this.#view.paused) return '';
    const { title, text } = wordsFor(state.name, { ...state, name: this.#address.name, behindMs: state.shift.wantedMs });
    return `${title} ${text}`.trim();
  }

  /** The name of the stream; empty where `src` names none. */
  get stream() {
    return this.#address?.name ?? '';
  }

  /**
   * How many watch, as far as the server has told.
   *
   * @returns {number | null}
   */
  get viewers() {
    return this.#viewers;
  }

  /** Seconds from the server to the screen; NaN where that is not known. */
  get delay() {
    const isMoving = this.#view.state === 'live';
    const ms = isMoving ? (this.#players?.stats().latency_ms ?? null) : null;
    return ms === null ? NaN : Math.max(0, ms / 1000);
  }

  get videoWidth() {
    return this.#video.videoWidth;
  }

  get videoHeight() {
    return this.#video.videoHeight;
  }

  get muted() {
    return this.#video.muted;
  }

  set muted(isMuted) {
    this.#isMutedByBrowser &&= isMuted;
    this.#video.muted = isMuted;
  }

  /** Whether it is silent because the browser lets no sound begin by itself. */
  get mutedByBrowser() {
    return this.#isMutedByBrowser && this.#video.muted;
  }

  get volume() {
    return this.#video.volume;
  }

  set volume(volume) {
    this.#video.volume = volume;
  }

  /** The address of the stream's picture on the server, for where there is no other yet; empty without a stream. */
  get poster() {
    return this.#address ? withSecrets(this.#address.poster, this.#address.credentials, { bare: '' }) : '';
  }

  /**
   * Another key: a player that has failed for want of one tries again.
   *
   * @param {string | null} key
   */
  set key(key) {
    this.#options.key = key;
    if (this.#address) this.#address.credentials.key = key;
    if (this.#state?.name === 'locked') this.#send({ type: 'keyGiven' });
  }

  /**
   * Resolves when it plays. Rejects like that of `<video>` when the browser forbids it, when it fails,
   * and when it is paused or closed first.
   *
   * @returns {Promise<void>}
   */
  play() {
    if (this.#isClosed) return Promise.reject(new DOMException('the player is closed', 'AbortError'));
    if (!this.#address) return Promise.reject(new DOMException(this.#error?.message, 'NotSupportedError'));
    if (this.#view.state === 'live') return Promise.resolve();
    /** @type {Promise<void>} */
    const playing = new Promise((resolve, reject) => this.#awaited.push({ resolve, reject }));
    // Not everybody waits for it.
    playing.catch(() => {});
    if (!this.#state || this.#state.name === 'error') this.#begin();
    else if (this.#state.name === 'locked') this.#send({ type: 'keyGiven' });
    else if (this.#view.paused) this.#toggle();
    return playing;
  }

  pause() {
    if (!this.#view.paused) this.#toggle();
  }

  /** To the live picture, from a pause or from further back. */
  goLive() {
    const state = this.#state;
    if (!state || this.#view.state === 'failed') {
      this.play().catch(() => {});
    } else if (isShifted(state.shift) && seeks(state)) {
      this.#send({ type: 'sought', behindMs: 0, isBuffered: this.#players?.has(0) ?? false });
    } else if (this.#view.paused) {
      this.#toggle();
    } else {
      this.#players?.player?.catchUp();
    }
  }

  /**
   * The picture that is shown, as a file.
   *
   * @param {string} [type]
   * @param {number} [quality]
   * @returns {Promise<Blob>}
   */
  async screenshot(type, quality) {
    const { snapshot } = await import('../player/snapshot.js');
    const blob = await snapshot(this.#players?.picture ?? this.#video, type, quality);
    if (!blob) throw new DOMException('there is no picture yet', 'InvalidStateError');
    return blob;
  }

  /**
   * As `addEventListener`. What is returned ends it.
   *
   * @param {PlayerEvent} type
   * @param {(event: CustomEvent) => void} listener
   * @returns {() => void}
   */
  on(type, listener) {
    const each = /** @type {EventListener} */ (listener);
    this.addEventListener(type, each);
    return () => this.removeEventListener(type, each);
  }

  /** Ends it: the connection is closed, and the video element empty. */
  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#abort.abort();
    this.#stop();
    this.#settle(new DOMException('the player is closed', 'AbortError'));
    this.#video.crossOrigin = this.#hadCrossOrigin;
  }

  // --- From what happens to what follows

  async #begin() {
    const address = this.#address;
    if (this.#isClosed || !address) return;
    this.#stop();
    this.#run += 1;
    const run = this.#run;
    this.#error = null;
    const { player, latency = null, via } = this.#options;
    this.#connection = new Connection(
      address,
      {
        send: (event) => this.#send(event),
        say: (type, detail) => this.#say(type, detail),
        showViewers: (count) => this.#showViewers(count),
        now: () => ({ state: this.#state, players: this.#players }),
      },
      via ?? address.via,
    );
    const step = begin({
      hasMse: mediaSourceClass() !== null || player === 'webcodecs',
      isPlain: player === 'src',
      isClassic: player === 'classic',
      behindMs: address.behindMs,
      nowMs: performance.now(),
    });
    this.#follow({ ...step, effects: [] });
    const codecs = player === 'webcodecs' ? await loadCodecs() : null;
    const classic = step.state.isClassic ? await loadClassic().catch(() => null) : null;
    const mse = codecs || classic || player === 'src' ? null : await loadMse();
    if (this.#isClosed || run !== this.#run) return;
    this.#players = new Players(this.#video, (event) => this.#send(event), { codecs, mse, classic, latency });
    for (const effect of step.effects) this.#perform(effect);
    this.#timers = [
      setInterval(() => this.#look(), LOOK_MS),
      setInterval(() => this.#send({ type: 'ticked', isOpen: Boolean(this.#connection?.way?.isOpen) }), TICK_MS),
    ];
  }

  #stop() {
    this.#timers.forEach(clearInterval);
    this.#timers = [];
    this.#connection?.end();
    this.#connection = null;
    this.#players?.closePlain();
    this.#players?.drop();
    this.#players = null;
    this.#state = null;
  }

  /** @param {import('../watch/states.js').Untimed} event */
  #send(event) {
    if (this.#isClosed || !this.#state) return;
    this.#follow(next(this.#state, /** @type {import('../watch/states.js').Event} */ ({ nowMs: performance.now(), ...event })));
  }

  /** @param {import('../watch/states.js').Step} step */
  #follow({ state, effects, warning }) {
    this.#state = state;
    this.#tell(viewOf(state));
    for (const effect of effects) this.#perform(effect, warning);
  }

  /** @param {import('./events.js').View} view */
  #tell(view) {
    const before = this.#view;
    this.#view = view;
    if (view.state !== 'failed') this.#error = null;
    else if (before.state !== 'failed') this.#error = this.#errorNow();
    for (const type of eventsBetween(before, view)) this.#say(type, type === 'error' ? this.#error : null);
    if (view.state === 'live') this.#settle(null);
    else if (view.state === 'failed') this.#settle(new DOMException(this.#error?.message, 'NotSupportedError'));
    else if (this.#state?.isBlocked) this.#settle(new DOMException('the browser lets nothing play before a tap', 'NotAllowedError'));
    else if (view.paused) this.#settle(new DOMException('the player was paused', 'AbortError'));
  }

  /** @returns {PlayerError} */
  #errorNow() {
    const state = this.#state;
    if (state?.name === 'locked') {
      if (state.isWrongKey) return { code: 'key', message: 'That key is wrong. Check it, or ask the person who gave it to you.' };
      return { code: 'key', message: 'This stream needs a key.' };
    }
    const { code = 'unplayable' } = /** @type {Partial<import('./refusal.js').Problem>} */ (state?.error ?? {});
    const { title, text } = wordsFor('error', { name: this.#address?.name ?? '', ...state });
    return { code, message: `${title} ${text}`.trim() };
  }

  /**
   * For what the machine does not see.
   *
   * @param {PlayerError['code']} code
   * @param {string} message
   */
  #fail(code, message) {
    if (this.#isClosed) return;
    this.#stop();
    this.#view = { ...this.#view, state: 'failed' };
    this.#error = { code, message };
    this.#say('error', this.#error);
    this.#say('statechange');
    this.#settle(new DOMException(message, 'NotSupportedError'));
  }

  /** @param {DOMException | null} reason */
  #settle(reason) {
    for (const { resolve, reject } of this.#awaited.splice(0)) {
      if (reason) reject(reason);
      else resolve();
    }
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #say(type, detail = null) {
    if (!this.#isClosed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /**
   * @param {import('../watch/states.js').Effect} effect
   * @param {string} [warning]
   */
  #perform(effect, warning) {
    const [state, players] = [this.#state, this.#players];
    if (!state || !players) return;
    switch (effect) {
      case 'connect':
      case 'askWhy':
        this.#connection?.[effect]();
        break;
      case 'reconnect':
      case 'retryNow':
        this.#connection?.way?.[effect]();
        break;
      case 'closeSocket':
        this.#connection?.close();
        break;
      case 'newPlayer':
        players.renew(state);
        break;
      case 'announce':
        players.announce(state.mime, this.#connection?.toldBehindMs ?? 0, this.#connection?.toldBacklog);
        break;
      case 'seekHere':
        players.seekHere(state.shift.wantedMs);
        break;
      case 'skipped':
      case 'closePlain':
        players[effect]();
        break;
      case 'catchUp':
        players.player?.catchUp();
        break;
      case 'dropPlayer':
        players.drop();
        break;
      case 'openPlain':
        this.#openPlain(players);
        break;
      case 'watchPlain':
        players.timePlain(state);
        break;
      case 'play':
        this.#play();
        break;
      case 'pause':
        this.#video.pause();
        break;
      case 'reload':
        this.#begin();
        break;
      case 'warn':
        console.warn(warning);
        break;
      default: // The rest is a page's.
    }
  }

  async #play() {
    const video = this.#video;
    const isRefused = (/** @type {unknown} */ reason) => reason instanceof Error && reason.name === 'NotAllowedError';
    try {
      await video.play();
    } catch (reason) {
      if (!isRefused(reason) || this.#isClosed) return;
      // Sound needs a click first: it begins without.
      const wasMuted = video.muted;
      video.muted = true;
      this.#isMutedByBrowser = !wasMuted;
      await video.play().catch(() => {
        video.muted = wasMuted;
        this.#isMutedByBrowser = false;
        this.#send({ type: 'blocked' });
      });
    }
  }

  #toggle() {
    this.#send({ type: 'toggled', isBuffered: this.#players?.isBuffered ?? false });
  }

  #shown() {
    if (!document.hidden) this.#send({ type: 'shown', isPaused: this.#video.paused });
  }

  #look() {
    const { latency_ms: behindMs = null, buffer_ms: aheadMs = 0, gaps = 0 } = this.#players?.stats() ?? {};
    this.#send({ type: 'looked', position: this.#video.currentTime, aheadMs, gaps, behindMs, isOffline: navigator.onLine === false });
  }

  /** @param {number | null} count */
  #showViewers(count) {
    if (count === this.#viewers) return;
    this.#viewers = count;
    this.#say('viewerschange');
  }

  /** @param {Players} players */
  #openPlain(players) {
    const address = this.#address;
    if (!address) return;
    // Or no screenshot could be made of it.
    if (address.url.origin !== location.origin) this.#video.crossOrigin = 'anonymous';
    const hasPictures = () => kindsOf(this.#state?.mime ?? '').video.length > 0;
    players.openPlain(withSecrets(address.media, address.credentials), hasPictures, () => this.#connection?.askAbout());
  }
}
