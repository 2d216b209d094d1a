// Without a WebSocket the viewer page plays segments, as they grow and whole; Shaka Player plays their
// manifest.
// Runs alone: it tells how late pictures are.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lab, picture, until } from './lab.mjs';
import { assertMoves, assertWhole } from './moving.mjs';
import { Way } from './way.mjs';

/** GOPs of two seconds. */
const CLIP = fileURLToPath(new URL('../data/chromium-vp8-opus-100ms.webm', import.meta.url));
const SHAKA = new URL('node_modules/shaka-player/dist/shaka-player.compiled-es2021.js', import.meta.url);
const lab = new Lab();
let server;
let way;
let chromium;
let firefox;

before(async () => {
  server = await lab.server({ args: ['--allow-origin', '*'] });
  way = await Way.start(server.port);
  [chromium, firefox] = await Promise.all([lab.chromium(), lab.firefox()]);
  await lab.push(server, 'demo', CLIP);
});
after(async () => {
  await lab.close();
  way.close();
});

const both = (each) => Promise.all([chromium, firefox].map(each));
const latency = (tab) => tab.evaluate(() => window.videostream.stats().latency_ms);

test('both browsers play a segment as it grows', async (t) => {
  await both(async (tab) => {
    await tab.open(server.url('/live/demo?via=segments'));
    await tab.reaches('playing');
    const seen = await assertMoves(tab);
    assert.ok(seen.hasSound);
    await assertWhole(tab, 3000);
    assert.equal((await tab.messages('hello')).length, 0, 'it has a socket');
  });
  // Whole segments would be two seconds late at least.
  await both(async (tab) => {
    const late = await latency(tab);
    t.diagnostic(`${tab.browserName} is ${Math.round(late)} ms late`);
    assert.ok(late < 1500, `${tab.browserName} is ${late} ms late`);
  });
  await picture(chromium, 'segments');
});

test('where no socket opens, segments are found, and play although they come whole', async () => {
  way.isWhole = true;
  await both(async (tab) => {
    await tab.open(way.url('/live/demo'));
    await tab.reaches('playing', { withinMs: 20_000 });
    await assertMoves(tab);
    await assertWhole(tab, 3000);
  });
  assert.ok(way.segments > 4);
  way.isWhole = false;
});

test('transfers that break cost no picture', async () => {
  way.breaks = true;
  await both(async (tab) => {
    await tab.open(way.url('/live/demo?via=segments'));
    await tab.reaches('playing');
    await assertWhole(tab, 4000);
    await assertMoves(tab);
  });
  assert.ok(way.cuts >= 4, `${way.cuts} cuts`);
  way.breaks = false;
});

test('Shaka Player plays the manifest, and a late joiner joins', async () => {
  way.pages['/shaka.js'] = { type: 'text/javascript', text: await readFile(SHAKA, 'utf8') };
  way.pages['/shaka'] = {
    type: 'text/html',
    text: '<!doctype html><title>Shaka</title><video muted autoplay></video><script src="shaka.js"></script>',
  };
  const manifest = server.url('/live/demo/live.mpd');
  await both(async (tab) => {
    await tab.open(way.url('/shaka'));
    const join = (url) =>
      tab.evaluate(async (address) => {
        const { shaka } = window;
        shaka.polyfill.installAll();
        const player = new shaka.Player();
        const video = document.querySelector('video');
        await player.attach(video);
        await player.load(address);
        await video.play();
        window.player = player;
        return { isLive: player.isLive(), ...player.seekRange() };
      }, url);
    const { isLive, start, end } = await join(manifest);
    assert.ok(isLive && end > start, `${tab.browserName}: ${start} to ${end}`);
    // Over the end of what there was.
    await until('it goes on', () => tab.evaluate((from) => document.querySelector('video').currentTime > from, end));
    const seen = await assertMoves(tab);
    assert.deepEqual([seen.width, seen.height], [320, 240]);
    assert.ok(seen.hasSound, `${tab.browserName} has no sound`);
    assert.equal(await tab.evaluate(() => window.player.getBufferedInfo().total.length), 1);
  });
});
