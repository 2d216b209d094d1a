// Holds a publisher's uplink at a rate, lets it go, and tells what the page and a viewer made of it.
// By hand:
//
//   node uplink.mjs [--kbps 300,600,1200] [--hold 30] [--free 45] [--publisher chromium|firefox]
//                   [--recorder webcodecs|mediarecorder]
//
// The camera plays a picture that moves all over and is hard to encode: its publisher fills the
// 1.5 Mbit/s that it is asked for. Chromium plays it from a file, in Firefox a canvas stands in for it.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Gate } from './gate.mjs';
import { Lab, sleep } from './lab.mjs';

export const ASKED = { kbps: 1500, width: 960, height: 540 };
const LOOK_MS = 250;

/** A camera's file, in a folder that is to be removed. */
export function busyCamera() {
  const folder = mkdtempSync(join(tmpdir(), 'camera-'));
  const file = join(folder, 'camera.mjpeg');
  const source = `testsrc2=size=${ASKED.width}x${ASKED.height}:rate=30,noise=alls=24:allf=t`;
  execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', source, '-t', '2', '-q:v', '4', '-f', 'mjpeg', file]);
  return { file, remove: () => rmSync(folder, { recursive: true }) };
}

/**
 * Runs in a publisher page before its own scripts: a canvas full of moving noise is its camera. The canvas has
 * the size of `ASKED` until the page asks for a smaller one.
 */
function canvasCamera() {
  const [width, height] = [960, 540];
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d');
  const noise = new OffscreenCanvas(width, height);
  const points = new ImageData(width, height);
  new Uint32Array(points.data.buffer).forEach((_, i, all) => {
    all[i] = 0xff000000 | (Math.random() * 0xffffff);
  });
  noise.getContext('2d').putImageData(points, 0, 0);
  let turn = 0;
  setInterval(() => {
    turn += 1;
    context.globalAlpha = 1;
    context.fillStyle = `hsl(${turn * 3} 60% 50%)`;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.globalAlpha = 0.25;
    const [x, y] = [(turn * 37) % width, (turn * 23) % height];
    for (const left of [x - width, x]) for (const top of [y - height, y]) context.drawImage(noise, left, top);
  }, 33);
  navigator.mediaDevices.getUserMedia = async () => {
    const stream = canvas.captureStream(30);
    const [track] = stream.getVideoTracks();
    track.getSettings = () => ({ width: canvas.width, height: canvas.height });
    track.applyConstraints = async (wanted) => {
      canvas.width = wanted?.width?.ideal ?? width;
      canvas.height = wanted?.height?.ideal ?? height;
    };
    return stream;
  };
}

/** A publisher with that camera, on air through a gate, and a viewer that sees it. */
export async function onAirThroughGate(lab, camera, { browser = 'chromium', recorder = 'webcodecs' } = {}) {
  const server = await lab.server();
  const gate = await Gate.start(server);
  const [publisher, viewer] = [await lab[browser]({ camera }), await lab.chromium()];
  if (browser === 'firefox') await publisher.beforePages(canvasCamera);
  const { kbps, width, height } = ASKED;
  const asked = `source=camera&auto&audio=0&kbps=${kbps}&size=${width}x${height}&recorder=${recorder}`;
  await publisher.open(gate.url(`/publish/squeezed?${asked}`));
  await publisher.reaches('live');
  await viewer.open(server.url('/live/squeezed'));
  await viewer.reaches('playing');
  return { gate, server, publisher, viewer };
}

/** What the publisher page shows now, and how many bits its encoder is asked for. */
export function seen(publisher) {
  return publisher.evaluate(() => ({
    state: document.documentElement.dataset.state,
    words: document.getElementById('sentence').textContent,
    rate: document.getElementById('rate').textContent,
    width: document.getElementById('preview').videoWidth,
    isReduced: window.videostream.quality().isReduced,
    bits: window.videostream.quality().videoBitsPerSecond,
  }));
}

/** Looks at the publisher page for a while: each look with its time. */
export async function watchPublisher(publisher, forMs, isEnough = () => false) {
  const looks = [];
  const startedMs = performance.now();
  for (let atMs = 0; atMs < forMs; atMs = performance.now() - startedMs) {
    looks.push({ atMs, ...(await seen(publisher)) });
    if (isEnough(looks.at(-1))) break;
    await sleep(LOOK_MS);
  }
  return looks;
}

async function main() {
  const { values } = parseArgs({
    options: {
      kbps: { type: 'string', default: '300,600,1200' },
      hold: { type: 'string', default: '30' },
      free: { type: 'string', default: '45' },
      publisher: { type: 'string', default: 'chromium' },
      recorder: { type: 'string', default: 'webcodecs' },
    },
  });
  const camera = busyCamera();
  try {
    for (const kbps of values.kbps.split(',').map(Number)) {
      const lab = new Lab();
      try {
        await measure(lab, camera.file, kbps, values);
      } finally {
        await lab.close();
      }
    }
  } finally {
    camera.remove();
  }
}

async function measure(lab, camera, kbps, { hold, free, publisher: browser, recorder }) {
  const { gate, server, publisher, viewer } = await onAirThroughGate(lab, camera, { browser, recorder });
  await sleep(3000);
  try {
    const full = (await server.stream('squeezed')).bitrate_bps;
    gate.slow(kbps * 125);
    const squeezed = viewer.frames(Number(hold) * 1000);
    const settled = sleep(12_000).then(() => viewer.frames(Math.max(1000, Number(hold) * 1000 - 12_000)));
    const looks = await watchPublisher(publisher, Number(hold) * 1000);
    const [whole, late] = [await squeezed, await settled];
    const held = (await server.stream('squeezed')).bitrate_bps;
    gate.slow(Infinity);
    const freed = await watchPublisher(publisher, Number(free) * 1000, ({ isReduced }) => !isReduced);
    const lowered = looks.find(({ isReduced }) => isReduced)?.atMs;
    const seconds = (ms) => (ms === undefined ? 'never' : `${(ms / 1000).toFixed(1)} s`);
    for (const [what, value] of [
      ['uplink', `${kbps} kbit/s, for a stream of ${Math.round(full / 1000)} kbit/s`],
      ['quality lower after', seconds(lowered)],
      ['sent at the end', `${Math.round(held / 1000)} kbit/s, ${looks.at(-1).width} points wide`],
      ['page not live', `${looks.filter(({ state }) => state !== 'live').length} of ${looks.length} looks`],
      [
        'longest still picture',
        `${seconds(whole.gapMs)}, after 12 s ${seconds(late.gapMs)}; ran dry ${whole.dry} times, after 12 s ${late.dry}`,
      ],
      ['whole quality again', freed.at(-1).isReduced ? `not within ${free} s` : seconds(freed.at(-1).atMs)],
    ]) {
      console.log(`${what.padEnd(24)} ${value}`);
    }
    console.log();
  } finally {
    gate.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main();
