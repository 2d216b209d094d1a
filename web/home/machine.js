// What the home page shows, and what follows from each event. Pure.
//
//   looking ─► live ◄─► empty ◄─► locked        what the server's list says
//      └────────┴─── unreachable ───┘           no list came
//
//   let state = start('quiet-harbor-27', 'stream-7f3a');
//   state = next(state, { type: 'listed', streams, isLocked: false, hasKey: false });

import { isStreamName, toStreamName } from '../lib/stream-name.js';
import { noSuch } from '../lib/no-such.js';

export const STATES = /** @type {const} */ (['looking', 'live', 'empty', 'locked', 'unreachable']);

/** @typedef {(typeof STATES)[number]} Name */
/** @typedef {{ name: string, live?: boolean, viewers?: number, uptime_s?: number, node?: string }} Stream */

/**
 * @typedef {object} State
 * @property {Name} name
 * @property {Stream[]} streams those on air, the newest last
 * @property {boolean} isLocked there are more, for a key
 * @property {boolean} hasKey the list was asked for with a key
 * @property {string} value what the name's field holds
 * @property {string} typed what was typed for it, which may have become something else there
 * @property {string} spare a name to suggest for one that cannot be written
 */

/**
 * `listed`: the server's list. `refused`: it gives none without (another) key. `unanswered`: there
 * is no answer. `typed`: what the field holds now. `named`: the page fills it.
 *
 * @typedef {{ type: 'listed', streams: Stream[], isLocked: boolean, hasKey: boolean }
 *   | { type: 'refused', hasKey: boolean }
 *   | { type: 'unanswered' }
 *   | { type: 'typed', value: string }
 *   | { type: 'named', name: string }} Event
 */

/**
 * @param {string} name a first suggestion
 * @param {string} spare
 * @returns {State}
 */
export function start(name, spare) {
  return { name: 'looking', streams: [], isLocked: false, hasKey: false, value: name, typed: name, spare };
}

/**
 * @param {State} state
 * @param {Event} event
 * @returns {State}
 */
export function next(state, event) {
  switch (event.type) {
    case 'listed':
      return listed(state, event.streams, event.isLocked, event.hasKey);
    case 'refused':
      return listed(state, [], true, event.hasKey);
    case 'unanswered':
      // What was seen last stays: it may still be so.
      return { ...state, name: 'unreachable' };
    case 'typed':
      return typed(state, event.value);
    case 'named':
      return { ...state, value: event.name, typed: event.name };
    default:
      return noSuch('event', event);
  }
}

/**
 * @param {State} state
 * @param {Stream[]} all
 * @param {boolean} isLocked
 * @param {boolean} hasKey
 * @returns {State}
 */
function listed(state, all, isLocked, hasKey) {
  const streams = all.filter((stream) => stream.live !== false);
  // New ones stand last: the order of a list in use must not change.
  streams.sort((a, b) => (b.uptime_s ?? 0) - (a.uptime_s ?? 0));
  const name = streams.length ? 'live' : isLocked ? 'locked' : 'empty';
  return { ...state, name, streams, isLocked, hasKey };
}

/**
 * @param {State} state
 * @param {string} value
 * @returns {State}
 */
function typed(state, value) {
  const before = state.value;
  // The field shows what became of the letters before: the new ones are behind it.
  const isLonger = before !== '' && value.startsWith(before) && value !== before;
  const all = isLonger ? state.typed + value.slice(before.length) : value;
  const name = toStreamName(all);
  // Nothing is left: what was typed stays, and the hint says why it will not do.
  const kept = isStreamName(name) ? name : value;
  return { ...state, value: kept, typed: all };
}
