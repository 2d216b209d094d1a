// The publisher page: wires a source, the broadcast and the controls to the stage. What
// follows from what is decided in machine.js, and worded in words.js.

import { Broadcast } from '../publisher/broadcast.js';
import { explainCaptureError, listDevices, nameOf, openSource, SOURCES } from '../publisher/capture.js';
import { Credentials } from '../lib/credentials.js';
import { element } from '../lib/element.js';
import { bitRate, clock, counted } from '../lib/format.js';
import { AirWatch } from '../publisher/on-air.js';
import { at } from '../lib/place.js';
import { lookAt, PosterTimes, takePoster } from '../publisher/poster.js';
import { CODECS, recordableCodecs, typeFor } from '../publisher/recorder.js';
import { socketUrl } from '../lib/socket.js';
import { pageMayStartAlone } from './start-alone.js';
import { nameFromPath } from '../lib/stream-name.js';
import { isOnAir, isSending, next, start } from './machine.js';
import { actionFor, badgeFor, explainClose, explainRecording, explainRefusal, explainWarning, wordsFor } from './words.js';
import { noSuch } from '../lib/no-such.js';

const FIGURES_MS = 500;
const LOOK_MS = 250;
/** A poster takes no longer than this to send, and waits while the stream is so far behind. */
const POSTER_WITHIN_MS = 10_000;
const POSTER_BEHIND_MS = 500;
const NOTE_MS = 12_000;
/** Going live does not wait longer than this for the list of streams. */
const TAKEN_MS = 3000;
const PUBLISHED = 'videostream published';
const QUALITIES = [
  { kbps: 600, label: 'Low' },
  { kbps: 1200, label: 'Medium' },
  { kbps: 2500, label: 'High' },
  { kbps: 5000, label: 'Very high' },
];

const $ = (/** @type {string} */ id) => element(id, HTMLElement);
const root = document.documentElement;
const preview = element('preview', HTMLVideoElement);
const keyField = element('key', HTMLInputElement);
const link = element('link', HTMLAnchorElement);
const query = new URLSearchParams(location.search);
const name = nameFromPath(location.pathname) ?? '';
const watchPath = at(`live/${encodeURIComponent(name)}`);
const credentials = new Credentials('publish', name);
const isTypeSupported = (/** @type {string} */ type) => Boolean(globalThis.MediaRecorder?.isTypeSupported(type));

/** @typedef {import('../publisher/capture.js').Source} Source */
/** @typedef {import('../publisher/capture.js').Capture} Capture */

let state = start({
  source: SOURCES.find((source) => source === query.get('source')) ?? null,
  canRecord: recordableCodecs(isTypeSupported).length > 0,
});
/**
 * What is shown, while `state.hasPreview`.
 *
 * @type {Capture | null}
 */
let capture = null;
/**
 * While `isSending(state)`.
 *
 * @type {Broadcast | null}
 */
let broadcast = null;
const air = new AirWatch(preview);
const posters = new PosterTimes();
/** @type {WakeLockSentinel | 'asked' | null} */
let wakeLock = null;
const choice = {
  cameraId: '',
  microphoneId: '',
  hasAudio: query.has('audio') ? query.get('audio') !== '0' : null,
  kbps: Math.min(50_000, Math.max(100, Number(query.get('kbps')) || 2500)),
  codec: CODECS.find(({ id }) => id === query.get('codec'))?.id ?? 'vp8',
};

// --- State and words

/** @param {import('./machine.js').Event} event */
function send(event) {
  const former = state;
  const step = next(state, event);
  state = step.state;
  for (const effect of step.effects) perform(effect, step);
  speak();
  if (state.name !== former.name) keepAwake();
}

/**
 * @param {import('./machine.js').Effect} effect
 * @param {import('./machine.js').Step} step
 */
