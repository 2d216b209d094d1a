// What each event makes of the viewer page's state. Pure.
//
//   let { state, effects } = begin({ hasMse: true, nowMs });
//   ({ state, effects } = next(state, { type: 'hello', live: true, hasPicture: false, nowMs }));
//
// Effects are what the page does next, in their order.

import { noSuch } from '../lib/no-such.js';
import { byPlainStream, bySocket, offAir } from './by-server.js';
import { hitchOf } from './hitch.js';
import { fail, isOver, seeks, stay, STATES, to } from './states.js';
import { isPlayedOut, isSeekDue, isShifted, seek, toldBack } from './time-shift.js';

/** Off air for so long after we saw it: it has ended rather than paused. */
export const ENDED_AFTER_MS = 30_000;
/** On air, and yet nothing comes, nor word of why: the connection is dead without knowing it. */
export const SILENT_MS = 7000;
/** Without a network, or back on it, a message within this time proves that the connection lives. */
export const ALIVE_MS = 500;
const STOPS_KEPT = 10;
/** With so much more to play, a picture that stands does not stand for want of it. */
const AHEAD_MS = 300;
/** A position that changes by less from look to look stands: a clock that follows the sound settles slowly. */
const MOVES_BY_S = 0.005;

/** @typedef {import('./states.js').State} State */
/** @typedef {import('./states.js').Event} Event */
/** @typedef {import('./states.js').Step} Step */

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
      const shift = toldBack(state.shift, event);
      return { state: { ...state, shift }, effects: shift.wantedMs === state.shift.wantedMs ? [] : ['showAddress'] };
    }
    case 'unmuted':
      return { state: { ...state, wantsPlay: true, isBlocked: false }, effects: ['play'] };
    case 'shown':
      return state.name === 'playing' && state.wantsPlay && event.isPaused ? { state, effects: ['play'] } : stay(state);
    case 'keyGiven':
      if (state.name !== 'locked') return stay(state);
      return to(state, 'connecting', event.nowMs, [state.way === 'plain' ? 'reload' : 'connect']);
    case 'retried':
      return { state: { ...state, retryAtMs: null }, effects: [state.name === 'error' || state.way === 'plain' ? 'reload' : 'retryNow'] };
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
 * @param {{ hadKey: boolean, nowMs: number }} event
 * @returns {Step}
 */
function lock(state, { hadKey, nowMs }) {
  return to({ ...state, isWrongKey: hadKey }, 'locked', nowMs, ['closePlain', 'closeSocket', 'askKey']);
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
 * @param {{ position: number, aheadMs: number, gaps?: number, behindMs: number | null, isOffline: boolean, nowMs: number }} event
 * @returns {Step}
 */
function looked(state, { position, aheadMs, gaps = 0, behindMs, isOffline, nowMs }) {
  if (isSeekDue(state.shift, nowMs)) {
    const shift = { ...state.shift, connectAtMs: null, isConnecting: true, offline: null };
    return to({ ...state, shift, isStale: false }, 'connecting', nowMs, ['newPlayer', 'connect', 'showAddress']);
  }
  const isMeantTo = state.name === 'playing' && state.wantsPlay;
  const hasMoved = Math.abs(position - state.position) >= MOVES_BY_S;
  const movedAtMs = hasMoved || !isMeantTo ? nowMs : state.movedAtMs;
  if (isMeantTo && isPlayedOut(state.shift, nowMs - movedAtMs)) return offAir(state, state.shift.offline?.reason, nowMs);
  const signs = {
    nowMs,
    movedAtMs,
    dataAtMs: state.way === 'plain' ? nowMs : state.dataAtMs,
    isOnAir: state.isOnAir,
    // A server on this very machine needs no network.
    isOffline: isOffline && nowMs - state.dataAtMs > ALIVE_MS,
    isStalled: state.isStalled,
    skipsAtMs: state.skipsAtMs,
  };
  const { hitch: cause, isStill } = hitchOf(signs);
  const isStanding = isMeantTo && isStill;
  const leaptAtMs = gaps > state.gaps ? nowMs : state.leaptAtMs;
  // A stop may end with a leap over a gap: at that look the position has moved, too.
  const isExcused = leaptAtMs >= movedAtMs || (isStanding && (cause === 'publisher' || cause === 'offline'));
  const stops = stopsOf(state, { isExcused, isStill: isStanding, aheadMs, nowMs });
  const { hitch } = hitchOf({ ...signs, ...stops });
  const isSeen = state.name === 'playing' && state.shift.connectAtMs === null && behindMs !== null;
  const shift = isSeen && behindMs !== state.shift.behindMs ? { ...state.shift, behindMs } : state.shift;
  return { state: { ...state, shift, position, movedAtMs, gaps, leaptAtMs, hitch, isStill: isStanding, ...stops }, effects: [] };
}

/**
 * When the picture stood of late, once for each stop. One that the publisher made, the person's own network, or
 * a gap, is no sign of a slow line or device: what the server skips is counted by itself. One with more to play is no
 * sign of a slow line.
 *
 * @param {State} state
 * @param {{ isExcused: boolean, isStill: boolean, aheadMs: number, nowMs: number }} sight
 * @returns {Pick<State, 'stand' | 'stopsAtMs' | 'lapsesAtMs'>}
 */
function stopsOf({ stand, stopsAtMs, lapsesAtMs }, { isExcused, isStill, aheadMs, nowMs }) {
  const lists = { stopsAtMs, lapsesAtMs };
  if (isExcused && stand && stand !== 'excused') lists[stand] = lists[stand].slice(0, -1);
  if (!isStill) return { ...lists, stand: '' };
  if (stand || isExcused) return { ...lists, stand: isExcused ? 'excused' : stand };
  const list = aheadMs < AHEAD_MS ? 'stopsAtMs' : 'lapsesAtMs';
  return { ...lists, [list]: [...lists[list], nowMs].slice(-STOPS_KEPT), stand: list };
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
