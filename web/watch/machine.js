// Which state the viewer page is in, and what each event makes of it. Pure.
//
//   connecting ─► waiting ─► playing ─► reconnecting ─► ended       what the stream does
//        │           └──────────┴────────────┴────────► error       it cannot be played
//        └► locked                                                  it needs a key
//
//   let { state, effects } = begin({ hasMse: true, nowMs });
//   ({ state, effects } = next(state, { type: 'hello', live: true, hasPicture: false, nowMs }));
//
// Effects are what the page does next, in their order.

import { codecsOf } from '../player/webm-edit.js';
import { hitchOf } from './hitch.js';
import { isPlayedOut, isSeekDue, isShifted, seek, shiftOf } from './time-shift.js';
import { explainMissing, explainUnplayable } from './words.js';
import { kindsOf } from './types.js';
import { noSuch } from '../lib/no-such.js';

export const STATES = /** @type {const} */ (['connecting', 'waiting', 'playing', 'reconnecting', 'ended', 'locked', 'error']);

/** Off air for so long after we saw it: it has ended rather than paused. */
export const ENDED_AFTER_MS = 30_000;
/** On air, and yet nothing comes, nor word of why: the connection is dead without knowing it. */
export const SILENT_MS = 7000;
/** Without a network, or back on it, a message within this time proves that the connection lives. */
export const ALIVE_MS = 500;
/** Fresh joins after faults within this time, before we give up. */
export const FAULTS_WITHIN_MS = 20_000;
export const FAULTS_MOST = 4;
/** Arrivals nearer to one another than this are one. */
const SAME_MS = 100;
const SKIPS_KEPT = 10;

