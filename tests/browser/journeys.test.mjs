// What people do from one end to the other that no other file has: two streams in a page of another
// site, a publisher that loses its network, a phone.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { Gate } from './gate.mjs';
import { Lab, picture, sleep, until } from './lab.mjs';
import { Media } from './media.mjs';
import { assertMoves } from './moving.mjs';

const SIZES = { wide: '160x90', tall: '90x160' };
const lab = new Lab();
const media = new Media();
let server;
let gate;
let viewers;

before(async () => {
  server = await lab.server();
  gate = await Gate.start(server);
  await Promise.all(Object.entries(SIZES).map(([name, size]) => lab.push(server, name, media.make(`${name}.webm`, { rate: 20, size }))));
  viewers = [await lab.chromium(), await lab.firefox()];
});
after(async () => {
  await lab.close();
  gate.close();
  media.close();
});

/** A page of another origin, as somebody writes it who only read the embed code. */
async function otherSite(html) {
  const site = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(html);
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  return site;
}

test('two embeds on a page of another site play beside each other', async () => {
  const frames = Object.keys(SIZES).map(
    (name) => `<iframe src="${server.url(`/live/${name}?embed`)}" width="400" height="225" allow="autoplay; fullscreen"></iframe>`,
  );
  const site = await otherSite(`<!doctype html><title>Elsewhere</title>${frames.join('')}`);
  try {
    for (const viewer of viewers) {
      await viewer.open(`http://127.0.0.1:${site.address().port}/`);
      const seen = async () => {
        const inside = viewer.page.frames().filter((frame) => frame.url().startsWith(server.origin));
        return Object.fromEntries(
          await Promise.all(
            inside.map((frame) =>
              frame.evaluate(() => {
                const { videoWidth, videoHeight, currentTime } = document.querySelector('video');
                return [`${videoWidth}x${videoHeight}`, currentTime];
              }),
            ),
          ),
        );
      };
      const bothShow = async () => {
        const times = await seen();
        return Object.values(SIZES).every((size) => times[size] > 0) && times;
      };
      const first = await until(`${viewer.browserName} shows both`, bothShow);
      await until('both go on', async () => {
        const now = await seen();
        return Object.values(SIZES).every((size) => now[size] > first[size] + 1);
      });
      await picture(viewer, `two-embeds-${viewer.browserName}`);
    }
  } finally {
    site.close();
    site.closeAllConnections();
  }
});

test('a publisher without a network for 5 s goes on by itself, and its viewers with it', async () => {
  const publisher = await lab.chromium();
  await publisher.open(gate.url('/publish/train?source=test&auto&size=320x180'));
  await publisher.reaches('live');
  for (const viewer of viewers) {
    await viewer.open(server.url('/live/train'));
    await viewer.reaches('playing');
    await assertMoves(viewer);
  }
  gate.hold();
  await sleep(5000);
  gate.release();
  for (const viewer of viewers) {
    await assertMoves(viewer);
    await until('watching live', async () => /watching live/.test(await viewer.words()));
  }
  await publisher.reaches('live');
  await publisher.close();
});
