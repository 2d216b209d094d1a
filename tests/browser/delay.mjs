// Measures how late viewers see, and how soon late viewers see anything. Not a test: by hand,
//
//   node delay.mjs [--audio] [--viewer chromium|firefox] [--size 1280x720] [--json]
//
// The publisher page's test picture carries the wall clock as a strip of cells, which the viewer
// page reads from each shown frame: the difference is the delay from drawing to showing. Both
// pages run on this machine, in a browser each, so they have one clock.

import { cpus, loadavg } from 'node:os';
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { Lab, sleep, until } from './lab.mjs';
import { BINARY } from './server.mjs';

const { values: options } = parseArgs({
  options: {
    audio: { type: 'boolean', default: false },
    viewer: { type: 'string', default: 'chromium' },
    size: { type: 'string', default: '640x360' },
    settle: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '20' },
    joins: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});

const NAME = 'delay';
/** Between joins, so that they fall anywhere into a GOP of one second. */
const PAUSE_MS = 500;
const PAUSE_SPREAD_MS = 1000;

const lab = new Lab();
try {
  const result = await measure();
  if (options.json) console.log(JSON.stringify(result, null, 2));
  else print(result);
} finally {
  await lab.close();
}

async function measure() {
  const server = await lab.server();
  const publisher = await lab.chromium();
  const sound = options.audio ? '&audio=1' : '';
  await publisher.open(server.url(`/publish/${NAME}?source=test&auto&size=${options.size}${sound}`));
  await publisher.reaches('live');

  const viewer = await (options.viewer === 'firefox' ? lab.firefox() : lab.chromium());
  await viewer.open(server.url(`/live/${NAME}`));
  await viewer.reaches('playing');
  const { audio, codecs } = await server.stream(NAME);
  if (audio !== options.audio) throw new Error(`asked for sound: ${options.audio}, sent: ${codecs}`);
  await sleep(Number(options.settle) * 1000);
  const load = loadavg()[0];
  const delay = await viewer.evaluate(watchClock, Number(options.seconds) * 1000);
  const version = await viewer.version();
  await viewer.close();

  const joins = await joinLate(server);
  return {
    machine: `${cpus().length} × ${cpus()[0].model}`,
    versions: {
      videostream: execFileSync(BINARY, ['--version'], { encoding: 'utf8' }).trim(),
      publisher: await publisher.version(),
      viewer: version,
      node: process.version,
    },
    load_average: [load, loadavg()[0]].map((each) => Number(each.toFixed(1))),
    picture: options.size,
    codecs,
    delay_ms: { median: percentile(delay.ages, 50), p95: percentile(delay.ages, 95), samples: delay.ages.length, unread: delay.unread },
    player: delay.player,
    late_joiner: joins,
  };
}

/** Each join is a fresh page in a browser that has been here before. */
async function joinLate(server) {
  const late = await lab.chromium();
  await late.open(server.url(`/live/${NAME}`));
  await late.reaches('playing');
  const [frames, bytes, socketFrames] = [[], [], []];
  for (let i = 0; i < Number(options.joins); i += 1) {
    await sleep(PAUSE_MS + Math.random() * PAUSE_SPREAD_MS);
    await late.open(server.url(`/live/${NAME}`));
    await until('the first frame', async () => (await late.first()).frameMs !== null, { everyMs: 20 });
    const { frameMs } = await late.first();
    const [hello] = await late.messages('hello');
    frames.push(frameMs);
    socketFrames.push(frameMs - hello.atMs);
  }
  for (let i = 0; i < Number(options.joins); i += 1) {
    await sleep(PAUSE_MS + Math.random() * PAUSE_SPREAD_MS);
    bytes.push(await late.evaluate(countBacklog));
  }
  await late.close();
  const summary = (list) => ({ median: percentile(list, 50), most: Math.max(...list.map(Math.round)) });
  return {
    joins: frames.length,
    page_open_to_first_frame_ms: summary(frames),
    hello_to_first_frame_ms: summary(socketFrames),
    bytes_before_first_live_chunk: summary(bytes.map(({ total }) => total)),
    ms_of_media_before_first_live_chunk: summary(bytes.map(({ mediaMs }) => mediaMs)),
  };
}

