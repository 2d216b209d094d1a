// Which state the publisher page is in, and what each event makes of it. Pure.
//
//   idle ─► checking ─► taken ─► asking ─► connecting ─► live, slow, stuck, silent, reconnecting
//     ▲                                                    │
//     └── ended, replaced, error ◄─────────────────────────┘
//
//   const { state, effects } = next(start({ source: 'camera', canRecord: true }), { type: 'pressed' });
//
// Effects are what the page does next, in their order. A source is opened, and the server is asked,
// in the background: their answers carry the number that the state had then, so that a late answer
// to a wish that is given up counts for nothing.

import { ON_AIR } from '../publisher/on-air.js';
import { noSuch } from '../lib/no-such.js';

export const STATES = /** @type {const} */ ([
  'idle',
  'checking',
  'taken',
  'asking',
  'connecting',
  'live',
  'slow',
  'stuck',
  'silent',
  'reconnecting',
  'ended',
  'replaced',
  'error',
]);

/** @typedef {import('../publisher/capture.js').Source} Source */
/** @typedef {(typeof STATES)[number]} Name */
/** @typedef {'stopped' | 'unshared' | 'unplugged'} Ending */
/** @typedef {{ title: string, text: string, wantsKey?: boolean }} Problem */

/**
 * @typedef {object} State
 * @property {Name} name
 * @property {Source | null} source what is to be shown
 * @property {boolean} canRecord whether this browser can at all
 * @property {boolean} hasPreview the source is open
 * @property {boolean} wantsLive the source is opened, or was not, in order to go live
 * @property {number} wish counts openings of sources
 * @property {number} question counts questions whether the name is taken
 * @property {number | null} liveSinceMs when this broadcast was first live
 * @property {Ending} ending of the state `ended`
 * @property {Problem | null} error of the state `error`
 * @property {boolean} isMuted viewers hear nothing
 * @property {boolean} isHidden viewers see black
 * @property {boolean} isStopAsked the person is asked whether the stream is to end
 */

/**
 * `pressed`: the main button. `picked`: a source's button. `began`: the page starts by itself.
 * `keyGiven`: a person typed a key. `changed`: another device was chosen. `checked`, `opened` and
 * `notOpened` answer the effects `check` and `open`. `seen`: what on-air.js makes of the broadcast.
 * `refused`: the server says why it does not take the stream. `failed`, `replaced`: the broadcast
 * is over. `sourceEnded`: the browser or a person ended it. `muteToggled`, `hideToggled`: for as long
 * as the page is open, whatever is shown. `stopAnswered`: to the question of the main button.
 *
 * @typedef {{ type: 'pressed' }
 *   | { type: 'picked', source: Source }
 *   | { type: 'began' }
 *   | { type: 'keyGiven' }
 *   | { type: 'changed' }
 *   | { type: 'checked', question: number, isTaken: boolean }
 *   | { type: 'opened', wish: number }
 *   | { type: 'notOpened', wish: number, error: Problem }
 *   | { type: 'seen', air: Name, nowMs: number }
 *   | { type: 'refused', error: Problem }
 *   | { type: 'failed', error: Problem }
 *   | { type: 'replaced' }
 *   | { type: 'sourceEnded' }
 *   | { type: 'muteToggled' }
 *   | { type: 'hideToggled' }
 *   | { type: 'stopAnswered', isSure: boolean }} Event
 */

/**
 * `check`: ask whether the name is on air. `open`: open the source. `close`: close it. `connect`:
 * begin a broadcast. `change`: send what is open now. `stop`: end the broadcast. `askKey`: forget
 * the key, and ask for one. `note`: say what happened while all goes on. `switch`: give the open
 * tracks, or silence and black.
 *
 * @typedef {'check' | 'open' | 'close' | 'connect' | 'change' | 'stop' | 'askKey' | 'note' | 'switch'} Effect
 */
/** @typedef {{ state: State, effects: Effect[], note?: string }} Step */

