// The player of least delay: WebCodecs on a canvas, and what it leaves to Media Source Extensions.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture, sleep, until } from './lab.mjs';
import { Media } from './media.mjs';
import { assertMoves } from './moving.mjs';

const PAGE = '/live/moving?player=webcodecs';
/** A picture that waited for sound which does not come would stand for longer. */
const PAUSE_MOST_MS = 400;

const lab = new Lab();
const media = new Media();
let server;
let viewers;
let stopPushing;

before(async () => {
  server = await lab.server();
  const file = media.make('moving.webm', { rate: 20, keyframeEvery: 20 });
  [viewers, stopPushing] = await Promise.all([
    Promise.all([lab.chromium(), lab.firefox()]),
    lab.push(server, 'moving', file),
    lab.push(server, 'sounding', file),
  ]);
  // What a browser lacks, or a decoder that breaks, is told by the address.
  for (const viewer of viewers) await viewer.beforePages(breakWhereAsked);
});
after(async () => {
  await lab.close();
  media.close();
});

/** Runs in the page before its own scripts. */
function breakWhereAsked() {
  const [, broken] = location.hash.split('#');
  if (broken === 'missing') delete window.VideoDecoder;
  if (broken === 'unsupported') {
    VideoDecoder.prototype.configure = () => {
      throw new DOMException('no such decoder', 'NotSupportedError');
    };
  }
  if (broken === 'refused') {
    // As a browser without a tap does it. A test's own questions count as taps, so it is played here.
    let isTapped = false;
    document.addEventListener('click', () => (isTapped = true), { capture: true });
    Object.defineProperty(navigator, 'userActivation', { value: { hasBeenActive: false } });
    const { resume } = AudioContext.prototype;
    AudioContext.prototype.resume = function () {
      return isTapped ? resume.call(this) : new Promise(() => {});
    };
    Object.defineProperty(AudioContext.prototype, 'state', {
      get() {
        return isTapped ? Reflect.get(BaseAudioContext.prototype, 'state', this) : 'suspended';
      },
    });
  }
  if (broken === 'silent') {
    // A sound thread that hangs says nothing more.
    Object.defineProperty(MessagePort.prototype, 'onmessage', { set() {} });
  }
  // In Firefox, these hang the page now and then: see web/player/codecs/sound.js.
  window.latencyAsked = 0;
  const { get } = Object.getOwnPropertyDescriptor(AudioContext.prototype, 'outputLatency');
  const { getOutputTimestamp } = AudioContext.prototype;
  Object.defineProperty(AudioContext.prototype, 'outputLatency', {
    get() {
      window.latencyAsked += 1;
      return get.call(this);
    },
  });
  AudioContext.prototype.getOutputTimestamp = function () {
    window.latencyAsked += 1;
    return getOutputTimestamp.call(this);
  };
  // A frame of sound is 20 ms.
  window.samplesMade = 0;
  window.Float32Array = new Proxy(Float32Array, {
    construct(target, [length, ...rest], made) {
      if (length === 960) window.samplesMade += 1;
      return Reflect.construct(target, [length, ...rest], made);
    },
  });
  if (broken === 'hung') VideoDecoder.prototype.decode = () => {};
  const { decode } = window.VideoDecoder?.prototype ?? {};
  window.breakDecoder = (times) => {
    VideoDecoder.prototype.decode = function (chunk) {
      if (times > 0) {
        times -= 1;
        throw new DOMException('broken for a test', 'EncodingError');
      }
      return decode.call(this, chunk);
    };
  };
}

const stats = (viewer) => viewer.evaluate(() => window.videostream.stats());
const playsBy = (viewer, player) =>
  until(`${viewer.browserName} plays by ${player}`, async () => {
    const seen = await stats(viewer).catch(() => null);
    return seen?.state === 'playing' && seen.player === player && seen.frames > 0;
  });

/** A glance: that frames differ, and how fluently they come, is the first test's. */
async function goesOn(viewer) {
  const { frames } = await stats(viewer);
  await until(`${viewer.browserName} shows frames`, async () => (await stats(viewer)).frames > frames + 4);
}

