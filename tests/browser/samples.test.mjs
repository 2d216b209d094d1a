// Recordings with false claims, as people send them: a viewer that was there before the
// publisher, by WebCodecs, and one that comes later, by Media Source Extensions, both see them, in both browsers.
// Runs alone: it tells how long sound is away.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lab, picture, sleep, until } from './lab.mjs';
import { Media } from './media.mjs';
import { assertFlows, assertMoves } from './moving.mjs';

const LATER_MS = 1500;
/** From the publisher's start, or from when the page was opened. */
const SHOWN_WITHIN_MS = 6000;
/** Chromium begins a plain stream with 64 KB of it, five seconds of this one, and says so. */
const PLAIN_WITHIN_MS = 12_000;
const SAID_WITHIN_MS = 3500;
const DISCARD_PADDING = Buffer.from([0x75, 0xa2]);
/** Longer than a recording that has a seam. */
const SEAMS_MS = 6000;
/** A seam that is lost costs the picture until the next keyframe, a second later. */
const SEAM_GAP_MS = 900;

const lab = new Lab();
const media = new Media();
let server;
let early;
let late;

before(async () => {
  server = await lab.server();
  early = [await lab.chromium(), await lab.firefox()];
  late = [await lab.chromium(), await lab.firefox()];
});
after(async () => {
  await lab.close();
  media.close();
});

const recorded = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Publishes a file over and over at so many bytes a second, whatever its timestamps say. */
function upload(url, file, bytesPerSecond) {
  const STEP_MS = 50;
  const bytes = readFileSync(file);
  const body = request(url, { method: 'PUT' });
  body.on('error', () => {});
  let at = 0;
  const timer = setInterval(() => {
    const length = Math.round((bytesPerSecond * STEP_MS) / 1000);
    const piece = bytes.subarray(at, at + length);
    body.write(piece);
    at = at + length < bytes.length ? at + length : 0;
  }, STEP_MS);
  return () => {
    clearInterval(timer);
    body.destroy();
  };
}

async function openAll(tabs, path) {
  await Promise.all(
    tabs.map(async (tab) => {
      tab.complaints.length = 0;
      await tab.open(server.url(path));
      await tab.evaluate(() => {
        window.isTheSamePage = true;
      });
    }),
  );
}

/** Milliseconds until each of the tabs plays, from now. */
async function untilPlaying(t, who, tabs, withinMs) {
  const fromMs = performance.now();
  await Promise.all(
    tabs.map(async (tab) => {
      await tab.reaches('playing', { withinMs });
      const tookMs = Math.round(performance.now() - fromMs);
      t.diagnostic(`${who}, ${tab.browserName}: plays after ${tookMs} ms`);
    }),
  );
}

async function assertUntroubled(tab, { hasSound }) {
  assert.equal(await tab.state(), 'playing');
  // A busy machine makes it wait for a moment.
  await tab.says(/watching live/, { withinMs: 10_000 });
  assert.ok(await tab.evaluate(() => window.isTheSamePage), 'the page was reloaded');
  assert.deepEqual(tab.complaints, [], tab.browserName);
  assert.deepEqual(await tab.violations(), [], tab.browserName);
  if (!hasSound) return;
  const heard = () => tab.evaluate(() => window.probe.soundDecoded());
  const earlier = await heard();
  await until(
    `sound in ${tab.browserName}`,
    async () => {
      const now = await heard();
      return now === true || now > earlier;
    },
    { withinMs: 5000 },
  );
}

const SAMPLES = [
  { what: 'a sound track that has no blocks', name: 'silent-track', file: () => recorded('../data/audio-track-without-blocks.webm') },
  { what: 'BlockGroups that claim to be keyframes', name: 'groups', file: () => recorded('../data/block-groups-without-reference.webm') },
  {
    what: 'timestamps that step back by a minute',
    name: 'back',
    file: () => recorded('../data/timestamps-back-60s.webm'),
    bytesPerSecond: 24_000,
    hasSound: true,
    hasSeams: true,
  },
  {
    what: 'a keyframe a second and nothing between',
    name: 'still',
    file: () => recorded('data/one-keyframe-a-second.webm'),
    isStill: true,
  },
  {
    what: 'sound that ends in DiscardPadding, over and over',
    name: 'seams',
    file() {
      const path = media.make('seams.webm', { rate: 15, seconds: 2.01, keyframeEvery: 15 });
      assert.ok(readFileSync(path).includes(DISCARD_PADDING), 'ffmpeg wrote no DiscardPadding');
      return path;
    },
    hasSound: true,
    hasSeams: true,
  },
  {
    what: 'H.264 that calls itself WebM',
    name: 'h264',
    file: () => recorded('../data/h264-opus-doctype-webm.webm'),
    hasSound: true,
    isPlain: true,
    unknownToMse: 'firefox',
    named: /H\.264/,
  },
];

for (const {
  what,
  name,
  file,
  bytesPerSecond,
  hasSound = false,
  isStill = false,
  hasSeams = false,
  unknownToMse = '',
  named,
  isPlain = false,
} of SAMPLES) {
  test(what, async (t) => {
    const [path, page] = [file(), `/live/${name}`];
    await openAll(early, page);
    for (const tab of early) await tab.reaches('waiting');
    const stop = bytesPerSecond ? upload(server.url(`/publish/${name}`), path, bytesPerSecond) : await lab.push(server, name, path);
    try {
      const knows = (tab) => early.includes(tab) || tab.browserName !== unknownToMse;
      const withinMs = isPlain ? PLAIN_WITHIN_MS : SHOWN_WITHIN_MS;
      const earlyIn = untilPlaying(t, 'there before', early.filter(knows), withinMs);
      await sleep(LATER_MS);
      await openAll(late, `${page}?player=mse`);
      const lateIn = untilPlaying(t, 'came later', late.filter(knows), withinMs);
      if (isPlain) {
        const isAnswered = async (tab) => (await tab.state()) === 'playing' || named.test(await tab.words());
        for (const tab of late.filter(knows)) {
          await until(`${tab.browserName} says why it waits`, () => isAnswered(tab), { withinMs: SAID_WITHIN_MS });
        }
      }
      await Promise.all([earlyIn, lateIn]);
      await Promise.all(
        [...early, ...late].map(async (tab) => {
          if (!knows(tab)) {
            await tab.says(named);
            assert.doesNotMatch(await tab.words(), /watching live\.$/);
            return;
          }
          if (isStill) await assertFlows(tab);
          else await assertMoves(tab);
          await assertUntroubled(tab, { hasSound });
        }),
      );
      if (hasSeams) {
        const seen = await Promise.all([...early, ...late].map((tab) => tab.frames(SEAMS_MS)));
        t.diagnostic(`longest gaps over the seams: ${seen.map(({ gapMs }) => gapMs).join(', ')} ms`);
        for (const { gapMs } of seen) assert.ok(gapMs < SEAM_GAP_MS, `${gapMs} ms`);
        for (const tab of [...early, ...late]) await assertUntroubled(tab, { hasSound });
      }
      for (const tab of late) await picture(tab, `sample-${name}-${tab.browserName}`);
    } finally {
      stop();
    }
  });
}
