// The states of the viewer page, what they know, and what every step to another one keeps. Pure.
//
//   connecting ─► waiting ─► playing ─► reconnecting ─► ended       what the stream does
//        │           └──────────┴────────────┴────────► error       it cannot be played
//        └► locked                                                  it needs a key
//
// Effects are what the page does next, in their order: see machine.js.

import { shiftOf } from './time-shift.js';
import { kindsOf } from './types.js';

export const STATES = /** @type {const} */ (['connecting', 'waiting', 'playing', 'reconnecting', 'ended', 'locked', 'error']);

/** @typedef {(typeof STATES)[number]} Name */
/** @typedef {'audio' | 'video'} Kind */
/**
 * Why it cannot be played: words, or the facts from which words.js makes them.
 *
 * @typedef {{ title: string, text: string } | { why: 'unplayable' } | { why: 'failed', message: string }} Problem
 */
/** @typedef {import('../player/webm-scan.js').Track} Track */
/** @typedef {import('./types.js').Plays} Plays */

/**
 * @typedef {object} State
 * @property {Name} name
 * @property {boolean} hasMse whether the browser has Media Source Extensions
 * @property {boolean} isClassic whether what the socket brings is played as a row of files
 * @property {'socket' | 'plain'} way how the media come: by the socket, or as the plain stream
 * @property {Problem | null} error of the state `error`
 * @property {boolean} isWrongKey of the state `locked`
 *
 * The stream, as far as the server told:
 * @property {string} mime
 * @property {Plays} plays what of it this browser plays by Media Source Extensions
 * @property {Track[]} tracks what its newest init segment declares
 * @property {boolean} isOnAir
 * @property {boolean} wasOnAir
 * @property {boolean} hasEnded the publisher ended it, rather than lost it
 * @property {boolean} isStalled nothing comes from the publisher
 * @property {number} offAirAtMs
 * @property {number} dataAtMs when anything came last
 * @property {number[]} skipsAtMs when the server left something out, of late
 * @property {number[]} stopsAtMs when the picture stood for want of data, of late
 * @property {number[]} lapsesAtMs when it stood although there were data, of late
 * @property {number | null} retryAtMs of the state `reconnecting`: when it tries again, where that takes long
 *
 * The player:
 * @property {boolean} wantsPlay
 * @property {boolean} isBlocked the browser lets nothing play before a tap
 * @property {boolean} isStale the connection that fed it is gone; the next one brings its own
 * @property {Kind | null} ignored the kind of tracks that is left out
 * @property {Kind | null} missing what of the stream this browser cannot play
 * @property {string} plainFailed a type that did not play as the plain stream: not tried again
 * @property {string[]} slowCodecs what the browser takes its time to begin with
 * @property {number[]} faultsAtMs
 *
 * @property {import('./time-shift.js').Shift} shift how far behind live it is
 *
 * The picture:
 * @property {number} position
 * @property {number} movedAtMs when it last moved on, or was not meant to
 * @property {string} hitch see hitch.js
 * @property {number} gaps how many gaps in the media the player has leapt over
 * @property {number} leaptAtMs when the last of them was
 * @property {boolean} isStill
 * @property {'' | 'excused' | 'stopsAtMs' | 'lapsesAtMs'} stand the list that has the present stop; `excused` where no list has it
 */

