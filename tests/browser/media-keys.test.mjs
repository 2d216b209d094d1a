// What the system shows of a viewer page, and what its media keys do, over D-Bus as on a Linux desktop (MPRIS): for
// each player of each browser.

import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { Lab, sleep, until } from './lab.mjs';
import { Media } from './media.mjs';
import { SessionBus } from './session-bus.mjs';

const PAUSED_MS = 1500;
/** Less than it was paused for: it plays what is live by now. */
const LIVE_WITHIN_MS = 1000;

const lab = new Lab();
const media = new Media();
let bus;
let server;

before(async () => {
  bus = await SessionBus.start();
  server = await lab.server();
  await lab.push(server, 'demo', media.make('demo.webm', { rate: 20, keyframeEvery: 20, size: '320x180' }));
});
after(async () => {
  await lab.close();
  await bus?.close();
  media.close();
});

const isPaused = (tab) => tab.evaluate(() => document.getElementById('video').paused);

/** Until the page and the system agree. */
const becomes = (tab, player, status) =>
  until(`${tab.browserName} is ${status}`, async () => {
    const seen = [await isPaused(tab), await player.status()];
    return seen[0] === (status === 'Paused') && seen[1] === status;
  });

/** It goes on, and not from where it was paused. */
async function isLive(tab) {
  const figures = () => tab.evaluate(() => ({ at: document.getElementById('video').currentTime, ...window.videostream.stats() }));
  const { at } = await figures();
  await until(`${tab.browserName} plays what is live`, async () => {
    const { at: now, latency_ms: latencyMs } = await figures();
    return now > at && latencyMs !== null && latencyMs < LIVE_WITHIN_MS;
  });
}

async function obeysMediaKeys(tab, query) {
  await tab.open(server.url(`/live/demo${query}`));
  await tab.reaches('playing');
  // What is beside the picture comes sooner when a person is there, who moves.
  await tab.page.mouse.move(200, 200);
  await tab.page.mouse.move(210, 210);
  const player = await bus.player(tab.browserName);
  await becomes(tab, player, 'Playing');
  const told = await until(`the picture of ${query}`, async () => {
    const each = await player.metadata();
    return each.title === 'demo' && each.artUrl ? each : null;
  });
  assert.equal(told.artist, new URL(server.url('/')).host);
  assert.match(told.artUrl, /^file:/);

  await player.press('Pause');
  await becomes(tab, player, 'Paused');
  await sleep(PAUSED_MS);
  assert.equal(await isPaused(tab), true);
  await player.press('Play');
  await becomes(tab, player, 'Playing');
  await isLive(tab);

  // By the page's own key, and on by the system's; and once more, since it is another session by now.
  await tab.press(' ');
  await becomes(tab, player, 'Paused');
  await player.press('Play');
  await becomes(tab, player, 'Playing');
  await player.press('PlayPause');
  await becomes(tab, player, 'Paused');
}

async function obeysWithEachPlayer(tab) {
  await obeysMediaKeys(tab, '');
  const { player } = await tab.evaluate(() => window.videostream.stats());
  assert.equal(player, 'webcodecs');
  await obeysMediaKeys(tab, '?player=mse');
}

test('media keys', { concurrency: true }, async (t) => {
  await Promise.all([
    t.test('Chromium tells the system what plays, and media keys pause it and play on', async () => {
      await obeysWithEachPlayer(await lab.chromium({ env: bus.env }));
    }),
    t.test('Firefox tells the system what plays, and media keys pause it and play on', async () => {
      const preferences = { 'media.hardwaremediakeys.enabled': true };
      await obeysWithEachPlayer(await lab.firefox({ env: bus.env, preferences }));
    }),
  ]);
});
