// Without a WebSocket the viewer page plays segments, as they grow and whole; Shaka Player plays their
// manifest.
// Runs alone: it tells how late pictures are.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lab, byBothPlayers, picture, until } from './lab.mjs';
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
/** Of GOPs of two seconds, also when a busy machine takes its time. */
const FOUR_GOPS = { withinMs: 20_000 };

test('both browsers play a segment as it grows', async (t) => {
  await both(async (tab) => {
    await tab.open(server.url(byBothPlayers(tab, '/live/demo?via=segments')));
    await tab.reaches('playing');
    const seen = await assertMoves(tab);
    assert.ok(seen.hasSound);
    await assertWhole(tab, 3000);
    assert.equal((await tab.messages('hello')).length, 0, 'it has a socket');
  });
  // Whole segments would be two seconds late at least.
  await both(async (tab) => {
    let late;
    await until(`${tab.browserName} is less than 1500 ms late`, async () => (late = await latency(tab)) < 1500).catch((error) => {
      throw new Error(`${error.message}; it is ${late} ms late`);
    });
    t.diagnostic(`${tab.browserName} is ${Math.round(late)} ms late`);
  });
  await picture(chromium, 'segments');
});

test('where no socket opens, segments are found, and play although they come whole', async () => {
  way.isWhole = true;
  await both(async (tab) => {
    await tab.open(way.url('/live/demo'));
    await tab.reaches('playing', { withinMs: 20_000 });
    await assertMoves(tab);
    await assertWhole(tab, 3000, { happened: () => until('five segments were asked for', () => way.segments > 4, FOUR_GOPS) });
  });
  way.isWhole = false;
});

test('transfers that break cost no picture', async () => {
  way.breaks = true;
  await both(async (tab) => {
    await tab.open(way.url(byBothPlayers(tab, '/live/demo?via=segments')));
    await tab.reaches('playing');
    await assertWhole(tab, 4000, { happened: () => until('four segments were broken off', () => way.cuts >= 4, FOUR_GOPS), areLate: true });
    await assertMoves(tab);
  });
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