/** For all viewers at once: each waits for its own page. */
const inEach = (each) => Promise.all(viewers.map(each));

test('picture and sound play in step, with a short delay', async (t) => {
  await inEach(async (viewer) => {
    await viewer.open(server.url(PAGE));
    await playsBy(viewer, 'webcodecs');
    await assertMoves(viewer);
    await until(
      `${viewer.browserName}: sound in step`,
      async () => {
        const { lip_sync_ms: lipSyncMs, latency_ms: latencyMs } = await stats(viewer);
        return lipSyncMs !== null && Math.abs(lipSyncMs) < 45 && latencyMs < 1000;
      },
      { withinMs: 10_000 },
    ).catch(async (error) => {
      throw new Error(`${error.message} ${JSON.stringify(await stats(viewer))}`);
    });
    const { latency_ms: latencyMs, lip_sync_ms: lipSyncMs, muted } = await stats(viewer);
    t.diagnostic(`${viewer.browserName}: ${Math.round(latencyMs)} ms behind, picture ${Math.round(lipSyncMs)} ms after its sound`);
    assert.equal(muted, false);
    assert.equal((await viewer.evaluate(() => window.latencyAsked)) > 0, viewer.browserName === 'chromium');
    assert.deepEqual(await viewer.violations(), []);
    await picture(viewer, `webcodecs-${viewer.browserName}`);
  });
});

test('memory for sound is used again', async () => {
  await inEach(async (viewer) => {
    const made = () => viewer.evaluate(() => window.samplesMade);
    const former = await made();
    const { sound_frames: frames } = await stats(viewer);
    await until(`${viewer.browserName}: three seconds of sound`, async () => (await stats(viewer)).sound_frames > frames + 150);
    const more = (await made()) - former;
    assert.ok(former > 0 && more < 50, `${viewer.browserName}: ${former}, and ${more}`);
  });
});

test('paused, the picture stands; played, it is live again', async () => {
  await inEach(async (viewer) => {
    await viewer.press(' ');
    await until('paused', async () => (await stats(viewer)).paused);
    const at = await stats(viewer);
    await sleep(300);
    const later = await stats(viewer);
    assert.equal(later.current_time_s, at.current_time_s);
    await viewer.press(' ');
    await until('live again', async () => {
      const { current_time_s: position, latency_ms: latencyMs, paused } = await stats(viewer);
      return !paused && position > at.current_time_s + 0.5 && latencyMs < 1000;
    });
    await viewer.press('m');
    await until('muted', async () => (await stats(viewer)).muted);
  });
});

test('back in time another player goes on, and live this one again', async () => {
  const [viewer] = viewers;
  // Later viewers get it.
  await until('a way back', async () => {
    await viewer.open(server.url(PAGE));
    await playsBy(viewer, 'webcodecs');
    return (await stats(viewer)).back_ms > 4000;
  });
  await viewer.press('ArrowLeft');
  await playsBy(viewer, 'mse');
  assert.ok((await stats(viewer)).behind_ms > 2000);
  await viewer.click('#live');
  await playsBy(viewer, 'webcodecs');
});

test('a hidden tab decodes nothing, and shows the newest picture when it is shown', async () => {
  const [chromium] = viewers;
  const hide = (isHidden) =>
    chromium.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
      document.dispatchEvent(new Event('visibilitychange'));
    }, isHidden);
  await hide(true);
  await sleep(200);
  const { frames } = await stats(chromium);
  await sleep(400);
  assert.ok((await stats(chromium)).frames - frames <= 2);
  await hide(false);
  await goesOn(chromium);
});

test('another publisher with other tracks plays on in the same page', async () => {
  stopPushing();
  await until('off air', async () => !(await server.stream('moving'))?.live);
  const silent = media.make('silent.webm', {
    rate: 20,
    keyframeEvery: 20,
    hasAudio: false,
    video: ['libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8'],
  });
  await lab.push(server, 'moving', silent);
  await inEach(async (viewer) => {
    await until('VP9', async () => /vp0?9/.test((await stats(viewer)).codecs));
    await playsBy(viewer, 'webcodecs');
    await goesOn(viewer);
  });
});