/**
 * From the server (`offline`, `hello`, `init`… are its messages; `answered` is the status of a plain
 * request; `polled` what it says of the stream where there is no socket; `backTold` how far back one can
 * go), from the player, from the person (`sought`: to be so far behind live), and from the clock (`looked`, `ticked`, `plainSlow`, `plainLate`).
 *
 * @typedef {{ type: 'hello', live: boolean, hasPicture: boolean, nowMs: number }
 *   | { type: 'init', mime: string, plays: Plays, hasPicture: boolean, nowMs: number }
 *   | { type: 'data', hasPicture: boolean, nowMs: number }
 *   | { type: 'skip', nowMs: number }
 *   | { type: 'stalled' }
 *   | { type: 'resumed' }
 *   | { type: 'offline', reason?: string, nowMs: number }
 *   | { type: 'lost', opened: boolean, attempt: number, retryInMs: number, nowMs: number }
 *   | { type: 'answered', problem: Problem | null, needsKey: boolean, hadKey: boolean, nowMs: number }
 *   | { type: 'polled', live: boolean, mime: string | null, plays: Plays, nowMs: number }
 *   | { type: 'ready', nowMs: number }
 *   | { type: 'failed', message: string, nowMs: number }
 *   | { type: 'starved', kind: Kind | null, nowMs: number }
 *   | { type: 'declared', tracks: Track[], nowMs: number }
 *   | { type: 'plainLost', isBroken: boolean, nowMs: number }
 *   | { type: 'plainSlow', codecs: string[] }
 *   | { type: 'plainLate', nowMs: number }
 *   | { type: 'playing', nowMs: number }
 *   | { type: 'blocked' }
 *   | { type: 'toggled', isBuffered: boolean, nowMs: number }
 *   | { type: 'sought', behindMs: number, isBuffered: boolean, nowMs: number }
 *   | { type: 'backTold', backMs: number, isGrowing: boolean, nowMs: number }
 *   | { type: 'unmuted' }
 *   | { type: 'keyGiven', nowMs: number }
 *   | { type: 'retried' }
 *   | { type: 'shown', isPaused: boolean }
 *   | { type: 'online', nowMs: number }
 *   | { type: 'looked', position: number, aheadMs: number, gaps?: number, behindMs: number | null, isOffline: boolean, nowMs: number }
 *   | { type: 'ticked', isOpen: boolean, nowMs: number }} Event
 */

/**
 * An event without the time, which the page adds.
 *
 * @template T
 * @typedef {T extends unknown ? Omit<T, 'nowMs'> : never} WithoutTime
 */
/** @typedef {WithoutTime<Event>} Untimed */

/**
 * `connect`, `reconnect`, `retryNow`, `closeSocket`: the socket. `newPlayer` (leaving out
 * `state.ignored`), `announce` (`state.mime`), `skipped`, `catchUp`, `dropPlayer`: the player.
 * `openPlain`: the plain stream, and questions about it. `closePlain`: no more of these.
 * `watchPlain`: time its first picture. `play`, `pause`:
 * the video element. `askWhy`: ask by a plain request why the socket was refused. `askKey`,
 * `showStill`, `reload`: the page. `seekHere`: to `state.shift.wantedMs`, which the player has.
 * `showAddress`: the same in the page's address. `warn`: for the browser's console.
 *
 * @typedef {'connect' | 'reconnect' | 'retryNow' | 'closeSocket' | 'newPlayer' | 'announce' | 'skipped'
 *   | 'catchUp' | 'dropPlayer' | 'openPlain' | 'closePlain' | 'watchPlain' | 'play' | 'pause' | 'askWhy'
 *   | 'askKey' | 'showStill' | 'reload' | 'seekHere' | 'showAddress' | 'warn'} Effect
 */
/** @typedef {{ state: State, effects: Effect[], warning?: string }} Step */

/**
 * Every type of event: tsc compares them.
 *
 * @type {Record<Event['type'], true>}
 */
export const EVERY_EVENT = {
  hello: true,
  init: true,
  data: true,
  skip: true,
  stalled: true,
  resumed: true,
  offline: true,
  lost: true,
  answered: true,
  polled: true,
  ready: true,
  failed: true,
  starved: true,
  declared: true,
  plainLost: true,
  plainSlow: true,
  plainLate: true,
  playing: true,
  blocked: true,
  toggled: true,
  sought: true,
  backTold: true,
  unmuted: true,
  keyGiven: true,
  retried: true,
  shown: true,
  online: true,
  looked: true,
  ticked: true,
};

/**
 * @param {{ hasMse: boolean, isPlain?: boolean, isClassic?: boolean, behindMs?: number, nowMs: number }} page
 * @returns {Step}
 */