function perform(effect, step) {
  switch (effect) {
    case 'check':
      check();
      break;
    case 'open':
      open();
      break;
    case 'close':
      capture?.stop();
      capture = null;
      preview.srcObject = null;
      break;
    case 'connect':
      if (capture) connect(capture);
      break;
    case 'change':
      if (capture) broadcast?.change(capture.stream, recording(capture));
      break;
    case 'stop':
      broadcast?.stop();
      broadcast = null;
      break;
    case 'askKey':
      credentials.forget();
      break;
    case 'note':
      note(step.note ?? '');
      break;
    default:
      noSuch('effect', effect);
  }
}

/**
 * @param {string} id
 * @param {string} text
 */
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function speak() {
  const { name: now, source, hasPreview, error, ending } = state;
  const figures = {
    missing: air.missing ?? 'recorder',
    behindMs: broadcast?.behindMs ?? 0,
    isDraining: broadcast?.isDraining,
  };
  root.dataset.state = now;
  const { title, text } = wordsFor(now, { source, name, hasPreview, error, ending, ...figures });
  write('title', title);
  write('text', text);
  write('sentence', `${title} ${text}`.trim());
  write('air', badgeFor(now, figures));
  const { label, isStop } = actionFor(now);
  write('go', label);
  $('go').classList.toggle('stop', isStop);
  $('pick').hidden = source !== null;
  root.toggleAttribute('data-source', source !== null);
  root.toggleAttribute('data-preview', hasPreview);
  const wantsKey = Boolean(error?.wantsKey);
  root.toggleAttribute('data-wants-key', wantsKey);
  if (wantsKey && $('key-form').hidden) {
    keyField.value = '';
    $('key-form').hidden = false;
    keyField.focus();
  }
  $('key-form').hidden = !wantsKey;
  for (const segment of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('.segment'))) {
    segment.setAttribute('aria-pressed', String(segment.dataset.source === source));
  }
  document.title = `${now === 'live' ? '● ' : ''}${name} · videostream`;
}

/** @param {string} text */
function note(text) {
  $('note').textContent = text;
  $('note').hidden = false;
  setTimeout(() => {
    if ($('note').textContent === text) $('note').hidden = true;
  }, NOTE_MS);
}

// --- Source

/** Opens what is to be shown. */
async function open() {
  const { wish, source } = state;
  if (source === null) return;
  const [, width, height] = /^(\d+)x(\d+)$/.exec(query.get('size') ?? '') ?? [];
  const wantsAudio = choice.hasAudio ?? source !== 'test';
  let opened;
  try {
    opened = await openSource(source, {
      audio: wantsAudio,
      cameraId: choice.cameraId,
      microphoneId: choice.microphoneId,
      width: width ? Number(width) : undefined,
      height: height ? Number(height) : undefined,
      fps: Number(query.get('fps')) || undefined,
      name,
    });
  } catch (reason) {
    send({ type: 'notOpened', wish, error: explainCaptureError(nameOf(reason), source) });
    return;
  }
  // A late answer to a wish that was given up.
  if (wish !== state.wish) {
    opened.stop();
    return;
  }
  const former = capture;
  capture = opened;
  air.changeSource();
  for (const track of tracksOf(capture)) track.addEventListener('ended', () => trackEnded(track));
  preview.srcObject = capture.stream;
  preview.play().catch(() => {});
  send({ type: 'opened', wish });
  former?.stop();
  if (opened.isSoundMissing) note('No microphone was found, so your stream is silent.');
  if (source === 'test' && wantsAudio && !opened.stream.getAudioTracks().length) {
    note('The browser allows no sound before a click on the page, so the test picture is silent.');
  }
  fillDevices();
}

/**
 * What is sent, and the browser's own tracks that it is made of.
 *
 * @param {Capture} capture
 */
function tracksOf({ stream, tracks }) {
  return new Set([...stream.getTracks(), ...tracks]);
}

/** @param {MediaStreamTrack} track */
function trackEnded(track) {
  if (!capture || !tracksOf(capture).has(track)) return;
  const left = capture.stream.getTracks().filter(({ readyState }) => readyState === 'live');
  if (track.kind === 'video' || !left.length) {
    send({ type: 'sourceEnded' });
    return;
  }
  // The sound ended: players would wait for it for ever, so the recording goes on without.
  const stream = new MediaStream(left);
  const { stop, tracks } = capture;
  capture = { stream, stop, tracks: tracks.filter(({ readyState }) => readyState === 'live') };
  broadcast?.change(stream, recording(capture));
  note('The sound ended; the picture goes on.');
}

