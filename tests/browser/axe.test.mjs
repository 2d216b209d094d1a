// What axe-core finds wrong with the pages in their states, by day and by night, and over pictures.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { contrasts } from './contrast.mjs';
import { Lab, picture, until } from './lab.mjs';
import { Media } from './media.mjs';

const KEY = 'correct horse';
const lab = new Lab();
const media = new Media();
let folder;
let server;
let guarded;
let tab;
let axe;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'videostream-axe-'));
  server = await lab.server({ args: ['--record', folder] });
  guarded = await lab.server({ args: ['--watch-key', KEY, '--publish-key', KEY] });
  for (const [name, options] of Object.entries({
    bright: { color: 'white' },
    dark: { color: 'black' },
    portrait: { size: '90x160' },
    tone: { hasVideo: false },
  })) {
    await lab.push(server, name, media.make(`${name}.webm`, { hasAudio: name !== 'dark', ...options }));
  }
  tab = await lab.chromium();
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
});
after(async () => {
  await lab.close();
  media.close();
  await rm(folder, { recursive: true });
});

/** Waits until no colour changes any more. */
const settle = () =>
  tab.evaluate(async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    await frame();
    await frame();
    await Promise.all(document.getAnimations().map((each) => each instanceof CSSTransition && each.finished.catch(() => {})));
  });

/** What axe-core finds in the page as it is, by day and by night. */
async function findings(name) {
  const found = [];
  for (const colorScheme of ['light', 'dark']) {
    await tab.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await settle();
    await picture(tab, `axe-${name.replaceAll(/\W+/g, '-')}-${colorScheme}`);
    await tab.evaluate(axe);
    // What it cannot judge is contrast over pictures, which is judged below.
    const look = () => tab.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    let { violations } = await look();
    if (violations.length > 0) {
      // A colour that was changing is there now, and a fault stays.
      await settle();
      ({ violations } = await look());
    }
    for (const { id, help, nodes } of violations) {
      found.push(`${name}, ${colorScheme}: ${id}: ${help}: ${nodes.map((node) => node.html).join(' ')}`);
    }
  }
  return found;
}

const press = (selector) => () => tab.click(selector);

/** `[what it is, path, state that is reached, what is done then]` */
const STATES = [
  ['home', '/', 'live'],
  ['publisher before it starts', '/publish/new', 'idle'],
  ['publisher with settings', '/publish/new?source=test', 'idle', press('#settings-button')],
  ['publisher on air', '/publish/new?source=test&auto&size=320x180', 'live'],
  ['publisher that is asked whether to stop', '/publish/new?source=test&auto&size=320x180', 'live', press('#go')],
  ['viewer that waits', '/live/nothing', 'waiting'],
  ['viewer of a bright picture', '/live/bright', 'playing'],
  ['viewer of a dark picture', '/live/dark', 'playing'],
  ['viewer of a portrait', '/live/portrait', 'playing'],
  ['paused viewer', '/live/bright', 'playing', () => tab.press(' ')],
  ['viewer with statistics', '/live/bright', 'playing', press('#stats-button')],
  ['viewer with help', '/live/bright', 'playing', () => tab.press('?')],
  ['viewer who shares', '/live/bright', 'playing', press('#share-button')],
  ['viewer of sound alone', '/live/tone', 'playing'],
  ['embed', '/live/bright?embed', 'playing'],
  ['paused embed', '/live/bright?embed', 'playing', () => tab.press(' ')],
  ['recordings', '/recordings', 'listed'],
  ['recordings of one stream', '/recordings/bright', 'listed'],
  ['dashboard', '/dashboard', 'live'],
  ['error', '/live/a%20b', null],
];

test('axe-core finds nothing in any page', async () => {
  const found = [];
  for (const [name, path, state, act] of STATES) {
    await tab.open(server.url(path));
    if (state) await tab.reaches(state);
    await act?.();
    found.push(...(await findings(name)));
  }
  assert.deepEqual(found, []);
});

test('axe-core finds nothing where pages ask for a key', async () => {
  const found = [];
  for (const path of ['/', '/publish/a?source=test&auto', '/live/a', '/live/a?embed', '/dashboard']) {
    await tab.open(guarded.url(path));
    await until('a field', () => tab.evaluate(() => [...document.querySelectorAll('input')].some((each) => each.checkVisibility())));
    found.push(...(await findings(`key ${path}`)));
  }
  assert.deepEqual(found, []);
});

test('words over a picture can be read, whatever it shows', async () => {
  const states = STATES.filter(([, path, state]) => path.startsWith('/live/') && state);
  assert.ok(states.length > 5);
  for (const [name, path, state, act] of states) {
    await tab.open(server.url(path));
    await tab.reaches(state);
    await act?.();
    const all = await until('words', async () => {
      const found = await contrasts(tab);
      return found.length > 0 && found;
    });
    const poor = all.filter(({ contrast }) => contrast < 4.5);
    assert.deepEqual(poor, [], name);
  }
});