export function begin({ hasMse, isPlain = false, isClassic = false, behindMs = 0, nowMs }) {
  const way = isPlain ? 'plain' : 'socket';
  return {
    state: {
      name: 'connecting',
      hasMse,
      isClassic: !isPlain && (isClassic || !hasMse),
      way,
      error: null,
      isWrongKey: false,
      mime: '',
      plays: { all: false, withoutAudio: false, withoutVideo: false },
      tracks: [],
      isOnAir: false,
      wasOnAir: false,
      hasEnded: false,
      isStalled: false,
      offAirAtMs: nowMs,
      dataAtMs: nowMs,
      skipsAtMs: [],
      stopsAtMs: [],
      lapsesAtMs: [],
      retryAtMs: null,
      wantsPlay: true,
      isBlocked: false,
      isStale: false,
      ignored: null,
      missing: null,
      plainFailed: '',
      slowCodecs: [],
      faultsAtMs: [],
      shift: shiftOf(nowMs, isPlain || isClassic || !hasMse ? 0 : behindMs),
      position: 0,
      movedAtMs: nowMs,
      gaps: 0,
      leaptAtMs: -Infinity,
      stand: '',
      hitch: '',
      isStill: false,
    },
    effects: way === 'plain' ? ['openPlain'] : ['newPlayer', 'connect'],
  };
}

/**
 * A person paused the stream, or the browser did not let it begin.
 *
 * @param {State} state
 */
export function isPaused({ name, wantsPlay }) {
  return name === 'playing' && !wantsPlay;
}

/**
 * The line, or the device, is too slow, and yet the stream plays now and then.
 *
 * @param {Pick<State, 'hitch'>} state
 */
export function isSlow({ hitch }) {
  return hitch === 'slow' || hitch === 'stops' || hitch === 'device';
}

/**
 * There is sound and no picture, or none that is played.
 *
 * @param {State} state
 */
export function isSoundOnly({ mime, ignored }) {
  const { audio, video } = kindsOf(mime);
  return audio.length > 0 && (video.length === 0 || ignored === 'video');
}

/**
 * The picture stands although it should move: a sentence over it says so.
 *
 * @param {State} state
 */
export function isHitched({ name, hitch }) {
  return name === 'playing' && hitch !== '' && !isSlow({ hitch });
}

/**
 * Whether one can go back: only Media Source Extensions keep the time of the stream.
 *
 * @param {State} state
 */
export function seeks({ way, isClassic, wasOnAir, name }) {
  return way === 'socket' && !isClassic && wasOnAir && name !== 'locked' && name !== 'error';
}

/**
 * The page asks for a key, or tells why it does not play: it waits for the person.
 *
 * @param {State} state
 */
export function isOver({ name }) {
  return name === 'locked' || name === 'error';
}

/**
 * @param {State} state
 * @param {Name} name
 * @param {number} nowMs
 * @param {Effect[]} effects
 * @returns {Step}
 */
export function to(state, name, nowMs, effects = []) {
  const slowCodecs = name === 'connecting' ? state.slowCodecs : [];
  const error = name === 'error' ? state.error : null;
  const retryAtMs = name === 'reconnecting' ? state.retryAtMs : null;
  const isConnecting = state.shift.isConnecting && name === 'connecting';
  const shift = isConnecting === state.shift.isConnecting ? state.shift : { ...state.shift, isConnecting };
  return { state: { ...state, shift, name, error, slowCodecs, retryAtMs, movedAtMs: nowMs }, effects };
}

/**
 * @param {State} state
 * @param {Problem} error
 * @param {number} nowMs
 * @param {Effect[]} effects
 * @returns {Step}
 */
export function fail(state, error, nowMs, effects) {
  return to({ ...state, error }, 'error', nowMs, effects);
}

/**
 * @param {State} state
 * @returns {Step}
 */
export function stay(state) {
  return { state, effects: [] };
}
