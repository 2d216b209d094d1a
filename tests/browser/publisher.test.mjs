// What the publisher page tells of its source and of its way to the server.
// Runs alone: it tells how soon a page says something.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Gate } from './gate.mjs';
import { Lab, picture, sleep, until } from './lab.mjs';

const SAID_WITHIN_MS = 3000;
const lab = new Lab();
let server;
let chromium;
let firefox;

before(async () => {
  server = await lab.server();
  [chromium, firefox] = [await lab.chromium(), await lab.firefox()];
  for (const tab of [chromium, firefox]) await tab.beforePages(ownCamera);
});
after(() => lab.close());

const badge = (tab) =>
  tab.evaluate(() => ({
    text: document.getElementById('air').textContent,
    dot: getComputedStyle(document.querySelector('.badge.live i')).backgroundColor,
  }));

/** Milliseconds from `begin()` until the page says what `wanted` matches. */
async function saidAfter(tab, wanted, begin) {
  await begin();
  const startedMs = performance.now();
  await tab.says(wanted, { everyMs: 50 });
  return performance.now() - startedMs;
}

for (const [what, wanted] of [
  ['no frames', /^Nothing comes from the camera\./],
  ['no sound', /^Nothing comes from the microphone\./],
]) {
  test(`a camera that gives ${what} is reported within 3 s, and goes on air when it does`, async (t) => {
    for (const tab of [chromium, firefox]) {
      const isPicture = what === 'no frames';
      await tab.open(server.url(`/publish/silent?source=camera${isPicture ? '' : '&quiet'}`));
      await tab.reaches('idle');
      // Firefox makes frames and sound of its own where the source gives none.
      if (tab.browserName === 'firefox' && !isPicture) continue;
      const tookMs = await saidAfter(tab, wanted, () => tab.click('#go'));
      t.diagnostic(`${tab.browserName}: ${Math.round(tookMs)} ms`);
      assert.ok(tookMs < SAID_WITHIN_MS, `${tab.browserName} took ${tookMs} ms`);
      assert.notEqual((await badge(tab)).text, 'Live');
      await picture(tab, `publish-silent-${tab.browserName}`);
      await tab.evaluate(() => window.camera.begin());
      await tab.reaches('live');
      await tab.evaluate(() => window.camera.end());
      if (isPicture) await tab.reaches('silent', { withinMs: 6000 });
      await tab.stop();
      await tab.reaches('ended');
    }
  });
}

test('a stalled upload is reported within 3 s, and not as a lost connection', async (t) => {
  for (const tab of [chromium, firefox]) {
    const gate = await Gate.start(server);
    try {
      await tab.open(gate.url('/publish/held?source=test&auto&size=640x360'));
      await tab.reaches('live');
      await sleep(2500);
      assert.equal(await tab.state(), 'live', await tab.words());
      const tookMs = await saidAfter(tab, /^(Nothing gets through|Your upload is too slow)/, () => gate.hold());
      t.diagnostic(`${tab.browserName}: ${Math.round(tookMs)} ms: ${await tab.words()}`);
      assert.ok(tookMs < SAID_WITHIN_MS, `${tookMs} ms`);
      assert.notEqual((await badge(tab)).text, 'Live');
      assert.notEqual((await badge(tab)).dot, 'rgb(255, 68, 56)');
      await picture(tab, `publish-held-${tab.browserName}`);
      await sleep(5000 - tookMs);
      assert.doesNotMatch(await tab.words(), /connection was lost/);
      gate.release();
      await tab.reaches('live');
      assert.deepEqual(await badge(tab), { text: 'Live', dot: 'rgb(255, 68, 56)' });
    } finally {
      gate.close();
      await tab.open('about:blank');
    }
  }
});

test('a slow upload is reported with its backlog and the rate that was sent', async (t) => {
  const gate = await Gate.start(server);
  try {
    await chromium.open(gate.url('/publish/slow?source=camera&noise&audio=0&kbps=2500'));
    await chromium.reaches('idle');
    await chromium.evaluate(() => window.camera.begin());
    await chromium.click('#go');
    await chromium.reaches('live');
    gate.slow(30_000);
    const words = await until(
      'behind',
      async () => {
        const said = await chromium.words();
        return /Your upload is too slow: \d+ s behind\./.test(said) && said;
      },
      { withinMs: 10_000 },
    );
    const seen = await chromium.evaluate(() => [document.getElementById('air').textContent, document.getElementById('rate').textContent]);
    t.diagnostic(`${words} ${seen.join(', ')}`);
    // The gate lets 240 kbit/s through; the recorder makes ten times that.
    await until('the rate that was sent', async () => {
      const rate = await chromium.evaluate(() => document.getElementById('rate').textContent);
      return Number(/^(\d+)\skbit/.exec(rate)?.[1] ?? Infinity) < 600;
    });
    assert.match(seen[0], /^\d+ s behind$/);
    await picture(chromium, 'publish-slow');
  } finally {
    gate.close();
    await chromium.open('about:blank');
  }
});

test('a lost connection removes the red of the badge', async () => {
  const own = await lab.server();
  await chromium.open(own.url('/publish/lost?source=test&auto&size=320x180'));
  await chromium.reaches('live');
  assert.deepEqual(await badge(chromium), { text: 'Live', dot: 'rgb(255, 68, 56)' });
  await own.kill();
  await chromium.reaches('reconnecting');
  const { text, dot } = await badge(chromium);
  assert.equal(text, 'Offline');
  assert.notEqual(dot, 'rgb(255, 68, 56)');
  await picture(chromium, 'publish-lost');
  await chromium.stop();
});

