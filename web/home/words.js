// What the home page says about a name in its field. Pure.

import { isStreamName, plainName } from '../lib/stream-name.js';

const RULE = 'Use letters a to z, digits, dot, dash and underscore, not beginning with a dot.';
/** These addresses are the stream's own: its bytes and its pictures. */
const ENDING = /\.(webm|mkv|jpg|webp)$/i;

/**
 * `{ text, isGood, suggestion }` for what the field holds (`name`) and what was typed for it. A
 * `suggestion` made earlier is kept, so that it does not change under a finger.
 */
export function hintFor({ name, typed, watchAddress, isLive, suggestion = '' }) {
  if (name === '') return { text: RULE, isGood: false, suggestion: null };
  const [, ending] = ENDING.exec(name) ?? [];
  if (ending) {
    const stem = name.slice(0, -ending.length - 1);
    return {
      text: reserved(ending),
      isGood: false,
      suggestion: isStreamName(stem) && !ENDING.test(stem) ? stem : plainName(),
    };
  }
  if (!isStreamName(name)) {
    const text = typed.trim() === '' ? RULE : `“${typed.trim()}” cannot be written in an address. ${RULE}`;
    return { text, isGood: false, suggestion: /^stream-/.test(suggestion) ? suggestion : plainName() };
  }
  const [, dropped] = ENDING.exec(typed.trim()) ?? [];
  const changed = typed !== name ? `${dropped ? `${reserved(dropped)} ` : ''}“${typed.trim()}” becomes “${name}”. ` : '';
  const text = isLive ? `${name} is on air now. Going live takes it over.` : `People watch at ${watchAddress}${name}`;
  return { text: changed + text, isGood: true, suggestion: null };
}

function reserved(ending) {
  return `A name cannot end in .${ending}: that is the address of a stream's own file.`;
}
