// What the home page says in each of its states, and about a name in its field. Pure.

import { matching } from './arrange.js';
import { counted } from '../lib/format.js';
import { isStreamName } from '../lib/stream-name.js';
import { noSuch } from '../lib/no-such.js';

const RULE = 'Use letters (a to z), digits, dots, underscores and hyphens, and do not begin with a dot.';

/** @typedef {import('./machine.js').State} State */

/**
 * What the page says of the list.
 *
 * @param {State} state
 */
export function summaryOf({ name, streams }) {
  switch (name) {
    case 'looking':
      return 'Looking for streams…';
    case 'live': {
      const viewers = streams.reduce((sum, stream) => sum + (stream.viewers ?? 0), 0);
      return `${counted(streams.length, 'stream')}, ${counted(viewers, 'viewer')}`;
    }
    case 'empty':
      return 'No streams right now';
    case 'locked':
      return '';
    case 'unreachable':
      return 'The server does not answer. Trying again.';
    default:
      return noSuch('state', name);
  }
}

/**
 * What is read out: not each viewer that comes or goes.
 *
 * @param {State} state
 */
export function announcementOf(state) {
  const { name, streams, search } = state;
  if (name !== 'live') return summaryOf(state);
  if (!search) return `${counted(streams.length, 'stream')} on air`;
  const found = matching(state.cards, search).length;
  return found ? `${found} of ${counted(streams.length, 'stream')} found` : noMatch(search);
}

/** @param {string} search */
export function noMatch(search) {
  return `No stream on air has “${search}” in its name.`;
}

/**
 * What the key's field says, or null where it is not wanted. A key that was tried and did not open
 * all is wrong.
 *
 * @param {State} state
 */
export function lockOf({ streams, isLocked, hasKey, isTrying }) {
  if (!isLocked) return null;
  return {
    title: streams.length ? 'More streams here need a key.' : 'Streams here need a key.',
    text: isTrying
      ? 'Checking the key…'
      : hasKey
        ? 'The key you gave does not open them. Try another one.'
        : 'Enter the key that you were given.',
    isWrong: hasKey && !isTrying,
  };
}

/** These addresses are the stream's own: its bytes and its pictures. */
const ENDING = /\.(webm|mkv|jpg|webp)$/i;

/**
 * What the hint says of what the field holds (`name`) and of what was typed for it. `spare` is the
 * name to suggest for one that cannot be written.
 *
 * @param {{ name: string, typed: string, watchAddress: string, isLive: boolean, spare: string }} field
 * @returns {{ text: string, isGood: boolean, suggestion: string | null }}
 */
export function hintFor({ name, typed, watchAddress, isLive, spare }) {
  if (name === '') return { text: RULE, isGood: false, suggestion: null };
  const [, ending] = ENDING.exec(name) ?? [];
  if (ending) {
    const stem = name.slice(0, -ending.length - 1);
    return {
      text: reserved(ending),
      isGood: false,
      suggestion: isStreamName(stem) && !ENDING.test(stem) ? stem : spare,
    };
  }
  if (!isStreamName(name)) {
    const text = typed.trim() === '' ? RULE : `“${typed.trim()}” cannot be written in an address. ${RULE}`;
    return { text, isGood: false, suggestion: spare };
  }
  const [, dropped] = ENDING.exec(typed.trim()) ?? [];
  const changed = typed !== name ? `${dropped ? `${reserved(dropped)} ` : ''}“${typed.trim()}” becomes “${name}”. ` : '';
  const text = isLive ? `${name} is on air now. Going live takes it over.` : `People watch at ${watchAddress}${name}`;
  return { text: changed + text, isGood: true, suggestion: null };
}

/** @param {string} ending */
function reserved(ending) {
  return `A name cannot end in .${ending}: that is the address of a stream's own file.`;
}
