// What the viewer page needs beside its picture: buttons, keys and taps, the bar of time, links, what is beside the
// player, and most words. Loaded when a person does something or there is something to say, else behind the picture.

import { announceMedia } from '../player/media-session.js';
import { SessionAudio } from '../player/session-audio.js';
import { adoptSheet } from '../lib/adopt-sheet.js';
import { element, make } from '../lib/element.js';
import { AlsoLive } from './also-live.js';
import { Controls } from './controls.js';
import { wireLinks } from './links.js';
import { SeekBar } from './seek-bar.js';
import { SHEET } from './deferred-sheet.js';
import { Site } from './site.js';
import { isPaused, seeks } from './states.js';
import { furthestBackMs, shownBehindMs } from './time-shift.js';
import { explainRefusal, wordsFor } from './words.js';

/** How old may be what the server said about how far back one can go, when the bar is looked at. */
const BACK_KNOWN_MS = 5000;
/** Why, the words below the picture say. */
const LACKS = { audio: 'No sound', video: 'No picture' };

/** @typedef {import('./states.js').State} State */
/**
 * The page, as far as this needs it. `askBack` asks the server how far back one can go.
 *
 * @typedef {object} Page
 * @property {string} name
 * @property {string} watchPath
 * @property {boolean} isEmbedded
 * @property {import('../lib/credentials.js').Credentials} credentials
 * @property {import('./players.js').Players} players
 * @property {import('./figures.js').Figures} figures
 * @property {() => State} now
 * @property {(event: import('./states.js').Untimed) => void} send
 * @property {() => void} askBack
 */

const $ = (/** @type {string} */ id) => element(id, HTMLElement);

