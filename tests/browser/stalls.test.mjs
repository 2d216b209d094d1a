// A picture that stands is never called live: the page says within 3 s that nothing comes, and why.
// Runs alone: it tells how soon a page says something.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { Lab, byBothPlayers, picture, until } from './lab.mjs';
import { Media } from './media.mjs';
import { QuietProxy } from './quiet-proxy.mjs';
import { BINARY } from './server.mjs';

const lab = new Lab();
const media = new Media();
let server;
let proxy;
let viewers;

before(async () => {
  server = await lab.server();
  proxy = await QuietProxy.start(server.port);
  await lab.push(server, 'moving', media.make('moving.webm', { rate: 20 }));
  viewers = [await lab.chromium(), await lab.firefox()];
});
after(async () => {
  await lab.close();
  await proxy.close();
  media.close();
});

/** What the page shows of a stop. */
function shown() {
  const isSeen = (id) => getComputedStyle(document.getElementById(id)).visibility === 'visible';
  return {
    words: document.getElementById('sentence').textContent,
    badge: document.getElementById('badge').textContent,
    hasSpinner: isSeen('spinner'),
    hidesPicture:
      getComputedStyle(document.getElementById('veil')).backgroundColor !== 'rgba(0, 0, 0, 0)' &&
      getComputedStyle(document.getElementById('veil')).display !== 'none',
  };
}

/** Asks until the page shows it, and returns after how long of the page's own time. */
async function tells(tab, pattern, withinMs) {
  const fromMs = performance.now();
  let seen;
  await until(
    `${tab.browserName} says ${pattern}`,
    async () => {
      seen = await tab.evaluate(shown);
      return pattern.test(seen.words) && seen.badge === 'Waiting' && seen.hasSpinner;
    },
    { withinMs, everyMs: 50 },
  ).catch((error) => {
    throw new Error(`${error.message}; it shows ${JSON.stringify(seen)}`);
  });
  assert.equal(seen.hidesPicture, false, 'the picture is hidden');
  return Math.round(performance.now() - fromMs);
}

test('a viewer shows that its connection is silent, and plays on when data return', async (t) => {
  for (const viewer of viewers) {
    await viewer.open(proxy.url('/live/moving'));
    await viewer.reaches('playing');
    await viewer.says(/watching live/);
    proxy.hush();
    const tookMs = await tells(viewer, /Nothing comes in right now|You are offline/, 5000);
    t.diagnostic(`${viewer.browserName}: told after ${tookMs} ms`);
    await picture(viewer, `silent-${viewer.browserName}`);
    proxy.speak();
    await viewer.says(/watching live/, { withinMs: 20_000 });
  }
});

test('an offline browser shows so at once', async () => {
  const [chromium] = viewers;
  await chromium.open(server.url('/live/moving'));
  await chromium.reaches('playing');
  await chromium.page.context().setOffline(true);
  await chromium.says(/You are offline/, { withinMs: 3000, everyMs: 50 });
  await chromium.page.context().setOffline(false);
  await chromium.says(/watching live/, { withinMs: 20_000 });
});

test('a silent publisher is reported on the viewer page, and its last picture stays', async () => {
  const child = spawn(BINARY, ['push', '--loop', media.make('halting.webm', { rate: 20 }), server.url('/publish/halting')], {
    stdio: 'ignore',
  });
  try {
    await until('on air', async () => (await server.stream('halting'))?.live);
    for (const viewer of viewers) {
      await viewer.open(server.url(byBothPlayers(viewer, '/live/halting')));
      await viewer.reaches('playing');
      await viewer.says(/watching live/);
    }
    child.kill('SIGSTOP');
    for (const viewer of viewers) await tells(viewer, /Nothing (new comes from halting|comes in right now)/, 6000);
    child.kill('SIGCONT');
    for (const viewer of viewers) {
      await viewer.says(/watching live/, { withinMs: 20_000 });
    }
  } finally {
    child.kill('SIGKILL');
  }
});

test('paused or blocked, one large button and a tap on the picture play', async () => {
  const [chromium] = viewers;
  await chromium.open(server.url('/live/moving'));
  await chromium.reaches('playing');
  await chromium.press(' ');
  const size = () => chromium.evaluate(() => document.getElementById('play').getBoundingClientRect().width);
  await until('a large button', async () => (await size()) >= 72);
  await picture(chromium, 'paused');
  const isPaused = () => chromium.evaluate(() => document.querySelector('video').paused);
  assert.equal(await isPaused(), true);
  await chromium.page.mouse.click(120, 150);
  await until('playing', async () => !(await isPaused()));
});
