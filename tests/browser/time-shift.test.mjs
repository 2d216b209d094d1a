// Back in time on the viewer page: the bar, the keys, the Live button and `?t=`, beyond what the ring has.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Lab, picture, until } from './lab.mjs';
import { Media } from './media.mjs';
import { assertMoves } from './moving.mjs';

/** Less than the stream has when the pages come: what is further back is in the recording. */
const RING = ['--ring-duration', '2s'];

const lab = new Lab();
const media = new Media();
let folder;
let server;
let tabs;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'videostream-time-shift-'));
  server = await lab.server({ args: ['--record', folder, ...RING] });
  const file = media.make('demo.webm', { rate: 20, keyframeEvery: 20 });
  [, ...tabs] = await Promise.all([lab.push(server, 'demo', file), lab.chromium(), lab.firefox()]);
  await until('some history', async () => (await server.stream('demo')).back_ms > 5500);
});
after(async () => {
  await lab.close();
  media.close();
  await rm(folder, { recursive: true });
});

const stats = (tab) => tab.evaluate(() => window.videostream.stats());
const place = (tab) =>
  tab.evaluate(() => {
    const bar = document.getElementById('seek');
    return { words: bar.getAttribute('aria-valuetext'), query: location.search, isShown: bar.checkVisibility() };
  });

async function isBehind(tab, seconds) {
  const what = `${tab.browserName} about ${seconds} s behind live`;
  let seen;
  await until(what, async () => {
    seen = await stats(tab);
    if (seen.state !== 'playing') return false;
    // A busy machine may be late with what is live.
    return seconds ? Math.abs(seen.latency_ms / 1000 - seconds) < 1.5 : seen.behind_ms === 0 && seen.latency_ms < 4000;
  }).catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify(seen)}`);
  });
}

test('keys, bar, button and address lead back in time and to live', async () => {
  const walk = async (tab) => {
    await tab.open(server.url('/live/demo'));
    await tab.reaches('playing');
    await isBehind(tab, 0);
    // A moment behind the picture.
    await until('the bar of time', async () => (await place(tab)).isShown);
    assert.deepEqual(await place(tab), { words: 'Live', query: '', isShown: true });
    // Beyond what the page has.
    await tab.press('ArrowLeft');
    await isBehind(tab, 5);
    await assertMoves(tab, { framesPerSecond: 5 });
    await tab.says(/^You are watching [4-6] seconds behind live\.$/);
    assert.equal((await place(tab)).query, '?t=-5');
    await picture(tab, `time-shift-${tab.browserName}`);
    // Forward, within what the page has, as by dragging.
    const sockets = (await tab.messages('hello')).length;
    await tab.evaluate(() => {
      const bar = document.getElementById('seek');
      bar.value = -3;
      for (const type of ['input', 'change']) bar.dispatchEvent(new Event(type));
      bar.focus();
    });
    await isBehind(tab, 3);
    assert.equal((await tab.messages('hello')).length, sockets);
    const { words, query } = await place(tab);
    assert.equal(query, '?t=-3');
    // What is so, which may be a second more or less.
    assert.match(words, /^[2-4] seconds behind live$/);
    // The bar has keys of its own, and keeps the focus over a new connection.
    await tab.press('Home');
    await isBehind(tab, (await stats(tab)).back_ms / 1000);
    assert.equal(await tab.evaluate(() => document.activeElement.id), 'seek');
    // A page that is loaded again begins there.
    await tab.reload();
    await tab.reaches('playing');
    await until('where it is', async () => /behind live$/.test((await place(tab)).words));
    await tab.evaluate(() => document.getElementById('seek').focus());
    await tab.click('#live');
    await isBehind(tab, 0);
    assert.deepEqual(await place(tab), { words: 'Live', query: '', isShown: true });
    await tab.says(/^You are watching live\.$/);
    assert.deepEqual(tab.complaints, []);
  };
  await Promise.all(tabs.map(walk));
});