/** @typedef {(typeof STATES)[number]} Name */
/** @typedef {'audio' | 'video'} Kind */
/** @typedef {{ title: string, text: string, hasPlainStream?: boolean }} Problem */
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
 *
 * The player:
 * @property {boolean} wantsPlay
 * @property {boolean} isBlocked the browser lets nothing play before a tap
 * @property {boolean} isStale the connection that fed it is gone; the next one brings its own
 * @property {Kind | null} ignored the kind of tracks that is left out
 * @property {string} missing what of the stream this browser cannot play, in words
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
 * @property {boolean} isStill
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
 *   | { type: 'lost', opened: boolean, attempt: number, nowMs: number }
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
 *   | { type: 'looked', position: number, behindMs: number | null, isOffline: boolean, nowMs: number }
 *   | { type: 'ticked', isOpen: boolean, nowMs: number }} Event
 */

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
const EVERY_EVENT = {
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
export const EVENTS = Object.keys(EVERY_EVENT);

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
      wantsPlay: true,
      isBlocked: false,
      isStale: false,
      ignored: null,
      missing: '',
      plainFailed: '',
      slowCodecs: [],
      faultsAtMs: [],
      shift: shiftOf(nowMs, isPlain || isClassic || !hasMse ? 0 : behindMs),
      position: 0,
      movedAtMs: nowMs,
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
 * The picture stands although it should move: a sentence over it says so.
 *
 * @param {State} state
 */
export function isHitched({ name, hitch }) {
  return name === 'playing' && hitch !== '' && hitch !== 'slow';
}

/**
 * @param {State} state
 * @param {Event} event
 * @returns {Step}
 */
export function next(state, event) {
  if (!STATES.includes(state.name)) throw new Error(`no state ${state.name}`);
  switch (event.type) {
    case 'hello':
    case 'init':
    case 'data':
    case 'skip':
    case 'stalled':
    case 'resumed':
    case 'offline':
    case 'lost':
    case 'failed':
    case 'starved':
    case 'declared':
      // The socket is closed, and nothing more is played from it.
      return isOver(state) || state.way === 'plain' ? stay(state) : bySocket(state, event);
    case 'answered':
      if (isOver(state)) return stay(state);
      if (event.needsKey) return lock(state, event);
      return event.problem ? fail(state, event.problem, event.nowMs, ['closeSocket']) : stay(state);
    case 'polled':
    case 'plainLost':
    case 'plainSlow':
    case 'plainLate':
      return isOver(state) || state.way === 'socket' ? stay(state) : byPlainStream(state, event);
    case 'ready':
      if (isOver(state)) return stay(state);
      return to(state, 'playing', event.nowMs, state.wantsPlay ? ['play'] : []);
    case 'playing':
      // A player that is about to be replaced tells nothing of the next.
      if (isOver(state) || state.shift.isConnecting) return stay(state);
      return state.isOnAir && state.wantsPlay ? to(state, 'playing', event.nowMs) : stay(state);
    case 'blocked':
      return { state: { ...state, isBlocked: true, wantsPlay: false }, effects: ['pause'] };
    case 'toggled':
      if (state.wantsPlay) return { state: { ...state, wantsPlay: false }, effects: ['pause'] };
      return goOn({ ...state, wantsPlay: true, isBlocked: false }, event);
    case 'sought':
      return seeks(state) ? sought(state, event) : stay(state);
    case 'backTold': {
      const { backMs, isGrowing, nowMs } = event;
      return { state: { ...state, shift: { ...state.shift, backMs, isGrowing, toldAtMs: nowMs } }, effects: [] };
    }
    case 'unmuted':
      return { state: { ...state, wantsPlay: true, isBlocked: false }, effects: ['play'] };
    case 'shown':
      return state.name === 'playing' && state.wantsPlay && event.isPaused ? { state, effects: ['play'] } : stay(state);
    case 'keyGiven':
      if (state.name !== 'locked') return stay(state);
      return to(state, 'connecting', event.nowMs, [state.way === 'plain' ? 'reload' : 'connect']);
    case 'retried':
      return { state, effects: [state.name === 'error' || state.way === 'plain' ? 'reload' : 'retryNow'] };
    case 'online':
      return online(state, event.nowMs);
    case 'looked':
      return looked(state, event);
    case 'ticked':
      return ticked(state, event);
    default:
      return noSuch('event', event);
  }
}

/**
 * @param {State} state
 * @param {Extract<Event, { type: 'hello' | 'init' | 'data' | 'skip' | 'stalled' | 'resumed' | 'offline' | 'lost' | 'failed' | 'starved' | 'declared' }>} event
 * @returns {Step}
 */
function bySocket(state, event) {
  switch (event.type) {
    case 'hello': {
      const told = { ...state, isStalled: false, shift: { ...state.shift, offline: null } };
      return event.live ? { state: onAir(told, event), effects: [] } : offAir(told, '', event.nowMs);
    }
    case 'init':
      return playType({ ...onAir(state, event), mime: event.mime, plays: event.plays });
    case 'data':
      if (!state.isOnAir) return { state: onAir({ ...state, isStalled: false }, event), effects: [] };
      // Many come in a second, and few make a difference.
      if (!state.isStalled && event.nowMs - state.dataAtMs < SAME_MS) return stay(state);
      return { state: { ...state, isStalled: false, dataAtMs: event.nowMs }, effects: [] };
    case 'skip': {
      const told = { ...state, skipsAtMs: [...state.skipsAtMs, event.nowMs].slice(-SKIPS_KEPT) };
      if (!isShifted(state.shift)) return { state: told, effects: ['skipped'] };
      // What it would have shown is lost, and the newest comes.
      return { state: { ...told, shift: { ...state.shift, wantedMs: 0 } }, effects: ['skipped', 'seekHere', 'showAddress'] };
    }
    case 'stalled':
      return { state: { ...state, isStalled: true }, effects: [] };
    case 'resumed':
      return { state: { ...state, isStalled: false }, effects: [] };
    case 'offline':
      // Another one goes on in its place at once, with other tracks: the picture stays until then.
      if (event.reason === 'replaced') return stay(state);
      // Behind live, the picture has not come there.
      if (isShifted(state.shift) && state.name === 'playing') {
        return { state: { ...state, shift: { ...state.shift, offline: { reason: event.reason } } }, effects: [] };
      }
      return offAir(state, event.reason, event.nowMs);
    case 'lost': {
      const name = state.wasOnAir || event.attempt > 0 ? 'reconnecting' : 'connecting';
      return to({ ...state, isStale: true }, name, event.nowMs, event.opened ? [] : ['askWhy']);
    }
    case 'failed':
      // The plain stream is left, and tells what is wrong.
      if (state.isClassic) return playPlainly({ ...state, isClassic: false }, event.nowMs);
      return joinAfresh(state, event.message, event.nowMs);
    case 'starved':
      // What this browser cannot play is left out for good.
      return state.missing ? stay(state) : joinAfresh({ ...state, ignored: event.kind }, '', event.nowMs);
    case 'declared': {
      const told = { ...state, tracks: event.tracks };
      return event.tracks.some(({ encoding }) => encoding) ? playPlainly(told, event.nowMs) : { state: told, effects: [] };
    }
    default:
      return noSuch('event', event);
  }
}

/**
 * @param {State} state
 * @param {Extract<Event, { type: 'polled' | 'plainLost' | 'plainSlow' | 'plainLate' }>} event
 * @returns {Step}
 */
function byPlainStream(state, event) {
  switch (event.type) {
    case 'polled': {
      const told = { ...state, isOnAir: event.live, wasOnAir: state.wasOnAir || event.live };
      if (event.mime !== null) Object.assign(told, { mime: event.mime, plays: event.plays });
      if (event.live || state.name === 'playing') return { state: told, effects: [] };
      return to(told, told.wasOnAir ? 'ended' : 'waiting', event.nowMs);
    }
    case 'plainLost':
      if (event.isBroken && state.isOnAir && state.mime && !state.plays.all) return plainFailed(state, event.nowMs);
      return to(state, state.isOnAir ? 'reconnecting' : state.wasOnAir ? 'ended' : 'waiting', event.nowMs);
    case 'plainSlow':
      return state.name === 'connecting' ? { state: { ...state, slowCodecs: event.codecs }, effects: [] } : stay(state);
    case 'plainLate':
      return plainFailed(state, event.nowMs);
    default:
      return noSuch('event', event);
  }
}

/**
 * The page asks for a key, or tells why it does not play: it waits for the person.
 *
 * @param {State} state
 */
function isOver({ name }) {
  return name === 'locked' || name === 'error';
}

/**
 * @param {State} state
 * @param {{ hasPicture: boolean, nowMs: number }} event
 * @returns {State}
 */
function onAir(state, { hasPicture, nowMs }) {
  const shift = state.shift.offline ? { ...state.shift, offline: null } : state.shift;
  const told = { ...state, shift, isOnAir: true, wasOnAir: true, hasEnded: false, dataAtMs: nowMs };
  if (state.name !== 'waiting' && state.name !== 'ended') return told;
  return to(told, hasPicture ? 'playing' : 'connecting', nowMs).state;
}

/**
 * @param {State} state
 * @param {string | undefined} reason
 * @param {number} nowMs
 * @returns {Step}
 */
function offAir(state, reason, nowMs) {
  const hasEnded = reason === 'ended';
  const shift = { ...state.shift, offline: null };
  const told = { ...state, shift, isOnAir: false, isStalled: false, hasEnded, offAirAtMs: nowMs };
  return to(told, hasEnded ? 'ended' : 'waiting', nowMs, ['showStill']);
}

/**
 * Plays as much of a type as this browser knows: all of it, or the picture or the sound alone, or
 * the plain stream, which it may play although Media Source Extensions refuse it.
 *
 * @param {State} state
 * @returns {Step}
 */
function playType(state) {
  const { mime, plays } = state;
  const nowMs = state.dataAtMs;
  // The video element itself says what of it plays.
  if (state.isClassic) return playWithout(state, null, '');
  if (plays.all) return playWithout(state, state.missing ? null : state.ignored, '');
  const kinds = kindsOf(mime);
  if (plays.withoutAudio) return playWithout(state, 'audio', explainMissing('audio', kinds.audio));
  if (state.plainFailed !== mime) return playPlainly(state, nowMs);
  if (plays.withoutVideo) return playWithout(state, 'video', explainMissing('video', kinds.video));
  return giveUp(state, nowMs);
}

/**
 * @param {State} state
 * @param {Kind | null} ignored
 * @param {string} missing
 * @returns {Step}
 */
function playWithout(state, ignored, missing) {
  const isAnother = state.isStale || ignored !== state.ignored;
  return {
    state: { ...state, isStale: false, ignored, missing },
    effects: isAnother ? ['newPlayer', 'announce'] : ['announce'],
  };
}

/**
 * @param {State} state
 * @param {number} nowMs
 * @returns {Step}
 */
function playPlainly(state, nowMs) {
  return to({ ...state, way: 'plain' }, 'connecting', nowMs, ['closeSocket', 'openPlain', 'watchPlain']);
}

/**
 * The plain stream shows no picture: what is left is tried or told.
 *
 * @param {State} state
 * @param {number} nowMs
 * @returns {Step}
 */
function plainFailed(state, nowMs) {
  const left = { ...state, plainFailed: state.mime };
  if (state.tracks.some(({ encoding }) => encoding) || !state.plays.withoutVideo) return giveUp(left, nowMs);
  return to({ ...left, way: 'socket', isStale: false }, 'connecting', nowMs, ['closePlain', 'newPlayer', 'connect']);
}

/**
 * @param {State} state
 * @param {number} nowMs
 * @returns {Step}
 */
function giveUp(state, nowMs) {
  const { mime, tracks } = state;
  return fail(state, explainUnplayable(mime, codecsOf(mime), tracks), nowMs, ['closePlain', 'closeSocket', 'dropPlayer']);
}

/**
 * A new player and a new connection, which begins at the newest keyframe.
 *
 * @param {State} state
 * @param {string} message of the browser, or empty where a track ended
 * @param {number} nowMs
 * @returns {Step}
 */
function joinAfresh(state, message, nowMs) {
  const faultsAtMs = [...state.faultsAtMs.filter((atMs) => nowMs - atMs < FAULTS_WITHIN_MS), nowMs];
  const warning = `joining afresh: ${message || `tracks ended, ignoring ${state.ignored}`}`;
  const told = { ...state, faultsAtMs };
  if (faultsAtMs.length > FAULTS_MOST) {
    const text = `${message ? `The browser says: ${message}. ` : ''}Press Try again, or open it in another browser.`;
    return { ...fail(told, { title: 'The stream cannot be played.', text }, nowMs, ['warn', 'closeSocket']), warning };
  }
  const name = state.wasOnAir ? 'reconnecting' : 'connecting';
  return { ...to({ ...told, isStale: false }, name, nowMs, ['warn', 'newPlayer', 'reconnect']), warning };
}

/**
 * @param {State} state
 * @param {{ hadKey: boolean, nowMs: number }} event
 * @returns {Step}
 */
function lock(state, { hadKey, nowMs }) {
  return to({ ...state, isWrongKey: hadKey }, 'locked', nowMs, ['closePlain', 'closeSocket', 'askKey']);
}

/**
 * @param {State} state
 * @param {Problem} error
 * @param {number} nowMs
 * @param {Effect[]} effects
 * @returns {Step}
 */
function fail(state, error, nowMs, effects) {
  return to({ ...state, error }, 'error', nowMs, effects);
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
 * @param {State} state
 * @param {{ behindMs: number, isBuffered: boolean, nowMs: number }} event
 * @returns {Step}
 */
function sought(state, event) {
  const { shift, effects } = seek(state.shift, { ...event, isBuffered: event.isBuffered && state.name === 'playing' });
  const wantsPlay = state.wantsPlay || shift.wantedMs === 0;
  const isPlaying = effects.length > 0 && wantsPlay && !state.wantsPlay;
  return { state: { ...state, shift, wantsPlay, isBlocked: false }, effects: isPlaying ? [...effects, 'play'] : effects };
}

/**
 * Plays again after a pause: from the live picture, or behind live from where it was.
 *
 * @param {State} state
 * @param {{ isBuffered: boolean, nowMs: number }} event
 * @returns {Step}
 */
function goOn(state, { isBuffered, nowMs }) {
  const { shift } = state;
  if (!isShifted(shift)) return { state, effects: ['catchUp', 'play'] };
  if (isBuffered)
    return { state: { ...state, shift: { ...shift, wantedMs: shift.behindMs ?? shift.wantedMs } }, effects: ['play', 'showAddress'] };
  return sought(state, { behindMs: shift.behindMs ?? shift.wantedMs, isBuffered: false, nowMs });
}

/**
 * The network is back: what was open before may be dead without knowing it.
 *
 * @param {State} state
 * @param {number} nowMs
 * @returns {Step}
 */
function online(state, nowMs) {
  if (isOver(state) || state.way === 'plain') return stay(state);
  return { state, effects: [state.isOnAir && nowMs - state.dataAtMs > ALIVE_MS ? 'reconnect' : 'retryNow'] };
}

/**
 * Whether the picture moves, and what is said when it does not.
 *
 * @param {State} state
 * @param {{ position: number, behindMs: number | null, isOffline: boolean, nowMs: number }} event
 * @returns {Step}
 */
function looked(state, { position, behindMs, isOffline, nowMs }) {
  if (isSeekDue(state.shift, nowMs)) {
    const shift = { ...state.shift, connectAtMs: null, isConnecting: true, offline: null };
    return to({ ...state, shift, isStale: false }, 'connecting', nowMs, ['newPlayer', 'connect', 'showAddress']);
  }
  const isMeantTo = state.name === 'playing' && state.wantsPlay;
  const movedAtMs = position !== state.position || !isMeantTo ? nowMs : state.movedAtMs;
  if (isMeantTo && isPlayedOut(state.shift, nowMs - movedAtMs)) return offAir(state, state.shift.offline?.reason, nowMs);
  const { hitch, isStill } = hitchOf({
    nowMs,
    movedAtMs,
    dataAtMs: state.way === 'plain' ? nowMs : state.dataAtMs,
    isOnAir: state.isOnAir,
    // A server on this very machine needs no network.
    isOffline: isOffline && nowMs - state.dataAtMs > ALIVE_MS,
    isStalled: state.isStalled,
    skipsAtMs: state.skipsAtMs,
  });
  const isSeen = state.name === 'playing' && state.shift.connectAtMs === null && behindMs !== null;
  const shift = isSeen && behindMs !== state.shift.behindMs ? { ...state.shift, behindMs } : state.shift;
  return { state: { ...state, shift, position, movedAtMs, hitch, isStill: isMeantTo && isStill }, effects: [] };
}

/**
 * @param {State} state
 * @param {{ isOpen: boolean, nowMs: number }} event
 * @returns {Step}
 */
function ticked(state, { isOpen, nowMs }) {
  const { name, isOnAir: isLive, isStalled, wasOnAir, way } = state;
  if (name === 'waiting' && wasOnAir && nowMs - state.offAirAtMs > ENDED_AFTER_MS) return to(state, 'ended', nowMs);
  const isSilent = isLive && !isStalled && way === 'socket' && isOpen && nowMs - state.dataAtMs > SILENT_MS;
  if (!isSilent || isOver(state)) return stay(state);
  return to({ ...state, dataAtMs: nowMs, isStale: true }, 'reconnecting', nowMs, ['reconnect']);
}

/**
 * @param {State} state
 * @param {Name} name
 * @param {number} nowMs
 * @param {Effect[]} effects
 * @returns {Step}
 */
function to(state, name, nowMs, effects = []) {
  const slowCodecs = name === 'connecting' ? state.slowCodecs : [];
  const error = name === 'error' ? state.error : null;
  const isConnecting = state.shift.isConnecting && name === 'connecting';
  const shift = isConnecting === state.shift.isConnecting ? state.shift : { ...state.shift, isConnecting };
  return { state: { ...state, shift, name, error, slowCodecs, movedAtMs: nowMs }, effects };
}

/**
 * @param {State} state
 * @returns {Step}
 */
function stay(state) {
  return { state, effects: [] };
}
