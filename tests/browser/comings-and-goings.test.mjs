// Publishers, viewers and the server itself come and go in any order.
// Runs alone: it tells how soon pictures come.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture, until } from './lab.mjs';
import { assertMoves } from './moving.mjs';

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

const viewers = () => [chromium, firefox];

async function assertAllMove() {
  for (const viewer of viewers()) await viewer.reaches('playing');
  for (const viewer of viewers()) await assertMoves(viewer);
}

test('viewers before the publisher wait, and play when the stream begins', async () => {
  for (const viewer of viewers()) {
    await viewer.open(server.url('/live/early'));
    await viewer.reaches('waiting');
    await viewer.says(/not on air right now/);
  }
  await picture(chromium, 'waiting');
  await publisher.open(server.url('/publish/early?source=test&auto&size=640x360'));
  await publisher.reaches('live');
  await assertAllMove();
});

test('an ended stream is shown as ended at once, and plays again when its publisher is back', async () => {
  await publisher.stop();
  await publisher.reaches('ended');
  await picture(publisher, 'ended');
  for (const viewer of viewers()) {
    await viewer.reaches('ended', { withinMs: 5000 });
    await viewer.says(/early has ended/);
    assert.ok(await viewer.evaluate(() => document.getElementById('others').getClientRects().length > 0), 'no way to other streams');
  }
  await picture(chromium, 'stopped');
  await until('off air', async () => !(await server.stream('early'))?.live);
  await publisher.click('#go');
  await publisher.reaches('live');
  await assertAllMove();
});

test('publisher and viewers reconnect to a restarted server', async () => {
  const { port } = server;
  await server.kill();
  await publisher.reaches('reconnecting');
  for (const viewer of viewers()) await viewer.reaches('reconnecting');
  await picture(chromium, 'reconnecting');
  await picture(publisher, 'publish-reconnecting');
  server = await lab.server({ port });
  // Retries are up to 8 s apart.
  await publisher.reaches('live', { withinMs: 20_000 });
  for (const viewer of viewers()) await viewer.reaches('playing', { withinMs: 20_000 });
  await assertAllMove();
});
