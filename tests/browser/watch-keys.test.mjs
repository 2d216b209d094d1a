// A key is asked for by the page itself, and is never in the address bar.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture } from './lab.mjs';
import { assertMoves } from './moving.mjs';
import { Media } from './media.mjs';

const lab = new Lab();
const media = new Media();
let server;
let viewers;

before(async () => {
  server = await lab.server({ args: ['--watch-key', 'correct horse'] });
  viewers = [await lab.chromium(), await lab.firefox()];
});
after(async () => {
  await lab.close();
  media.close();
});

async function type(tab, key) {
  await tab.page.focus('#key');
  await tab.page.keyboard.type(key);
  await tab.press('Enter');
}

test('the viewer page asks for a missing key, refuses a wrong one, and plays with the right one', async () => {
  await lab.push(server, 'locked', media.make('locked.webm', { rate: 20 }), { headers: { authorization: 'Bearer correct horse' } });
  for (const viewer of viewers) {
    await viewer.open(server.url('/live/locked'));
    await viewer.reaches('locked');
    // The form is there before the words are loaded.
    assert.equal(await viewer.evaluate(() => document.activeElement.id), 'key');
    await viewer.says(/needs a key/);
    await picture(viewer, `locked-${viewer.browserName}`);
    await type(viewer, 'wrong');
    await viewer.says(/That key is wrong/);
    await type(viewer, 'correct horse');
    await viewer.reaches('playing');
    await assertMoves(viewer, { framesPerSecond: 3 });
    assert.equal(viewer.page.url(), server.url('/live/locked'));
    await viewer.reload();
    await viewer.reaches('playing');
  }
});

test('a link that has a key plays at once', async () => {
  const [viewer] = viewers;
  await viewer.evaluate(() => sessionStorage.clear());
  await viewer.open(server.url('/live/locked?key=correct%20horse'));
  await viewer.reaches('playing');
});
