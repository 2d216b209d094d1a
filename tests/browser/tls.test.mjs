// A server that made its own certificate: away from localhost, only that opens the camera.

import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { after, test } from 'node:test';
import { Lab } from './lab.mjs';
import { assertMoves } from './moving.mjs';

const lab = new Lab();
after(() => lab.close());

test('a camera goes live on a page by https, and a viewer plays it by wss', async (t) => {
  const addresses = Object.values(networkInterfaces()).flat();
  const outside = addresses.find(({ family, internal }) => family === 'IPv4' && !internal);
  if (!outside) t.diagnostic('this machine has no address but its own: localhost it is');
  const host = outside?.address ?? '127.0.0.1';
  const server = await lab.server({ host, args: ['--tls-self-signed', '--publish-open'] });
  assert.ok(server.origin.startsWith(`https://${host}:`), server.origin);

  const publisher = await lab.chromium({ trusting: true });
  await publisher.open(server.url('/publish/secure?source=camera&auto&size=640x360'));
  await publisher.reaches('live');
  assert.ok(await publisher.evaluate(() => window.isSecureContext));

  const viewer = await lab.chromium({ trusting: true });
  await viewer.open(server.url('/live/secure'));
  await viewer.reaches('playing');
  await assertMoves(viewer);
});
