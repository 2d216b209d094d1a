// What the home page shows, and what follows from each event. Pure.
//
//   looking ─► live ◄─► empty ◄─► locked        what the server's list says
//      └────────┴─── unreachable ───┘           no list came
//
//   let state = start('quiet-harbor-27', 'stream-7f3a');
//   state = next(state, { type: 'listed', streams, isLocked: false, hasKey: false });

import { arrange, byName } from './arrange.js';
import { isStreamName, toStreamName } from '../lib/stream-name.js';
import { noSuch } from '../lib/no-such.js';

export const STATES = /** @type {const} */ (['looking', 'live', 'empty', 'locked', 'unreachable']);

/** @typedef {(typeof STATES)[number]} Name */
/** @typedef {{ name: string, live?: boolean, viewers?: number, uptime_s?: number, node?: string, poster_version?: string | null }} Stream */

/**
 * @typedef {object} State
 * @property {Name} name
 * @property {Stream[]} streams those on air, by name
 * @property {import('./arrange.js').Card[]} cards what is shown of them, and where
 * @property {boolean} isHeld a person is at the list: no card moves
 * @property {string} search what the streams are searched for
 * @property {boolean} isLocked there are more, for a key
 * @property {boolean} hasKey the list was asked for with a key
 * @property {boolean} isTrying a key has been given, and there is no answer yet
 * @property {string} value what the name's field holds
 * @property {string} typed what was typed for it, which may have become something else there
 * @property {string} spare a name to suggest for one that cannot be written
 */

/**
 * `listed`: the server's list. `refused`: it gives none without (another) key. `unanswered`: there
 * is no answer. `typed`: what the field holds now. `named`: the page fills it. `keyGiven`: the list is
 * asked for with it. `searched`: what for. `held`: a pointer or the focus is at the list, or not.
 *
 * @typedef {{ type: 'listed', streams: Stream[], isLocked: boolean, hasKey: boolean }
 *   | { type: 'refused', hasKey: boolean }
 *   | { type: 'unanswered' }
 *   | { type: 'typed', value: string }
 *   | { type: 'named', name: string }
 *   | { type: 'keyGiven' }
 *   | { type: 'searched', search: string }
 *   | { type: 'held', isHeld: boolean }} Event
 */

/**
 * @param {string} name a first suggestion
 * @param {string} spare
 * @returns {State}
 */
export function start(name, spare) {
  return {
    name: 'looking',
    streams: [],
    cards: [],
    isHeld: false,
    search: '',
    isLocked: false,
    hasKey: false,
    isTrying: false,
    value: name,
    typed: name,
    spare,
  };
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
      return { ...state, name: 'unreachable', isTrying: false };
    case 'typed':
      return typed(state, event.value);
    case 'named':
      return { ...state, value: event.name, typed: event.name };
    case 'keyGiven':
      return { ...state, isTrying: true };
    case 'searched':
      return { ...state, search: event.search.trim() };
    case 'held':
      return { ...state, isHeld: event.isHeld, cards: arrange(state.cards, state.streams, event.isHeld) };
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
  const streams = byName(all.filter((stream) => stream.live !== false));
  const name = streams.length ? 'live' : isLocked ? 'locked' : 'empty';
  const cards = arrange(state.cards, streams, state.isHeld);
  return { ...state, name, streams, cards, isLocked, hasKey, isTrying: false };
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
