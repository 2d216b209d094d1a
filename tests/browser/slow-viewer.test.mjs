// A viewer whose line carries a third of the stream: it skips, the page says why and what helps, and the
// delay stays below a bound.
// Runs alone: it tells how late pictures are.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, byBothPlayers, picture, until } from './lab.mjs';
import { Media } from './media.mjs';
import { SlowLine } from './slow-line.mjs';

const KBPS = 300;
const STREAM_KBPS = 900;
/** What the server keeps ready for a viewer takes seven seconds of such a line: see src/hub/unsent.rs. */
const LATE_MOST_MS = 10_000;
const lab = new Lab();
const media = new Media();
let server;
let line;
let viewers;

before(async () => {
  server = await lab.server();
  line = await SlowLine.start(server, KBPS);
  const video = ['libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-minrate', `${STREAM_KBPS}k`, '-maxrate', `${STREAM_KBPS}k`];
  const file = media.make('busy.webm', { rate: 20, keyframeEvery: 20, size: '640x360', kbps: STREAM_KBPS, video });
  [viewers] = await Promise.all([Promise.all([lab.chromium(), lab.firefox()]), lab.push(server, 'busy', file)]);
});
after(async () => {
  await lab.close();
  line?.close();
  media.close();
});

/** The clock less the picture's time: the delay, but for what is the same all the time. */
const offset = (tab) =>
  tab.evaluate(() => performance.timeOrigin + performance.now() - document.getElementById('video').currentTime * 1000);

test(`a line of ${KBPS} kbit/s skips, with a note of what helps, and the delay stays bounded`, (t) =>
  Promise.all(
    viewers.map(async (tab) => {
      await tab.open(line.url(byBothPlayers(tab, '/live/busy')));
      await tab.reaches('playing');
      const first = await offset(tab);
      await tab.says(/connection (may be|is) too slow for this stream/);
      const seen = await tab.evaluate(() => ({
        text: document.getElementById('text').textContent,
        isHelpShown: document.getElementById('smoother').checkVisibility(),
        isPlaying: !document.getElementById('video').paused,
      }));
      assert.match(seen.text, /Move nearer to your router/);
      assert.ok(seen.isHelpShown && seen.isPlaying, JSON.stringify(seen));
      await picture(tab, `slow-${tab.browserName}`);
      let mostMs = 0;
      await until(
        'two skips',
        async () => {
          mostMs = Math.max(mostMs, (await offset(tab)) - first);
          return (await tab.messages('skip')).length >= 2;
        },
        { withinMs: 25_000 },
      );
      t.diagnostic(`${tab.browserName}: ${Math.round(mostMs)} ms later at most`);
      assert.ok(mostMs < LATE_MOST_MS, `${tab.browserName}: ${mostMs}`);
      // One connection all the time.
      assert.equal((await tab.messages('hello')).length, 1, tab.complaints.join());
      assert.deepEqual([tab.complaints, await tab.violations()], [[], []], tab.browserName);
    }),
  ));
