// The keys of the player, as well-known players have them. Pure.

import { stepOf } from './seek-bar.js';

/** @typedef {'toggle' | 'mute' | 'fullscreen' | 'pip' | 'stats' | 'help' | 'louder' | 'quieter'} Command */
/** @typedef {{ does: Command } | { does: 'seek', byMs: number }} Action */
/**
 * What has the focus: a field that takes letters, a button or link, a slider, the bar of time, or none of these.
 *
 * @typedef {'field' | 'button' | 'slider' | 'bar' | 'page'} Place
 */

/** @type {Record<string, Command>} */
const COMMANDS = {
  ' ': 'toggle',
  k: 'toggle',
  m: 'mute',
  f: 'fullscreen',
  i: 'pip',
  p: 'pip',
  s: 'stats',
  '?': 'help',
  ArrowUp: 'louder',
  ArrowDown: 'quieter',
};

/** What the help says: keys, what they do, and what they need. */
export const HELP = /** @type {[keys: string[], does: string, needs?: 'seek' | 'pip'][]} */ ([
  [['Space', 'K'], 'Play or pause'],
  [['M'], 'Mute or unmute'],
  [['↑', '↓'], 'Volume'],
  [['F'], 'Full screen'],
  [['I'], 'Picture in picture', 'pip'],
  [['←', '→'], 'Back or forward by 5 s', 'seek'],
  [['J'], 'Back by 10 s', 'seek'],
  [['Home'], 'As far back as there is', 'seek'],
  [['L', 'End'], 'To live', 'seek'],
  [['S'], 'Statistics'],
  [['?'], 'This help'],
]);

/**
 * What a key asks the player for, or null where it is the browser's, or nothing.
 *
 * @param {Pick<KeyboardEvent, 'key' | 'shiftKey' | 'ctrlKey' | 'altKey' | 'metaKey' | 'isComposing' | 'repeat'>} event
 * @param {Place} place
 * @returns {Action | null}
 */
export function actionFor({ key, shiftKey, ctrlKey, altKey, metaKey, isComposing, repeat }, place) {
  if (ctrlKey || altKey || metaKey || isComposing || place === 'field') return null;
  // Caps lock makes capitals.
  const plain = key.length === 1 ? key.toLowerCase() : key;
  if (place === 'button' && plain === ' ') return null;
  // The slider's own.
  if (place === 'slider' && plain.length > 1) return null;
  const byMs = stepOf(plain, place === 'bar');
  if (byMs !== null) return { does: 'seek', byMs };
  const does = plain === '/' && shiftKey ? 'help' : COMMANDS[plain];
  if (!does) return null;
  // A key that is held down repeats itself.
  return repeat && does !== 'louder' && does !== 'quieter' ? null : { does };
}

/**
 * What of the page has the focus.
 *
 * @param {Element | null} target
 * @returns {Place}
 */
export function placeOf(target) {
  if (!target) return 'page';
  if (target.id === 'seek') return 'bar';
  if (target.matches('input[type="range"]')) return 'slider';
  if (target.closest('input, textarea, select, [contenteditable]')) return 'field';
  return target.closest('button, a, summary') ? 'button' : 'page';
}
