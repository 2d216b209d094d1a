// The viewer page as people use it: fingers, keys, small frames, streams of other shapes or without a picture.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture, sleep, until } from './lab.mjs';
import { Media } from './media.mjs';
import { assertMoves } from './moving.mjs';

/** No sooner is a script asked for again. */
const AGAIN_AFTER_MS = 1200;
const lab = new Lab();
const media = new Media();
let server;
let tabs;

before(async () => {
  server = await lab.server();
  await Promise.all([
    lab.push(server, 'moving', media.make('moving.webm', { rate: 20 })),
    lab.push(server, 'tall', media.make('tall.webm', { size: '90x160' })),
    lab.push(server, 'tone', media.make('tone.webm', { hasVideo: false })),
  ]);
  tabs = await Promise.all([lab.chromium({ width: 390, height: 844, touch: true }), lab.firefox({ width: 390, height: 844 })]);
  for (const tab of tabs) await tab.beforePages(keepBlobs);
});
after(async () => {
  await lab.close();
  media.close();
});

/** Runs in each page: what is handed out as a download stays to be looked at. */
function keepBlobs() {
  const { createObjectURL } = URL;
  URL.createObjectURL = (blob) => {
    if (blob instanceof Blob) window.savedBlob = blob;
    return createObjectURL.call(URL, blob);
  };
  const { click } = HTMLAnchorElement.prototype;
  HTMLAnchorElement.prototype.click = function clicked() {
    if (this.download) window.savedName = this.download;
    else click.call(this);
  };
}

const inBoth = (walk) => Promise.all(tabs.map(walk));
const isPaused = (tab) => tab.evaluate(() => document.getElementById('video').paused);
const label = (tab, id) => tab.evaluate((of) => document.getElementById(of).ariaLabel, id);
const isShown = (tab, id) => tab.evaluate((of) => document.getElementById(of)?.checkVisibility() ?? false, id);
const hasControls = (tab) => tab.evaluate(() => getComputedStyle(document.querySelector('.controls')).pointerEvents === 'auto');

