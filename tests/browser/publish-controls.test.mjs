// What a person can do on the publisher page besides going live.
// Runs alone: it listens, for a while, to what is sent.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { Lab, picture, sleep, until } from './lab.mjs';

const HEARD_MS = 1000;
const lab = new Lab();
let server;
let chromium;
let firefox;

before(async () => {
  server = await lab.server();
  [chromium, firefox] = [await lab.chromium(), await lab.firefox()];
  for (const tab of [chromium, firefox]) await tab.beforePages(withoutMicrophone);
  await chromium.beforePages(halfWhite);
});
after(() => lab.close());

/** At the same time: most of it is waiting. */
const inBoth = (tryIn) => Promise.all([chromium, firefox].map(tryIn));

/** What viewers are sent from now on for a while: the loudest sample (of it all, and of its end), the lightest point, two corners and the size of its last picture. */
async function received(name) {
  const stop = new AbortController();
  const answer = await fetch(server.url(`/live/${name}.webm`), { signal: stop.signal });
  const parts = [];
  try {
    for await (const part of answer.body) {
      // From its first bytes on, which a busy machine may take its time for.
      if (parts.length === 0) setTimeout(() => stop.abort(), HEARD_MS);
      parts.push(part);
    }
  } catch {
    // It never ends by itself.
  }
  const input = Buffer.concat(parts);
  const run = (program, args) => execFileSync(program, ['-v', 'quiet', ...args], { input, maxBuffer: 1 << 28 });
  const decode = (...args) => run('ffmpeg', ['-i', '-', ...args, '-']);
  // Of its pictures: what a stream says of its size may be older.
  const sizes = run('ffprobe', ['-select_streams', 'v', '-show_entries', 'frame=width,height', '-of', 'csv=p=0:s=x', '-i', '-']);
  const size = /\d+x\d+/.exec(String(sizes).trim().split('\n').at(-1))?.[0];
  const samples = new Int16Array(new Uint8Array(decode('-map', '0:a', '-ac', '1', '-f', 's16le')).buffer);
  const points = decode('-map', '0:v', '-vf', 'scale=32:18', '-pix_fmt', 'gray', '-f', 'rawvideo').subarray(-32 * 18);
  const [leftmost, rightmost] = [points[0], points[31]];
  const peakOf = (part) => part.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  // The join may begin with what came before.
  return {
    peak: peakOf(samples),
    latePeak: peakOf(samples.subarray(-samples.length / 3)),
    lightest: Math.max(...points),
    leftmost,
    rightmost,
    size,
  };
}

test('mute gives viewers silence and hide gives them black, while the stream goes on', async (t) => {
  await inBoth(async (tab) => {
    const name = `switches-${tab.browserName}`;
    await tab.open(server.url(`/publish/${name}?source=camera&size=640x360`));
    await tab.says(/is ready/);
    await tab.click('#go');
    await tab.reaches('live');
    await until('a level', () => tab.evaluate(() => Number(document.getElementById('level').ariaValueNow) > 20));
    let open;
    // Of a browser that is only just beginning there is nothing to decode.
    const isOpen = async () => {
      open = await received(name).catch(() => null);
      return open !== null && open.peak > 1000 && open.lightest > 60;
    };
    await until('sound and light', isOpen).catch((error) => assert.fail(`${error.message} ${JSON.stringify(open)}`));
    await tab.click('#mute');
    await tab.click('#hide');
    await tab.says(/^You are on air\. Viewers see black and hear nothing\.$/);
    await picture(tab, `publish-muted-${tab.browserName}`);
    // A GOP from before is over.
    await sleep(1500);
    const closed = await received(name);
    t.diagnostic(`${tab.browserName}: ${JSON.stringify({ open, closed })}`);
    assert.ok(closed.latePeak < 100 && closed.lightest < 30, JSON.stringify(closed));
    await sleep(1500);
    assert.equal(await tab.state(), 'live', await tab.words());
    assert.equal(await tab.evaluate(() => document.getElementById('mute').ariaLabel), 'Unmute');
    await tab.click('#mute');
    await until('a level', () => tab.evaluate(() => Number(document.getElementById('level').ariaValueNow) > 20));
    await tab.stop();
    await tab.reaches('ended');
  });
});

test('a camera without a microphone goes live, and is said to be silent', async () => {
  await inBoth(async (tab) => {
    await tab.open(server.url(`/publish/mute-${tab.browserName}?source=camera&no-microphone`));
    await tab.says(/is ready/);
    assert.equal(
      await tab.evaluate(() => document.getElementById('note').textContent),
      'No microphone was found, so your stream is silent.',
    );
    assert.ok(await tab.evaluate(() => document.getElementById('mute').hidden && document.getElementById('level').hidden));
    await tab.click('#go');
    await tab.reaches('live');
    assert.equal((await server.stream(`mute-${tab.browserName}`)).audio, false);
    await tab.stop();
    await tab.reaches('ended');
  });
});