/** @param {Source} source */
function pick(source) {
  const url = new URL(location.href);
  url.searchParams.set('source', source);
  url.searchParams.delete('auto');
  history.replaceState(null, '', url);
  send({ type: 'picked', source });
}

/** @param {Capture} shown */
function recording({ stream }) {
  const tracks = stream.getTracks();
  const has = (/** @type {string} */ kind) => tracks.some((track) => track.kind === kind);
  const kinds = { hasVideo: has('video'), hasAudio: has('audio') };
  const mimeType = typeFor(choice.codec, kinds, isTypeSupported) ?? typeFor('vp8', kinds, isTypeSupported) ?? '';
  return { mimeType, videoBitsPerSecond: choice.kbps * 1000 };
}

// --- On air

/** @param {Capture} shown */
function connect(shown) {
  air.reset();
  const url = socketUrl(location.href, credentials);
  broadcast = new Broadcast(url, shown.stream, recording(shown), askReceived, {
    live() {
      posters.begin(performance.now());
      rememberPublished();
    },
    lost,
    replaced() {
      send({ type: 'replaced' });
    },
    failed({ code, reason }) {
      const error = explainClose(code, reason) ?? {
        title: 'The stream could not be sent.',
        text: `The reason given: ${reason || 'none'}. Press Try again.`,
      };
      send({ type: 'failed', error });
    },
    warning(warning) {
      note(explainWarning(warning));
    },
  });
}

/** While a broadcast runs, what is seen of it decides the state. */
function look() {
  if (!broadcast || !capture) return;
  const nowMs = performance.now();
  const seen = { broadcast, capture, source: state.source, wasLive: state.liveSinceMs !== null, nowMs };
  send({ type: 'seen', air: air.look(state.name, seen), nowMs });
}

/** @param {{ opened: boolean, attempt: number }} loss */
async function lost({ opened, attempt }) {
  look();
  if (opened || attempt > 2) return;
  const asked = broadcast;
  // A refused socket does not say why. The same server tells a plain request.
  const answer = await fetch(`${watchPath}.jpg`, asking({ method: 'PUT', body: new Uint8Array(0) })).catch(() => null);
  const error = answer && explainRefusal(answer.status, { hadKey: credentials.isKnown });
  if (!error || !broadcast || broadcast !== asked || broadcast.isConnected) return;
  send({ type: 'refused', error });
}

/**
 * What a request to this server carries: the key in a header, and no cookie or login of the
 * browser's. `Accept` tells the server not to make the browser put up a login window.
 *
 * @param {RequestInit & { headers?: Record<string, string> }} more
 * @returns {RequestInit}
 */
function asking({ headers, ...more } = {}) {
  return {
    cache: 'no-store',
    credentials: 'omit',
    headers: { accept: 'application/json', ...credentials.headers(), ...headers },
    ...more,
  };
}

async function check() {
  const { question } = state;
  send({ type: 'checked', question, isTaken: await isTaken() });
}

/** Whether someone is on air under this name, other than this browser a moment ago. */
async function isTaken() {
  if (publishedLast() === name) return false;
  const options = asking({ signal: AbortSignal.timeout(TAKEN_MS) });
  // The list rather than the one stream: asking for what is not there would be an error in the console.
  const answer = await fetch(at('api/streams'), options)
    .then((response) => (response.ok ? response.json() : null))
    .catch(() => null);
  const streams = Array.isArray(answer) ? answer : (answer?.streams ?? []);
  return streams.some((/** @type {{ name: string, live: boolean }} */ stream) => stream.name === name && stream.live);
}

/** Where the server does not tell its count to this page, that it answers at all has to do. */
let mayCount = true;

