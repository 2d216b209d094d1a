// Where the viewer page leads: to recordings, to more delay, and to another player.

import { copied } from '../lib/copy.js';
import { element } from '../lib/element.js';
import { at } from '../lib/place.js';

const link = (/** @type {string} */ id) => element(id, HTMLAnchorElement);

/**
 * The page's query with more delay, for a smoother picture. Pure.
 *
 * @param {string} search
 */
export function smoother(search) {
  const asked = new URLSearchParams(search);
  asked.set('latency', 'smooth');
  return `?${asked}`;
}

/**
 * @param {{ name: string, watchPath: string, credentials: import('../lib/credentials.js').Credentials, isEmbedded: boolean }} page
 */
export function wireLinks({ name, watchPath, credentials, isEmbedded }) {
  link('smoother').search = smoother(location.search);
  link('recordings').href = at(`recordings/${encodeURIComponent(name)}`);
  // Whole pages let no frame show them.
  if (isEmbedded) {
    for (const id of ['others', 'recordings']) Object.assign(link(id), { target: '_blank', rel: 'noopener' });
  }
  const vlc = link('vlc');
  vlc.href = `${watchPath}.webm`;
  vlc.onclick = async (event) => {
    event.preventDefault();
    const isCopied = await copied(new URL(credentials.url(`${watchPath}.webm`), location.href).href, vlc);
    vlc.textContent = isCopied ? 'Copied. In VLC: Open network stream.' : vlc.href;
  };
}
