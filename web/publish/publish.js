// The publisher page: wires a source, the broadcast and the controls to the stage.

import { Broadcast } from '../publisher/broadcast.js';
import { explainCaptureError, listDevices, openSource, SOURCES } from '../publisher/capture.js';
import { Credentials } from '../lib/credentials.js';
import { bitRate, clock, counted } from '../lib/format.js';
import { AirWatch, ON_AIR } from '../publisher/on-air.js';
import { at } from '../lib/place.js';
import { takePoster } from '../publisher/poster.js';
import { CODECS, recordableCodecs, typeFor } from '../publisher/recorder.js';
import { socketUrl } from '../lib/socket.js';
import { pageMayStartAlone } from './start-alone.js';
import { nameFromPath } from '../lib/stream-name.js';
import { actionFor, badgeFor, explainClose, explainRefusal, explainWarning, wordsFor } from './words.js';

const FIGURES_MS = 500;
const LOOK_MS = 250;
const FIRST_POSTER_MS = 1500;
const POSTER_MS = 12_000;
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

const $ = (id) => document.getElementById(id);
const root = document.documentElement;
const preview = $('preview');
const query = new URLSearchParams(location.search);
const name = nameFromPath(location.pathname) ?? '';
const watchPath = at(`live/${encodeURIComponent(name)}`);
const credentials = new Credentials('publish', name);
const isTypeSupported = (type) => Boolean(globalThis.MediaRecorder?.isTypeSupported(type));

let state = 'idle';
let words = {};
let source = SOURCES.includes(query.get('source')) ? query.get('source') : null;
/** `{ stream, stop() }` while something is shown. */
let capture = null;
/** Counts openings, so that a late answer to an older wish is thrown away. */
let wish = 0;
let broadcast = null;
const air = new AirWatch(preview);
/** Whether Try again means to go live, or only to see the preview. */
let wantsLive = false;
let liveSinceMs = null;
let nextPosterMs = Infinity;
let wakeLock = null;
const choice = {
  cameraId: '',
  microphoneId: '',
  hasAudio: query.has('audio') ? query.get('audio') !== '0' : null,
  kbps: Math.min(50_000, Math.max(100, Number(query.get('kbps')) || 2500)),
  codec: CODECS.some(({ id }) => id === query.get('codec')) ? query.get('codec') : 'vp8',
};

// --- State and words

function setState(next, more = {}) {
  state = next;
  words = more;
  root.dataset.state = next;
  speak();
  keepAwake();
}

function speak() {
  const figures = {
    missing: air.missing ?? 'recorder', behindMs: broadcast?.behindMs ?? 0, isDraining: broadcast?.isDraining,
  };
  const { title, text } = wordsFor(state, { source, name, hasPreview: Boolean(capture), ...figures, ...words });
  const write = (id, content) => {
    if ($(id).textContent !== content) $(id).textContent = content;
  };
  write('title', title);
  write('text', text);
  write('sentence', `${title} ${text}`.trim());
  write('air', badgeFor(state, figures));
  const { label, isStop } = actionFor(state);
  write('go', label);
  $('go').classList.toggle('stop', isStop);
  $('pick').hidden = source !== null;
  root.toggleAttribute('data-source', source !== null);
  root.toggleAttribute('data-wants-key', Boolean(words.error?.wantsKey));
  $('key-form').hidden = !words.error?.wantsKey;
  root.toggleAttribute('data-preview', Boolean(capture));
  for (const segment of document.querySelectorAll('.segment')) {
    segment.setAttribute('aria-pressed', String(segment.dataset.source === source));
  }
  document.title = `${state === 'live' ? '● ' : ''}${name} · videostream`;
}

function note(text) {
  $('note').textContent = text;
  $('note').hidden = false;
  setTimeout(() => {
    if ($('note').textContent === text) $('note').hidden = true;
  }, NOTE_MS);
}

// --- Source

