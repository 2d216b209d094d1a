// The home page: the streams that are on air, and the way to go live.
//
// The list is asked for every few seconds while the page is visible. Cards stay where they are
// and only their figures change, so nothing jumps under a finger. What the page shows is decided
// in machine.js and worded in words.js.

import { Credentials } from '../lib/credentials.js';
import { element, within } from '../lib/element.js';
import { counted, since } from '../lib/format.js';
import { at } from '../lib/place.js';
import { plainName, suggestName } from '../lib/stream-name.js';
import { next, start } from './machine.js';
import { hintFor, lockOf, summaryOf } from './words.js';

const REFRESH_MS = 4000;
const POSTER_MS = 15_000;

/** @typedef {{ item: HTMLElement, posterAtMs: number }} Card */

const $ = (/** @type {string} */ id) => element(id, HTMLElement);
const nameField = element('name', HTMLInputElement);
const keyField = element('key', HTMLInputElement);
const useButton = element('use', HTMLButtonElement);

/** A key typed here is tried for whatever this session opens: it may be for watching, or for both. */
const watching = new Credentials('watch', '');
const publishing = new Credentials('publish', '');

let state = start(suggestName(), plainName());
/** @type {Map<string, Card>} */
const cards = new Map();

/** @param {import('./machine.js').Event} event */
function send(event) {
  const former = state;
  state = next(state, event);
  // Not at every list: an input method may be at work in the field.
  if (state.value !== former.value || state.typed !== former.typed) nameField.value = state.value;
  show();
}

async function refresh() {
  const hasKey = watching.isKnown;
  try {
    const response = await fetch(at('api/streams'), {
      cache: 'no-store',
      credentials: 'omit',
      headers: { accept: 'application/json', ...watching.headers() },
    });
    // A server of an older kind refuses the whole list.
    if (response.status === 401 || response.status === 403) {
      send({ type: 'refused', hasKey });
      return;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = await response.json();
    const streams = Array.isArray(answer) ? answer : (answer.streams ?? []);
    send({ type: 'listed', streams, isLocked: Boolean(answer.locked), hasKey });
  } catch {
    send({ type: 'unanswered' });
  }
}

/** The way to the recordings, where there are any that this visitor may see. */
async function lookForRecordings() {
  const response = await fetch(`${at('api/recordings')}?limit=1`, {
    cache: 'no-store',
    credentials: 'omit',
    headers: { accept: 'application/json', ...watching.headers() },
  }).catch(() => null);
  if (!response?.ok) return;
  const { recordings } = await response.json();
  $('to-recordings').hidden = recordings.length === 0;
}

/**
 * @param {string} id
 * @param {string} text
 */
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function show() {
  document.documentElement.dataset.state = state.name;
  write('summary', summaryOf(state));
  showCards();
  $('nothing').hidden = state.name !== 'empty';
  showLock();
  showName();
}

function showCards() {
  const names = new Set(state.streams.map(({ name }) => name));
  for (const [name, { item }] of cards) {
    if (names.has(name)) continue;
    item.remove();
    cards.delete(name);
  }
  for (const stream of state.streams) {
    let card = cards.get(stream.name);
    if (!card) {
      card = { item: makeCard(stream.name), posterAtMs: -Infinity };
      cards.set(stream.name, card);
      $('streams').append(card.item);
    }
    fillCard(card, stream);
  }
}

/** The field for the key, where one would show more. */
function showLock() {
  const lock = lockOf(state);
  $('lock').hidden = lock === null;
  $('lock').classList.toggle('small', state.streams.length > 0);
  write('lock-title', lock?.title ?? '');
  write('lock-text', lock?.text ?? '');
}

function showName() {
  const { value, typed, spare, streams } = state;
  const { text, isGood, suggestion } = hintFor({
    name: value,
    typed,
    spare,
    watchAddress: location.host + at('live/'),
    isLive: streams.some(({ name }) => name === value),
  });
  write('hint', text);
  nameField.setCustomValidity(isGood ? '' : text);
  nameField.setAttribute('aria-invalid', String(!isGood));
  useButton.hidden = suggestion === null;
  if (suggestion === null) return;
  useButton.value = suggestion;
  write('use', `Use ${suggestion}`);
}

/** @param {string} name */
function makeCard(name) {
  const copy = element('card', HTMLTemplateElement).content.cloneNode(true);
  const item = within(/** @type {DocumentFragment} */ (copy), 'li', HTMLElement);
  within(item, 'a', HTMLAnchorElement).href = at(`live/${encodeURIComponent(name)}`);
  within(item, '.card-name', HTMLElement).textContent = name;
  return item;
}

/**
 * @param {Card} card
 * @param {import('./machine.js').Stream} stream
 */
function fillCard(card, stream) {
  const node = stream.node ? ` · ${stream.node}` : '';
  const meta = `${counted(stream.viewers, 'viewer')} · ${since(stream.uptime_s)}${node}`;
  const metaLine = within(card.item, '.card-meta', HTMLElement);
  if (metaLine.textContent !== meta) metaLine.textContent = meta;
  if (performance.now() - card.posterAtMs < POSTER_MS) return;
  card.posterAtMs = performance.now();
  // Loaded out of sight first: the old poster stays until the new one is whole.
  const picture = new Image();
  picture.onload = () => {
    const image = within(card.item, 'img', HTMLImageElement);
    image.src = picture.src;
    image.hidden = false;
  };
  picture.src = watching.url(at(`live/${encodeURIComponent(stream.name)}/poster`), { cache: Date.now() });
}

nameField.addEventListener('input', (event) => {
  // An input method is at work: its letters are not final.
  const { isComposing } = /** @type {InputEvent} */ (event);
  if (!isComposing) send({ type: 'typed', value: nameField.value });
});
nameField.addEventListener('compositionend', () => send({ type: 'typed', value: nameField.value }));

$('another').addEventListener('click', () => send({ type: 'named', name: suggestName() }));
useButton.addEventListener('click', () => {
  send({ type: 'named', name: useButton.value });
  nameField.focus();
});

$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  const { submitter } = event;
  const source = submitter instanceof HTMLButtonElement ? submitter.value : 'camera';
  location.href = at(`publish/${encodeURIComponent(nameField.value)}?source=${source}`);
});

$('lock').addEventListener('submit', (event) => {
  event.preventDefault();
  keep(keyField.value);
  keyField.value = '';
  refresh();
  lookForRecordings();
});

/**
 * For this session, and for the pages that are opened from here.
 *
 * @param {string} key
 */
function keep(key) {
  watching.remember(key);
  publishing.remember(key);
}

if (watching.key !== null) keep(watching.key);
nameField.value = state.value;
show();

setInterval(() => {
  if (!document.hidden) refresh();
}, REFRESH_MS);
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  refresh();
  lookForRecordings();
});
refresh();
lookForRecordings();
