// A picture that stands still, or has few frames, freezes no viewer: in both browsers, whenever they come.
// Runs alone: it tells whether playback keeps the clock's pace.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lab, byBothPlayers, picture } from './lab.mjs';
import { Media } from './media.mjs';
import { assertFlows } from './moving.mjs';

const ONE_A_SECOND = fileURLToPath(new URL('data/one-keyframe-a-second.webm', import.meta.url));
const lab = new Lab();
const media = new Media();
let server;
let viewers;

before(async () => {
  server = await lab.server();
  viewers = [await lab.chromium(), await lab.firefox()];
});
after(async () => {
  await lab.close();
  media.close();
});

const STREAMS = [
  ['one keyframe a second', () => ONE_A_SECOND],
  ['a frame each 5 s, with sound', () => media.make('fifth.webm', { rate: 0.2, seconds: 20 })],
  ['a frame a second, with sound', () => media.make('one.webm', { rate: 1 })],
  ['a frame a second', () => media.make('mute.webm', { rate: 1, hasAudio: false })],
  ['60 frames a second, with sound', () => media.make('sixty.webm', { rate: 60, seconds: 8 })],
];

STREAMS.forEach(([name, file], i) => {
  test(`${name}: a newcomer sees it at once, and it flows on`, async () => {
    await lab.push(server, `s${i}`, file());
    await Promise.all(
      viewers.map(async (viewer) => {
        await viewer.open(server.url(byBothPlayers(viewer, `/live/s${i}`)));
        await viewer.reaches('playing');
        await assertFlows(viewer);
      }),
    );
    for (const viewer of viewers)
      assert.deepEqual(
        viewer.complaints.filter((each) => /afresh/.test(each)),
        [],
        viewer.browserName,
      );
    await picture(viewers[0], `still-${i}`);
  });
});

test('repeats of VP8 and VP9 show the picture that was there, and no other', async () => {
  const recorded = (name) => fileURLToPath(new URL(`../data/${name}.webm`, import.meta.url));
  for (const [codec, name] of [
    ['V_VP8', 'chromium-vp8-only-100ms'],
    ['V_VP9', 'chromium-vp9-opus-100ms'],
  ]) {
    const { checkRepeats } = await import('./repeats.mjs');
    const { frames, wrong } = checkRepeats(recorded(name), codec);
    assert.ok(frames > 50);
    assert.equal(wrong, 0, `${codec}: ${wrong} pictures differ`);
  }
});