test('a decoder begins anew after an error, and after the second one another player goes on without a reload', async () => {
  await inEach(async (viewer) => {
    await viewer.evaluate(() => {
      window.wasHere = true;
      window.breakDecoder(1);
    });
    await until('warned', () => viewer.complaints.some((each) => /decoding video again/.test(each)));
    await goesOn(viewer);
    assert.equal((await stats(viewer)).player, 'webcodecs');
    await viewer.evaluate(() => window.breakDecoder(1));
    await playsBy(viewer, 'mse');
    await goesOn(viewer);
    assert.deepEqual(await viewer.evaluate(() => [window.wasHere, document.querySelectorAll('canvas').length]), [true, 0]);
  });
});

test('a browser without the interface or the codec plays by Media Source Extensions', async () => {
  const [viewer] = viewers;
  for (const hash of ['missing', 'unsupported']) {
    await viewer.open(server.url(`${PAGE}&${hash}#${hash}`));
    await playsBy(viewer, 'mse');
  }
});

test('where the decoder or the sound hangs another player goes on without a reload', async (t) => {
  const [chromium] = viewers;
  for (const hash of ['hung', 'silent']) {
    chromium.complaints.length = 0;
    await chromium.open(server.url(`/live/sounding?player=webcodecs&${hash}#${hash}`));
    await chromium.evaluate(() => {
      window.wasHere = true;
    });
    await playsBy(chromium, 'mse');
    await goesOn(chromium);
    assert.equal(await chromium.evaluate(() => window.wasHere), true);
    assert.match(chromium.complaints.join(), hash === 'hung' ? /WebCodecs: the decoder gives no picture/ : /WebCodecs: the sound stands/);
    t.diagnostic(`${hash}: ${Math.round((await chromium.first()).frameMs)} ms`);
  }
});

test('after its sound has ended the picture goes on, and sound that begins again is in step', async (t) => {
  const [chromium] = viewers;
  await lab.push(server, 'ending', media.make('ending.webm', { rate: 20, keyframeEvery: 20, seconds: 4, soundSeconds: 1.5 }));
  await chromium.open(server.url('/live/ending?player=webcodecs'));
  await playsBy(chromium, 'webcodecs');
  let seen;
  // On a busy machine pauses have other causes, too.
  await until('no pause', async () => {
    seen = await chromium.frames(4500);
    t.diagnostic(JSON.stringify(seen));
    return seen.gapMs < PAUSE_MOST_MS;
  }).catch((error) => {
    throw new Error(`${error.message} ${JSON.stringify(seen)}`);
  });
  await until('in step', async () => Math.abs((await stats(chromium)).lip_sync_ms ?? NaN) < 45);
});

test('the page has the player in its own script, and loads another on demand', async () => {
  const [chromium] = viewers;
  const loadsBy = async (player, address) => {
    await chromium.open(server.url(address));
    await playsBy(chromium, player);
    const loaded = await chromium.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
    return ['/watch-codecs-', '/codecs-player-', '/mse-player-'].map((part) => loaded.some((name) => name.includes(`/assets${part}`)));
  };
  assert.deepEqual(await loadsBy('webcodecs', '/live/moving?player=webcodecs'), [true, false, false]);
  assert.deepEqual(await loadsBy('mse', '/live/moving?player=mse'), [true, false, true]);
});

test('where sound may not begin by itself the picture plays muted, and a tap gives the sound', async () => {
  const [chromium] = viewers;
  // As on a first visit: a person who muted is offered no sound.
  await chromium.evaluate(() => localStorage.clear());
  await chromium.open(server.url('/live/sounding?player=webcodecs&latency=low#refused'));
  await playsBy(chromium, 'webcodecs');
  await until('muted', async () => (await stats(chromium)).muted);
  await goesOn(chromium);
  await chromium.click('#unmute');
  await until('sound', async () => {
    const { muted, lip_sync_ms: lipSyncMs } = await stats(chromium);
    return !muted && lipSyncMs !== null;
  });
});