/** Opens what is to be shown. True when the preview runs. */
async function open() {
  wish += 1;
  const mine = wish;
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
    if (mine !== wish) return false;
    if (broadcast) note(explainCaptureError(reason.name, source).title);
    else setState('error', { error: explainCaptureError(reason.name, source) });
    return false;
  }
  if (mine !== wish) {
    opened.stop();
    return false;
  }
  const former = capture;
  capture = opened;
  air.changeSource();
  for (const track of tracksOf(capture)) track.addEventListener('ended', () => trackEnded(track));
  preview.srcObject = capture.stream;
  preview.play().catch(() => {});
  if (broadcast) broadcast.change(capture.stream, recording());
  former?.stop();
  if (opened.isSoundMissing) note('No microphone was found, so your stream is silent.');
  if (source === 'test' && wantsAudio && !capture.stream.getAudioTracks().length) {
    note('The browser allows no sound before a click on the page, so the test picture is silent.');
  }
  fillDevices();
  return true;
}

function close() {
  wish += 1;
  capture?.stop();
  capture = null;
  preview.srcObject = null;
}

/** What is sent, and the browser's own tracks that it is made of. */
function tracksOf({ stream, tracks }) {
  return new Set([...stream.getTracks(), ...tracks]);
}

function trackEnded(track) {
  if (!capture || !tracksOf(capture).has(track)) return;
  const left = capture.stream.getTracks().filter(({ readyState }) => readyState === 'live');
  if (track.kind === 'video' || !left.length) {
    end(source === 'screen' ? 'unshared' : 'unplugged');
    return;
  }
  // The sound ended: players would wait for it for ever, so the recording goes on without.
  const stream = new MediaStream(left);
  const { stop, tracks } = capture;
  capture = { stream, stop, tracks: tracks.filter(({ readyState }) => readyState === 'live') };
  broadcast?.change(stream, recording());
  note('The sound ended; the picture goes on.');
}

async function pick(next) {
  const isChange = next !== source;
  wantsLive = Boolean(broadcast);
  source = next;
  const url = new URL(location.href);
  url.searchParams.set('source', next);
  url.searchParams.delete('auto');
  history.replaceState(null, '', url);
  if (broadcast) {
    await open();
    speak();
    return;
  }
  if (isChange) close();
  // A screen may be asked for only once, and only after a click: when going live.
  if (source === 'screen') {
    setState('idle');
    return;
  }
  setState('asking');
  if (await open()) setState('idle');
}

function recording() {
  const tracks = capture.stream.getTracks();
  const has = (kind) => tracks.some((track) => track.kind === kind);
  const kinds = { hasVideo: has('video'), hasAudio: has('audio') };
  const mimeType = typeFor(choice.codec, kinds, isTypeSupported) ?? typeFor('vp8', kinds, isTypeSupported);
  return { mimeType, videoBitsPerSecond: choice.kbps * 1000 };
}

// --- On air

/** `isSure`: the person has been asked already, or need not be. */
async function goLive({ isSure = false } = {}) {
  wantsLive = true;
  if (!recordableCodecs(isTypeSupported).length) {
    setState('error', {
      error: { title: 'This browser cannot record WebM.', text: 'Use Chrome, Edge or Firefox to go live.' },
    });
    return;
  }
  if (!isSure && state !== 'taken' && (await isTaken())) {
    setState('taken');
    return;
  }
  if (!capture) {
    setState('asking');
    if (!(await open())) return;
  }
  setState('connecting');
  air.reset();
  nextPosterMs = performance.now() + FIRST_POSTER_MS;
  const url = socketUrl(location.href, credentials);
  broadcast = new Broadcast(url, capture.stream, recording(), askReceived, {
    live() {
      rememberPublished();
    },
    lost,
    replaced() {
      offAir();
      setState('replaced');
    },
    failed({ code, reason }) {
      offAir();
      setState('error', {
        error: explainClose(code, reason) ?? { title: 'The stream could not be sent.', text: `The reason given: ${reason || 'none'}. Press Try again.` },
      });
    },
    warning(warning) {
      note(explainWarning(warning));
    },
  });
}

function offAir() {
  broadcast = null;
  liveSinceMs = null;
}

/** While a broadcast runs, what is seen of it decides the state. */
function look() {
  if (!broadcast || !capture) return;
  const nowMs = performance.now();
  const next = air.look(state, { broadcast, capture, source, wasLive: liveSinceMs !== null, nowMs });
  if (next === 'live') liveSinceMs ??= nowMs;
  if (next !== state) setState(next);
  else speak();
}

