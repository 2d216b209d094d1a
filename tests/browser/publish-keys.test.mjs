// A server that needs keys: its pages are open to every client, ask for the key, and keep it out of links.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture, until } from './lab.mjs';

const KEY = 'correct horse';
const lab = new Lab();
let server;
let tabs;

before(async () => {
  server = await lab.server({ args: ['--publish-key', KEY, '--watch-key', 'only watching'] });
  tabs = [await lab.chromium(), await lab.firefox()];
});
after(() => lab.close());

const text = (tab, id) => tab.evaluate((of) => document.getElementById(of).textContent, id);
const isShown = (tab, id) => tab.evaluate((of) => document.getElementById(of).getClientRects().length > 0, id);

/** As a person would: into the field that has the focus. */
async function giveKey(tab, key) {
  await until('the focus in the key field', () => tab.evaluate(() => document.activeElement.id === 'key'));
  await tab.page.keyboard.type(key);
  await tab.press('Enter');
}

test('the publisher page asks for the key, tells a wrong one from a missing one, and keeps it out of the address', async () => {
  for (const tab of tabs) {
    await tab.open(server.url('/publish/asked?source=test'));
    await tab.says(/is ready/);
    await tab.click('#go');
    await tab.reaches('error');
    await tab.says(/^Publishing here needs a key\./);
    assert.ok(!(await isShown(tab, 'go')), 'one button, not two');
    await picture(tab, `publish-key-${tab.browserName}`);
    await giveKey(tab, 'wrong');
    await tab.says(/^This key is not the right one\./);
    await giveKey(tab, KEY);
    await tab.reaches('live');
    assert.doesNotMatch(tab.page.url(), /key|horse/);
    await until('a poster', async () => (await fetch(server.url('/live/asked.jpg'), { headers: { authorization: `Bearer ${KEY}` } })).ok);
    // The session still knows it.
    await tab.reload();
    await tab.says(/is ready/);
    await tab.click('#go');
    await tab.reaches('live');
    await tab.stop();
    await tab.reaches('ended');
  }
});

test('the home page says that streams need a key, and hands it on', async () => {
  const [chromium, firefox] = tabs;
  const fresh = await lab.chromium();
  await firefox.open(server.url(`/publish/behind?source=test&auto&key=${encodeURIComponent(KEY)}`));
  await firefox.reaches('live');
  await fresh.open(server.url('/'));
  await until('the word about it', async () => /^Streams here need a key\./.test(await text(fresh, 'lock-title')));
  assert.ok(!(await isShown(fresh, 'nothing')));
  await picture(fresh, 'home-locked');
  await fresh.page.fill('#key', 'wrong');
  await fresh.press('Enter');
  await until('a wrong key', async () => /does not open them/.test(await text(fresh, 'lock-text')));
  await fresh.page.fill('#key', KEY);
  await fresh.press('Enter');
  await until('the stream', () => fresh.evaluate(() => document.querySelector('.card-name')?.textContent === 'behind'));
  assert.ok(!(await isShown(fresh, 'lock')));
  await until('its poster', () => fresh.evaluate(() => document.querySelector('.card img').naturalWidth > 0), { withinMs: 25_000 });
  await fresh.click('.card');
  await until('the viewer page', () => fresh.page.url().endsWith('/live/behind'));
  await fresh.reaches('playing');
  await fresh.open(server.url('/publish/other?source=test&auto'));
  await fresh.reaches('live');
  assert.doesNotMatch(fresh.page.url(), /key|horse/);
  await chromium.open('about:blank');
});
