// The player for browsers without Media Source Extensions: a row of files, as node-videostream's page had.
// Runs alone: it tells how far the time of pictures jumps.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture, until } from './lab.mjs';

const lab = new Lab();
let server;
let publisher;

before(async () => {
  server = await lab.server();
  publisher = await lab.chromium();
});
after(() => lab.close());

/** What is noted from the start: addresses that were made and not given back, and the times of frames. */
function note() {
  const { createObjectURL, revokeObjectURL } = URL;
  const held = new Set();
  const noted = { held, files: 0, mostHeld: 0, times: [], posters: 0 };
  window.noted = noted;
  URL.createObjectURL = (blob) => {
    const url = createObjectURL.call(URL, blob);
    held.add(url);
    noted.files += 1;
    noted.mostHeld = Math.max(noted.mostHeld, held.size);
    return url;
  };
  URL.revokeObjectURL = (url) => {
    held.delete(url);
    revokeObjectURL.call(URL, url);
  };
  document.addEventListener('DOMContentLoaded', () => {
    const video = document.querySelector('video');
    if (!video) return;
    const count = (_now, { mediaTime }) => {
      // The first frame of each file is behind the canvas.
      if (document.querySelector('canvas.between')?.hidden) noted.times.push(mediaTime);
      video.requestVideoFrameCallback(count);
    };
    video.requestVideoFrameCallback(count);
    new MutationObserver(() => {
      const canvas = document.querySelector('canvas.between');
      if (canvas && !canvas.hidden && canvas.width > 300) noted.posters += 1;
    }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ['hidden'] });
  });
}

async function watch(viewer, address) {
  await viewer.open(server.url(address));
  await viewer.reaches('playing', { withinMs: 20_000 });
  return until('four files, and frames of them', async () => {
    const now = await viewer.evaluate(() => ({
      ...window.noted,
      stats: window.videostream.stats(),
    }));
    return now.files >= 4 && now.times.length > 60 && now;
  });
}

function assertRow({ times, mostHeld, posters, stats }) {
  assert.equal(stats.player, 'classic');
  assert.ok(mostHeld <= 2, `${mostHeld} object URLs at once`);
  assert.ok(posters >= 3, `${posters} posters`);
  const steps = times.slice(1).map((time, at) => time - times[at]);
  assert.ok(Math.min(...steps) > -0.3, `time went back by ${-Math.min(...steps)} s`);
  assert.ok(Math.max(...steps.slice(1)) < 1.5, `time jumped by ${Math.max(...steps)} s`);
  assert.ok(stats.latency_ms > 0 && stats.latency_ms < 9500, `${stats.latency_ms} ms`);
}

test('?player=classic plays a stream file by file, each from where the last one was', async (t) => {
  await publisher.open(server.url('/publish/classic?source=test&auto'));
  await publisher.reaches('live');
  const viewer = await lab.chromium();
  await viewer.beforePages(note);
  const seen = await watch(viewer, '/live/classic?player=classic');
  t.diagnostic(JSON.stringify({ ...seen, times: seen.times.length }));
  assertRow(seen);
  assert.deepEqual(await viewer.violations(), []);
  await picture(viewer, 'classic');
  // It goes on with the next publisher.
  await publisher.open(server.url('/publish/classic?source=test&auto'));
  await publisher.reaches('live');
  await until('more files', async () => (await viewer.evaluate(() => window.noted.files)) > seen.files + 2, { withinMs: 30_000 });
  await viewer.reaches('playing');
});

test('a browser without Media Source Extensions and WebCodecs gets it by itself', async (t) => {
  const viewer = await lab.chromium();
  await viewer.beforePages(() => {
    delete window.MediaSource;
    delete window.ManagedMediaSource;
    delete window.SourceBuffer;
    delete window.VideoDecoder;
  });
  await viewer.beforePages(note);
  const seen = await watch(viewer, '/live/classic');
  t.diagnostic(JSON.stringify({ ...seen, times: seen.times.length }));
  assertRow(seen);
});
