// A camera that pauses and hurries: every picture shown is one that was filmed, in both browsers.
//
// A player that loses a single frame shows the frames behind it broken, until the next keyframe.
// Runs alone: it looks at every frame.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab } from './lab.mjs';
import { Media } from './media.mjs';

const SIZE = 24;
const WATCH_MS = 12_000;
/** Of 255, on average: scaling differs a little between ffmpeg and the browsers. */
const ALIKE = 12;
const lab = new Lab();
const media = new Media();
let server;
let filmed;

before(async () => {
  server = await lab.server();
  const file = media.uneven('uneven.webm');
  filmed = media.pictures(file, SIZE);
  assert.ok(filmed.length > 100);
  await lab.push(server, 'uneven', file);
});
after(async () => {
  await lab.close();
  media.close();
});

const VIEWERS = [
  ['chromium', 'webcodecs'],
  ['chromium', 'mse'],
  ['firefox', 'webcodecs'],
  ['firefox', 'mse'],
];

test("a camera's own pictures are shown and no others, however uneven their times", { concurrency: true }, (t) =>
  Promise.all(VIEWERS.map(([browser, player]) => t.test(`${browser}, ${player}`, (each) => shows(each, browser, player)))),
);

async function shows(t, browser, player) {
  const viewer = await lab[browser]();
  await viewer.open(server.url(`/live/uneven?player=${player}`));
  await viewer.reaches('playing');
  const shown = await viewer.evaluate(look, { size: SIZE, forMs: WATCH_MS });
  assert.equal(await viewer.evaluate(() => window.videostream.stats().player), player);
  const distances = shown.map((picture) => Math.min(...filmed.map((each) => distance(each, picture))));
  const broken = distances.filter((each) => each > ALIKE).length;
  t.diagnostic(`${shown.length} pictures, the least alike differs by ${Math.max(...distances).toFixed(1)}`);
  assert.ok(shown.length > 50, `${shown.length} pictures shown`);
  assert.equal(broken, 0, `${broken} of ${shown.length} pictures were never filmed`);
}

/** Runs in the page: red, green and blue of each picture that is shown. */
async function look({ size, forMs }) {
  const video = document.querySelector('video');
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  const seen = [];
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs) {
    await Promise.race([
      new Promise((resolve) => video.requestVideoFrameCallback(resolve)),
      new Promise((resolve) => setTimeout(resolve, 500)),
    ]);
    context.drawImage(window.probe.picture(), 0, 0, size, size);
    seen.push([...context.getImageData(0, 0, size, size).data].filter((_, i) => i % 4 < 3));
  }
  return seen;
}

function distance(one, other) {
  return one.reduce((sum, value, i) => sum + Math.abs(value - other[i]), 0) / one.length;
}