test('Stop asks, and Escape goes on', async () => {
  await inBoth(async (tab) => {
    await tab.open(server.url(`/publish/asks-${tab.browserName}?source=test&auto&size=320x180`));
    await tab.reaches('live');
    await tab.click('#go');
    assert.ok(await tab.evaluate(() => document.getElementById('sure').open));
    await tab.press('Escape');
    await until('the question is gone', () => tab.evaluate(() => !document.getElementById('sure').open));
    await sleep(300);
    assert.equal(await tab.state(), 'live');
    await tab.stop();
    await tab.reaches('ended');
  });
});

test('the share panel copies the link and the code without a clipboard, and draws a code', async () => {
  await inBoth(async (tab) => {
    await tab.open(server.url('/publish/shared?source=test'));
    await tab.evaluate(() => {
      Object.defineProperty(navigator, 'clipboard', { value: undefined });
      window.copies = [];
      document.addEventListener('copy', () => window.copies.push(document.activeElement.value));
    });
    await tab.click('#share-button');
    await picture(tab, `publish-share-${tab.browserName}`);
    const link = server.url('/live/shared');
    for (const id of ['copy-link', 'copy-embed']) {
      await tab.click(`#${id}`);
      await until('copied', () => tab.evaluate((button) => document.getElementById(button).textContent === 'Copied', id));
    }
    const [copiedLink, copiedCode] = await tab.evaluate(() => window.copies);
    assert.equal(copiedLink, link);
    assert.ok(copiedCode.startsWith(`<iframe src="${link}?embed" title="shared"`), copiedCode);
    const side = await tab.evaluate(() => document.getElementById('share-code').getBoundingClientRect().width);
    assert.ok(side > 150, String(side));
    assert.ok((await tab.evaluate(() => document.querySelector('#share-code path').getAttribute('d').length)) > 1000);
    await tab.click('#share-close');
    assert.deepEqual(await tab.violations(), [], tab.browserName);
  });
});

test('a change of size or rate is a change of what is sent', async () => {
  await chromium.open(server.url('/publish/sized?source=camera&size=1280x720'));
  await chromium.says(/is ready/);
  await chromium.click('#go');
  await chromium.reaches('live');
  const isSent = async (size) => (await received('sized').catch(() => null))?.size === size;
  await until('the first size', () => isSent('1280x720'));
  await chromium.click('#settings-button');
  // And back: a camera that is open is not to keep its size.
  for (const size of ['640x360', '1280x720']) {
    await chromium.page.selectOption('#size', size);
    await until(size, () => isSent(size));
  }
  await chromium.page.selectOption('#fps', '15');
  await until('15 pictures a second', async () => (await ofTrack('video', 'frameRate')).frameRate === 15);
  assert.deepEqual(await ofTrack('video', 'width', 'height'), { width: 1280, height: 720 });
  assert.equal(await chromium.state(), 'live', await chromium.words());
  await chromium.stop();
  await chromium.reaches('ended');
});

test('the switches for echoes and noise reach the microphone, again and again, and the stream goes on', async () => {
  await chromium.open(server.url('/publish/clean?source=camera&size=640x360'));
  await chromium.says(/is ready/);
  const sound = async () => {
    const { echoCancellation, noiseSuppression } = await ofTrack('audio', 'echoCancellation', 'noiseSuppression');
    return `${echoCancellation} ${noiseSuppression}`;
  };
  assert.equal(await sound(), 'true true');
  await chromium.click('#settings-button');
  const steps = [
    ['#echo', 'false true'],
    ['#noise', 'false false'],
    ['#echo', 'true false'],
    ['#noise', 'true true'],
  ];
  const tryAll = async () => {
    for (const [id, wanted] of steps) {
      await chromium.click(id);
      await until(`${id}: ${wanted}`, async () => (await sound()) === wanted);
    }
  };
  await tryAll();
  await chromium.click('#go');
  await chromium.reaches('live');
  await chromium.click('#settings-button');
  await tryAll();
  await until('sound', async () => ((await received('clean').catch(() => null))?.latePeak ?? 0) > 1000);
  assert.equal(await chromium.state(), 'live', await chromium.words());
  await chromium.stop();
  await chromium.reaches('ended');
});