/** @param {AbortSignal} signal */
async function askReceived(signal) {
  if (!mayCount) {
    await fetch(at('healthz'), { cache: 'no-store', signal });
    return null;
  }
  const response = await fetch(at(`api/streams/${encodeURIComponent(name)}`), asking({ signal }));
  mayCount = response.ok;
  return response.ok ? ((await response.json()).received_bytes ?? null) : null;
}

/** In this browser, so that coming back to one's own stream is not called taking it over. */
function publishedLast() {
  try {
    return localStorage.getItem(PUBLISHED);
  } catch {
    return null;
  }
}

function rememberPublished() {
  try {
    localStorage.setItem(PUBLISHED, name);
  } catch {
    // Then the page asks once more than it need.
  }
}

/** @param {number} nowMs */
async function sendPoster(nowMs) {
  const shown = lookAt(preview);
  if (!posters.wants(shown, nowMs)) return;
  const body = await takePoster(preview);
  const signal = AbortSignal.timeout(POSTER_WITHIN_MS);
  const options = asking({ method: 'PUT', headers: { 'content-type': 'image/jpeg' }, body, priority: 'low', signal });
  const answer = body && state.name === 'live' ? await fetch(`${watchPath}.jpg`, options).catch(() => null) : null;
  if (answer?.ok) posters.sent(shown);
}

async function keepAwake() {
  const isWanted = isSending(state) && !document.hidden;
  if (isWanted && !wakeLock) {
    wakeLock = 'asked';
    const given = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
    wakeLock = given;
    given?.addEventListener('release', () => {
      wakeLock = null;
    });
  } else if (!isWanted && wakeLock && wakeLock !== 'asked') {
    wakeLock.release();
    wakeLock = null;
  }
}

function showFigures() {
  const nowMs = performance.now();
  const figure = (/** @type {string} */ id, /** @type {string} */ text) => {
    write(id, text);
    $(id).hidden = !text;
  };
  figure('time', state.liveSinceMs === null ? '' : clock((nowMs - state.liveSinceMs) / 1000));
  const connected = broadcast?.isConnected ? broadcast : null;
  figure('viewers', connected && connected.viewers !== null ? counted(connected.viewers, 'viewer') : '');
  figure('rate', connected ? bitRate(connected.bitsPerSecond) : '');
  showRecording();
  const isAtLiveEdge = connected && !connected.isDraining && connected.behindMs < POSTER_BEHIND_MS;
  if (state.name === 'live' && isAtLiveEdge && posters.isDue(nowMs)) sendPoster(nowMs);
}

// --- Recording on the server

/** The button is there where the server can record. */
function showRecording() {
  const isRecorded = broadcast?.isConnected ? broadcast.isRecorded : null;
  $('record').hidden = isRecorded === null || !isOnAir(state);
  write('record', isRecorded ? 'Stop recording' : 'Record');
  $('recorded').hidden = !isRecorded;
}

async function toggleRecording() {
  const method = broadcast?.isRecorded ? 'DELETE' : 'PUT';
  const url = at(`api/streams/${encodeURIComponent(name)}/recording`);
  const answer = await fetch(url, asking({ method })).catch(() => null);
  // Whether it is recorded, the server says by the socket.
  if (!answer?.ok) note(explainRecording(answer?.status ?? 0));
}

// --- Settings

/**
 * @param {string} id
 * @param {string[][]} options each a value and its words
 * @param {string} value
 */
function fill(id, options, value) {
  element(id, HTMLSelectElement).replaceChildren(...options.map(([each, label]) => new Option(label, each, false, each === value)));
}

async function fillDevices() {
  const { cameras, microphones } = await listDevices();
  const used = (/** @type {string} */ kind) =>
    capture?.stream
      .getTracks()
      .find((track) => track.kind === kind)
      ?.getSettings?.().deviceId ?? '';
  fill(
    'camera',
    cameras.map(({ id, label }) => [id, label]),
    choice.cameraId || used('video'),
  );
  fill(
    'microphone',
    [...microphones.map(({ id, label }) => [id, label]), ['none', 'No sound']],
    choice.hasAudio === false ? 'none' : choice.microphoneId || used('audio'),
  );
  for (const id of ['camera', 'microphone']) /** @type {HTMLElement} */ ($(id).closest('label')).hidden = state.source !== 'camera';
}

