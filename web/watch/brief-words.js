// What the viewer page says while it plays, or has lost its server: words that must be there when nothing more can be
// loaded. All others are in words.js. Pure.

/** @typedef {import('./words.js').Words} Words */
/** @typedef {import('./words.js').Facts} Facts */

/**
 * `{ title, text }` for a state, or null where words.js has them.
 *
 * @param {import('./states.js').Name} state
 * @param {Facts} facts
 * @returns {Words | null}
 */
export function briefWordsFor(state, { name, isPaused, hitch = '', missing, slowCodecs = [], behindMs, isSound }) {
  switch (state) {
    case 'connecting':
      return slowCodecs.length ? null : { title: `Connecting to ${name}.`, text: '' };
    case 'playing':
      if (isPaused || missing || behindMs) return null;
      return hitch ? hitchWords(hitch) : { title: `You are ${isSound ? 'listening' : 'watching'} live.`, text: '' };
    case 'reconnecting':
      return { title: 'The connection was lost.', text: 'Trying to get it back.' };
    default:
      return null;
  }
}

/**
 * Why the picture stands, where that needs no word of the server; null for other reasons.
 *
 * @param {string} hitch
 * @returns {Words | null}
 */
export function hitchWords(hitch) {
  switch (hitch) {
    case 'offline':
      return { title: 'You are offline.', text: 'Check your network: the stream goes on by itself.' };
    case 'line':
      return { title: 'Nothing comes in right now.', text: 'The stream goes on as soon as your connection does.' };
    case 'dry':
      return { title: 'Waiting for the stream.', text: '' };
    default:
      return null;
  }
}

/**
 * What stands in the text's place while a retry is far off; empty where it is near. Not read out.
 *
 * @param {number | null} retryInMs
 */
export function countdown(retryInMs) {
  if (retryInMs === null || retryInMs <= 0) return '';
  return `Trying again in ${Math.ceil(retryInMs / 1000)} s.`;
}

/**
 * The delay as the badge shows it, in seconds: `0.2 s`, `12 s`.
 *
 * @param {number | null} ms
 */
export function delayText(ms) {
  if (ms === null) return '';
  const seconds = Math.max(0.1, ms / 1000);
  return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)}\u202fs`;
}
