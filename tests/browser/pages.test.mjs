// Every page in both browsers: within its security policy, named for all, worked by keys.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lab, picture, sleep, until } from './lab.mjs';

const PAGES = ['/', '/dashboard', '/publish/a', '/publish/a?source=test', '/live/a', '/live/a?embed'];
const TABS_MOST = 30;
const lab = new Lab();
let server;
let tabs;

before(async () => {
  server = await lab.server();
  tabs = [await lab.chromium(), await lab.firefox()];
});
after(() => lab.close());

for (const path of PAGES) {
  test(`${path} complains of nothing and gives every control a name`, async () => {
    const { status } = await fetch(server.url(path), { method: 'HEAD' });
    assert.equal(status, 200);
    for (const tab of tabs) {
      tab.complaints.length = 0;
      await tab.open(server.url(path));
      await sleep(500);
      assert.deepEqual(await tab.evaluate(namelessControls), [], tab.browserName);
      assert.deepEqual(await tab.violations(), [], tab.browserName);
      assert.deepEqual(tab.complaints, [], tab.browserName);
      await picture(tab, `page${path.replaceAll(/\W+/g, '-')}-${tab.browserName}`);
    }
  });
}

test('the dashboard draws what the server uses', async () => {
  for (const tab of tabs) {
    await tab.open(server.url('/dashboard'));
    await tab.reaches('live');
    const drawn = () =>
      tab.evaluate(() => [...document.querySelectorAll('#process-charts .line')].filter((line) => line.getAttribute('d')).length);
    await until('its charts', async () => (await drawn()) === 6);
    assert.deepEqual(tab.complaints, [], tab.browserName);
  }
});

test('every stream has its picture on the home page, and on its own before there is another', async () => {
  const recorded = (name) => fileURLToPath(new URL(`../data/${name}.webm`, import.meta.url));
  const own = await lab.server();
  await lab.push(own, 'keyframe', recorded('chromium-vp8-only-100ms'));
  await lab.push(own, 'name', recorded('chromium-vp9-opus-100ms'));
  const { width } = await own.stream('keyframe');
  for (const tab of tabs) {
    tab.complaints.length = 0;
    await tab.open(own.url('/'));
    const widths = () =>
      tab.evaluate(() =>
        Object.fromEntries(
          [...document.querySelectorAll('.card')].map((card) => [
            card.innerText.trim().split(/\s+/).at(1),
            card.querySelector('img').naturalWidth,
          ]),
        ),
      );
    await until('both pictures', async () => Object.values(await widths()).filter(Boolean).length === 2);
    assert.deepEqual(await widths(), { keyframe: width, name: 640 });
    await picture(tab, `home-posters-${tab.browserName}`);
    await tab.open(own.url('/live/off-air'));
    await tab.reaches('waiting');
    const shown = () =>
      tab.evaluate(() => (document.getElementById('still').checkVisibility() ? document.getElementById('still').naturalWidth : 0));
    assert.equal(await until('its name', shown), 640);
    await picture(tab, `off-air-${tab.browserName}`);
    assert.deepEqual(tab.complaints, [], tab.browserName);
  }
});

test('keys alone lead from the home page to being live', async () => {
  for (const tab of tabs) {
    await tab.open(server.url('/'));
    await tabTo(tab, 'button[value=test]');
    await tab.press('Enter');
    await until('the publisher page', () => tab.page.url().includes('/publish/'));
    await tab.says(/is ready/);
    await tabTo(tab, '#go');
    await picture(tab, `focus-${tab.browserName}`);
    await tab.press('Enter');
    await tab.reaches('live');
    // Stop asks first, and a second Enter does not stop it.
    await tab.press('Enter');
    await tab.press('Enter');
    assert.equal(await tab.state(), 'live');
    await tab.press('Enter');
    await tabTo(tab, '#end');
    await tab.press('Enter');
    await tab.reaches('ended');
  }
});

/** Presses Tab until the element that `selector` finds has the focus, and can be seen to have it. */
async function tabTo(tab, selector) {
  for (let i = 0; i < TABS_MOST; i += 1) {
    await tab.press('Tab');
    const isThere = await tab.evaluate((wanted) => document.activeElement.matches(wanted), selector);
    if (!isThere) continue;
    const outline = await tab.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, 'none', `no visible focus on ${selector}`);
    return;
  }
  assert.fail(`${tab.browserName}: Tab never came to ${selector}`);
}

/** Runs in the page. */
function namelessControls() {
  const controls = document.querySelectorAll('a[href], button, input, select');
  const isShown = (element) => element.getClientRects().length > 0;
  const nameOf = (element) =>
    element.ariaLabel || [...(element.labels ?? [])].map((label) => label.textContent).join('') || element.textContent;
  return [...controls].filter((each) => isShown(each) && !nameOf(each).trim()).map((each) => each.outerHTML.slice(0, 120));
}
