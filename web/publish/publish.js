// The publisher page: wires a source, the broadcast and the controls to the stage. What
// follows from what is decided in machine.js, and worded in words.js.

import { Awake } from '../lib/awake.js';
import { Broadcast } from '../publisher/broadcast.js';
import { blockedOf, explainCaptureError, explainMissing, nameOf, openSource, SOURCES } from '../publisher/capture.js';
import { canRecordByCodecs, CodecsRecorder } from '../publisher/codecs/codecs-recorder.js';
import { Credentials } from '../lib/credentials.js';
import { element } from '../lib/element.js';
import { bitRate, clock, counted } from '../lib/format.js';
import { LevelMeter } from '../publisher/level-meter.js';
import { AirWatch } from '../publisher/on-air.js';
import { at } from '../lib/place.js';
import { lookAt, PosterTimes, takePoster } from '../publisher/poster.js';
import { recordableCodecs, typeFor } from '../publisher/recorder.js';
import { socketUrl } from '../lib/socket.js';
import { copiesOnClick } from '../lib/copy.js';
import { edgesOf, Settings } from './settings.js';
import { isLocked, openSharePanel } from '../lib/share-panel.js';
import { pageMayStartAlone } from './start-alone.js';
import { nameFromPath } from '../lib/stream-name.js';
import { isOnAir, isSending, next, start } from './machine.js';
import { actionFor, badgeFor, explainClose, explainRecording, explainRefusal, explainWarning, stopWarning, wordsFor } from './words.js';
import { noSuch } from '../lib/no-such.js';

const FIGURES_MS = 500;
const LOOK_MS = 250;
/** A poster takes no longer than this to send, and waits while the stream is so far behind. */
const POSTER_WITHIN_MS = 10_000;
const POSTER_BEHIND_MS = 500;
/** A backlog that is worth a figure. */
const BEHIND_MS = 500;
const NOTE_MS = 12_000;
/** Going live does not wait longer than this for the list of streams. */
const TAKEN_MS = 3000;
const PUBLISHED = 'videostream published';
const $ = (/** @type {string} */ id) => element(id, HTMLElement);
const root = document.documentElement;
const preview = element('preview', HTMLVideoElement);
const stopDialog = element('sure', HTMLDialogElement);
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
const awake = new Awake();
const settings = new Settings(query, takeSetting);
const { choice } = settings;
const meter = new LevelMeter($('level'), $('level-bar'));
/** What is shared already, where only what is beside it changes. */
let keptScreen = /** @type {MediaStream | null} */ (null);

// --- State and words