export class Deferred {
  #page;
  #site;
  #controls;
  #seekBar;
  #alsoLive;
  #tellSystem;
  #sessionAudio;
  #askedBackAtMs = -Infinity;
  #lacks = make('span', { className: 'badge' });

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    const { name, credentials } = page;
    adoptSheet(SHEET);
    this.#site = new Site(credentials);
    this.#alsoLive = new AlsoLive({ facts: $('facts'), section: $('also-live'), list: $('streams') }, name, this.#site, credentials);
    this.#seekBar = new SeekBar(
      {
        timeline: $('timeline'),
        bar: element('seek', HTMLInputElement),
        live: element('live', HTMLButtonElement),
        behind: $('behind'),
      },
      (behindMs) => this.#seek(behindMs),
      () => this.#goLive(),
    );
    const on = this.#mediaKeys();
    this.#tellSystem = this.#announce(on);
    this.#sessionAudio = new SessionAudio(on);
    wireLinks(page);
    // An embed has no words below its picture.
    document.querySelector('.badges')?.append(this.#lacks);
    this.#controls = this.#wireControls();
    this.#wireRest();
  }

  wordsFor = wordsFor;
  explainRefusal = explainRefusal;

  /** @param {State} state */
  tell(state) {
    const isQuiet = isPaused(state);
    this.#controls.tellPaused(isQuiet);
    this.#lacks.textContent = state.missing ? LACKS[state.missing] : '';
    this.#tellSystem(state.name !== 'playing' ? 'none' : isQuiet ? 'paused' : 'playing');
    this.showPlace(state);
  }

  /**
   * What changes by itself too. Asked all the time.
   *
   * @param {State} state
   */
  showPlace(state) {
    this.#soundAlong(state);
    const backMs = furthestBackMs(state.shift, performance.now());
    this.#seekBar.show({ backMs, behindMs: shownBehindMs(state.shift), isThere: seeks(state), isPaused: isPaused(state) });
  }

  /**
   * A page that is loaded again begins where the person is.
   *
   * @param {State} state
   */
  showAddress({ shift }) {
    const here = new URL(location.href);
    here.searchParams.delete('t');
    if (shift.wantedMs) here.searchParams.set('t', String(-Math.round(shift.wantedMs / 1000)));
    history.replaceState(null, '', here);
  }

  /** @param {number | null} count */
  tellViewers(count) {
    this.#alsoLive.tellViewers(count);
  }

  /**
   * What is beside the player, asked for now and then, or `isNow`.
   *
   * @param {boolean} [isNow]
   */
  refresh(isNow) {
    if (!this.#page.isEmbedded) this.#alsoLive.refresh({ nowMs: performance.now(), isNow });
  }

  /** Whether the stream has recordings. */
  hasRecordings() {
    return this.#site.hasRecordings(this.#page.name);
  }

  /** @param {{ play: () => void, pause: () => void }} on */
  #announce(on) {
    const { name, watchPath, credentials } = this.#page;
    const poster = new URL(credentials.url(`${watchPath}/poster`), location.href).href;
    return announceMedia({ title: name, artist: location.host, poster }, on);
  }

  #mediaKeys() {
    const { now } = this.#page;
    return {
      play: () => {
        if (!now().wantsPlay) this.#toggle();
      },
      pause: () => {
        if (now().wantsPlay) this.#toggle();
      },
    };
  }

  /**
   * Where no element plays the sound.
   *
   * @param {State} state
   */
  #soundAlong(state) {
    const { player } = this.#page.players;
    const isByCodecs = player !== null && 'soundNode' in player && player.soundNode !== null;
    const { muted, volume } = element('video', HTMLVideoElement);
    this.#sessionAudio.tell({ isPlaying: isByCodecs && state.name === 'playing' && !isPaused(state), isMuted: muted || volume === 0 });
  }

  #wireControls() {
    const { now, send, askBack } = this.#page;
    return new Controls({
      toggle: () => this.#toggle(),
      seekBy: (byMs) => {
        if (byMs === -Infinity) this.#goLive();
        else if (seeks(now())) this.#seek(shownBehindMs(now().shift) + byMs);
      },
      unmuted: () => send({ type: 'unmuted' }),
      stats: () => this.#toggleStats(),
      help: () => this.#openHelp(),
      seen: () => {
        if (!seeks(now()) || performance.now() - this.#askedBackAtMs <= BACK_KNOWN_MS) return;
        this.#askedBackAtMs = performance.now();
        askBack();
      },
      isPaused: () => isPaused(now()),
      hides: () => now().name === 'playing' && !isPaused(now()),
    });
  }

  #wireRest() {
    const { name, figures, players, send } = this.#page;
    $('help').onclick = () => this.#openHelp();
    $('share-button').onclick = async () => {
      (await figures.extras())?.share(name, `${location.origin}${location.pathname}`);
    };
    $('snapshot').onclick = async () => {
      await (await figures.extras())?.keep(players.picture, name);
    };
    $('retry').onclick = () => send({ type: 'retried' });
  }

  #toggle() {
    this.#page.send({ type: 'toggled', isBuffered: this.#page.players.isBuffered });
  }

  /**
   * The person wants to be so far behind live.
   *
   * @param {number} behindMs
   */
  #seek(behindMs) {
    const { now, players, send } = this.#page;
    const withinMs = Math.min(Math.max(0, behindMs), furthestBackMs(now().shift, performance.now()));
    players.prepareBack();
    send({ type: 'sought', behindMs: withinMs, isBuffered: players.has(withinMs) });
    this.showPlace(now());
  }

  #goLive() {
    if (seeks(this.#page.now())) this.#seek(0);
    if (isPaused(this.#page.now())) this.#toggle();
  }

  async #toggleStats() {
    const { figures, now } = this.#page;
    // With the sheet that it needs.
    if (!(await figures.extras())) return;
    const list = $('stats');
    list.hidden = !list.hidden;
    document.documentElement.toggleAttribute('data-stats', !list.hidden);
    $('stats-button').setAttribute('aria-pressed', String(!list.hidden));
    figures.show(now());
  }

  async #openHelp() {
    (await this.#page.figures.extras())?.help({ seek: seeks(this.#page.now()), pip: !$('pip').hidden });
  }
}
