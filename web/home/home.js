// The home page: the streams that are on air, and the way to go live.
//
// The list is asked for every few seconds while the page is visible. Cards stay where they are
// and only their figures change, so nothing jumps under a finger.

import { Credentials } from '../lib/credentials.js';
import { counted, since } from '../lib/format.js';
import { hintFor } from './words.js';
import { at } from '../lib/place.js';
import { isStreamName, suggestName, toStreamName } from '../lib/stream-name.js';

const REFRESH_MS = 4000;
const POSTER_MS = 15_000;

const $ = (id) => document.getElementById(id);
const form = $('compose');
const nameField = $('name');
const streamList = $('streams');

/** A key typed here is tried for whatever this session opens: it may be for watching, or for both. */
const watching = new Credentials('watch', '');
const publishing = new Credentials('publish', '');

/** Name to `{ item, posterAtMs }`. */
const cards = new Map();
/** What was typed into the field, which may have become something else there. */
let typed = '';
let shown = '';

function setState(state, summary) {
  document.documentElement.dataset.state = state;
  if ($('summary').textContent !== summary) $('summary').textContent = summary;
}

async function refresh() {
  try {
    const response = await fetch(at('api/streams'), {
      cache: 'no-store',
      credentials: 'omit',
      headers: { accept: 'application/json', ...watching.headers() },
    });
    // A server of an older kind refuses the whole list.
    if (response.status === 401 || response.status === 403) {
      show([], true);
      return;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = await response.json();
    show(Array.isArray(answer) ? answer : answer.streams ?? [], Boolean(answer.locked));
  } catch {
    setState('unreachable', 'The server does not answer. Trying again.');
  }
}

function show(streams, isLocked) {
  const live = streams.filter((stream) => stream.live !== false);
  // Those who come late stand last: the order of a list in use must not change.
  live.sort((a, b) => (b.uptime_s ?? 0) - (a.uptime_s ?? 0));
  const names = new Set(live.map(({ name }) => name));
  for (const [name, { item }] of cards) {
    if (names.has(name)) continue;
    item.remove();
    cards.delete(name);
  }
  for (const stream of live) {
    let card = cards.get(stream.name);
    if (!card) {
      card = { item: makeCard(stream.name), posterAtMs: -Infinity };
      cards.set(stream.name, card);
      streamList.append(card.item);
    }
    fillCard(card, stream);
  }
  $('nothing').hidden = live.length > 0 || isLocked;
  showLock(isLocked);
  const viewers = live.reduce((sum, stream) => sum + (stream.viewers ?? 0), 0);
  setState(
    live.length ? 'live' : 'empty',
    summary(live.length, viewers, isLocked),
  );
  hint();
}

function summary(streams, viewers, isLocked) {
  if (streams) return `${counted(streams, 'stream')}, ${counted(viewers, 'viewer')}`;
  return isLocked ? '' : 'No streams right now';
}

/** The field for the key, where one would show more. A key that was tried and did not is wrong. */
function showLock(isLocked) {
  const isWrong = isLocked && watching.isKnown;
  $('lock').hidden = !isLocked;
  $('lock').classList.toggle('small', cards.size > 0);
  const title = cards.size ? 'More streams here need a key.' : 'Streams here need a key.';
  const text = isWrong ? 'The key you gave does not open them. Try another one.' : 'Enter the key that you were given.';
  if ($('lock-title').textContent !== title) $('lock-title').textContent = title;
  if ($('lock-text').textContent !== text) $('lock-text').textContent = text;
}

function makeCard(name) {
  const item = $('card').content.firstElementChild.cloneNode(true);
  item.querySelector('a').href = at(`live/${encodeURIComponent(name)}`);
  item.querySelector('.card-name').textContent = name;
  item.querySelector('.poster-letter').textContent = name[0].toUpperCase();
  return item;
}

function fillCard(card, stream) {
  const meta = `${counted(stream.viewers, 'viewer')} · ${since(stream.uptime_s)}`;
  const metaLine = card.item.querySelector('.card-meta');
  if (metaLine.textContent !== meta) metaLine.textContent = meta;
  if (!stream.poster || performance.now() - card.posterAtMs < POSTER_MS) return;
  card.posterAtMs = performance.now();
  // Loaded out of sight first: the old poster stays until the new one is whole.
  const picture = new Image();
  picture.onload = () => {
    const image = card.item.querySelector('img');
    image.src = picture.src;
    image.hidden = false;
  };
  picture.src = watching.url(at(`live/${encodeURIComponent(stream.name)}.jpg`), { t: Date.now() });
}

function hint() {
  const name = nameField.value;
  const { text, isGood, suggestion } = hintFor({
    name, typed, watchAddress: location.host + at('live/'), isLive: cards.has(name), suggestion: $('use').value,
  });
  if ($('hint').textContent !== text) $('hint').textContent = text;
  nameField.setCustomValidity(isGood ? '' : text);
  nameField.setAttribute('aria-invalid', String(!isGood));
  $('use').hidden = !suggestion;
  if (suggestion && $('use').value !== suggestion) {
    $('use').value = suggestion;
    $('use').textContent = `Use ${suggestion}`;
  }
}

function setName(name) {
  nameField.value = typed = shown = name;
  hint();
}

function takeTyped() {
  const { value } = nameField;
  // The field shows what became of the letters before: the new ones are behind it.
  typed = shown && value.startsWith(shown) && value !== shown ? typed + value.slice(shown.length) : value;
  const name = toStreamName(typed);
  // Nothing is left: what was typed stays, and the hint says why it will not do.
  shown = isStreamName(name) ? name : value;
  if (shown !== value) nameField.value = shown;
  hint();
}

nameField.addEventListener('input', ({ isComposing }) => {
  // An input method is at work: its letters are not final.
  if (!isComposing) takeTyped();
});
nameField.addEventListener('compositionend', takeTyped);

$('another').addEventListener('click', () => setName(suggestName()));
$('use').addEventListener('click', () => {
  setName($('use').value);
  nameField.focus();
});

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const source = event.submitter?.value ?? 'camera';
  location.href = at(`publish/${encodeURIComponent(nameField.value)}?source=${source}`);
});

$('lock').addEventListener('submit', (event) => {
  event.preventDefault();
  keep($('key').value);
  $('key').value = '';
  refresh();
});

/** For this session, and for the pages that are opened from here. */
function keep(key) {
  watching.remember(key);
  publishing.remember(key);
}

if (watching.key !== null) keep(watching.key);
setName(suggestName());

setInterval(() => {
  if (!document.hidden) refresh();
}, REFRESH_MS);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refresh();
});
refresh();