/**
 * Every type of event: tsc compares them.
 *
 * @type {Record<Event['type'], true>}
 */
const EVERY_EVENT = {
  pressed: true,
  picked: true,
  began: true,
  keyGiven: true,
  changed: true,
  checked: true,
  opened: true,
  notOpened: true,
  seen: true,
  refused: true,
  failed: true,
  replaced: true,
  sourceEnded: true,
  muteToggled: true,
  hideToggled: true,
  stopAnswered: true,
};
export const EVENTS = Object.keys(EVERY_EVENT);

const NO_RECORDER = { title: 'This browser cannot record WebM.', text: 'Use Chrome, Edge or Firefox to go live.' };

/**
 * @param {{ source: Source | null, canRecord: boolean }} page
 * @returns {State}
 */
export function start({ source, canRecord }) {
  return {
    name: 'idle',
    source,
    canRecord,
    hasPreview: false,
    wantsLive: false,
    wish: 0,
    question: 0,
    liveSinceMs: null,
    ending: 'stopped',
    error: null,
    isMuted: false,
    isHidden: false,
    isStopAsked: false,
  };
}

/**
 * Whether the stream is on air, or comes back there by itself.
 *
 * @param {State} state
 */
export function isOnAir({ name }) {
  return ON_AIR.includes(name);
}

/**
 * Whether there is a broadcast.
 *
 * @param {State} state
 */
export function isSending(state) {
  return state.name === 'connecting' || isOnAir(state);
}

/**
 * @param {State} state
 * @param {Event} event
 * @returns {Step}
 */
export function next(state, event) {
  switch (event.type) {
    case 'pressed':
      return pressed(state);
    case 'picked':
      return picked(state, event.source);
    case 'began':
      // A kiosk takes its own stream over without a question.
      return state.name === 'idle' ? goLive(state) : stay(state);
    case 'keyGiven':
      return state.name === 'error' ? check(state) : stay(state);
    case 'changed':
      return state.hasPreview ? open(state, state.wantsLive) : stay(state);
    case 'checked': {
      if (state.name !== 'checking' || event.question !== state.question) return stay(state);
      return event.isTaken ? to(state, 'taken') : goLive(state);
    }
    case 'opened':
      return event.wish === state.wish ? opened({ ...state, hasPreview: true }) : stay(state);
    case 'notOpened':
      return event.wish === state.wish ? notOpened(state, event.error) : stay(state);
    case 'seen': {
      if (!isSending(state)) return stay(state);
      const liveSinceMs = event.air === 'live' ? (state.liveSinceMs ?? event.nowMs) : state.liveSinceMs;
      return to({ ...state, liveSinceMs }, event.air);
    }
    case 'refused':
      if (!isSending(state)) return stay(state);
      return fail(state, event.error, event.error.wantsKey ? ['stop', 'askKey'] : ['stop']);
    case 'failed':
      return isSending(state) ? fail(state, event.error, ['stop']) : stay(state);
    case 'replaced':
      return isSending(state) ? to(offAir(state), 'replaced', ['stop']) : stay(state);
    case 'sourceEnded':
      return state.hasPreview ? end(state, state.source === 'screen' ? 'unshared' : 'unplugged') : stay(state);
    case 'muteToggled':
      return { state: { ...state, isMuted: !state.isMuted }, effects: ['switch'] };
    case 'hideToggled':
      return { state: { ...state, isHidden: !state.isHidden }, effects: ['switch'] };
    case 'stopAnswered':
      if (!state.isStopAsked) return stay(state);
      return event.isSure ? end(state, 'stopped') : stay({ ...state, isStopAsked: false });
    default:
      return noSuch('event', event);
  }
}

/**
 * The main button.
 *
 * @param {State} state
 * @returns {Step}
 */