function fillSettings() {
  const qualities = QUALITIES.map(({ kbps, label }) => [String(kbps), `${label}, ${bitRate(kbps * 1000)}`]);
  if (!QUALITIES.some(({ kbps }) => kbps === choice.kbps)) {
    qualities.push([String(choice.kbps), `As asked, ${bitRate(choice.kbps * 1000)}`]);
  }
  fill('quality', qualities, String(choice.kbps));
  fill(
    'codec',
    recordableCodecs(isTypeSupported).map(({ id, label, note: what }) => [id, `${label}, ${what}`]),
    choice.codec,
  );
  fillDevices();
}

$('settings').addEventListener('change', ({ target }) => {
  if (!(target instanceof HTMLSelectElement)) return;
  if (target.id === 'quality') choice.kbps = Number(target.value);
  if (target.id === 'codec') choice.codec = target.value;
  if (target.id === 'quality' || target.id === 'codec') {
    if (broadcast && capture) broadcast.change(capture.stream, recording(capture));
    return;
  }
  if (target.id === 'camera') choice.cameraId = target.value;
  if (target.id === 'microphone') {
    choice.hasAudio = target.value !== 'none';
    choice.microphoneId = choice.hasAudio ? target.value : '';
  }
  send({ type: 'changed' });
});

// --- Controls

$('record').onclick = toggleRecording;
$('go').onclick = () => send({ type: 'pressed' });
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('button[data-source]'))) {
  button.onclick = () => pick(/** @type {Source} */ (button.dataset.source));
}
/** @param {boolean} isOpen */
function showSettings(isOpen) {
  $('settings').hidden = !isOpen;
  $('settings-button').setAttribute('aria-expanded', String(isOpen));
}
$('settings-button').onclick = () => showSettings(Boolean($('settings').hidden));
document.addEventListener('keydown', ({ key }) => {
  if (key !== 'Escape' || $('settings').hidden) return;
  showSettings(false);
  $('settings-button').focus();
});
document.addEventListener('pointerdown', ({ target }) => {
  if (!(target instanceof Element && target.closest('#settings, #settings-button'))) showSettings(false);
});
$('key-form').onsubmit = (event) => {
  event.preventDefault();
  credentials.remember(keyField.value);
  send({ type: 'keyGiven' });
};
$('copy').onclick = async () => {
  $('copy').textContent = (await copied(link.href)) ? 'Copied' : 'Copy failed';
  setTimeout(() => {
    $('copy').textContent = 'Copy link';
  }, 2000);
};

/**
 * By the clipboard, which pages without TLS have not, or by a selection.
 *
 * @param {string} text
 */
async function copied(text) {
  if (
    await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    )
  )
    return true;
  const field = document.createElement('textarea');
  field.className = 'unseen';
  field.value = text;
  document.body.append(field);
  field.select();
  const isDone = document.execCommand('copy');
  field.remove();
  $('copy').focus();
  return isDone;
}
window.addEventListener('beforeunload', (event) => {
  if (isOnAir(state)) event.preventDefault();
});
window.addEventListener('pagehide', () => broadcast?.stop());
window.addEventListener('online', () => broadcast?.retryNow());
document.addEventListener('visibilitychange', keepAwake);
navigator.mediaDevices?.addEventListener?.('devicechange', fillDevices);

// --- Begin

$('name').textContent = name;
link.href = `${location.origin}${watchPath}`;
const host = document.createElement('span');
host.className = 'wide';
host.textContent = location.host;
link.replaceChildren(host, watchPath);
fillSettings();
setInterval(look, LOOK_MS);
setInterval(showFigures, FIGURES_MS);
showFigures();
speak();
if (!query.has('auto')) {
  if (state.source) send({ type: 'picked', source: state.source });
} else if (state.source) {
  if (pageMayStartAlone()) send({ type: 'began' });
  else note('Another site opened this page, so going live needs your click.');
}