test('only the preview is mirrored, and only while the switch is on', async () => {
  await chromium.open(server.url('/publish/mirrored?source=camera&half-white'));
  await chromium.says(/is ready/);
  await chromium.click('#go');
  await chromium.reaches('live');
  const turn = () => chromium.evaluate(() => getComputedStyle(document.getElementById('preview')).transform);
  const isAsTaken = async () => {
    const seen = await received('mirrored').catch(() => null);
    return seen && seen.leftmost > 200 && seen.rightmost < 50;
  };
  assert.equal(await turn(), 'matrix(-1, 0, 0, 1, 0, 0)');
  await until('white at the left', isAsTaken);
  await chromium.click('#settings-button');
  await chromium.click('#mirror');
  assert.equal(await turn(), 'none');
  await until('white at the left', isAsTaken);
  await chromium.stop();
  await chromium.reaches('ended');
});

test('the copy button says where viewers need a key', async () => {
  const guarded = await lab.server({ args: ['--watch-key', 'only watching'] });
  for (const [at, words] of [
    [server, 'Copied'],
    [guarded, 'Copied. Viewers need a key.'],
  ]) {
    await chromium.open(at.url('/publish/copied?source=test'));
    await chromium.click('#copy');
    await until(words, () => chromium.evaluate((said) => document.getElementById('copy').textContent === said, words));
    await until('its own words again', () => chromium.evaluate(() => document.getElementById('copy').textContent === 'Copy link'));
  }
});

test('a screen goes live with the microphone mixed in and the camera in its corner', async () => {
  await chromium.open(server.url('/publish/beside?source=screen&microphone&corner'));
  await chromium.reaches('idle');
  await chromium.click('#go');
  await chromium.reaches('live');
  await picture(chromium, 'publish-corner');
  const point = await until('the rim of the camera', async () => {
    const seen = await chromium.evaluate(rimOfCorner);
    return seen && Math.min(...seen) > 180 && seen;
  });
  assert.ok(point);
  await until('sound', async () => (await server.stream('beside')).audio);
  await until('a level', () => chromium.evaluate(() => Number(document.getElementById('level').ariaValueNow) > 20));
  // Without the camera it goes on, and no second question is asked.
  await chromium.evaluate(() => {
    navigator.mediaDevices.getDisplayMedia = () => Promise.reject(new DOMException('asked again', 'NotAllowedError'));
  });
  await chromium.click('#settings-button');
  await chromium.click('#with-camera');
  await until('no camera', async () => {
    const seen = await chromium.evaluate(rimOfCorner);
    return seen && Math.min(...seen) < 120;
  });
  assert.equal(await chromium.state(), 'live', await chromium.words());
  await chromium.stop();
  await chromium.reaches('ended');
});

test('no page logs an error or violates its security policy', async () => {
  for (const tab of [chromium, firefox]) {
    assert.deepEqual(tab.complaints, [], tab.browserName);
    assert.deepEqual(await tab.violations(), [], tab.browserName);
  }
});

/** Runs in the page: the colour of the rim around the camera's picture in the preview. */
async function rimOfCorner() {
  const { cornerPlace } = await import('/assets/publisher/corner.js');
  const video = document.getElementById('preview');
  const [width, height] = [video.videoWidth, video.videoHeight];
  if (!width) return null;
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { alpha: false });
  context.drawImage(video, 0, 0);
  const place = cornerPlace({ width, height }, { width: 640, height: 360 });
  const rim = Math.max(2, Math.round(width / 640));
  return [...context.getImageData(place.x + Math.round(place.width / 2), place.y - Math.ceil(rim / 2), 1, 1).data].slice(0, 3);
}

/** Settings of the track that Chromium shows as the preview. */
const ofTrack = (kind, ...names) =>
  chromium.evaluate(
    ([wanted, keys]) => {
      const track = document
        .getElementById('preview')
        .srcObject?.getTracks()
        .find((each) => each.kind === wanted);
      const settings = track?.getSettings() ?? {};
      return Object.fromEntries(keys.map((key) => [key, settings[key]]));
    },
    [kind, names],
  );

/** Runs in the page: a camera that sees white at the left, and black at the right. */
function halfWhite() {
  if (!new URLSearchParams(location.search).has('half-white')) return;
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
  const context = canvas.getContext('2d', { alpha: false });
  setInterval(() => {
    context.fillStyle = 'black';
    context.fillRect(0, 0, 640, 360);
    context.fillStyle = 'white';
    context.fillRect(0, 0, 320, 360);
  }, 33);
  navigator.mediaDevices.getUserMedia = async ({ audio }) => {
    const sound = await real({ audio });
    return new MediaStream([...canvas.captureStream(30).getTracks(), ...sound.getTracks()]);
  };
}

/** Runs in the page: what a computer without a microphone answers. */
function withoutMicrophone() {
  if (!new URLSearchParams(location.search).has('no-microphone')) return;
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wish) =>
    wish.audio ? Promise.reject(new DOMException('Requested device not found', 'NotFoundError')) : real(wish);
}
