// What the viewer page says in each of its states (see machine.js). Pure.

import { briefWordsFor, hitchWords } from './brief-words.js';
import { codecName, listed } from './codec-names.js';
import { codecsOf } from '../player/webm-edit.js';
import { counted, since } from '../lib/format.js';
import { lengthInWords } from './time-shift.js';
import { kindsOf } from './types.js';
import { noSuch } from '../lib/no-such.js';

/** @typedef {{ title: string, text: string }} Words */
/**
 * @typedef {object} Facts
 * @property {string} name of the stream
 * @property {import('./states.js').Problem | null} [error]
 * @property {string} [mime]
 * @property {Pick<import('../player/webm-scan.js').Track, 'encoding'>[]} [tracks]
 * @property {boolean} [isPaused]
 * @property {boolean} [isBlocked]
 * @property {boolean} [wasOnAir]
 * @property {boolean} [hasEnded]
 * @property {string} [hitch]
 * @property {boolean} [isWrongKey]
 * @property {import('./states.js').Kind | null} [missing]
 * @property {string[]} [slowCodecs]
 * @property {number} [behindMs] how far behind live the person wants to be
 * @property {boolean} [isSound] there is no picture to watch
 */

const SLOW_HELP = 'Move nearer to your router, close other downloads, or ask for a lower quality.';
const DEVICE_HELP = 'Close other programs and pages, or ask for a lower quality.';

/** Why a picture that plays stands still or stutters: see hitch.js. */
export const HITCHES = ['', 'dry', 'offline', 'publisher', 'line', 'slow', 'stops', 'device'];

/**
 * `{ title, text }` for a state, whole sentences both; `text` may be empty. `slowCodecs` are those
 * that the browser has been asked to begin with for a while.
 *
 * @param {import('./states.js').Name} state
 * @param {Facts} facts
 * @returns {Words}
 */
export function wordsFor(state, facts) {
  const { name, isPaused, isBlocked, wasOnAir, hasEnded, hitch = '', isWrongKey, slowCodecs = [], behindMs, isSound } = facts;
  const brief = briefWordsFor(state, facts);
  if (brief) return brief;
  switch (state) {
    case 'connecting':
      return {
        title: `Connecting to ${name}.`,
        text: `This browser takes some seconds to begin with ${listed(slowCodecs.map(codecName))}.`,
      };
    case 'waiting':
      if (wasOnAir) return { title: `${name} has stopped for a moment.`, text: 'Stay here: it goes on by itself.' };
      return { title: `${name} is not on air right now.`, text: 'Stay here: it starts by itself.' };
    case 'playing':
      if (isBlocked) return { title: `Tap to ${isSound ? 'listen' : 'watch'}.`, text: 'This browser starts no stream by itself.' };
      if (isPaused) return { title: 'Paused.', text: behindMs ? 'Press play to go on from here.' : 'Press play to return to live.' };
      return playingWords(hitch, facts);
    case 'ended':
      if (hasEnded) return { title: `${name} has ended.`, text: 'If it comes back, it plays here by itself.' };
      return { title: `${name} has gone off air.`, text: 'Stay here: if it comes back, it plays by itself.' };
    case 'locked':
      if (isWrongKey) return { title: 'That key is wrong.', text: 'Check it, or ask the person who gave it to you.' };
      return { title: 'This stream needs a key.', text: 'Type the key that came with the link.' };
    case 'error':
      return problemWords(facts);
    default:
      return noSuch('state', /** @type {never} */ (state));
  }
}

/**
 * @param {string} hitch
 * @param {Facts} facts
 * @returns {Words}
 */
function playingWords(hitch, { name, mime = '', missing, behindMs, isSound }) {
  switch (hitch) {
    case 'publisher':
      return { title: `Nothing new comes from ${name}.`, text: 'The stream goes on as soon as it sends again.' };
    case 'slow':
      return { title: 'Your connection is too slow for this stream.', text: SLOW_HELP };
    case 'stops':
      return { title: 'Your connection may be too slow for this stream.', text: SLOW_HELP };
    case 'device':
      return { title: 'This device is too slow for this stream right now.', text: DEVICE_HELP };
    default: {
      const where = behindMs ? `${lengthInWords(behindMs)} behind live` : 'live';
      const text = missing ? explainMissing(missing, kindsOf(mime)[missing]) : '';
      return hitchWords(hitch) ?? { title: `You are ${isSound ? 'listening' : 'watching'} ${where}.`, text };
    }
  }
}

/**
 * @param {Facts} facts
 * @returns {Words}
 */
function problemWords({ error = null, mime = '', tracks = [] }) {
  if (!error) return { title: 'This stream cannot be played.', text: 'Reload the page to try again.' };
  if ('title' in error) return error;
  if (error.why === 'unplayable') return explainUnplayable(mime, codecsOf(mime), tracks);
  const says = error.message ? `The browser says: ${error.message}. ` : '';
  return { title: 'The stream cannot be played.', text: `${says}Press Try again, or open it in another browser.` };
}

/**
 * Who else watches, and since when the stream is on air.
 *
 * @param {{ viewers: number | null, uptimeS: number | null }} facts
 */
export function factsOf({ viewers, uptimeS }) {
  const time = uptimeS !== null && (uptimeS < 60 ? since(uptimeS) : `on air for ${since(uptimeS)}`);
  return [viewers !== null && counted(viewers, 'viewer'), time].filter(Boolean).join(' · ');
}

/**
 * Why a socket was refused, told by the status that the same server gives a plain request.
 *
 * @param {number} status
 * @returns {Words | null}
 */
export function explainRefusal(status) {
  switch (status) {
    case 400:
      return { title: 'There is no such stream.', text: 'Check the address, or pick one from all streams.' };
    case 403:
      return {
        title: 'This stream may not be shown to you here.',
        text: 'Open it at its own address, or ask the person who sent you the link.',
      };
    default:
      return null;
  }
}

/**
 * What is left out of a stream that plays: `kind` is `audio` or `video`.
 *
 * @param {'audio' | 'video'} kind
 * @param {string[]} codecs
 */
export function explainMissing(kind, codecs) {
  const names = listed(codecs.map(codecName));
  if (kind === 'audio') return `There is no sound: it is in ${names}, which this browser cannot play.`;
  return `There is no picture: it is in ${names}, which this browser cannot play.`;
}

/**
 * For a stream that this browser cannot play by any way. `tracks` are what its init segment
 * declares (see webm-scan.js), where that is known.
 *
 * @param {string} mime
 * @param {string[]} codecs
 * @param {Pick<import('../player/webm-scan.js').Track, 'encoding'>[]} [tracks]
 */
export function explainUnplayable(mime, codecs, tracks = []) {
  const encoded = tracks.find(({ encoding }) => encoding);
  const names = listed([...new Set(codecs.map(codecName))]);
  const format = encoded ? `${encoded.encoding} tracks (${names})` : names || mime || 'an unknown format';
  return {
    title: 'This browser cannot play the stream.',
    text: `It comes in ${format}. A player such as VLC may open it.`,
  };
}
