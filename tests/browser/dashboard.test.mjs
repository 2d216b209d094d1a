// The dashboard: charts that move, keys, the end of a publisher, a server that goes.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lab, picture, until } from './lab.mjs';

const KEY = 'right';
const ARGS = ['--publish-key', KEY, '--watch-key', 'look'];
const PHONE = { width: 390, height: 844 };
const lab = new Lab();
let server;
let tab;

before(async () => {
  server = await lab.server({ args: ARGS });
  const recording = fileURLToPath(new URL('../data/chromium-vp8-opus-100ms.webm', import.meta.url));
  [tab] = await Promise.all([lab.chromium(), lab.push(server, `demo?key=${KEY}`, recording)]);
});
after(() => lab.close());

const text = (selector) => tab.evaluate((of) => document.querySelector(of)?.textContent ?? '', selector);
const isShown = (id) => tab.evaluate((of) => document.getElementById(of).getClientRects().length > 0, id);

/** The titles of charts with a line, and what they say of now. */
const drawn = () =>
  tab.evaluate(() => {
    const charts = [...document.querySelectorAll('#streams .chart')].filter((chart) => chart.querySelector('.line').getAttribute('d'));
    return Object.fromEntries(
      charts.map((chart) => [chart.querySelector('.chart-title').textContent, chart.querySelector('.chart-value').textContent]),
    );
  });

test('a key shows the streams, and their charts move', async () => {
  await tab.page.setViewportSize(PHONE);
  await tab.open(server.url('/dashboard'));
  await until('the word about keys', async () => /^Streams here need a key\./.test(await text('#lock-title')));
  assert.equal(await tab.evaluate(() => document.querySelectorAll('#streams > *').length), 0);
  await tab.click('#key');
  await tab.page.keyboard.type('look');
  await tab.press('Enter');
  await until('the stream', async () => (await text('#streams h2')) === 'demo');
  assert.ok(!(await isShown('lock')));
  assert.equal(await text('#summary'), '1 stream, 0 viewers');
  // No delay without a viewer.
  const charts = await until('its charts', async () => {
    const found = await drawn();
    return Object.keys(found).length === 5 && found;
  });
  assert.deepEqual(Object.keys(charts), ['Viewers', 'Bit rate in', 'Bit rate out', 'Skips', 'Ring']);
  assert.match(charts['Bit rate in'], /bit\/s$/);
  const label = await tab.evaluate(() => document.querySelector('#streams svg').getAttribute('aria-label'));
  assert.match(label, /^Viewers: 0 now, at most 0 in the last two minutes$/);
  assert.equal(
    await tab.evaluate(() => document.querySelector('#span [aria-pressed="true"]').value),
    '120',
    'a server that has just started',
  );
  assert.match(await tab.evaluate(() => document.querySelector('.chart-title[title^="How much of the stream"]').textContent), /^Ring$/);
  await tab.click('.meanings summary');
  for (const title of ['Server delay', 'Skips', 'Ring', 'Loop turn']) assert.match(await text('#meanings'), new RegExp(title));
  await tab.click('#span [value="3600"]');
  await until('the last hour', async () =>
    /in the last hour$/.test(await tab.evaluate(() => document.querySelector('#streams svg').getAttribute('aria-label'))),
  );
  await tab.click('#span [value="120"]');
  const line = () => tab.evaluate(() => document.querySelector('#streams .line').getAttribute('d'));
  const first = await line();
  await until('a later line', async () => (await line()) !== first);
  assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no wider than a phone');
  await picture(tab, 'dashboard');
  assert.deepEqual(tab.complaints, []);
});

test('a publisher ends after a question and with its key', async () => {
  const received = async () => (await server.stream(`demo?key=${KEY}`))?.received_bytes ?? 0;
  const soFar = await received();
  await tab.click('#streams .end');
  assert.match(await text('#sure-text'), /disconnected/);
  await tab.click('#go');
  await until('the question for the key', async () => /does not allow it|needs the key/.test(await text('#sure-text')));
  assert.ok((await received()) >= soFar, 'still on air');
  await tab.page.keyboard.type(KEY);
  await tab.press('Enter');
  await until('the end of the dialog', async () => !(await isShown('sure')));
  // A program that pushes in a loop may be back.
  await until('the end of the stream', async () => (await received()) < soFar || !(await server.stream(`demo?key=${KEY}`))?.live);
});

test('the page says that the server is gone, and goes on when it is back', async () => {
  await server.close();
  await tab.reaches('reconnecting');
  assert.match(await text('#summary'), /does not answer/);
  await lab.server({ port: server.port, args: ARGS });
  await tab.reaches('live');
});