function pressed(state) {
  switch (state.name) {
    case 'live':
    case 'slow':
    case 'stuck':
    case 'silent':
    case 'reconnecting':
      return stay({ ...state, isStopAsked: true });
    case 'checking':
    case 'asking':
    case 'connecting':
      return to(offAir(closed(state)), 'idle', ['stop', 'close']);
    case 'taken':
    case 'replaced':
      return goLive(state);
    case 'error':
      if (!state.wantsLive && state.source) return picked(state, state.source);
      return check(state);
    case 'idle':
    case 'ended':
      return check(state);
    default:
      return noSuch('state', state.name);
  }
}

/**
 * @param {State} state
 * @param {Source} source
 * @returns {Step}
 */
function picked(state, source) {
  const wanted = { ...state, source };
  if (isSending(state)) return open(wanted, true);
  const isChange = source !== state.source;
  const left = isChange ? closed(wanted) : wanted;
  /** @type {Effect[]} */
  const effects = isChange ? ['close'] : [];
  // A screen may be asked for only once, and only after a click: when going live.
  if (source === 'screen') return to({ ...left, wantsLive: false }, 'idle', effects);
  const { state: opening } = open(left, false);
  return to(opening, 'asking', [...effects, 'open']);
}

/**
 * Goes live once it is known that no other publisher is on air under this name.
 *
 * @param {State} state
 * @returns {Step}
 */
function check(state) {
  if (state.source === null) return stay(state);
  if (!state.canRecord) return fail({ ...state, wantsLive: true }, NO_RECORDER, []);
  return to({ ...state, wantsLive: true, question: state.question + 1 }, 'checking', ['check']);
}

/**
 * @param {State} state
 * @returns {Step}
 */
function goLive(state) {
  if (state.source === null) return stay(state);
  if (!state.canRecord) return fail({ ...state, wantsLive: true }, NO_RECORDER, []);
  if (state.hasPreview) return to(offAir({ ...state, wantsLive: true }), 'connecting', ['connect']);
  const { state: opening, effects } = open(state, true);
  return to(opening, 'asking', effects);
}

/**
 * @param {State} state
 * @param {boolean} wantsLive
 * @returns {Step}
 */
function open(state, wantsLive) {
  return { state: { ...state, wantsLive, wish: state.wish + 1 }, effects: ['open'] };
}

/**
 * @param {State} state
 * @returns {Step}
 */
function opened(state) {
  if (isSending(state)) return { state, effects: ['change'] };
  if (state.name !== 'asking') return stay(state);
  return state.wantsLive ? goLive(state) : to(state, 'idle');
}

/**
 * @param {State} state
 * @param {Problem} error
 * @returns {Step}
 */
function notOpened(state, error) {
  // What was open before goes on.
  if (isSending(state)) return { state, effects: ['note'], note: error.title };
  return fail(state, error, []);
}

/**
 * @param {State} state
 * @param {Ending} ending
 * @returns {Step}
 */
function end(state, ending) {
  return to({ ...offAir(closed(state)), ending }, 'ended', ['stop', 'close']);
}

/**
 * @param {State} state
 * @param {Problem} error
 * @param {Effect[]} effects
 * @returns {Step}
 */
function fail(state, error, effects) {
  return to({ ...offAir(state), error }, 'error', effects);
}

/**
 * No source, and none that is awaited.
 *
 * @param {State} state
 * @returns {State}
 */
function closed(state) {
  return { ...state, hasPreview: false, wish: state.wish + 1 };
}

/**
 * @param {State} state
 * @returns {State}
 */
function offAir(state) {
  return { ...state, liveSinceMs: null };
}

/**
 * @param {State} state
 * @param {Name} name
 * @param {Effect[]} effects
 * @returns {Step}
 */
function to(state, name, effects = []) {
  const isStopAsked = state.isStopAsked && ON_AIR.includes(name);
  return { state: { ...state, name, isStopAsked, error: name === 'error' ? state.error : null }, effects };
}

/**
 * @param {State} state
 * @returns {Step}
 */
function stay(state) {
  return { state, effects: [] };
}