async function lost({ opened, attempt }) {
  look();
  if (opened || attempt > 2) return;
  // A refused socket does not say why. The same server tells a plain request.
  const answer = await fetch(`${watchPath}.jpg`, asking({ method: 'PUT', body: new Uint8Array(0) })).catch(() => null);
  const error = answer && explainRefusal(answer.status, { hadKey: credentials.isKnown });
  if (!error || !broadcast || broadcast.isConnected) return;
  broadcast.stop();
  offAir();
  if (error.wantsKey) credentials.forget();
  setState('error', { error });
  if (error.wantsKey) {
    $('key').value = '';
    $('key').focus();
  }
}

/**
 * What a request to this server carries: the key in a header, and no cookie or login of the
 * browser's. `Accept` tells the server not to make the browser put up a login window.
 */
function asking({ headers, ...more } = {}) {
  return {
    cache: 'no-store',
    credentials: 'omit',
    headers: { accept: 'application/json', ...credentials.headers(), ...headers },
    ...more,
  };
}

/** Whether someone is on air under this name, other than this browser a moment ago. */
async function isTaken() {
  if (publishedLast() === name) return false;
  const options = asking({ signal: AbortSignal.timeout(TAKEN_MS) });
  // The list rather than the one stream: asking for what is not there would be an error in the console.
  const answer = await fetch(at('api/streams'), options).then((response) => (response.ok ? response.json() : null)).catch(() => null);
  const streams = Array.isArray(answer) ? answer : answer?.streams ?? [];
  return streams.some((stream) => stream.name === name && stream.live);
}

/** Where the server does not tell its count to this page, that it answers at all has to do. */
let mayCount = true;

