// The pages of recordings: each is played in place, and seeks, and can be deleted.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Lab, picture, sleep, until } from './lab.mjs';

const lab = new Lab();
let folder;
let server;
let tabs;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'videostream-recordings-'));
  server = await lab.server({ args: ['--record', folder, '--record-grace', '100ms', '--publish-key', 'correct horse'] });
  const publisher = await lab.chromium();
  await publisher.open(server.url('/publish/demo?source=test&audio=0&auto&key=correct%20horse'));
  await publisher.reaches('live');
  await sleep(4000);
  await publisher.stop();
  await publisher.reaches('ended');
  const list = async () => (await (await fetch(server.url('/api/recordings'))).json()).recordings;
  await until('a finished recording', async () => (await list()).some(({ live, duration_ms: ms }) => !live && ms > 2000));
  tabs = [publisher, await lab.firefox()];
});
after(async () => {
  await lab.close();
  await rm(folder, { recursive: true });
});

for (const path of ['/recordings', '/recordings/demo']) {
  test(`a recording on ${path} plays and seeks`, async () => {
    for (const tab of tabs) {
      await tab.open(server.url(path));
      await until('a card', () => tab.evaluate(() => document.querySelectorAll('#recordings li').length === 1));
      const poster = await tab.evaluate(() => document.querySelector('#recordings video').poster);
      const { headers } = await fetch(poster);
      assert.equal(headers.get('content-type'), 'image/webp');
      const width = await tab.evaluate(async (src) => {
        const image = Object.assign(new Image(), { src });
        await image.decode();
        return image.naturalWidth;
      }, poster);
      assert.equal(width, await tab.evaluate(() => document.querySelector('#recordings video').videoWidth || 1280));
      const seconds = await until('its length', () => tab.evaluate(() => document.querySelector('#recordings video').duration || 0));
      assert.ok(seconds > 2 && seconds < 60, `${seconds} s`);
      await tab.evaluate(() => {
        const video = document.querySelector('#recordings video');
        video.muted = true;
        video.currentTime = video.duration - 0.5;
        return video.play();
      });
      const isAtEnd = () => tab.evaluate(() => document.querySelector('#recordings video').ended);
      await until('its end', isAtEnd);
      assert.ok(await tab.evaluate(() => document.querySelector('#recordings video').seekable.length > 0));
      // However narrow: its time is all there, and a white picture has an edge.
      const isWhole = await tab.evaluate(() => {
        const name = document.querySelector('#recordings .card-name');
        name.style.width = '90px';
        const { scrollWidth, clientWidth } = name;
        name.style.width = '';
        return scrollWidth <= clientWidth;
      });
      assert.ok(isWhole, `${tab.browserName}: the end of the name is cut off`);
      const edge = await tab.evaluate(() => getComputedStyle(document.querySelector('#recordings .poster'), '::after').boxShadow);
      assert.match(edge, /1px inset/);
      await picture(tab, `recordings-${tab.browserName}${path.replaceAll('/', '-')}`);
    }
  });
}

const isShown = (tab, id) => tab.evaluate((each) => !document.getElementById(each).hidden, id);
const cards = (tab) => tab.evaluate(() => document.querySelectorAll('#recordings li').length);
const says = (tab, id) => tab.evaluate((each) => document.getElementById(each).textContent, id);

test('the home page leads to the recordings, and one is deleted with the key and after a question', async () => {
  const [, tab] = tabs;
  await tab.open(server.url('/'));
  await until('a link to the recordings', () => isShown(tab, 'to-recordings'));
  await picture(tab, 'home-with-recordings');
  await tab.click('#to-recordings');
  await until('a card', async () => (await cards(tab).catch(() => 0)) === 1);

  await tab.click('#recordings .delete');
  assert.match(await says(tab, 'sure-what'), /^demo, .*\d/);
  await picture(tab, 'recordings-delete');
  await tab.click('#keep');
  assert.equal(await tab.evaluate(() => document.getElementById('sure').open), false);

  await tab.click('#recordings .delete');
  assert.equal(await isShown(tab, 'sure-key'), false);
  await tab.click('#go');
  await until('a field for the key', () => isShown(tab, 'sure-key'));
  assert.equal(await says(tab, 'sure-text'), 'This needs the key for publishing. Enter it.');
  await tab.page.type('#publish-key', 'wrong');
  await tab.click('#go');
  await until('a word about the key', async () => (await says(tab, 'sure-text')).startsWith('This key does not allow it.'));
  await picture(tab, 'recordings-delete-key');
  assert.equal((await readdir(join(folder, 'demo'))).length, 1);
  await tab.page.type('#publish-key', 'correct horse');
  await tab.click('#go');
  await until('no card', async () => (await cards(tab)) === 0);
  assert.equal(await says(tab, 'summary'), 'There are no recordings.');
  assert.deepEqual(await readdir(folder), []);

  await tab.open(server.url('/'));
  await tab.reaches('empty');
  assert.equal(await isShown(tab, 'to-recordings'), false);
});
