// The viewer page's stage in seven window sizes: its play button, its words, its statistics, full screen and the Live
// button. And every page's animations where the system asks for reduced motion.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture, until } from './lab.mjs';
import { Media } from './media.mjs';

const SIZES = [
  [320, 180, '?embed'],
  [400, 225, '?embed'],
  [480, 270, '?embed'],
  [390, 844, ''],
  [844, 390, ''],
  [720, 450, ''],
  [1440, 900, ''],
];

const lab = new Lab();
const media = new Media();
let server;
let tab;

before(async () => {
  server = await lab.server();
  await lab.push(server, 'moving', media.make('moving.webm', { rate: 20 }));
  tab = await lab.chromium();
  // The time bar is shown once there are some seconds to go back to.
  await until('some seconds', async () => (await server.stream('moving')).back_ms > 4000);
});
after(async () => {
  await lab.close();
  media.close();
});

/** Opens the page and waits for its deferred parts. */
async function open(path) {
  await tab.open(server.url(path));
  await tab.reaches('playing');
  await tab.page.mouse.move(60, 60);
  await tab.press('Shift');
  await until('the time bar', () => tab.evaluate(() => !document.getElementById('timeline').hidden));
}

test('every part of the large play button can be pressed', async () => {
  for (const [width, height, query] of SIZES) {
    await tab.page.setViewportSize({ width, height });
    await open(`/live/moving${query}`);
    await tab.press('k');
    await until('a large button', () => tab.evaluate(() => document.getElementById('play').checkVisibility()));
    const covered = await tab.evaluate(() => {
      const button = document.getElementById('play');
      const { left, top, width: size } = button.getBoundingClientRect();
      const within = [0.06, 0.25, 0.5, 0.75, 0.94];
      const places = within.flatMap((x) => within.map((y) => [x, y])).filter(([x, y]) => Math.hypot(x - 0.5, y - 0.5) < 0.49);
      return places
        .map(([x, y]) => document.elementFromPoint(left + x * size, top + y * size))
        .filter((found) => !button.contains(found))
        .map((found) => found?.id || found?.className || 'nothing');
    });
    assert.deepEqual(covered, [], `${width} × ${height}`);
    await picture(tab, `paused-${width}`);
  }
  await tab.page.setViewportSize({ width: 960, height: 640 });
});

test('the stage shows each reason why a picture stands or stutters', async () => {
  await open('/live/moving');
  const seen = await tab.evaluate(async () => {
    const load = (path) => import(`/assets/watch/${path}`);
    const [{ View }, { HITCHES, wordsFor }, { begin }] = await Promise.all(['view.js', 'words.js', 'states.js'].map(load));
    const view = new View({ poster: () => '', isSmooth: false });
    const { state } = begin({ hasMse: true, nowMs: performance.now() });
    const isShown = (id) => document.getElementById(id).checkVisibility();
    return HITCHES.map((hitch) => {
      const facts = { ...state, name: 'playing', hitch };
      view.show(facts, null, wordsFor('playing', { ...facts, name: 'moving' }));
      return [hitch, isShown('plate') && document.getElementById('title').textContent !== '', isShown('smoother')];
    });
  });
  assert.deepEqual(seen, [
    ['', false, false],
    ['dry', false, false],
    ['offline', true, false],
    ['publisher', true, false],
    ['line', true, false],
    ['slow', true, true],
    ['stops', true, true],
    ['device', true, true],
  ]);
});

test('the statistics end above the controls', async () => {
  for (const [width, height, query] of SIZES) {
    if (width < 390) continue;
    await tab.page.setViewportSize({ width, height });
    await open(`/live/moving${query}`);
    await tab.press('s');
    await until('statistics', () => tab.evaluate(() => document.querySelectorAll('#stats dt').length > 5));
    const { below, above } = await tab.evaluate(() => {
      document.getElementById('stage').classList.add('active');
      const boxOf = (id) => document.getElementById(id).getBoundingClientRect();
      return { below: boxOf('stats').bottom, above: Math.min(boxOf('timeline').top, boxOf('pause').top) };
    });
    assert.ok(below <= above, `${width} × ${height}: ${below} is below ${above}`);
    await picture(tab, `stats-${width}`);
  }
  await tab.page.setViewportSize({ width: 960, height: 640 });
});

test('no page animates where the system asks for reduced motion', async () => {
  await tab.page.emulateMedia({ reducedMotion: 'reduce' });
  for (const path of ['/', '/live/moving', '/publish/other', '/dashboard', '/recordings', '/live/a%20b']) {
    await tab.open(server.url(path));
    const slow = await tab.evaluate(() =>
      [...document.querySelectorAll('*')]
        .filter((each) => {
          const { animationName, animationDuration, animationIterationCount, transitionDuration } = getComputedStyle(each);
          const isSlow = (list) => list.split(', ').some((time) => parseFloat(time) > 0.01);
          const isEndless = animationIterationCount !== '1';
          return isSlow(transitionDuration) || (animationName !== 'none' && (isSlow(animationDuration) || isEndless));
        })
        .map((each) => each.id || each.className),
    );
    assert.deepEqual(slow, [], path);
  }
  await tab.page.emulateMedia({ reducedMotion: null });
});

test('full screen and picture in picture begin and end with their keys', async () => {
  tab.complaints.length = 0;
  await open('/live/moving');
  const shown = () => tab.evaluate(() => [document.fullscreenElement !== null, document.pictureInPictureElement?.id ?? null]);
  const shows = (what, isFull, pip) =>
    until(what, async () => {
      const [nowFull, nowPip] = await shown();
      return nowFull === isFull && nowPip === pip;
    });
  await tab.press('f');
  await shows('full screen', true, null);
  await tab.press('f');
  await shows('no full screen', false, null);
  await tab.press('i');
  await shows('picture in picture', false, 'video');
  await tab.press('i');
  await shows('no picture in picture', false, null);
  assert.deepEqual([tab.complaints, await tab.violations()], [[], []]);
});

test('the Live button is pressed while the viewer is live, and ends a pause', async () => {
  await open('/live/moving');
  const isPressed = () => tab.evaluate(() => document.getElementById('live').getAttribute('aria-pressed'));
  assert.equal(await isPressed(), 'true');
  await tab.press('k');
  await until('not live', async () => (await isPressed()) === 'false');
  await tab.click('#live');
  await until('live', async () => (await isPressed()) === 'true');
  assert.equal(await tab.evaluate(() => document.getElementById('video').paused), false);
});
