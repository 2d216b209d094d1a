// The home page: the streams that are on air, and the way to go live.
//
// The list is asked for every few seconds while the page is visible. What the page shows is decided in
// machine.js, where it stands in arrange.js, and it is worded in words.js.

import { Credentials } from '../lib/credentials.js';
import { element, within } from '../lib/element.js';
import { counted, since } from '../lib/format.js';
import { at } from '../lib/place.js';
import { plainName, suggestName } from '../lib/stream-name.js';
import { isSearchable, matching } from './arrange.js';
import { next, start } from './machine.js';
import { PosterShelf } from './poster-shelf.js';
import { announcementOf, hintFor, lockOf, noMatch, summaryOf } from './words.js';

const REFRESH_MS = 4000;
/** So few streams have larger cards. */
const FEW = 3;

const $ = (/** @type {string} */ id) => element(id, HTMLElement);
const nameField = element('name', HTMLInputElement);
const keyField = element('key', HTMLInputElement);
const useKeyButton = element('use-key', HTMLButtonElement);
const useButton = element('use', HTMLButtonElement);
const searchField = element('search', HTMLInputElement);
const list = $('streams');
const posters = new PosterShelf();

/** A key typed here is tried for whatever this session opens: it may be for watching, or for both. */
const watching = new Credentials('watch', '');
const publishing = new Credentials('publish', '');

let state = start(suggestName(), plainName());
/** @type {Map<string, HTMLElement>} */
const items = new Map();
/** Answers to older questions than the last are not looked at. */
let asked = 0;

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
  asked += 1;
  const question = asked;
  /** @param {import('./machine.js').Event} event */
  const answer = (event) => {
    if (question === asked) send(event);
  };
  try {
    const response = await fetch(at('api/streams'), {
      cache: 'no-store',
      credentials: 'omit',
      headers: { accept: 'application/json', ...watching.headers() },
    });
    if (response.status === 401 || response.status === 403) {
      answer({ type: 'refused', hasKey });
      return;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    const { streams = [], locked = false } = await response.json();
    answer({ type: 'listed', streams, isLocked: locked, hasKey });
  } catch {
    answer({ type: 'unanswered' });
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
  write('announcement', announcementOf(state));
  showCards();
  $('nothing').hidden = state.name !== 'empty' || state.cards.length > 0;
  showSearch();
  showLock();
  showName();
}

function showCards() {
  const shown = matching(state.cards, state.search);
  const names = new Set(state.cards.map(({ stream }) => stream.name));
  for (const [name, item] of items) {
    if (names.has(name)) continue;
    posters.remove(item);
    item.remove();
    items.delete(name);
  }
  list.classList.toggle('few', state.cards.length <= FEW);
  const found = new Set(shown);
  let before = list.firstElementChild;
  for (const card of state.cards) {
    const item = itemOf(card.stream.name);
    if (item === before) before = item.nextElementSibling;
    // Only what is new or out of place is moved: a move costs the focus.
    else list.insertBefore(item, before);
    item.hidden = !found.has(card);
    if (!item.hidden) fill(item, card);
  }
}

/** @param {string} name */
function itemOf(name) {
  const known = items.get(name);
  if (known) return known;
  const item = makeItem(name);
  items.set(name, item);
  const path = at(`live/${encodeURIComponent(name)}/poster`);
  posters.add(item, (version) => watching.url(path, { bare: '', v: version }));
  return item;
}

function showSearch() {
  $('search-box').hidden = !isSearchable(state);
  const isFound = state.search === '' || matching(state.cards, state.search).length > 0;
  $('no-match').hidden = isFound;
  write('no-match-text', isFound ? '' : noMatch(state.search));
}

/** The field for the key, where one would show more. */
function showLock() {
  const lock = lockOf(state);
  $('lock').hidden = lock === null;
  $('lock').classList.toggle('small', state.streams.length > 0);
  write('lock-title', lock?.title ?? '');
  write('lock-text', lock?.text ?? '');
  useKeyButton.disabled = state.isTrying;
  const isWrong = lock?.isWrong ?? false;
  if (isWrong === (keyField.getAttribute('aria-invalid') === 'true')) return;
  keyField.setAttribute('aria-invalid', String(isWrong));
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
function makeItem(name) {
  const copy = element('card', HTMLTemplateElement).content.cloneNode(true);
  const item = within(/** @type {DocumentFragment} */ (copy), 'li', HTMLElement);
  const link = within(item, 'a', HTMLAnchorElement);
  link.href = at(`live/${encodeURIComponent(name)}`);
  // A long one is cut off.
  link.title = name;
  within(item, '.card-name', HTMLElement).textContent = name;
  return item;
}

/**
 * @param {HTMLElement} item
 * @param {import('./arrange.js').Card} card
 */
function fill(item, { stream, isGone }) {
  const node = stream.node ? ` · ${stream.node}` : '';
  const text = isGone ? 'Has ended' : `${counted(stream.viewers, 'viewer')} · ${since(stream.uptime_s)}${node}`;
  const line = within(item, '.card-meta', HTMLElement);
  if (line.textContent !== text) line.textContent = text;
  item.classList.toggle('gone', isGone);
  if (!isGone) posters.update(item, stream.poster_version ?? 'name');
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
  tryKey(keyField.value);
});

/** @param {string} key */
async function tryKey(key) {
  keep(key);
  send({ type: 'keyGiven' });
  lookForRecordings();
  await refresh();
  const lock = lockOf(state);
  if (!lock) keyField.value = '';
  // It may be mistyped by a letter.
  else if (lock.isWrong) keyField.select();
}

searchField.addEventListener('input', () => send({ type: 'searched', search: searchField.value }));
$('show-all').addEventListener('click', clearSearch);

function clearSearch() {
  searchField.value = '';
  send({ type: 'searched', search: '' });
  if (!$('search-box').hidden) searchField.focus();
}

document.addEventListener('keydown', (event) => {
  const { key, ctrlKey, metaKey, altKey, target } = event;
  if (target === searchField && key === 'Escape') {
    event.preventDefault();
    clearSearch();
  }
  const isField = target instanceof Element && target.closest('input, select, textarea');
  if (key !== '/' || ctrlKey || metaKey || altKey || isField || $('search-box').hidden) return;
  event.preventDefault();
  searchField.focus();
  searchField.select();
});

// Nothing moves under a pointer, nor away from the focus.
/** @type {Set<'pointer' | 'focus'>} */
const holders = new Set();
/** @param {'pointer' | 'focus'} holder @param {boolean} isHolding */
function hold(holder, isHolding) {
  if (isHolding) holders.add(holder);
  else holders.delete(holder);
  if (state.isHeld !== holders.size > 0) send({ type: 'held', isHeld: holders.size > 0 });
}
list.addEventListener('pointerenter', () => hold('pointer', true));
list.addEventListener('pointerleave', () => hold('pointer', false));
list.addEventListener('focusin', () => hold('focus', true));
list.addEventListener('focusout', () => hold('focus', false));

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
