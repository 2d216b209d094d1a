// The home page with many streams: their order, the search, posters, and what moves under a pointer.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { Lab, picture, until } from './lab.mjs';
import { Publishers, recorded } from './publishers.mjs';

const NAMES = ['stream-1', 'stream-2', 'stream-10', ...Array.from({ length: 9 }, (_, i) => `cam-${i + 2}`), 'tall', 'zoo'];
const LONG = `a-${'long-'.repeat(11)}name`;
const lab = new Lab();
let server;
let publishers;
let tabs;

before(async () => {
  server = await lab.server();
  publishers = new Publishers(server);
  tabs = await Promise.all([lab.chromium({ width: 1440, height: 900 }), lab.firefox({ width: 1440, height: 900 })]);
  await publishers.start([...NAMES].reverse());
  const jpeg = execFileSync('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=90x160', '-frames:v', '1', '-f', 'mjpeg', '-'],
  ]);
  assert.equal((await fetch(server.url('/live/tall.jpg'), { method: 'PUT', body: jpeg })).status, 204);
});
after(async () => {
  publishers.close();
  await lab.close();
});

/** The names on the cards that can be seen, in their order. */
const shown = (tab) =>
  tab.evaluate(() =>
    [...document.querySelectorAll('.streams > li:not([hidden])')].map(
      (item) => item.querySelector('.card-name').textContent + (item.classList.contains('gone') ? ' (gone)' : ''),
    ),
  );
const text = (tab, id) => tab.evaluate((of) => document.getElementById(of).textContent, id);
const ordered = (names) => [...names].sort(new Intl.Collator('en', { numeric: true }).compare);

async function openHome(tab) {
  await tab.open(server.url('/'));
  await tab.reaches('live');
}

test('streams stand by name, in columns, with their pictures whole', async () => {
  for (const tab of tabs) {
    await openHome(tab);
    assert.deepEqual(await shown(tab), ordered(NAMES), tab.browserName);
    const columns = await tab.evaluate(() => getComputedStyle(document.getElementById('streams')).gridTemplateColumns.split(' ').length);
    assert.equal(columns, 4);
    const fit = () =>
      tab.evaluate(() => {
        const image = document.querySelector('a[href$="/live/tall"] img');
        return image.hidden ? null : [image.naturalWidth, getComputedStyle(image).objectFit];
      });
    assert.deepEqual(await until('the tall picture', fit), [90, 'contain']);
    await picture(tab, `home-many-${tab.browserName}`);
  }
});

test('a search is begun with a slash, finds, and says when nothing is found', async () => {
  for (const tab of tabs) {
    await openHome(tab);
    await tab.press('/');
    await tab.page.keyboard.type('STREAM');
    assert.deepEqual(await shown(tab), ['stream-1', 'stream-2', 'stream-10'], tab.browserName);
    assert.equal(await text(tab, 'announcement'), '3 of 14 streams found');
    await tab.page.keyboard.type(' roof');
    assert.deepEqual(await shown(tab), []);
    assert.equal(await text(tab, 'no-match-text'), 'No stream on air has “STREAM roof” in its name.');
    await picture(tab, `home-no-match-${tab.browserName}`);
    await tab.press('Escape');
    assert.equal((await shown(tab)).length, NAMES.length);
    // In a field it is a letter.
    await tab.page.focus('#name');
    await tab.press('/');
    assert.equal(await tab.evaluate(() => document.activeElement.id), 'name');
  }
});

test('a name that is on air, one in another script and a long one each get a word', async () => {
  for (const tab of tabs) {
    await openHome(tab);
    const typed = async (name) => {
      await tab.page.focus('#name');
      await tab.evaluate(() => document.getElementById('name').select());
      await tab.page.keyboard.type(name);
      return text(tab, 'hint');
    };
    assert.equal(await typed('zoo'), 'zoo is on air now. Going live takes it over.');
    assert.match(await typed('日本'), /^“日本” cannot be written in an address\. Use letters/);
    await tab.click('#use');
    assert.match(await tab.evaluate(() => document.getElementById('name').value), /^stream-[0-9a-f]{4}$/);
    assert.match(await typed('Überraschung'), /^“Überraschung” becomes “Uberraschung”\./);
  }
});

test('nothing moves under a pointer while streams come and go', async () => {
  const place = (tab) =>
    tab.evaluate(() => {
      const { x, y } = document.querySelector('a[href$="/live/cam-7"]').getBoundingClientRect();
      return [x, y];
    });
  for (const tab of tabs) {
    await openHome(tab);
    await tab.page.hover('a[href$="/live/cam-7"]');
  }
  const places = await Promise.all(tabs.map(place));
  await publishers.start([LONG]);
  await publishers.stop('cam-3');
  for (const [i, tab] of tabs.entries()) {
    const now = () => shown(tab);
    await until('both changes', async () => /\(gone\)/.test(await now()) && (await now()).at(-1) === LONG);
    assert.deepEqual(await place(tab), places[i], tab.browserName);
    assert.equal((await now())[1], 'cam-3 (gone)');
    assert.equal(await tab.evaluate(() => document.querySelector('.streams > li:last-child a').title), LONG);
    await tab.page.mouse.move(1400, 880);
    await until('order', async () => (await now())[0] === LONG);
    assert.ok(!(await now()).join().includes('cam-3'));
  }
  await publishers.stop(LONG);
});

test('a poster is asked for again only when there is another', async () => {
  const asked = (tab) => tab.evaluate(() => performance.getEntriesByType('resource').filter(({ name }) => /\/poster\?/.test(name)).length);
  const lists = (tab) =>
    tab.evaluate(() => performance.getEntriesByType('resource').filter(({ name }) => /\/api\/streams$/.test(name)).length);
  const look = async (tab) => {
    await openHome(tab);
    const first = await lists(tab);
    await until('two more lists', async () => (await lists(tab)) >= first + 2);
    assert.equal(await asked(tab), NAMES.length - 1, tab.browserName);
  };
  await Promise.all(tabs.map(look));
});

test('the page says that a key is wrong, keeps it marked in the field, and shows the streams with the right key', async () => {
  const locked = await lab.server({ args: ['--watch-key', 'right'] });
  const own = new Publishers(locked);
  try {
    await own.start(['secret'], recorded('chromium-vp8-only-100ms'), { headers: { authorization: 'Bearer right' } });
    for (const tab of tabs) {
      await tab.open(locked.url('/'));
      await tab.reaches('locked');
      await tab.page.focus('#key');
      await tab.page.keyboard.type('wrong');
      await tab.press('Enter');
      await until('told', async () => /does not open/.test(await text(tab, 'lock-text')));
      const field = () => tab.evaluate(() => [document.getElementById('key').value, document.getElementById('key').ariaInvalid]);
      assert.deepEqual(await field(), ['wrong', 'true'], tab.browserName);
      await picture(tab, `home-locked-${tab.browserName}`);
      await tab.page.keyboard.type('right');
      await tab.press('Enter');
      await tab.reaches('live');
      assert.deepEqual([await shown(tab), await tab.evaluate(() => document.getElementById('lock').hidden)], [['secret'], true]);
      await tab.evaluate(() => sessionStorage.clear());
    }
  } finally {
    own.close();
  }
});

test('no page logs an error or breaks its policy', async () => {
  for (const tab of tabs) {
    assert.deepEqual(tab.complaints, [], tab.browserName);
    assert.deepEqual(await tab.violations(), []);
  }
});
