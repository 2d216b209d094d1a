// What a visit of each page costs on the wire, heads and bodies, and how far things move while it comes. A
// page that outgrows its budget should load something on demand: see web/watch/deferred.js, which comes a moment
// later, and web/watch/figures.js.

import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { get } from 'node:http';
import { Lab } from './lab.mjs';
import { Media } from './media.mjs';
import { newPerson, visit } from './visit.mjs';

/** Bytes and requests of a first visit, without pictures of streams; a second one may cost `again` bytes; and things may move by `shift`. */
const BUDGETS = {
  '/': { bytes: 13_000, requests: 5, again: 1900 },
  '/live/demo': { bytes: 30_000, requests: 5, again: 1500 },
  '/live/demo?embed': { bytes: 30_000, requests: 5, again: 1500 },
  // Something moves by 0.020 while it comes, or a hair less.
  '/publish/other': { bytes: 29_900, requests: 3, again: 1500, shift: 0.025 },
  '/dashboard': { bytes: 12_400, requests: 4, again: 2500 },
  '/recordings': { bytes: 8400, requests: 4, again: 2500 },
};
/** The same of a viewer who stays, with what comes 2 s behind the picture. */
const STAYS = { bytes: 37_900, requests: 7, settleMs: 3500 };
/** The most bytes of `/player.js`, head and body: pages of other sites wait for it. */
const PLAYER_BYTES = 13_300;
const SHIFT = 0.02;
/** Some of a page comes a moment later. */
const SETTLE_MS = 700;

const lab = new Lab();
const media = new Media();
let server;
let browser;

before(async () => {
  server = await lab.server();
  await lab.push(server, 'demo', media.make('demo.webm', { rate: 20, keyframeEvery: 20 }));
  browser = (await lab.chromium()).page.context().browser();
});
after(async () => {
  await lab.close();
  media.close();
});

/** Pictures of streams are as large as their publishers make them. */
const withoutPictures = ({ requests, ...noted }) => {
  const own = requests.filter(({ path }) => !path.endsWith('/poster'));
  return { ...noted, requests: own, bytes: own.reduce((sum, { bytes }) => sum + bytes, 0) };
};

/** What a browser's tools do not show: the thread for sound is one more request, once a script names it. */
async function withWorklet({ requests, bytes, ...noted }) {
  const script = requests.find(({ path }) => path.includes('/watch-codecs-'));
  const address = script && server.url(script.path);
  const name = address && /sound-worklet-\w+\.js/.exec(await (await fetch(address)).text())[0];
  if (!name) return { requests, bytes, ...noted };
  const worklet = { path: `/assets/${name}`, bytes: await bytesOnTheWire(new URL(name, address)) };
  return { ...noted, requests: [...requests, worklet], bytes: bytes + worklet.bytes };
}

/** Of the answer that a browser gets, head and body. */
function bytesOnTheWire(url) {
  const headers = { 'Accept-Encoding': 'gzip, deflate, br, zstd', Connection: 'keep-alive' };
  return new Promise((resolve, reject) => {
    const request = get(url, { headers, agent: false }, (answer) => {
      answer.resume().on('end', () => {
        resolve(request.socket.bytesRead);
        request.destroy();
      });
    });
    request.on('error', reject);
  });
}

const listed = ({ requests }) => requests.map(({ path, bytes }) => `${bytes} ${path}`).join('\n');

/** Two visits of one person, within the page's budget. */
async function keepsWithin(path, t) {
  const budget = BUDGETS[path];
  const person = await newPerson(browser);
  const how = { settleMs: SETTLE_MS, forPicture: path.startsWith('/live/') };
  const first = await withWorklet(withoutPictures(await visit(person, server.url(path), how)));
  const second = withoutPictures(await visit(person, server.url(path), how));
  await person.close();
  t.diagnostic(`${path}: ${first.bytes} bytes in ${first.requests.length} requests, again ${second.bytes}, shift ${first.shift}`);
  assert.ok(first.bytes <= budget.bytes, `${path}, ${first.bytes} bytes:\n${listed(first)}`);
  assert.ok(first.requests.length <= budget.requests, `${path}:\n${listed(first)}`);
  assert.ok(second.bytes <= budget.again, `${path}, ${second.bytes} bytes again:\n${listed(second)}`);
  assert.ok(first.requests.length > 2, 'the visit was not seen');
  assert.ok(first.shift < (budget.shift ?? SHIFT), `${path}: things moved by ${first.shift}`);
}

// A browser plays only what it shows.
for (const path of ['/live/demo', '/live/demo?embed']) test(`${path} keeps within its budget`, (t) => keepsWithin(path, t));

test('a viewer who stays keeps within a budget too', async (t) => {
  const person = await newPerson(browser);
  const { settleMs } = STAYS;
  const seen = await withWorklet(withoutPictures(await visit(person, server.url('/live/demo'), { settleMs, forPicture: true })));
  await person.close();
  t.diagnostic(`${seen.bytes} bytes in ${seen.requests.length} requests, shift ${seen.shift}`);
  assert.ok(
    seen.requests.some(({ path }) => path.includes('/deferred-')),
    listed(seen),
  );
  assert.ok(seen.bytes <= STAYS.bytes && seen.requests.length <= STAYS.requests, listed(seen));
  assert.ok(seen.shift < SHIFT, `things moved by ${seen.shift}`);
});

test('/player.js keeps within its budget', async (t) => {
  const bytes = await bytesOnTheWire(new URL(server.url('/player.js')));
  t.diagnostic(`/player.js: ${bytes} bytes`);
  assert.ok(bytes > 5000 && bytes <= PLAYER_BYTES, `/player.js, ${bytes} bytes`);
});

test('the other pages keep within theirs', async (t) => {
  const others = Object.keys(BUDGETS).filter((path) => !path.startsWith('/live/'));
  await Promise.all(others.map((path) => keepsWithin(path, t)));
});
