// A list of recordings, each played in place: the browser's own player seeks by ranges.

import { Credentials } from '../lib/credentials.js';
import { element, within } from '../lib/element.js';
import { at } from '../lib/place.js';
import { Removal } from '../lib/removal.js';
import { explainRefusal, metaOf, summaryOf } from './words.js';

/** Recordings asked for at once. Each loads its head for its first picture. */
const LIMIT = 12;

/** @typedef {import('./words.js').Recording} Recording */

/** @param {string | null} stream all of them without a name */
export function showRecordings(stream) {
  const $ = (/** @type {string} */ id) => element(id, HTMLElement);
  const keyField = element('key', HTMLInputElement);
  const credentials = new Credentials('watch', stream ?? '');
  /** @type {Recording[]} */
  let shown = [];
  let hasMore = false;
  const removal = new Removal();

  async function load() {
    const query = new URLSearchParams({ limit: String(LIMIT) });
    if (stream !== null) query.set('stream', stream);
    const last = shown.at(-1);
    if (last) query.set('before', last.started_at);
    const response = await fetch(`${at('api/recordings')}?${query}`, {
      cache: 'no-store',
      credentials: 'omit',
      headers: { accept: 'application/json', ...credentials.headers() },
    }).catch(() => null);
    if (!response?.ok) {
      $('summary').textContent = explainRefusal(response?.status ?? 0);
      $('lock').hidden = response?.status !== 401 && response?.status !== 403;
      return;
    }
    const { recordings, locked } = await response.json();
    shown = shown.concat(recordings);
    $('recordings').append(...recordings.map(makeCard));
    hasMore = recordings.length === LIMIT;
    $('older').hidden = !hasMore;
    $('lock').hidden = !locked;
    $('lock').classList.toggle('small', shown.length > 0);
    summarize();
    document.documentElement.dataset.state = 'listed';
  }

  function summarize() {
    $('summary').textContent = summaryOf({ count: shown.length, hasMore, stream });
  }

  /**
   * One that is gone.
   *
   * @param {Recording} recording
   */
  function remove(recording) {
    const index = shown.indexOf(recording);
    if (index < 0) return;
    shown.splice(index, 1);
    $('recordings').children[index].remove();
    summarize();
  }

  /** @param {Recording} recording */
  function makeCard(recording) {
    const copy = element('card', HTMLTemplateElement).content.cloneNode(true);
    const item = within(/** @type {DocumentFragment} */ (copy), 'li', HTMLElement);
    const path = at(`recordings/${encodeURIComponent(recording.stream)}/${encodeURIComponent(recording.file)}`);
    const began = new Date(recording.started_at).toLocaleString();
    const title = stream === null ? `${recording.stream}, ${began}` : began;
    const video = within(item, 'video', HTMLVideoElement);
    video.src = credentials.url(path);
    video.poster = credentials.url(`${path}/poster`);
    video.setAttribute('aria-label', title);
    within(item, '.badge', HTMLElement).hidden = !recording.live;
    within(item, '.card-name', HTMLElement).textContent = title;
    within(item, '.card-meta', HTMLElement).textContent = metaOf(recording);
    const download = within(item, '.download', HTMLAnchorElement);
    download.href = credentials.url(path, { download: '' });
    download.setAttribute('aria-label', `Download ${title}`);
    const deleteButton = within(item, '.delete', HTMLButtonElement);
    deleteButton.hidden = recording.live;
    deleteButton.setAttribute('aria-label', `Delete ${title}`);
    deleteButton.addEventListener('click', () => {
      $('sure-what').textContent = `${recording.stream}, ${began}`;
      removal.ask({ stream: recording.stream, path, text: 'It cannot be brought back.', done: () => remove(recording) });
    });
    return item;
  }

  $('older').addEventListener('click', load);
  $('lock').addEventListener('submit', (event) => {
    event.preventDefault();
    credentials.remember(keyField.value);
    keyField.value = '';
    shown = [];
    $('recordings').replaceChildren();
    load();
  });
  if (stream !== null) {
    $('title').textContent = stream;
    document.title = `${stream} · recordings · videostream`;
  }
  load();
}
