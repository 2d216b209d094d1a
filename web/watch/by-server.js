// What the server's messages, and its answers about a plain stream, make of the viewer page's state. Pure:
// machine.js asks.

import { noSuch } from '../lib/no-such.js';
import { fail, stay, to } from './states.js';
import { isShifted } from './time-shift.js';

/** Fresh joins after faults within this time, before we give up. */
export const FAULTS_WITHIN_MS = 20_000;
export const FAULTS_MOST = 4;
/** Arrivals nearer to one another than this are one. */
const SAME_MS = 100;
const SKIPS_KEPT = 10;
/** Sooner retries are not worth a countdown. */
const TOLD_RETRY_MS = 1500;

/** @typedef {import('./states.js').State} State */
/** @typedef {import('./states.js').Event} Event */
/** @typedef {import('./states.js').Step} Step */
/** @typedef {import('./states.js').Kind} Kind */

/**
 * @param {State} state
 * @param {Extract<Event, { type: 'hello' | 'init' | 'data' | 'skip' | 'stalled' | 'resumed' | 'offline' | 'lost' | 'failed' | 'starved' | 'declared' }>} event
 * @returns {Step}
 */
export function bySocket(state, event) {
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
      const retryAtMs = event.retryInMs >= TOLD_RETRY_MS ? event.nowMs + event.retryInMs : null;
      return to({ ...state, isStale: true, retryAtMs }, name, event.nowMs, event.opened ? [] : ['askWhy']);
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
export function byPlainStream(state, event) {
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
export function offAir(state, reason, nowMs) {
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
  if (state.isClassic) return playWithout(state, null, null);
  if (plays.all) return playWithout(state, state.missing ? null : state.ignored, null);
  if (plays.withoutAudio) return playWithout(state, 'audio', 'audio');
  if (state.plainFailed !== mime) return playPlainly(state, nowMs);
  if (plays.withoutVideo) return playWithout(state, 'video', 'video');
  return giveUp(state, nowMs);
}

/**
 * @param {State} state
 * @param {Kind | null} ignored
 * @param {Kind | null} missing
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
  return fail(state, { why: 'unplayable' }, nowMs, ['closePlain', 'closeSocket', 'dropPlayer']);
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
    return { ...fail(told, { why: 'failed', message }, nowMs, ['warn', 'closeSocket']), warning };
  }
  const name = state.wasOnAir ? 'reconnecting' : 'connecting';
  return { ...to({ ...told, isStale: false }, name, nowMs, ['warn', 'newPlayer', 'reconnect']), warning };
}
