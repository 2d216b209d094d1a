// Measures how late viewers see, and how soon late viewers see anything. Not a test: by hand,
//
//   node delay.mjs [--audio] [--viewer chromium|firefox] [--player mse|webcodecs]
//                  [--latency low|normal|smooth] [--size 1280x720] [--json]
//   node delay.mjs --table [--audio|--silent] [--viewer chromium|firefox] [--seconds 20]
//                  [--recorder webcodecs|mediarecorder] [--timeslice 50]
//   node delay.mjs --minutes 60 [--viewer chromium|firefox] [--size 320x180] [--fps 10]
//
// The table has every player in every browser, with sound and without; or those asked for. The third
// command watches one viewer for each player, with sound, and has a line for each minute.
//
// The publisher page's test picture carries the wall clock as a strip of cells, which the viewer
// page reads from each shown frame: the difference is the delay from drawing to showing. Both
// pages run on this machine, in a browser each, so they have one clock.
//
// The test sound beeps at each whole second of that clock: when a beep reaches the ear tells how late
// the sound is, and how far from the picture. Only what a page plays by Web Audio can be read so.

import { cpus, loadavg } from 'node:os';
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { Lab, sleep, until } from './lab.mjs';
import { BINARY } from './server.mjs';

const { values: options } = parseArgs({
  options: {
    audio: { type: 'boolean', default: false },
    silent: { type: 'boolean', default: false },
    viewer: { type: 'string' },
    player: { type: 'string', default: 'mse' },
    latency: { type: 'string', default: 'normal' },
    table: { type: 'boolean', default: false },
    recorder: { type: 'string', default: 'webcodecs' },
    timeslice: { type: 'string' },
    size: { type: 'string', default: '640x360' },
    fps: { type: 'string', default: '30' },
    minutes: { type: 'string' },
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

const MINUTE_MS = 60_000;
/** The rest of a minute is for the figures. */
const WATCHED_MS = 50_000;

const PLAYERS = [
  ['mse', 'normal'],
  ['webcodecs', 'low'],
  ['webcodecs', 'normal'],
  ['webcodecs', 'smooth'],
];

const lab = new Lab();
try {
  if (options.table) {
    await measureAll();
  } else if (options.minutes) {
    await measureLong(Number(options.minutes));
  } else {
    const result = await measure();
    if (options.json) console.log(JSON.stringify(result, null, 2));
    else print(result);
  }
} finally {
  await lab.close();
}

/** One line of the table as soon as it is known. */
async function measureAll() {
  console.log(`${cpus().length} × ${cpus()[0].model}, picture ${options.size}`);
  const line = (cells) => console.log(`| ${cells.join(' | ')} |`);
  line([
    'viewer',
    'player',
    'latency',
    'sound',
    'picture, median',
    '95 %',
    'sound, median',
    'picture ahead of sound',
    'underflows',
    'load',
  ]);
  line(Array(10).fill('---'));
  for (const hasSound of options.silent ? [false] : options.audio ? [true] : [false, true]) {
    const server = await lab.server();
    const publisher = await publish(server, hasSound);
    for (const browser of options.viewer ? [options.viewer] : ['chromium', 'firefox']) {
      for (const [player, latency] of PLAYERS) {
        const { delay, load } = await watch(server, { browser, player, latency });
        const ms = (value) => (value === null ? '–' : `${value} ms`);
        const [median, p95, heard] = [percentile(delay.ages, 50), percentile(delay.ages, 95), percentile(delay.heard, 50)];
        const ahead = heard === null ? null : heard - median;
        line([browser, player, latency, hasSound ? 'yes' : 'no', ms(median), ms(p95), ms(heard), ms(ahead), delay.player.underflows, load]);
      }
    }
    await publisher.close();
    await server.close();
  }
}

/** What changes while a viewer watches for long. */
async function measureLong(minutes) {
  const server = await lab.server();
  const publisher = await publish(server, true);
  const viewers = [];
  for (const [player, latency] of [
    ['mse', 'normal'],
    ['webcodecs', 'normal'],
  ]) {
    const viewer = await (options.viewer === 'firefox' ? lab.firefox() : lab.chromium());
    await viewer.beforePages(tapSound);
    await viewer.open(server.url(`/live/${NAME}?player=${player}&latency=${latency}`));
    await viewer.reaches('playing');
    viewers.push({ player, viewer });
  }
  console.log(
    '| minute | page | picture, median | 95 % | sound, median | picture ahead of sound | underflows | seeks | MB | nodes | load |',
  );
  console.log(`|${' --- |'.repeat(11)}`);
  const beganMs = performance.now();
  for (let minute = 1; minute <= minutes; minute += 1) {
    const load = loadavg()[0].toFixed(1);
    const seen = await Promise.all(viewers.map(({ viewer }) => viewer.evaluate(watchClock, WATCHED_MS)));
    for (const [i, { player, viewer }] of viewers.entries()) {
      const { ages, heard, player: stats } = seen[i];
      const [median, p95, sound] = [percentile(ages, 50), percentile(ages, 95), percentile(heard, 50)];
      const ahead = sound === null ? null : sound - median;
      const { megabytes, nodes } = await memoryOf(viewer);
      console.log(`| ${[minute, player, median, p95, sound, ahead, stats.underflows, stats.seeks, megabytes, nodes, load].join(' | ')} |`);
    }
    const { megabytes, nodes } = await memoryOf(publisher);
    console.log(`| ${[minute, 'publisher', '', '', '', '', '', '', megabytes, nodes, load].join(' | ')} |`);
    if (minute < minutes) await sleep(Math.max(0, beganMs + minute * MINUTE_MS - performance.now()));
  }
}

/** Chromium: the page's heap in MB after a collection, and its DOM nodes. Firefox: the memory of all its processes. */
async function memoryOf({ browserName, page }) {
  if (browserName === 'firefox') {
    return { megabytes: `${memoryOfAll(page.browser().process().pid).toFixed(0)} in all`, nodes: '' };
  }
  const session = await page.context().newCDPSession(page);
  try {
    await session.send('Performance.enable');
    await session.send('HeapProfiler.collectGarbage');
    const { metrics } = await session.send('Performance.getMetrics');
    const value = (wanted) => metrics.find(({ name }) => name === wanted).value;
    return { megabytes: (value('JSHeapUsedSize') / 1e6).toFixed(2), nodes: value('Nodes') };
  } finally {
    await session.detach();
  }
}

/** The memory of a process and its children, in MB. Memory that several share counts once. */
function memoryOfAll(pid) {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,pss='], { encoding: 'utf8' }).trim().split('\n');
  const processes = lines.map((line) => line.trim().split(/ +/).map(Number));
  const memory = (wanted) =>
    processes.reduce((sum, [id, parent, kilobytes]) => {
      const own = id === wanted ? (kilobytes * 1024) / 1e6 : 0;
      return sum + own + (parent === wanted ? memory(id) : 0);
    }, 0);
  return memory(pid);
}

async function publish(server, hasSound, recorder = options.recorder) {
  const publisher = await lab.chromium();
  if (options.timeslice) await publisher.page.addInitScript(holdTimeslice, Number(options.timeslice));
  await publisher.open(
    server.url(
      `/publish/${NAME}?source=test&auto&recorder=${recorder}&size=${options.size}&fps=${options.fps}${hasSound ? '&audio=1' : ''}`,
    ),
  );
  await publisher.reaches('live');
  const { audio, codecs } = await until('tracks', async () => {
    const stream = await server.stream(NAME);
    return stream?.codecs && stream;
  });
  if (audio !== hasSound) {
    const note = await publisher.evaluate(() => document.getElementById('note').textContent);
    throw new Error(`asked for sound: ${hasSound}, sent: ${codecs}. ${note}`);
  }
  return publisher;
}

/** A viewer of its own for each figure. */
async function watch(server, { browser, player, latency }) {
  const viewer = await (browser === 'firefox' ? lab.firefox() : lab.chromium());
  await viewer.beforePages(tapSound);
  await viewer.open(server.url(`/live/${NAME}?player=${player}&latency=${latency}`));
  await viewer.reaches('playing');
  await sleep(Number(options.settle) * 1000);
  const load = Number(loadavg()[0].toFixed(1));
  const delay = await viewer.evaluate(watchClock, Number(options.seconds) * 1000);
  if (delay.player.kind !== player) throw new Error(`asked for ${player}, played by ${delay.player.kind}: ${viewer.complaints}`);
  const version = await viewer.version();
  await viewer.close();
  return { delay, load, version };
}

async function measure() {
  const server = await lab.server();
  const publisher = await publish(server, options.audio);
  const { codecs } = await server.stream(NAME);
  const { player, latency, viewer: browser = 'chromium' } = options;
  const { delay, load, version } = await watch(server, { browser, player, latency });

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
    sound_ms: { median: percentile(delay.heard, 50), p95: percentile(delay.heard, 95), beeps: delay.heard.length },
    player: delay.player,
    late_joiner: joins,
  };
}

/** Each join is a fresh page in a browser that has been here before. */
async function joinLate(server) {
  const late = await lab.chromium();
  await late.open(server.url(`/live/${NAME}?player=${options.player}&latency=${options.latency}`));
  await late.reaches('playing');
  const [frames, bytes, socketFrames] = [[], [], []];
  for (let i = 0; i < Number(options.joins); i += 1) {
    await sleep(PAUSE_MS + Math.random() * PAUSE_SPREAD_MS);
    await late.open(server.url(`/live/${NAME}?player=${options.player}&latency=${options.latency}`));
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

/** Runs in the publisher page before its own scripts: another timeslice for its recorder. */
function holdTimeslice(sliceMs) {
  const { start } = MediaRecorder.prototype;
  MediaRecorder.prototype.start = function () {
    return start.call(this, sliceMs);
  };
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (message?.start) message.start.sliceMs = sliceMs;
    return postMessage.call(this, message, ...rest);
  };
}

/** Runs in the viewer page: the age of each shown frame, in milliseconds. */
async function watchClock(forMs) {
  const { StripReader } = await import('/assets/watch/stats-panel.js');
  const strip = new StripReader();
  const video = document.querySelector('video');
  const before = window.videostream.stats();
  const ages = [];
  window.beeps?.splice(0);
  let unread = 0;
  let isOver = false;
  const onFrame = () => {
    if (isOver) return;
    const age = strip.ageMs(window.videostream.picture);
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
    heard: window.beeps ?? [],
    player: {
      kind: after.player,
      target_ms: Math.round(after.target_ms),
      believes_ms: Math.round(after.latency_ms),
      underflows_joining: before.underflows,
      underflows: after.underflows - before.underflows,
      seeks: after.seeks - before.seeks,
      dropped: after.dropped - before.dropped,
      lip_sync_ms: after.lip_sync_ms === undefined || after.lip_sync_ms === null ? null : Math.round(after.lip_sync_ms),
    },
  };
}

/** Runs in the viewer page before its own scripts: how late each beep of what Web Audio plays is heard. */
function tapSound() {
  const SILENT_MS = 300;
  const LOUD = 0.01;
  window.beeps = [];
  // Firefox's page may hang for good while it asks (see web/player/codecs/sound.js), about once in a hundred times.
  const asksOnce = navigator.userAgent.includes('Firefox/');
  let askedMs = null;
  const { connect } = AudioNode.prototype;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode) listen(this);
    return connect.call(this, to, ...rest);
  };

  function listen(node) {
    const { context } = node;
    const analyser = new AnalyserNode(context, { fftSize: 4096 });
    connect.call(node, analyser);
    const samples = new Float32Array(analyser.fftSize);
    let loudAtSeconds = -Infinity;
    setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const endSeconds = context.currentTime;
      samples.forEach((sample, i) => {
        if (Math.abs(sample) < LOUD) return;
        const atSeconds = endSeconds - (samples.length - i) / context.sampleRate;
        if (atSeconds - loudAtSeconds > SILENT_MS / 1000) note(context, atSeconds);
        loudAtSeconds = Math.max(loudAtSeconds, atSeconds);
      });
    }, 20);
  }

  /** How long sound takes from the page to the ear. */
  function latencyMs(context) {
    const { contextTime, performanceTime } = context.getOutputTimestamp();
    return performanceTime - performance.now() + (context.currentTime - contextTime) * 1000;
  }

  function note(context, atSeconds) {
    if (!asksOnce || askedMs === null) askedMs = latencyMs(context);
    // By the sound's own clock, read now: in an hour it drifts from the page's clock by more than a second.
    window.beeps.push((Date.now() + (atSeconds - context.currentTime) * 1000 + askedMs) % 1000);
  }
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
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))]);
}

function print({ machine, versions, load_average: load, picture, codecs, delay_ms: delay, sound_ms: heard, player, late_joiner: late }) {
  const rows = [
    ['machine', `${machine}, load ${load.join(' to ')}`],
    ['programs', Object.values(versions).join(', ')],
    ['stream', `${picture}, ${codecs}`],
    ['glass to glass', `median ${delay.median} ms, 95th percentile ${delay.p95} ms, ${delay.samples} frames`],
    ...(heard.beeps ? [['glass to ear', `median ${heard.median} ms, 95th percentile ${heard.p95} ms, ${heard.beeps} beeps`]] : []),
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
