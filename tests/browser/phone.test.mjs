// From end to end by taps: a phone goes live, phones watch it and are turned, and what browsers refuse to
// play before a tap plays after one.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture, until } from './lab.mjs';
import { Media } from './media.mjs';
import { assertMoves } from './moving.mjs';

const PHONE = { width: 390, height: 844 };
const lab = new Lab();
const media = new Media();
let server;
/** Phones that go live: Chromium's is held upright, and Firefox has a camera of its own. */
let publishers;
let viewers;

before(async () => {
  server = await lab.server();
  const camera = media.camera('camera.mjpeg', '270x480');
  [publishers, viewers] = await Promise.all([
    Promise.all([lab.chromium({ ...PHONE, touch: true, camera }), lab.firefox(PHONE)]),
    Promise.all([lab.chromium({ ...PHONE, touch: true, autoplay: false }), lab.firefox({ ...PHONE, autoplay: false })]),
  ]);
  for (const tab of viewers) await tab.beforePages(tellOffers);
});
after(async () => {
  await lab.close();
  media.close();
});

/** A finger on the middle of what `selector` finds, which is brought into view. */
async function tap(tab, selector) {
  const { x, y } = await tab.evaluate((wanted) => {
    const element = document.querySelector(wanted);
    element.scrollIntoView({ block: 'center', behavior: 'instant' });
    const { left, top, width, height } = element.getBoundingClientRect();
    return { x: left + width / 2, y: top + height / 2 };
  }, selector);
  await tab.page.touchscreen.tap(x, y);
}

/** The screen on its side. */
const TURNED = { width: PHONE.height, height: PHONE.width };
const turn = (tab, { width, height }) =>
  tab.browserName === 'chromium' ? tab.page.setViewportSize({ width, height }) : tab.page.setViewport({ width, height });

/** Sizes of the picture and of its stage, and whether the page can be moved sideways. */
const shape = (tab, video) =>
  tab.evaluate((id) => {
    const { videoWidth, videoHeight } = document.getElementById(id);
    const { width, height, bottom } = document.getElementById('stage').getBoundingClientRect();
    return {
      isUpright: videoHeight > videoWidth,
      isStageUpright: height > width,
      stage: [width / innerWidth, height / innerHeight],
      isSeen: bottom <= innerHeight,
      isWider: document.documentElement.scrollWidth > innerWidth,
    };
  }, video);

/** Runs in the page, and tells by its console: a question of the test's own counts as a tap. */
function tellOffers() {
  let told = '';
  setInterval(() => {
    const offered = ['unmute', 'play'].find((id) => document.getElementById(id)?.checkVisibility()) ?? '';
    if (offered !== told) console.warn(`offers ${offered}`);
    told = offered;
  }, 50);
}

const offers = (tab, what) => until(`${tab.browserName} offers ${what}`, () => tab.complaints.includes(`${warned(tab)}: offers ${what}`));
const warned = ({ browserName }) => (browserName === 'chromium' ? 'warning' : 'warn');

const isPaused = (tab) => tab.evaluate(() => document.getElementById('video').paused);

test('a phone goes live by taps, in the shape in which it is held, and stays so when it is turned', () =>
  Promise.all(
    publishers.map(async (tab) => {
      await tab.open(server.url('/'));
      await tab.page.focus('#name');
      await tab.evaluate(() => document.getElementById('name').select());
      await tab.page.keyboard.type(`phone-${tab.browserName}`);
      await tap(tab, 'button[value=camera]');
      await until('the publisher page', () => tab.page.url().includes(`/publish/phone-${tab.browserName}`));
      await tab.says(/is ready/);
      const isPortrait = tab.browserName === 'chromium';
      await until('the stage in its shape', async () => (await shape(tab, 'preview')).isStageUpright === isPortrait);
      await tap(tab, '#go');
      await tab.reaches('live');
      const { isUpright, isStageUpright, isSeen, isWider } = await shape(tab, 'preview');
      assert.deepEqual([isUpright, isStageUpright, isSeen, isWider], [isPortrait, isPortrait, true, false], tab.browserName);
      await picture(tab, `phone-live-${tab.browserName}`);
      await turn(tab, TURNED);
      await until('on its side', () => tab.evaluate(() => innerWidth > innerHeight));
      assert.equal((await shape(tab, 'preview')).isWider, false, tab.browserName);
      assert.equal(await tab.state(), 'live');
      await picture(tab, `phone-live-turned-${tab.browserName}`);
      assert.deepEqual([tab.complaints, await tab.violations()], [[], []], tab.browserName);
      // Only the other one is watched.
      if (tab.browserName === 'firefox') await tab.close();
    }),
  ));

test('what a browser does not play by itself plays after a tap, with sound', () =>
  Promise.all(
    viewers.map(async (tab) => {
      // A video element of Firefox does not even play without sound; a canvas does.
      await tab.open(server.url(`/live/phone-chromium${tab.browserName === 'firefox' ? '?player=mse' : ''}`));
      if (tab.browserName === 'chromium') {
        // It plays without sound.
        await offers(tab, 'unmute');
        assert.equal(await isPaused(tab), false);
        await picture(tab, 'phone-unmute');
        await tap(tab, '#unmute');
      } else {
        await offers(tab, 'play');
        assert.equal(await isPaused(tab), true);
        await tab.says(/Tap to watch/);
        await picture(tab, 'phone-blocked');
        await tap(tab, '#play');
      }
      await until('sound', () => tab.evaluate(() => !document.getElementById('video').paused && !document.getElementById('video').muted));
      await assertMoves(tab);
      tab.complaints.length = 0;
    }),
  ));

test('a phone is led to a stream by taps, watches it upright, and fits it in when it is turned', () =>
  Promise.all(
    viewers.map(async (tab) => {
      await tab.open(server.url('/'));
      await tab.reaches('live');
      await tap(tab, 'a[href$="/live/phone-chromium"]');
      await until('the viewer page', () => tab.page.url() === server.url('/live/phone-chromium'));
      await tab.reaches('playing');
      // A browser may not count the taps of the page before.
      if (await isPaused(tab)) await tap(tab, '#play');
      await assertMoves(tab);
      const upright = await shape(tab, 'video');
      assert.ok(upright.isUpright && upright.isSeen && !upright.isWider, JSON.stringify(upright));
      assert.ok(Math.abs(upright.stage[1] - 0.7) < 0.02, JSON.stringify(upright));
      await picture(tab, `phone-watch-${tab.browserName}`);
      await turn(tab, TURNED);
      const turned = await until('the whole stage', async () => {
        const seen = await shape(tab, 'video');
        return seen.isSeen && seen;
      });
      assert.ok(turned.isUpright && !turned.isWider, JSON.stringify(turned));
      await picture(tab, `phone-watch-turned-${tab.browserName}`);
      // The first tap may only show the button.
      await until(
        'muted',
        async () => {
          const isMuted = await tab.evaluate(() => document.getElementById('video').muted);
          if (!isMuted) await tap(tab, '#mute');
          return isMuted;
        },
        { everyMs: 300 },
      );
      await turn(tab, PHONE);
      await assertMoves(tab);
      // Chromium warns where it does not count them.
      const complaints = tab.complaints.filter((each) => !/: offers |AudioContext was not allowed/.test(each));
      assert.deepEqual([complaints, await tab.violations()], [[], []], tab.browserName);
    }),
  ));
