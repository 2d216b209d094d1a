// All ways to hand a stream's link on: the phone's own sheet, the link, a code to photograph, and
// the lines that put the player into another page.

import { adoptSheet } from './adopt-sheet.js';
import { copiesOnClick } from './copy.js';
import { closesBeside, element, make } from './element.js';
import { at } from './place.js';
import { qrCode } from './qr.js';
import { SHEET } from './share-panel-sheet.js';

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
  return `<iframe src="${link}?embed" title="${name}" width="640" height="360" style="border:0" allow="autoplay; fullscreen; picture-in-picture; screen-wake-lock" allowfullscreen></iframe>`;
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
 * Opens the panel, which is made the first time.
 *
 * @param {string} name
 * @param {string} link
 */
export function openSharePanel(name, link) {
  const panel = document.getElementById('share') ?? makePanel(name, link);
  if (panel instanceof HTMLDialogElement) panel.showModal();
  isLocked(name).then((locked) => {
    element('share-locked', HTMLElement).hidden = !locked;
  });
}

/**
 * @param {string} name
 * @param {string} link
 */
function makePanel(name, link) {
  const code = drawnCode(link);
  const linkField = make('input', { id: 'share-link', type: 'text', value: link, readOnly: true });
  const embedField = make('textarea', { id: 'share-embed', rows: 3, value: embedCode(link, name), readOnly: true });
  for (const field of [linkField, embedField]) field.addEventListener('focus', () => field.select());
  const copyLink = make('button', { id: 'copy-link', className: 'button', autofocus: true }, 'Copy link');
  const copyEmbed = make('button', { id: 'copy-embed', className: 'button' }, 'Copy code');
  copiesOnClick(copyLink, () => link);
  copiesOnClick(copyEmbed, () => embedField.value);
  const sheet = make('button', { id: 'share-sheet', className: 'button', hidden: !navigator.share }, 'Send to…');
  // Closing the sheet without a choice is an error to browsers.
  sheet.onclick = () => navigator.share({ title: `${name} live`, url: link }).catch(() => {});
  const close = make('button', { id: 'share-close', className: 'button primary' }, 'Close');
  const locked = 'Viewers need a key on this server: give it to them with the link.';
  const panel = make(
    'dialog',
    { id: 'share', className: 'sure share-panel', 'aria-labelledby': 'share-title' },
    make(
      'div',
      {},
      make('h2', { id: 'share-title' }, 'Share this stream'),
      make('p', { id: 'share-locked', className: 'soft', hidden: true }, locked),
      ...(code ? [code] : []),
      make('label', { htmlFor: 'share-link' }, 'Link'),
      make('div', { className: 'copy-field' }, linkField, copyLink),
      make('label', { htmlFor: 'share-embed' }, 'Code for your own page'),
      make('div', { className: 'copy-field' }, embedField, copyEmbed),
      make('div', { className: 'sure-actions' }, sheet, close),
    ),
  );
  close.onclick = () => panel.close();
  closesBeside(panel);
  adoptSheet(SHEET);
  document.body.append(panel);
  return panel;
}

/**
 * The code as a picture, or null where the link is too long for one.
 *
 * @param {string} link
 */
function drawnCode(link) {
  const code = qrCode(link);
  if (!code) return null;
  const size = code.length + 2 * RIM;
  const picture = document.createElementNS(SVG, 'svg');
  const facts = { id: 'share-code', class: 'code', role: 'img', 'aria-label': 'QR code of the link', viewBox: `0 0 ${size} ${size}` };
  for (const [name, value] of Object.entries(facts)) picture.setAttribute(name, value);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', pathOf(code));
  picture.append(path);
  return picture;
}

/**
 * Whether viewers need a key: a link alone is of no use to them then.
 *
 * @param {string} name
 * @returns {Promise<boolean>}
 */
export async function isLocked(name) {
  const answer = await fetch(at('api/streams'), { cache: 'no-store', credentials: 'omit' })
    .then((response) => response.json())
    .catch(() => null);
  const isListed = answer?.streams?.some((/** @type {{ name: string }} */ stream) => stream.name === name);
  return Boolean(answer?.locked) && !isListed;
}
