// A Firefox publisher, whose keyframes are far apart, begins anew when a viewer needs one.
// Runs alone: it tells how long pictures stand.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture, sleep, until } from './lab.mjs';
import { assertMoves, CHANGING_IN_FIREFOX } from './moving.mjs';

/** A picture that stands still for longer than this is a stall. */
const STALL_MS = 700;
/**
 * Firefox ends its sound before its picture, more so on a busy machine, so some milliseconds
 * cannot be played. A picture lost until its next keyframe would be seven seconds.
 */
const LOST_MS = 2500;
/** With such gaps before anything happened, the machine is too busy to be a judge of stalls. */
const BUSY_GAP_MS = 300;
const lab = new Lab();
let server;
let publisher;
let viewer;

before(async () => {
  server = await lab.server();
  [publisher, viewer] = [await lab.firefox(), await lab.chromium()];
});
after(() => lab.close());

test('Firefox publishes its fake camera to Chromium', async () => {
  await publisher.open(server.url('/publish/fox?source=camera&auto&size=640x360'));
  await publisher.reaches('live');
  await viewer.open(server.url('/live/fox'));
  await viewer.reaches('playing');
  const seen = await assertMoves(viewer, { changing: CHANGING_IN_FIREFOX });
  assert.ok(seen.hasSound);
  await picture(publisher, 'publish-firefox');
});

test('a new viewer restarts the recording, and other viewers play on', async (t) => {
  const earlier = await server.stream('fox');
  const usual = await viewer.frames(3000);
  assert.equal((await viewer.messages('init')).length, 1);
  const watching = viewer.frames(12_000);
  // Firefox sends a keyframe every 7.5 s; someone comes every second, so one comes late in a GOP.
  const asked = () => publisher.messages('restart');
  await until(
    'a restart',
    async () => {
      await viewer.evaluate(
        () =>
          new Promise((resolve) => {
            const socket = new WebSocket(location.href.replace('http', 'ws'), 'videostream.v1');
            socket.onmessage = ({ data }) => {
              if (typeof data === 'string') return;
              socket.onclose = resolve;
              socket.close();
            };
          }),
      );
      await sleep(1000);
      return (await asked()).length > 0;
    },
    { withinMs: 10_000 },
  );
  const seen = await watching;
  t.diagnostic(`longest gap between frames ${seen.gapMs} ms, and ${usual.gapMs} ms before`);

  await until('the new recording', async () => (await server.stream('fox')).publisher_restarts > earlier.publisher_restarts);
  assert.equal((await viewer.messages('init')).filter(({ generation }) => generation !== 1).length, 0);
  assert.equal(await viewer.state(), 'playing');
  const { ranges } = await viewer.evaluate(() => window.videostream.stats());
  const gaps = ranges.slice(1).map(([from], i) => (from - ranges[i][1]) * 1000);
  assert.ok(Math.max(0, ...gaps) < LOST_MS, `the picture was lost: ${JSON.stringify(ranges)}`);
  if (usual.gapMs < BUSY_GAP_MS) assert.ok(seen.gapMs < STALL_MS, `the viewer saw a gap of ${seen.gapMs} ms`);
  await assertMoves(viewer, { changing: CHANGING_IN_FIREFOX });
  for (const tab of [publisher, viewer]) assert.deepEqual(tab.complaints, [], tab.browserName);
});
