// Why a stream does not come, told so that the author of a page can mend it.
//
// A browser does not tell a page why a socket failed. The same server is asked by a plain request: what
// it answers, or whether it answers at all, tells the reason.

import { explainRefusal } from '../watch/words.js';
import { withSecrets } from './address.js';

/** @typedef {import('./address.js').Address} Address */
/** @typedef {'key' | 'origin' | 'policy' | 'refused' | 'address' | 'unplayable'} Code */
/** @typedef {{ title: string, text: string, code: Code }} Problem */

/**
 * The server's answer about the stream; null where there is none, or none that this page may read.
 *
 * @param {Address} address
 */
export function askServer({ state, credentials }) {
  const headers = { accept: 'application/json' };
  return fetch(withSecrets(state, credentials), { cache: 'no-store', credentials: 'omit', headers }).catch(() => null);
}

/**
 * `{ needsKey, problem }` for a socket that was refused; both say nothing where it is worth another try.
 *
 * @param {Address} address
 * @returns {Promise<{ needsKey: boolean, problem: Problem | null }>}
 */
export async function askWhy(address) {
  const answer = await askServer(address);
  if (answer) {
    const words = explainRefusal(answer.status);
    return { needsKey: answer.status === 401, problem: words && { ...words, code: 'refused' } };
  }
  const isForeign = address.url.origin !== location.origin;
  return { needsKey: false, problem: isForeign && (await isThere(address)) ? originRefused(address.url.host, location.origin) : null };
}

/**
 * Whether the server answers, though no page here may read what.
 *
 * @param {Address} address
 */
function isThere({ url }) {
  return fetch(url, { mode: 'no-cors', method: 'HEAD', cache: 'no-store', credentials: 'omit' }).then(
    () => true,
    () => false,
  );
}

/**
 * @param {string} host
 * @param {string} origin
 * @returns {Problem}
 */
export function originRefused(host, origin) {
  return {
    title: `${host} does not show its streams to pages of ${origin}.`,
    text: `Start it with --allow-origin ${origin}.`,
    code: 'origin',
  };
}
