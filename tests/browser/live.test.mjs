// Chromium publishes its fake camera; Chromium and Firefox watch, early and late.
// Runs alone: it tells how soon pictures come.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture, sleep, until } from './lab.mjs';
import { assertMoves, assertWhole } from './moving.mjs';

const CAMERA = '/publish/camera?source=camera&auto&size=640x360';
const lab = new Lab();
let server;
let publisher;
let chromium;
let firefox;

before(async () => {
  server = await lab.server();
  [publisher, chromium, firefox] = [await lab.chromium(), await lab.chromium(), await lab.firefox()];
});
after(() => lab.close());

test('the home page leads to a publisher page that goes live, and lists the stream', async () => {
  await publisher.open(server.url('/'));
  await publisher.evaluate(() => {
    const name = document.getElementById('name');
    name.value = 'camera';
    name.dispatchEvent(new Event('input'));
  });
  await publisher.click('button[value=camera]');
  await until('the publisher page', () => publisher.page.url().includes('/publish/camera?source=camera'));
  await publisher.says(/is ready/);
  await publisher.click('#go');
  await publisher.reaches('live');

  await chromium.open(server.url('/'));
  await chromium.reaches('live');
  await until('a card with a picture', () =>
    chromium.evaluate(() => {
      const card = document.querySelector('.card');
      return card?.pathname === '/live/camera' && card.querySelector('img').naturalWidth > 0;
    }),
  );
  await picture(chromium, 'home');
  await chromium.click('.card');
  await chromium.reaches('playing');
});

test('Chromium and Firefox viewers show moving frames, with sound', async () => {
  await publisher.open(server.url(CAMERA));
  await publisher.reaches('live');
  for (const viewer of [chromium, firefox]) {
    await viewer.open(server.url('/live/camera'));
    await viewer.reaches('playing');
  }
  for (const viewer of [chromium, firefox]) {
    const seen = await assertMoves(viewer);
    assert.equal(seen.width, 640);
    assert.ok(seen.hasSound, `${viewer.browserName} has no sound`);
    await assertWhole(viewer, 3500);
    await picture(viewer, `watch-${viewer.browserName}`);
  }
  await picture(publisher, 'publish-camera');
});

test('a late viewer shows its first frame within a second', async (t) => {
  const late = await lab.chromium();
  // A first visit, which fills the browser's cache as any earlier page of ours would have.
  await late.open(server.url('/live/camera'));
  await late.reaches('playing');
  const waits = [];
  for (let i = 0; i < 3; i += 1) {
    // Anywhere in a GOP of one second.
    await sleep(200 + 370 * i);
    await late.open(server.url('/live/camera'));
    await until('the first frame', async () => (await late.first()).frameMs !== null);
    waits.push(Math.round((await late.first()).frameMs));
  }
  await late.close();
  t.diagnostic(`first frames after ${waits.join(', ')} ms`);
  waits.sort((a, b) => a - b);
  assert.ok(waits[1] < 1000, `the median first frame came after ${waits[1]} ms`);
});

test('viewers go on by themselves when the publisher page is reloaded', async () => {
  for (const viewer of [chromium, firefox])
    await viewer.evaluate(() => {
      window.isTheSamePage = true;
    });
  await publisher.reload();
  await publisher.reaches('live');
  for (const viewer of [chromium, firefox]) {
    await viewer.reaches('playing');
    await assertMoves(viewer);
    assert.ok(await viewer.evaluate(() => window.isTheSamePage), 'the viewer page was reloaded');
  }
});

test('a plain video element plays the stream by its address', async () => {
  for (const viewer of [chromium, firefox]) {
    await viewer.open(server.url('/'));
    await viewer.evaluate(() => {
      const video = document.createElement('video');
      video.muted = true;
      video.src = '/live/camera.webm';
      document.body.prepend(video);
      video.play();
    });
    // It buffers seconds of its own accord before it begins.
    await until('playing', () => viewer.evaluate(() => document.querySelector('video').currentTime > 0.2));
    await assertMoves(viewer, { framesPerSecond: 3 });
  }
});

test('no page logs an error or violates its security policy', async () => {
  for (const tab of [publisher, chromium, firefox]) {
    assert.deepEqual(tab.complaints, [], tab.browserName);
    assert.deepEqual(await tab.violations(), [], tab.browserName);
  }
});