/** @param {import('./machine.js').Event} event */
function send(event) {
  const former = state;
  const step = next(state, event);
  state = step.state;
  for (const effect of step.effects) perform(effect, step);
  speak();
  if (state.name !== former.name) awake.want(isSending(state));
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
      meter.listen(null);
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
    case 'switch':
      switchTracks();
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
  const { name: now, source, hasPreview, error, ending, isMuted, isHidden } = state;
  const figures = {
    missing: air.missing ?? 'recorder',
    behindMs: broadcast?.behindMs ?? 0,
    isDraining: broadcast?.isDraining,
    isReduced: broadcast?.isReduced,
    sound: meter.verdict,
  };
  root.dataset.state = now;
  const { title, text } = wordsFor(now, { source, name, hasPreview, error, ending, isMuted, isHidden, ...figures });
  write('title', title);
  write('text', text);
  write('sentence', `${title} ${text}`.trim());
  write('air', badgeFor(now, figures));
  const { label, kind } = actionFor(now);
  write('go', label);
  $('go').classList.toggle('stop', kind === 'stop');
  $('go').classList.toggle('primary', kind !== 'cancel');
  $('pick').hidden = source !== null;
  root.toggleAttribute('data-source', source !== null);
  root.toggleAttribute('data-preview', hasPreview);
  fitStage();
  showSwitches();
  askWhetherToStop();
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

/** Gives the stage the picture's shape: that of a phone held upright is taller than wide. */
function fitStage() {
  const { videoWidth, videoHeight } = preview;
  if (!state.hasPreview) $('stage').style.removeProperty('--shape');
  else if (videoWidth && videoHeight) $('stage').style.setProperty('--shape', (videoWidth / videoHeight).toFixed(3));
}

/** Sound and picture go out, or silence and black. */
function showSwitches() {
  const { isMuted, isHidden, source } = state;
  const tracks = capture?.stream.getTracks() ?? [];
  const has = (/** @type {string} */ kind) => tracks.some((track) => track.kind === kind);
  $('mute').hidden = !has('audio');
  $('hide').hidden = !has('video');
  for (const [id, isOff, label] of /** @type {const} */ ([
    ['mute', isMuted, isMuted ? 'Unmute' : 'Mute'],
    ['hide', isHidden, isHidden ? 'Show the picture' : 'Hide the picture'],
  ])) {
    $(id).classList.toggle('off', isOff);
    $(id).ariaLabel = label;
    $(id).title = label;
  }
  $('muted').hidden = !isMuted || !has('audio');
  $('hidden').hidden = !isHidden || !has('video');
  const facing = capture?.stream.getVideoTracks()[0]?.getSettings?.().facingMode;
  preview.classList.toggle('mirrored', source === 'camera' && choice.isMirrored && facing !== 'environment');
}

function askWhetherToStop() {
  if (stopDialog.open === state.isStopAsked) return;
  if (!state.isStopAsked) {
    stopDialog.close();
    return;
  }
  write('sure-text', stopWarning(broadcast?.viewers ?? 0));
  stopDialog.showModal();
  $('keep').focus();
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
  const wantsAudio = choice.hasAudio ?? source !== 'test';
  const screen = source === 'screen' ? keptScreen : null;
  keptScreen = null;
  let opened;
  try {
    opened = await openSource(source, { ...choice, ...edgesOf(choice.size), audio: wantsAudio, name, screen });
  } catch (reason) {
    const blocked = await blockedOf({ camera: true, microphone: wantsAudio });
    send({ type: 'notOpened', wish, error: explainCaptureError(nameOf(reason), source, blocked) });
    return;
  }
  // A late answer to a wish that was given up.
  if (wish !== state.wish) {
    opened.stop(screen !== null);
    return;
  }
  const former = capture;
  capture = opened;
  air.changeSource();
  for (const track of tracksOf(capture)) track.addEventListener('ended', () => trackEnded(track));
  switchTracks();
  preview.srcObject = capture.stream;
  preview.play().catch(() => {});
  meter.listen(capture.stream);
  send({ type: 'opened', wish });
  former?.stop(screen !== null);
  // While it was open twice, Chromium gave the camera in the size that it had.
  if (former) capture.resize?.(1);
  if (opened.missing?.length) note(opened.missing.map((each) => explainMissing(each, source)).join(' '));
  if (source === 'test' && wantsAudio && !opened.stream.getAudioTracks().length) {
    note('The browser allows no sound before a click on the page, so the test picture is silent.');
  }
  fillDevices();
}

function fillDevices() {
  settings.fillDevices(state.source, capture?.stream ?? null);
}

/** What a track gives that is switched off, recorders take as silence, and as black frames. */
function switchTracks() {
  for (const track of capture?.stream.getTracks() ?? []) track.enabled = !(track.kind === 'audio' ? state.isMuted : state.isHidden);
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
  const { stream: sent } = capture;
  if (track.kind === 'audio' && !sent.getTracks().includes(track)) {
    note('One of the sounds ended; the rest goes on.');
    return;
  }
  const left = sent.getTracks().filter(({ readyState }) => readyState === 'live');
  if (track.kind === 'video' || !left.length) {
    send({ type: 'sourceEnded' });
    return;
  }
  // The sound ended: players would wait for it for ever, so the recording goes on without.
  const stream = new MediaStream(left);
  capture = { ...capture, stream, tracks: capture.tracks.filter(({ readyState }) => readyState === 'live') };
  meter.listen(stream);
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

/** @type {import('../publisher/recorder.js').Make} */
const makeRecorder = (media, options) =>
  query.get('recorder') !== 'mediarecorder' && canRecordByCodecs(options.mimeType ?? '') ? new CodecsRecorder(media, options) : null;

/** @param {Capture} shown */
function recording({ stream }) {
  const tracks = stream.getTracks();
  const has = (/** @type {string} */ kind) => tracks.some((track) => track.kind === kind);
  const kinds = { hasVideo: has('video'), hasAudio: has('audio') };
  const mimeType = typeFor(choice.codec, kinds, isTypeSupported) ?? typeFor('vp8', kinds, isTypeSupported) ?? '';
  const { width = 0, height = 0 } = stream.getVideoTracks()[0]?.getSettings?.() ?? {};
  const size = width && height ? { width, height } : edgesOf(choice.size);
  const pixelsPerSecond = size.width * size.height * choice.fps;
  return { mimeType, videoBitsPerSecond: choice.kbps * 1000, pixelsPerSecond, hasAudio: kinds.hasAudio, make: makeRecorder };
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
      send({ type: 'failed', error: explainClose(code, reason) });
    },
    warning(warning) {
      note(explainWarning(warning));
    },
    quality({ scale }) {
      capture?.resize?.(scale);
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

function showFigures() {
  const nowMs = performance.now();
  const figure = (/** @type {string} */ id, /** @type {string} */ text) => {
    write(id, text);
    $(id).hidden = !text;
  };
  figure('time', state.liveSinceMs === null ? '' : clock((nowMs - state.liveSinceMs) / 1000));
  const connected = broadcast?.isConnected ? broadcast : null;
  figure('viewers', connected && connected.viewers !== null ? counted(connected.viewers, 'viewer') : '');
  const behindMs = connected?.behindMs ?? 0;
  const backlog = behindMs >= BEHIND_MS ? ` · ${(behindMs / 1000).toFixed(1)} s behind` : '';
  figure('rate', connected ? bitRate(connected.bitsPerSecond) + backlog : '');
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

/** @param {import('./settings.js').For} what */
function takeSetting(what) {
  if (what === 'recording' && broadcast && capture) {
    capture.resize?.(1);
    broadcast.change(capture.stream, recording(capture));
  }
  if (what === 'page') speak();
  if (what !== 'source' && what !== 'sound') return;
  // While a microphone is open, Chromium gives it again only as it is.
  if (what === 'sound') closeMicrophone();
  // Whole again: what is kept would else be measured while it is small.
  capture?.resize?.(1);
  keptScreen = capture?.screen ?? null;
  send({ type: 'changed' });
}

function closeMicrophone() {
  const shared = capture?.screen?.getTracks() ?? [];
  for (const track of capture?.tracks ?? []) if (track.kind === 'audio' && !shared.includes(track)) track.stop();
}

// --- Controls

$('record').onclick = toggleRecording;
preview.onresize = fitStage;
$('go').onclick = () => send({ type: 'pressed' });
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll('button[data-source]'))) {
  button.onclick = () => pick(/** @type {Source} */ (button.dataset.source));
}
$('mute').onclick = () => send({ type: 'muteToggled' });
$('hide').onclick = () => send({ type: 'hideToggled' });
$('keep').onclick = () => send({ type: 'stopAnswered', isSure: false });
$('end').onclick = () => send({ type: 'stopAnswered', isSure: true });
// By the Escape key.
stopDialog.addEventListener('close', () => send({ type: 'stopAnswered', isSure: false }));
document.addEventListener('click', () => meter.wake());
$('key-form').onsubmit = (event) => {
  event.preventDefault();
  credentials.remember(keyField.value);
  send({ type: 'keyGiven' });
};
window.addEventListener('beforeunload', (event) => {
  if (isOnAir(state)) event.preventDefault();
});
window.addEventListener('pagehide', () => broadcast?.stop());
window.addEventListener('online', () => broadcast?.retryNow());
navigator.mediaDevices?.addEventListener?.('devicechange', fillDevices);

/** For tests, and for those who look into what happens: what is asked of the encoder now. */
Object.assign(window, {
  videostream: { quality: () => ({ ...broadcast?.quality, isReduced: broadcast?.isReduced ?? false }) },
});

// --- Begin

$('name').textContent = name;
$('name').title = name;
link.href = `${location.origin}${watchPath}`;
const host = document.createElement('span');
host.className = 'wide';
host.textContent = location.host;
link.replaceChildren(host, watchPath);
copiesOnClick(
  $('copy'),
  () => link.href,
  async () => ((await isLocked(name)) ? 'Viewers need a key.' : ''),
);
$('share-button').onclick = () => openSharePanel(name, link.href);
settings.fill(isTypeSupported);
fillDevices();
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
