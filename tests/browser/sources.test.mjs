// Everything one can send besides a camera, and every way to look at it.
// Runs alone: it tells how old a picture is.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lab, picture, until } from './lab.mjs';
import { assertMoves } from './moving.mjs';

const lab = new Lab();
let server;
let publisher;
let viewer;

before(async () => {
  server = await lab.server();
  [publisher, viewer] = [await lab.chromium(), await lab.chromium()];
});
after(() => lab.close());

test('the screen goes live', async () => {
  await publisher.open(server.url('/publish/screen?source=screen&size=640x360'));
  await publisher.reaches('idle');
  await publisher.click('#go');
  await publisher.reaches('live');
  await viewer.open(server.url('/live/screen'));
  await viewer.reaches('playing');
  assert.ok((await viewer.evaluate(() => document.querySelector('video').videoWidth)) > 0);
  await picture(viewer, 'watch-screen');
});

test('the test picture goes live, and the viewer can tell how old it is', async (t) => {
  await publisher.open(server.url('/publish/test?source=test&auto'));
  await publisher.reaches('live');
  await viewer.open(server.url('/live/test'));
  await viewer.reaches('playing');
  await assertMoves(viewer);
  const age = await until('a readable clock', () => viewer.evaluate(() => window.videostream.stats().glass_ms));
  t.diagnostic(`the picture is ${age} ms old`);
  assert.ok(age > 0 && age < 3000, `${age} ms`);
  await viewer.press('s');
  await picture(viewer, 'statistics');
});

test("the embedded player plays in another site's frame", async () => {
  // Another port is another origin.
  const other = await lab.server();
  await viewer.open(other.url('/healthz'));
  await viewer.evaluate((src) => {
    const frame = document.createElement('iframe');
    frame.allow = 'autoplay; fullscreen';
    frame.width = 640;
    frame.height = 360;
    frame.src = src;
    document.body.replaceChildren(frame);
  }, server.url('/live/test?embed'));
  const embedded = await until('the frame', () => viewer.page.frames().find((frame) => frame.url().endsWith('?embed')));
  await until('playing', () => embedded.evaluate(() => document.documentElement.dataset.state === 'playing'));
  const seen = await embedded.evaluate(() => window.probe.frames(4000));
  assert.ok(seen.shown > 5 && seen.changed > 1, JSON.stringify(seen));
  await picture(viewer, 'embed');
});

test('H.264 in Matroska plays by WebCodecs, and otherwise from the plain stream', async () => {
  await lab.push(server, 'h264', fileURLToPath(new URL('data/h264-opus.mkv', import.meta.url)));
  await until('H.264', async () => /matroska/.test((await server.stream('h264'))?.mime ?? ''));
  await viewer.open(server.url('/live/h264'));
  await viewer.reaches('playing');
  assert.equal(await viewer.evaluate(() => window.videostream.stats().player), 'webcodecs');
  await assertMoves(viewer);
  await viewer.open(server.url('/live/h264?player=mse'));
  // The browser wants seconds of it before it begins.
  await viewer.reaches('playing', { withinMs: 20_000 });
  assert.equal(await viewer.evaluate(() => window.videostream.stats().player), 'src');
  await assertMoves(viewer);
  await picture(viewer, 'watch-h264');
});

test('no page logs an error or violates its security policy', async () => {
  for (const tab of [publisher, viewer]) {
    assert.deepEqual(tab.complaints, [], tab.browserName);
    assert.deepEqual(await tab.violations(), [], tab.browserName);
  }
});
