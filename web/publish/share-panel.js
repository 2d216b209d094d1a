// All ways to hand a stream's link on: the phone's own sheet, the link, a code to photograph, and
// the lines that put the player into another page.

import { element } from '../lib/element.js';
import { at } from '../lib/place.js';
import { qrCode } from '../lib/qr.js';
import { copiesOnClick } from './copy.js';

const SVG = 'http://www.w3.org/2000/svg';
/** Light modules around a code. */
const RIM = 4;

/**
 * The lines for another page's HTML. Pure. Names have no character that HTML would mind.
 *
 * @param {string} link
 * @param {string} name
 */
export function embedCode(link, name) {
  return `<iframe src="${link}?embed" title="${name}" width="640" height="360" style="border:0" allow="autoplay; fullscreen" allowfullscreen></iframe>`;
}

/**
 * The dark modules of a code, as the path of an SVG. Pure.
 *
 * @param {boolean[][]} code
 */
export function pathOf(code) {
  const run = (/** @type {boolean} */ isDark, /** @type {number} */ x, /** @type {number} */ y) =>
    isDark ? `M${x + RIM} ${y + RIM}h1v1h-1z` : '';
  return code.flatMap((row, y) => row.map((isDark, x) => run(isDark, x, y))).join('');
}

/**
 * @param {string} name
 * @param {string} link
 */
export function wireSharePanel(name, link) {
  const panel = element('share', HTMLDialogElement);
  const linkField = element('share-link', HTMLInputElement);
  const embedField = element('share-embed', HTMLTextAreaElement);
  const sheet = element('share-sheet', HTMLButtonElement);
  linkField.value = link;
  embedField.value = embedCode(link, name);
  for (const field of [linkField, embedField]) field.addEventListener('focus', () => field.select());
  copiesOnClick(element('copy-link', HTMLButtonElement), () => link);
  copiesOnClick(element('copy-embed', HTMLButtonElement), () => embedField.value);
  sheet.hidden = !navigator.share;
  // Closing the sheet without a choice is an error to browsers.
  sheet.onclick = () => navigator.share({ title: `${name} live`, url: link }).catch(() => {});
  element('share-close', HTMLButtonElement).onclick = () => panel.close();
  panel.addEventListener('click', ({ target }) => {
    // What lies around the panel counts as the panel itself.
    if (target === panel) panel.close();
  });
  element('share-button', HTMLButtonElement).onclick = () => {
    drawCode(link);
    panel.showModal();
    sayWhetherLocked(name);
  };
}

/** @param {string} link */
function drawCode(link) {
  const picture = element('share-code', SVGElement);
  if (picture.childElementCount) return;
  const code = qrCode(link);
  picture.toggleAttribute('hidden', code === null);
  if (!code) return;
  const size = code.length + 2 * RIM;
  picture.setAttribute('viewBox', `0 0 ${size} ${size}`);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', pathOf(code));
  picture.append(path);
}

/**
 * A link alone is of no use where viewers need a key.
 *
 * @param {string} name
 */
async function sayWhetherLocked(name) {
  const answer = await fetch(at('api/streams'), { cache: 'no-store', credentials: 'omit' })
    .then((response) => response.json())
    .catch(() => null);
  const isListed = answer?.streams?.some((/** @type {{ name: string }} */ stream) => stream.name === name);
  element('share-locked', HTMLElement).hidden = !answer?.locked || isListed;
}