test('what a person does before the script for it is there is done later, although that script did not load at first', async () => {
  const person = await lab.chromium();
  const scripts = [];
  await person.page.route(/\/deferred-/, async (route) => {
    scripts.push(route.request().url());
    if (scripts.length < 3) await route.abort();
    else await route.continue();
  });
  await person.open(server.url('/live/moving'));
  await person.reaches('playing');
  const facts = () =>
    person.evaluate(() => {
      const { paused, volume } = document.getElementById('video');
      return [paused, volume];
    });
  // In vain, twice: the address itself, and one of its own.
  await person.press('k');
  await until('two attempts', () => scripts.length === 2);
  await sleep(AGAIN_AFTER_MS);
  assert.deepEqual(await facts(), [false, 1]);
  await person.evaluate(() => {
    const volume = document.getElementById('volume');
    volume.value = '0.3';
    volume.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await person.press('k');
  await until('paused, and not as loud', async () => (await facts()).join() === 'true,0.3');
  assert.ok(scripts.length >= 3, scripts.join());
  await person.press('k');
  await until('playing', async () => !(await facts())[0]);
  await person.close();
});

test('the first tap shows hidden controls, and the next one works them', () =>
  inBoth(async (tab) => {
    await tab.open(server.url('/live/moving'));
    await tab.reaches('playing');
    await until('hidden controls', async () => !(await hasControls(tab)));
    const { x, y } = await tab.evaluate(() => {
      const { left, top, width, height } = document.getElementById('pause').getBoundingClientRect();
      return { x: left + width / 2, y: top + height / 2 };
    });
    await tab.page.touchscreen.tap(x, y);
    await until('controls', () => hasControls(tab));
    assert.equal(await isPaused(tab), false, tab.browserName);
    await tab.page.touchscreen.tap(x, y);
    await until('a pause', () => isPaused(tab));
    assert.equal(await label(tab, 'pause'), 'Play');
    // A tap anywhere on the picture plays.
    await tab.page.touchscreen.tap(300, 60);
    await until('playing', async () => !(await isPaused(tab)));
    assert.equal(await label(tab, 'pause'), 'Pause');
  }));

test('keys work with caps lock, and the help has the focus until Escape', () =>
  inBoth(async (tab) => {
    await tab.open(server.url('/live/moving'));
    await tab.reaches('playing');
    await tab.press('K');
    await until('a pause', () => isPaused(tab));
    await tab.press('k');
    await until('playing', async () => !(await isPaused(tab)));
    await tab.press('?');
    await until('the help', () => isShown(tab, 'help-title'));
    await picture(tab, `help-${tab.browserName}`);
    for (let i = 0; i < 4; i += 1) {
      await tab.press('Tab');
      // The browser's own buttons come in between.
      assert.ok(await tab.evaluate(() => document.activeElement.matches('html, body, dialog, dialog *')), tab.browserName);
    }
    await tab.press('m');
    assert.equal(await label(tab, 'mute'), 'Mute');
    await tab.press('Escape');
    await until('no help', () => tab.evaluate(() => !document.querySelector('dialog[open]')));
    await tab.press('M');
    await until('muted', async () => (await label(tab, 'mute')) === 'Unmute');
    await tab.press('ArrowUp');
    for (let i = 0; i < 3; i += 1) await tab.press('ArrowDown');
    await tab.press('ArrowUp');
    await tab.reload();
    await tab.reaches('playing');
    const { volume, muted } = await tab.evaluate(() => {
      const video = document.getElementById('video');
      return { volume: video.volume, muted: video.muted };
    });
    assert.deepEqual([Math.round(volume * 10), muted], [1, false], tab.browserName);
    await tab.evaluate(() => localStorage.clear());
  }));

test('a picture is saved in its own size, named after the stream, from the element and from a canvas', () =>
  inBoth(async (tab) => {
    for (const query of tab.browserName === 'chromium' ? ['', '?player=webcodecs'] : ['']) {
      await tab.open(server.url(`/live/moving${query}`));
      await tab.reaches('playing');
      await assertMoves(tab, { framesPerSecond: 3 });
      await tab.evaluate(() => document.getElementById('snapshot').click());
      await until('a picture', () => tab.evaluate(() => window.savedName));
      const saved = await tab.evaluate(async () => {
        const bitmap = await createImageBitmap(window.savedBlob);
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
        const context = canvas.getContext('2d');
        context.drawImage(bitmap, 0, 0);
        const colours = new Set(new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer));
        return { name: window.savedName, size: [bitmap.width, bitmap.height], type: window.savedBlob.type, colours: colours.size };
      });
      assert.match(saved.name, /^moving-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.png$/);
      assert.deepEqual([saved.size, saved.type], [[160, 90], 'image/png']);
      assert.ok(saved.colours > 100, `${saved.colours} colours`);
    }
  }));

test('a stream without a picture shows its level, and offers no picture in picture', () =>
  inBoth(async (tab) => {
    for (const query of tab.browserName === 'chromium' ? ['?player=webcodecs', ''] : ['']) {
      await tab.open(server.url(`/live/tone${query}`));
      await tab.reaches('playing');
      await tab.says(/^You are listening live\./);
      /** Whether the bar of 440 Hz is high, and others are not. */
      const peak = () =>
        tab.evaluate(() => {
          const canvas = document.getElementById('level');
          if (!canvas || canvas.hidden) return false;
          const { data } = canvas.getContext('2d').getImageData(0, Math.round(canvas.height * 0.3), canvas.width, 1);
          const drawn = Array.from({ length: canvas.width }, (_, x) => data[x * 4 + 3] > 0).filter(Boolean).length;
          return drawn > 0 && drawn < canvas.width / 2;
        });
      await until(`the level in ${tab.browserName} ${query}`, peak);
      assert.equal(await isShown(tab, 'pip'), false);
      assert.equal(await isShown(tab, 'snapshot'), false);
    }
    await picture(tab, `sound-only-${tab.browserName}`);
  }));

test('the stage has the shape of the picture, and the page has the other streams', () =>
  inBoth(async (tab) => {
    await tab.open(server.url('/live/tall'));
    await tab.reaches('playing');
    const height = () => tab.evaluate(() => document.getElementById('stage').getBoundingClientRect().height / innerHeight);
    await until('a tall stage', async () => Math.abs((await height()) - 0.7) < 0.01);
    const cards = () => tab.evaluate(() => [...document.querySelectorAll('#streams .card-name')].map((each) => each.textContent));
    await until('the others', async () => (await cards()).length === 2);
    assert.deepEqual((await cards()).toSorted(), ['moving', 'tone']);
    assert.match(await tab.evaluate(() => document.getElementById('facts').textContent), /^\d viewers? · just started$/);
    await picture(tab, `portrait-${tab.browserName}`);
  }));

test('the share panel copies the link without a clipboard', () =>
  inBoth(async (tab) => {
    await tab.evaluate(() => {
      Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true });
      document.execCommand = (what) => {
        window.copied = what === 'copy' ? document.activeElement.value : null;
        return true;
      };
    });
    await tab.click('#share-button');
    await until('the panel', () => isShown(tab, 'copy-link'));
    await tab.click('#copy-link');
    assert.equal(await tab.evaluate(() => window.copied), server.url('/live/tall'));
    assert.ok((await tab.evaluate(() => document.querySelector('#share-code path').getAttribute('d').length)) > 1000);
    // The level's canvas was read by this test alone.
    assert.deepEqual(
      tab.complaints.filter((each) => !each.includes('willReadFrequently')),
      [],
    );
    assert.deepEqual(await tab.violations(), []);
  }));

test('a small frame has three controls, statistics that stay off them, and a way to the whole page', () =>
  inBoth(async (tab) => {
    const size = { width: 320, height: 180 };
    await (tab.browserName === 'chromium' ? tab.page.setViewportSize(size) : tab.page.setViewport(size));
    await tab.open(server.url('/live/moving?embed'));
    await tab.reaches('playing');
    await tab.press('s');
    await until('the statistics', () => tab.evaluate(() => document.getElementById('stats').childElementCount > 0));
    const seen = await tab.evaluate(() => {
      const box = (id) => document.getElementById(id).getBoundingClientRect();
      const controls = [...document.querySelectorAll('.controls :is(button, input)')].filter((each) => each.checkVisibility());
      return {
        controls: controls.map(({ id }) => id),
        isInside: controls.every((each) => each.getBoundingClientRect().right <= innerWidth),
        isClear: box('stats').bottom <= box('pause').top && box('stats').right <= innerWidth,
        link: [document.getElementById('full').href, document.getElementById('full').target, document.getElementById('full').rel],
      };
    });
    assert.deepEqual(seen, {
      controls: ['pause', 'mute', 'fullscreen'],
      isInside: true,
      isClear: true,
      link: [server.url('/live/moving'), '_blank', 'noopener'],
    });
    await picture(tab, `embed-320-${tab.browserName}`);
  }));
