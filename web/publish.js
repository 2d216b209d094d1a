// The publisher page: wires a source, the broadcast and the controls to the stage.

import { Broadcast } from './broadcast.js';
import { explainCaptureError, listDevices, openSource, SOURCES } from './capture.js';
import { withCredentials } from './credentials.js';
import { bitRate, clock, counted } from './format.js';
import { takePoster } from './poster.js';
import { CODECS, recordableCodecs, typeFor } from './recorder.js';
import { socketUrl } from './socket.js';
import { nameFromPath } from './stream-name.js';
import { actionFor, explainClose, explainRefusal, wordsFor } from './publish-words.js';

const FIGURES_MS = 500;
const FIRST_POSTER_MS = 1500;
const POSTER_MS = 12_000;
const NOTE_MS = 12_000;
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
const watchPath = `/live/${encodeURIComponent(name)}`;
const isTypeSupported = (type) => Boolean(globalThis.MediaRecorder?.isTypeSupported(type));

let state = 'idle';
let words = {};
let source = SOURCES.includes(query.get('source')) ? query.get('source') : null;
/** `{ stream, stop() }` while something is shown. */
let capture = null;
/** Counts openings, so that a late answer to an older wish is thrown away. */
let wish = 0;
let broadcast = null;
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
  const { title, text } = wordsFor(state, { source, hasPreview: Boolean(capture), ...words });
  const write = (id, content) => {
    if ($(id).textContent !== content) $(id).textContent = content;
  };
  write('title', title);
  write('text', text);
  write('sentence', `${title} ${text}`.trim());
  const { label, isStop } = actionFor(state);
  write('go', label);
  $('go').classList.toggle('stop', isStop);
  $('pick').hidden = source !== null;
  root.toggleAttribute('data-source', source !== null);
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
  for (const track of capture.stream.getTracks()) track.addEventListener('ended', () => trackEnded(track));
  preview.srcObject = capture.stream;
  preview.play().catch(() => {});
  if (broadcast) broadcast.change(capture.stream, recording());
  former?.stop();
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

function trackEnded(track) {
  if (!capture?.stream.getTracks().includes(track)) return;
  const left = capture.stream.getTracks().filter(({ readyState }) => readyState === 'live');
  if (track.kind === 'video' || !left.length) {
    end(source === 'screen' ? 'unshared' : 'unplugged');
    return;
  }
  // The sound ended: players would wait for it for ever, so the recording goes on without.
  const stream = new MediaStream(left);
  const { stop } = capture;
  capture = { stream, stop };
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

async function goLive() {
  wantsLive = true;
  if (!recordableCodecs(isTypeSupported).length) {
    setState('error', {
      error: { title: 'This browser cannot record WebM.', text: 'Use Chrome, Edge or Firefox to go live.' },
    });
    return;
  }
  if (!capture) {
    setState('asking');
    if (!(await open())) return;
  }
  setState('connecting');
  nextPosterMs = performance.now() + FIRST_POSTER_MS;
  broadcast = new Broadcast(socketUrl(location.href), capture.stream, recording(), {
    live() {
      liveSinceMs ??= performance.now();
      setState('live');
    },
    lost,
    replaced() {
      broadcast = null;
      liveSinceMs = null;
      setState('replaced');
    },
    failed({ code, reason }) {
      broadcast = null;
      liveSinceMs = null;
      setState('error', {
        error: explainClose(code, reason) ?? { title: 'The stream could not be sent.', text: `The reason given: ${reason || 'none'}. Press Try again.` },
      });
    },
    draining(isDraining) {
      if (state === 'live') setState('live', { isDraining });
    },
    warning({ message }) {
      note(message);
    },
  });
}

async function lost({ opened, attempt }) {
  setState(liveSinceMs === null ? 'connecting' : 'reconnecting');
  if (opened || attempt > 0) return;
  // A refused socket does not say why. The same server tells a plain request. Without credentials,
  // or the browser would put up a login window of its own.
  const answer = await fetch(posterUrl(), { method: 'PUT', body: new Uint8Array(0), credentials: 'omit' }).catch(() => null);
  const error = answer && explainRefusal(answer.status);
  if (!error || !broadcast || state === 'live') return;
  broadcast.stop();
  broadcast = null;
  liveSinceMs = null;
  setState('error', { error });
}

function end(ending) {
  broadcast?.stop();
  broadcast = null;
  liveSinceMs = null;
  close();
  setState('ended', { ending });
}

function posterUrl() {
  return withCredentials(`${watchPath}.jpg`, location.search);
}

async function sendPoster() {
  const poster = await takePoster(preview);
  if (!poster || state !== 'live') return;
  await fetch(posterUrl(), { method: 'PUT', headers: { 'content-type': 'image/jpeg' }, body: poster, credentials: 'omit' }).catch(() => {});
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
  write('viewers', broadcast && broadcast.viewers !== null ? counted(broadcast.viewers, 'viewer') : '');
  write('rate', broadcast ? bitRate(broadcast.bitsPerSecond) : '');
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
  if (state === 'live' || state === 'reconnecting') end('stopped');
  else if (state === 'connecting' || state === 'asking') {
    broadcast?.stop();
    broadcast = null;
    close();
    setState('idle');
  } else if (state === 'error' && !wantsLive) pick(source);
  else if (!broadcast) goLive();
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
  const url = new URL(location.href);
  url.searchParams.set('key', $('key').value);
  history.replaceState(null, '', url);
  goLive();
};
$('copy').onclick = async ({ target }) => {
  await navigator.clipboard?.writeText($('link').href).then(
    () => { target.textContent = 'Copied'; },
    () => { target.textContent = 'Copy failed'; },
  );
  setTimeout(() => { target.textContent = 'Copy link'; }, 2000);
};
window.addEventListener('beforeunload', (event) => {
  if (state === 'live' || state === 'reconnecting') event.preventDefault();
});
window.addEventListener('pagehide', () => broadcast?.stop());
window.addEventListener('online', () => broadcast?.retryNow());
document.addEventListener('visibilitychange', keepAwake);
navigator.mediaDevices?.addEventListener?.('devicechange', fillDevices);

// --- Begin

$('name').textContent = name;
$('link').href = `${location.origin}${watchPath}`;
$('link').textContent = `${location.host}${watchPath}`;
fillSettings();
setInterval(showFigures, FIGURES_MS);
showFigures();
if (query.has('auto') && source) goLive();
else if (source) pick(source);
else setState('idle');
