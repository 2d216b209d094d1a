// How the publisher page looks: its words are shown once, Stop alone is red, and the main button and the chosen source
// can be seen in low windows and in forced colours.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { Lab, picture, until } from './lab.mjs';

const RED = 'rgb(211, 38, 27)';
const lab = new Lab();
let folder;
let server;
let guarded;
let tab;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'videostream-looks-'));
  server = await lab.server({ args: ['--record', folder] });
  guarded = await lab.server({ args: ['--publish-key', 'p', '--watch-key', 'w'] });
  tab = await lab.chromium();
  await tab.beforePages(otherCameras);
});
after(async () => {
  await lab.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => tab.page.setViewportSize({ width: 960, height: 640 }));

/** What can be read on the stage and below it, and what the main button looks like. */
const look = () =>
  tab.evaluate(() => {
    const isSeen = (id) => {
      const each = document.getElementById(id);
      return each.checkVisibility() && each.getBoundingClientRect().width > 1;
    };
    return {
      onStage: isSeen('title'),
      below: isSeen('sentence'),
      // Screen readers have it in any case.
      isTold: document.getElementById('sentence').checkVisibility(),
      go: getComputedStyle(document.getElementById('go')).backgroundColor,
    };
  });

/** The pixels of an element, three bytes each: computed styles do not tell forced colours. */
async function points(selector, partOf) {
  const box = await tab.page.locator(selector).boundingBox();
  const png = await tab.page.screenshot({ clip: partOf(box) });
  return execFileSync('ffmpeg', ['-v', 'quiet', '-i', '-', '-pix_fmt', 'rgb24', '-f', 'rawvideo', '-'], { input: png });
}

/** A pixel of a button beside its words. */
const edgeOf = (selector) => points(selector, ({ x, y, height }) => ({ x: x + 5, y: y + height / 2, width: 1, height: 1 }));

/** In this state the page shows its words once: on the stage, or below it where `isBelow`. */
async function saysOnce(state, isBelow = false) {
  await tab.reaches(state);
  await tab.page.mouse.move(0, 0);
  const { onStage, below, isTold } = await look();
  assert.deepEqual({ onStage, below, isTold }, { onStage: !isBelow, below: isBelow, isTold: true }, `${state}: ${await tab.words()}`);
}

test('the publisher page shows the words of each state once', async () => {
  await tab.open(server.url('/publish/once'));
  await saysOnce('idle');
  await tab.click('.pick [data-source=test]');
  await tab.says(/is ready/);
  await saysOnce('idle', true);
  await tab.click('#go');
  await saysOnce('live', true);
  await tab.stop();
  await saysOnce('ended');
  await tab.open(server.url('/publish/once?source=screen'));
  await saysOnce('idle');
  await tab.open(server.url('/publish/once?source=camera&blocked'));
  await saysOnce('error');
  await tab.open(server.url('/publish/once?source=camera&slow-camera'));
  await saysOnce('asking');
  await tab.open(guarded.url('/publish/once?source=test'));
  await tab.says(/is ready/);
  await tab.click('#go');
  await tab.says(/^Publishing here needs a key\./);
  await saysOnce('error');
});

test('Stop is red, and Cancel is not', async () => {
  await tab.open(server.url('/publish/red?source=camera&slow-camera'));
  await tab.reaches('asking');
  assert.equal(await tab.evaluate(() => document.getElementById('go').textContent), 'Cancel');
  await tab.page.mouse.move(0, 0);
  const colour = async () => (await look()).go;
  assert.notEqual(await colour(), RED);
  await picture(tab, 'publish-cancel');
  await tab.open(server.url('/publish/red?source=test&auto&size=320x180'));
  await tab.reaches('live');
  await until('red', async () => (await colour()) === RED);
  await tab.stop();
  await tab.reaches('ended');
});

test('forced colours show the chosen source, and the level of the sound', async () => {
  await tab.page.emulateMedia({ forcedColors: 'active' });
  await tab.open(server.url('/publish/forced?source=camera'));
  await tab.says(/is ready/);
  await until('a level', () => tab.evaluate(() => Number(document.getElementById('level').ariaValueNow) > 20));
  const [camera, ...others] = await Promise.all(['camera', 'screen', 'test'].map((source) => edgeOf(`.segment[data-source=${source}]`)));
  for (const other of others) assert.notDeepEqual(camera, other);
  // The first and the last pixels of the bar.
  await until('a bar that moves', async () => {
    const row = await points('#level', (box) => ({ ...box, x: box.x + 4, y: box.y + box.height / 2, width: box.width - 8, height: 1 }));
    return Buffer.compare(row.subarray(0, 3), row.subarray(-3)) !== 0;
  });
  await picture(tab, 'publish-forced');
  await tab.page.emulateMedia({ forcedColors: null });
});

test('the main button is on the first screen of a low window', async () => {
  for (const [width, height] of [
    [720, 450],
    [844, 390],
    [1280, 600],
    [390, 844],
  ]) {
    await tab.page.setViewportSize({ width, height });
    for (const source of ['test', 'camera']) {
      await tab.open(server.url(`/publish/low?source=${source}`));
      await tab.says(/is ready/);
      const bottom = await tab.evaluate(() => document.getElementById('go').getBoundingClientRect().bottom);
      assert.ok(bottom <= height, `${width} × ${height}, ${source}: ${bottom}`);
    }
    await picture(tab, `publish-low-${width}`);
    await tab.click('#go');
    await tab.reaches('live');
    const tops = () =>
      tab.evaluate(() => [...document.querySelectorAll('.badge')].filter((each) => each.checkVisibility()).map((each) => each.offsetTop));
    await until('badges', async () => (await tops()).length === 4);
    assert.equal(new Set(await tops()).size, 1, `${width} × ${height}: badges in one row`);
    await picture(tab, `publish-low-${width}-live`);
    await tab.stop();
    await tab.reaches('ended');
    const [bottom, scrolled] = await tab.evaluate(() => [document.getElementById('go').getBoundingClientRect().bottom, scrollY]);
    assert.ok(bottom + scrolled <= height, `ended, ${width} × ${height}: ${bottom + scrolled}`);
  }
});

test('no words of the settings are cut, and a long name has a tooltip', async () => {
  await tab.page.setViewportSize({ width: 1440, height: 900 });
  const name = 'a-name-that-is-longer-than-any-desk-has-room-for'.repeat(2).slice(0, 64);
  await tab.open(server.url(`/publish/${name}?source=test`));
  await tab.says(/is ready/);
  assert.equal(await tab.evaluate(() => document.getElementById('name').title), name);
  await tab.click('#settings-button');
  const cut = await tab.evaluate(() => {
    const pen = document.createElement('canvas').getContext('2d');
    return [...document.querySelectorAll('.settings select')].flatMap((select) => {
      const { fontWeight, fontSize, fontFamily, paddingLeft, paddingRight } = getComputedStyle(select);
      pen.font = `${fontWeight} ${fontSize} ${fontFamily}`;
      const room = select.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
      return [...select.options]
        .filter(({ text }) => select.checkVisibility() && pen.measureText(text).width > room)
        .map(({ text }) => text);
    });
  });
  assert.deepEqual(cut, []);
});

test('a refusal names the devices that it may be about', async () => {
  for (const [query, title] of [
    ['blocked', 'The camera or the microphone is blocked.'],
    ['blocked&audio=0', 'The camera is blocked.'],
    ['blocked&tells=camera', 'The camera is blocked.'],
    ['blocked&tells=microphone', 'The microphone is blocked.'],
  ]) {
    await tab.open(server.url(`/publish/refused?source=camera&${query}`));
    await tab.reaches('error');
    assert.equal(await tab.evaluate(() => document.getElementById('title').textContent), title, query);
  }
});

/** Runs in the page: the camera is refused, or opens late, and the browser tells permissions as the address says. */
function otherCameras() {
  const query = new URLSearchParams(location.search);
  if (query.has('slow-camera')) navigator.mediaDevices.getUserMedia = () => new Promise(() => {});
  if (!query.has('blocked')) return;
  navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
  const told = query.get('tells');
  navigator.permissions.query = ({ name }) =>
    told ? Promise.resolve({ state: name === told ? 'denied' : 'prompt' }) : Promise.reject(new TypeError('not known'));
}