/** Runs in the viewer page: the age of each shown frame, in milliseconds. */
async function watchClock(forMs) {
  const { StripReader } = await import('/assets/watch/stats-panel.js');
  const strip = new StripReader();
  const video = document.querySelector('video');
  const before = window.videostream.stats();
  const ages = [];
  let unread = 0;
  let isOver = false;
  const onFrame = () => {
    if (isOver) return;
    const age = strip.ageMs(video);
    if (age === null) unread += 1;
    else ages.push(age);
    video.requestVideoFrameCallback(onFrame);
  };
  video.requestVideoFrameCallback(onFrame);
  await new Promise((resolve) => setTimeout(resolve, forMs));
  isOver = true;
  const after = window.videostream.stats();
  return {
    ages,
    unread,
    player: {
      target_ms: Math.round(after.target_ms),
      believes_ms: Math.round(after.latency_ms),
      underflows_joining: before.underflows,
      underflows: after.underflows - before.underflows,
      seeks: after.seeks - before.seeks,
      dropped: after.dropped - before.dropped,
    },
  };
}

/**
 * Runs in a page of the server: what a newcomer is sent that others had before it came. A second
 * socket, already there, tells which chunks are new: all viewers have the same timestamps.
 */
async function countBacklog() {
  const { Scanner } = await import('/assets/player/webm-scan.js');
  const url = location.href.replace('http', 'ws');
  const listen = (onChunk) => {
    const scanner = new Scanner();
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => {
      const bytes = new Uint8Array(data);
      const times = scanner.push(bytes).flatMap(({ blocks }) => blocks.map(({ timestampMs }) => timestampMs));
      onChunk(bytes.length, times);
    };
    return socket;
  };
  let newestMs = -Infinity;
  let isWarm;
  const warm = new Promise((resolve) => {
    isWarm = resolve;
  });
  const there = listen((length, times) => {
    newestMs = Math.max(newestMs, ...times);
    if (times.length) setTimeout(isWarm, 300);
  });
  await warm;
  let comer;
  const asOfMs = await new Promise((resolve) => setTimeout(() => resolve(newestMs)));
  const result = await new Promise((resolve) => {
    let total = 0;
    let firstMs = null;
    let lastMs = null;
    comer = listen((length, times) => {
      const isNew = times.length > 0 && Math.max(...times) > Math.max(asOfMs, comer.openedMs ?? -Infinity);
      if (isNew) {
        resolve({ total, mediaMs: lastMs === null ? 0 : lastMs - firstMs });
        return;
      }
      total += length;
      if (!times.length) return;
      firstMs ??= times[0];
      lastMs = Math.max(...times);
    });
    comer.onopen = () => {
      comer.openedMs = newestMs;
    };
  });
  there.close();
  comer.close();
  return result;
}

function percentile(values, percent) {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))]);
}

function print({ machine, versions, load_average: load, picture, codecs, delay_ms: delay, player, late_joiner: late }) {
  const rows = [
    ['machine', `${machine}, load ${load.join(' to ')}`],
    ['programs', Object.values(versions).join(', ')],
    ['stream', `${picture}, ${codecs}`],
    ['glass to glass', `median ${delay.median} ms, 95th percentile ${delay.p95} ms, ${delay.samples} frames`],
    [
      'player',
      Object.entries(player)
        .map(([key, value]) => `${key} ${value}`)
        .join(', '),
    ],
    ...Object.entries(late).map(([key, value]) => [
      key.replaceAll('_', ' '),
      typeof value === 'number' ? value : `median ${value.median}, most ${value.most}`,
    ]),
  ];
  for (const [what, value] of rows) console.log(`${what.padEnd(38)} ${value}`);
}
