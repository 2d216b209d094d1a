// The old protocol of node-videostream: pages that behave as its own did, beside our pages.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture, sleep, until } from './lab.mjs';
import { assertMoves } from './moving.mjs';
import { oldPorts, serveOldPages } from './old-pages.mjs';

const lab = new Lab();
let publisher;
let listener;
let viewer;

before(async () => {
  [publisher, listener, viewer] = [await lab.chromium(), await lab.chromium(), await lab.chromium()];
});
after(() => lab.close());

async function oldServer() {
  const server = await lab.server({ args: ['--compat-node-videostream=0'] });
  const ports = await until('four ports', () => {
    const found = oldPorts(server);
    return found.length === 4 && found;
  });
  return { server, pages: await serveOldPages(ports) };
}

/** Sets out to publish by a click, which a page needs to record the screen. */
async function publish(page, ...how) {
  await publisher.open(page);
  await publisher.evaluate((args) => {
    document.querySelector('button').onclick = () => window.publish(...args);
  }, how);
  await publisher.click('button');
}

const heard = () => listener.evaluate(() => ({ ...window.heard, widths: [...window.heard.widths] }));

async function listen(page) {
  await listener.open(page);
  await listener.evaluate(() => window.listen());
}

for (const [name, kind, mimeType] of [
  ['a canvas in VP8', 'canvas', 'video/webm;codecs=vp8'],
  ['a screen in H.264', 'screen', 'video/webm;codecs=H264'],
]) {
  test(`an old page publishes ${name}, another listens, and our viewer page plays it`, async (t) => {
    const { server, pages } = await oldServer();
    try {
      await listen(pages.listener);
      await publish(pages.publisher, kind, mimeType, 800, 3);
      const early = await until('two blobs, and frames of them', async () => {
        const now = await heard();
        return now.blobs >= 2 && now.chunks >= 4 && now.frames > 10 && now;
      });
      t.diagnostic(JSON.stringify(early));
      assert.ok(early.widths.some((width) => width > 0));
      const stream = await server.stream('compat');
      assert.ok(stream.live && stream.publisher_restarts >= 1, JSON.stringify(stream));
      assert.match(stream.codecs, mimeType.endsWith('vp8') ? /vp8/ : /avc1/);

      await viewer.open(server.url('/live/compat'));
      await viewer.reaches('playing', { withinMs: 25_000 });
      await until('a picture', () => viewer.evaluate(() => document.querySelector('video').videoWidth > 0));
      await picture(viewer, `old-${kind}`);

      // A late listener gets the blob so far as its first message.
      await listen(pages.listener);
      const late = await until('a late listener plays', async () => {
        const now = await heard();
        return now.frames > 5 && now.chunks > 0 && now;
      });
      t.diagnostic(JSON.stringify(late));
      assert.equal(late.errors + early.errors, 0);
    } finally {
      pages.close();
    }
  });
}

test('our publisher page reaches an old listener', async (t) => {
  const { server, pages } = await oldServer();
  try {
    await listen(pages.listener);
    await publisher.open(server.url('/publish/compat?source=test&auto'));
    await publisher.reaches('live');
    const now = await until('frames', async () => {
      const seen = await heard();
      return seen.blobs >= 1 && seen.chunks > 10 && seen.frames > 5 && seen;
    });
    t.diagnostic(JSON.stringify(now));
    // A listener that comes in the middle of it.
    await sleep(1500);
    await listen(pages.listener);
    const late = await until('a late listener plays', async () => {
      const seen = await heard();
      return seen.frames > 5 && seen;
    });
    t.diagnostic(JSON.stringify(late));
    assert.equal(late.errors, 0);
    await viewer.open(server.url('/live/compat'));
    await viewer.reaches('playing');
    await assertMoves(viewer);
  } finally {
    pages.close();
  }
});