async function askReceived(signal) {
  if (!mayCount) {
    await fetch(at('healthz'), { cache: 'no-store', signal });
    return null;
  }
  const response = await fetch(at(`api/streams/${encodeURIComponent(name)}`), asking({ signal }));
  mayCount = response.ok;
  return response.ok ? (await response.json()).received_bytes ?? null : null;
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

function end(ending) {
  broadcast?.stop();
  offAir();
  close();
  setState('ended', { ending });
}

async function sendPoster() {
  const poster = await takePoster(preview);
  if (!poster || state !== 'live') return;
  const options = asking({ method: 'PUT', headers: { 'content-type': 'image/jpeg' }, body: poster });
  await fetch(`${watchPath}.jpg`, options).catch(() => {});
}

async function keepAwake() {
  const isWanted = broadcast !== null && !document.hidden;
  if (isWanted && !wakeLock) {
    wakeLock = {};
    wakeLock = (await navigator.wakeLock?.request('screen').catch(() => null)) ?? null;
    wakeLock?.addEventListener('release', () => { wakeLock = null; });
  } else if (!isWanted && wakeLock?.release) {
    wakeLock.release();
    wakeLock = null;
  }
}

function showFigures() {
  const nowMs = performance.now();
  const write = (id, text) => {
    if ($(id).textContent !== text) $(id).textContent = text;
    $(id).hidden = !text;
  };
  write('time', liveSinceMs === null ? '' : clock((nowMs - liveSinceMs) / 1000));
  const isConnected = Boolean(broadcast?.isConnected);
  write('viewers', isConnected && broadcast.viewers !== null ? counted(broadcast.viewers, 'viewer') : '');
  write('rate', isConnected ? bitRate(broadcast.bitsPerSecond) : '');
  if (state === 'live' && nowMs >= nextPosterMs) {
    nextPosterMs = nowMs + POSTER_MS;
    sendPoster();
  }
}

// --- Settings

function fill(select, options, value) {
  select.replaceChildren(...options.map(([id, label]) => new Option(label, id, false, id === value)));
}

async function fillDevices() {
  const { cameras, microphones } = await listDevices();
  const used = (kind) => capture?.stream.getTracks().find((track) => track.kind === kind)?.getSettings?.().deviceId ?? '';
  fill($('camera'), cameras.map(({ id, label }) => [id, label]), choice.cameraId || used('video'));
  fill($('microphone'), [...microphones.map(({ id, label }) => [id, label]), ['none', 'No sound']],
    choice.hasAudio === false ? 'none' : choice.microphoneId || used('audio'));
  for (const id of ['camera', 'microphone']) $(id).closest('label').hidden = source !== 'camera';
}

function fillSettings() {
  const qualities = QUALITIES.map(({ kbps, label }) => [String(kbps), `${label}, ${bitRate(kbps * 1000)}`]);
  if (!QUALITIES.some(({ kbps }) => kbps === choice.kbps)) {
    qualities.push([String(choice.kbps), `As asked, ${bitRate(choice.kbps * 1000)}`]);
  }
  fill($('quality'), qualities, String(choice.kbps));
  fill($('codec'), recordableCodecs(isTypeSupported).map(({ id, label, note: what }) => [id, `${label}, ${what}`]), choice.codec);
  fillDevices();
}

$('settings').addEventListener('change', async ({ target }) => {
  if (target.id === 'quality') choice.kbps = Number(target.value);
  if (target.id === 'codec') choice.codec = target.value;
  if (target.id === 'quality' || target.id === 'codec') {
    if (broadcast && capture) broadcast.change(capture.stream, recording());
    return;
  }
  if (target.id === 'camera') choice.cameraId = target.value;
  if (target.id === 'microphone') {
    choice.hasAudio = target.value !== 'none';
    choice.microphoneId = choice.hasAudio ? target.value : '';
  }
  if (capture) await open();
  speak();
});

// --- Controls

$('go').onclick = () => {
  if (ON_AIR.includes(state)) end('stopped');
  else if (state === 'connecting' || state === 'asking') {
    broadcast?.stop();
    offAir();
    close();
    setState('idle');
  } else if (state === 'error' && !wantsLive) pick(source);
  else if (!broadcast) goLive({ isSure: state === 'taken' || state === 'replaced' });
};
for (const button of document.querySelectorAll('button[data-source]')) {
  button.onclick = () => pick(button.dataset.source);
}
function showSettings(isOpen) {
  $('settings').hidden = !isOpen;
  $('settings-button').setAttribute('aria-expanded', String(isOpen));
}
$('settings-button').onclick = () => showSettings($('settings').hidden);
document.addEventListener('keydown', ({ key }) => {
  if (key !== 'Escape' || $('settings').hidden) return;
  showSettings(false);
  $('settings-button').focus();
});
document.addEventListener('pointerdown', ({ target }) => {
  if (!target.closest('#settings, #settings-button')) showSettings(false);
});
$('key-form').onsubmit = (event) => {
  event.preventDefault();
  credentials.remember($('key').value);
  goLive();
};
$('copy').onclick = async ({ target }) => {
  target.textContent = (await copied($('link').href)) ? 'Copied' : 'Copy failed';
  setTimeout(() => { target.textContent = 'Copy link'; }, 2000);
};

/** By the clipboard, which pages without TLS have not, or by a selection. */
async function copied(text) {
  if (await navigator.clipboard?.writeText(text).then(() => true, () => false)) return true;
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
  if (ON_AIR.includes(state)) event.preventDefault();
});
window.addEventListener('pagehide', () => broadcast?.stop());
window.addEventListener('online', () => broadcast?.retryNow());
document.addEventListener('visibilitychange', keepAwake);
navigator.mediaDevices?.addEventListener?.('devicechange', fillDevices);

// --- Begin

$('name').textContent = name;
$('link').href = `${location.origin}${watchPath}`;
const host = document.createElement('span');
host.className = 'wide';
host.textContent = location.host;
$('link').replaceChildren(host, watchPath);
fillSettings();
setInterval(look, LOOK_MS);
setInterval(showFigures, FIGURES_MS);
showFigures();
if (query.has('auto') && source) {
  // A kiosk takes its own stream over without a question.
  if (pageMayStartAlone()) goLive({ isSure: true });
  else {
    setState('idle');
    note('Another site opened this page, so going live needs your click.');
  }
} else if (source) pick(source);
else setState('idle');
