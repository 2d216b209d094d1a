// A server that signs its links: pages pass their token on to all addresses that they open, and to no other.

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Lab, until } from './lab.mjs';
import { assertMoves } from './moving.mjs';

const SECRET = randomBytes(32).toString('hex');
const lab = new Lab();
let server;
let publisher;
let viewer;

before(async () => {
  server = await lab.server({ args: ['--token-secret', SECRET] });
  [publisher, viewer] = [await lab.chromium(), await lab.chromium()];
});
after(() => lab.close());

/** A token as any web application would sign it. */
function token(act) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 600;
  const message = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: 'demo', act, exp })}`;
  return `${message}.${createHmac('sha256', SECRET).update(message).digest('base64url')}`;
}

test('a signed link goes live, sends its poster, and is not in the link to share', async () => {
  await publisher.open(server.url(`/publish/demo?source=test&auto&token=${token('publish')}`));
  await publisher.reaches('live');
  const shared = await publisher.evaluate(() => document.getElementById('link').href);
  assert.equal(shared, server.url('/live/demo'));
  const poster = server.url(`/live/demo.jpg?token=${token('watch')}`);
  await until('the poster', async () => (await fetch(poster)).ok);
});

for (const player of ['mse', 'src']) {
  test(`a signed link plays, by ${player}`, async () => {
    await viewer.open(server.url(`/live/demo?player=${player}&token=${token('watch')}`));
    await viewer.reaches('playing');
    await assertMoves(viewer, { framesPerSecond: 3 });
  });
}

test('the same addresses without a token show nothing', async () => {
  for (const path of ['/live/demo.webm', '/live/demo.jpg', '/api/streams/demo']) {
    assert.equal((await fetch(server.url(path))).status, 401, path);
  }
});

test('no page logs an error', async () => {
  for (const tab of [publisher, viewer]) {
    assert.deepEqual(tab.complaints, []);
    assert.deepEqual(await tab.violations(), []);
  }
});
