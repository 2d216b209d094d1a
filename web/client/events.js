// What importers see of a player: a few states, and events like those of <video>. Pure.
//
//   connecting ─► waiting ─► live ◄─► stalled        paused   by the person, or not begun yet
//       ▲            └────────┴──────► ended         failed   it cannot be played: see `error`
//       └── whenever a connection is lost

import { isHitched } from '../watch/states.js';

/** @typedef {import('../watch/states.js').State} MachineState */
/** @typedef {'connecting' | 'waiting' | 'live' | 'stalled' | 'paused' | 'ended' | 'failed'} StateName */
/** @typedef {{ state: StateName, paused: boolean }} View */
/** @type {View} */
export const IDLE = { state: 'paused', paused: true };

/**
 * @param {MachineState} state
 * @returns {View}
 */
export function viewOf(state) {
  const paused = !state.wantsPlay;
  return { state: nameOf(state), paused };
}

/**
 * @param {MachineState} state
 * @returns {StateName}
 */
function nameOf(state) {
  switch (state.name) {
    case 'error':
    case 'locked':
      return 'failed';
    case 'ended':
      return 'ended';
    default:
  }
  if (!state.wantsPlay) return 'paused';
  if (state.name === 'waiting') return 'waiting';
  if (state.name !== 'playing') return 'connecting';
  return state.isStill || isHitched(state) ? 'stalled' : 'live';
}

/** What the states say in the words of <video>. */
const EVENT_OF = /** @type {const} */ ({
  connecting: 'waiting',
  waiting: 'waiting',
  stalled: 'waiting',
  live: 'playing',
  paused: null,
  ended: 'ended',
  failed: 'error',
});

/**
 * The events that tell of a change, in their order.
 *
 * @param {View} before
 * @param {View} after
 * @returns {('play' | 'pause' | 'playing' | 'waiting' | 'ended' | 'error' | 'statechange')[]}
 */
export function eventsBetween(before, after) {
  /** @type {ReturnType<typeof eventsBetween>} */
  const events = [];
  if (before.paused && !after.paused) events.push('play');
  if (!before.paused && after.paused) events.push('pause');
  if (before.state === after.state) return events;
  const event = EVENT_OF[after.state];
  // From one kind of waiting to another it still waits.
  if (event !== null && event !== EVENT_OF[before.state]) events.push(event);
  return [...events, 'statechange'];
}