test('a name on air is taken over only after a question', async () => {
  await firefox.open(server.url('/publish/mine?source=test&auto&size=320x180'));
  await firefox.reaches('live');
  await until('on air', async () => (await server.stream('mine'))?.live);
  await chromium.open(server.url('/'));
  await chromium.page.fill('#name', 'mine');
  await until('the warning', () =>
    chromium.evaluate(() => document.getElementById('hint').textContent === 'mine is on air now. Going live takes it over.'),
  );
  await picture(chromium, 'home-taken');
  await chromium.click('button[value=test]');
  await until('the publisher page', () => chromium.page.url().includes('/publish/'));
  await chromium.says(/is ready/);
  await chromium.click('#go');
  await chromium.reaches('taken');
  await picture(chromium, 'publish-taken');
  await sleep(500);
  assert.equal(await firefox.state(), 'live');
  await chromium.click('#go');
  await chromium.reaches('live');
  await firefox.reaches('replaced');
  await firefox.says(/^Someone else is live under this name now\./);
  // Its own stream, it may come back to without one.
  await chromium.stop();
  await chromium.reaches('ended');
  await chromium.click('#go');
  await chromium.reaches('live');
});

test('Stop ends the stream for viewers', async () => {
  await chromium.open(server.url('/publish/over?source=test&auto&size=320x180'));
  await chromium.reaches('live');
  await firefox.open(server.url('/live/over'));
  await firefox.reaches('playing');
  await chromium.stop();
  await chromium.reaches('ended');
  const [offline] = await until('offline', async () => {
    const messages = await firefox.messages('offline');
    return messages.length && messages;
  });
  assert.equal(offline.reason, 'ended');
});

test('a page of another site puts no camera on air, and a typed address does', async () => {
  const elsewhere = await lab.server();
  const target = server.url('/publish/led?source=camera&auto');
  const links = [{ referrerPolicy: 'origin' }, { referrerPolicy: 'no-referrer', rel: 'noopener' }];
  const ways = [chromium, firefox].flatMap((browser) => links.map((link) => [browser, link]));
  for (const [tab, how] of ways) {
    await tab.open(elsewhere.url('/'));
    await tab.evaluate(
      (attributes) => {
        const link = document.createElement('a');
        Object.assign(link, { textContent: 'x', id: 'lead', ...attributes });
        document.body.replaceChildren(link);
      },
      { href: target, ...how },
    );
    await tab.click('#lead');
    await until('the page', () => tab.page.url() === target);
    await tab.reaches('idle');
    await sleep(1500);
    assert.equal(await tab.state(), 'idle', tab.browserName);
    assert.equal((await server.stream('led'))?.live ?? false, false);
    assert.match(await tab.evaluate(() => document.getElementById('note').textContent), /Another site opened this page/);
  }
});

test('names of other scripts are spelled in Latin letters, or refused with a suggestion', async () => {
  for (const tab of [chromium, firefox]) {
    await tab.open(server.url('/'));
    const type = async (text) => {
      await tab.evaluate((value) => {
        const field = document.getElementById('name');
        field.focus();
        field.select();
        document.execCommand('insertText', false, value);
      }, text);
      return tab.evaluate(() => [document.getElementById('name').value, document.getElementById('hint').textContent]);
    };
    assert.deepEqual(await type('Мой кот'), [
      'Moy-kot',
      `“Мой кот” becomes “Moy-kot”. People watch at ${new URL(server.origin).host}/live/Moy-kot`,
    ]);
    assert.equal((await type('Straße'))[0], 'Strasse');
    const [kept, hint] = await type('日本');
    assert.equal(kept, '日本');
    assert.match(hint, /^“日本” cannot be written in an address\./);
    await picture(tab, `home-name-${tab.browserName}`);
    await tab.click('#use');
    const used = await tab.evaluate(() => [document.getElementById('name').value, document.getElementById('name').checkValidity()]);
    assert.match(used[0], /^stream-[0-9a-f]{4}$/);
    assert.ok(used[1]);
    assert.match((await type('show.webm'))[1], /cannot end in \.webm/);
  }
});

/** Runs in the page: a camera and a microphone that give nothing until the test starts them. */
function ownCamera() {
  const query = new URLSearchParams(location.search);
  if (query.get('source') !== 'camera' || query.has('auto')) return;
  const isQuiet = query.has('quiet');
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: 640, height: 360 });
  const context = canvas.getContext('2d', { alpha: false });
  let timer = 0;
  let n = 0;
  const draw = () => {
    n += 1;
    if (query.has('noise')) {
      const noise = context.createImageData(640, 360);
      for (let i = 0; i < noise.data.length; i += 1) noise.data[i] = Math.random() * 256;
      context.putImageData(noise, 0, 0);
    } else {
      context.fillStyle = `hsl(${n * 9}, 80%, 50%)`;
      context.fillRect((n * 5) % 600, 0, 200, 360);
    }
  };
  const sound = new AudioContext();
  const out = sound.createMediaStreamDestination();
  const tone = new OscillatorNode(sound);
  tone.connect(out);
  tone.start();
  if (isQuiet) sound.suspend();
  else sound.resume();
  const run = (isRunning) => {
    clearInterval(timer);
    if (isRunning) timer = setInterval(draw, 33);
  };
  run(isQuiet);
  window.camera = {
    begin() {
      run(true);
      sound.resume();
    },
    end() {
      run(false);
    },
  };
  navigator.mediaDevices.getUserMedia = async ({ audio }) =>
    new MediaStream([...canvas.captureStream(30).getVideoTracks(), ...(audio ? out.stream.getAudioTracks() : [])]);
}
