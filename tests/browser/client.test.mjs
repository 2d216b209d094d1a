// `/player.js` on a page of another origin, under a policy as strict as can be: see docs/player.md.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Elsewhere } from './elsewhere.mjs';
import { Lab, picture, until } from './lab.mjs';
import { recorded } from './publishers.mjs';
import { Way } from './way.mjs';

const FILE = fileURLToPath(new URL('data/one-keyframe-a-second.webm', import.meta.url));
/** Browsers want tens of KB of a plain stream before they show a picture. */
const DENSE_FILE = recorded('chromium-vp8-opus-100ms');
const lab = new Lab();
let site;
let server;
let closed;
let tabs;

before(async () => {
  site = await Elsewhere.start();
  server = await lab.server({ args: ['--allow-origin', site.origin] });
  closed = await lab.server({ args: ['--watch-key', 'right horse', '--allow-origin', site.origin] });
  [tabs] = await Promise.all([
    Promise.all([lab.chromium(), lab.firefox()]),
    lab.push(server, 'a', FILE),
    lab.push(server, 'b', DENSE_FILE),
    lab.push(closed, 'locked', FILE, { headers: { authorization: 'Bearer right horse' } }),
  ]);
});
after(async () => {
  await lab.close();
  site.close();
});

/** Does this in both browsers at once. */
const both = (act) => Promise.all(tabs.map(act));

async function open(tab, { origin = server.origin, without = '' } = {}) {
  tab.complaints.length = 0;
  await tab.open(site.url(origin, without));
  await tab.reaches('ready');
}

const told = (tab) => tab.evaluate(() => window.told);
const seen = (tab, event) =>
  until(`${tab.browserName}: ${event}`, async () => (await told(tab)).includes(event), { everyMs: 50 }).catch(async (error) => {
    throw new Error(`${error.message}; told ${await told(tab)}; ${tab.complaints.join('; ')}`);
  });
const viewers = async (name) => (await server.stream(name)).viewers;

/** A `<video-stream>` in the page's `main`, whose events are noted. */
function addTo(tab, src, attributes) {
  return tab.evaluate(
    ([address, each]) => {
      const element = document.createElement('video-stream');
      for (const [name, value] of Object.entries({ autoplay: '', muted: '', controls: '', ...each })) element.setAttribute(name, value);
      element.src = address;
      document.querySelector('video-stream')?.remove();
      window.told.length = 0;
      document.querySelector('main').append(window.listen(element, 'a'));
    },
    [src, attributes],
  );
}

test('the element plays with the events and properties of a video', () =>
  both(async (tab) => {
    await open(tab);
    await addTo(tab, server.url('/live/a'));
    await seen(tab, 'a playing');
    const events = (await told(tab)).filter((event) => /play|waiting$|pause/.test(event));
    assert.deepEqual(events.slice(0, 3), ['a play', 'a waiting', 'a playing'], `${tab.browserName} ${events}`);
    const facts = await tab.evaluate(() => {
      const element = document.querySelector('video-stream');
      const { state, paused, muted, stream, videoWidth, videoHeight, error } = element;
      return { state, paused, muted, stream, videoWidth, videoHeight, error };
    });
    assert.deepEqual(facts, { state: 'live', paused: false, muted: true, stream: 'a', videoWidth: 320, videoHeight: 240, error: null });
    const delay = await until('a delay', () => tab.evaluate(() => document.querySelector('video-stream').delay || 0));
    assert.ok(delay < 2, `${delay}`);
    const [type, size] = await tab.evaluate(async () => {
      const blob = await document.querySelector('video-stream').screenshot();
      return [blob.type, blob.size];
    });
    assert.ok(type === 'image/png' && size > 500, `${type} ${size}`);
    await picture(tab, `client-${tab.browserName}`);

    await tab.evaluate(() => {
      window.told.length = 0;
      const element = document.querySelector('video-stream');
      element.pause();
      element.volume = 0.5;
    });
    await seen(tab, 'a volumechange');
    assert.deepEqual((await told(tab)).slice(0, 2), ['a pause', 'a paused']);
    await tab.evaluate(() => document.querySelector('video-stream').play());
    await tab.evaluate(() => document.querySelector('video-stream').goLive());
    assert.equal(await tab.evaluate(() => document.querySelector('video-stream').state), 'live');
    assert.deepEqual([tab.complaints, await tab.violations()], [[], []], tab.browserName);
  }));

test('a move interrupts nothing, another src begins anew, and a removal closes the socket', async () => {
  const hellos = (tab) => tab.messages('hello').then(({ length }) => length);
  await both(async (tab) => {
    const once = await hellos(tab);
    await tab.evaluate(() => {
      const root = document.body.appendChild(document.createElement('div')).attachShadow({ mode: 'open' });
      root.append(document.querySelector('video-stream'));
      window.told.length = 0;
      window.element = root.firstChild;
    });
    await tab.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
    // A busy machine may make it wait for a moment.
    await until(`${tab.browserName} is live`, () => tab.evaluate(() => window.element.state === 'live'));
    assert.equal(await hellos(tab), once, tab.browserName);
    await tab.evaluate((src) => {
      window.element.src = src;
    }, server.url('/live/b'));
    await seen(tab, 'a playing');
    assert.equal(await tab.evaluate(() => window.element.stream), 'b');
  });
  await until('none at a', async () => (await viewers('a')) === 0);
  assert.equal(await viewers('b'), 2);
  await both((tab) =>
    tab.evaluate(() => {
      window.told.length = 0;
      window.home = window.element.parentNode;
      window.element.remove();
    }),
  );
  await until('none at b', async () => (await viewers('b')) === 0);
  await both(async (tab) => {
    assert.equal(await tab.evaluate(() => window.element.paused), true);
    await tab.evaluate(() => window.home.append(window.element));
    await seen(tab, 'a playing');
    await tab.evaluate(() => window.element.remove());
  });
});

test('watch() plays in an element of the page, several at once, until it is closed', async () => {
  await both(async (tab) => {
    await open(tab);
    await tab.evaluate(async (origin) => {
      const { watch } = await window.module;
      window.players = ['a', 'b'].map((name) => {
        const video = document.querySelector('main').appendChild(document.createElement('video'));
        video.muted = true;
        return window.listen(watch(video, `${origin.replace('http', 'ws')}/live/${name}`), name);
      });
    }, server.origin);
    await Promise.all([seen(tab, 'a playing'), seen(tab, 'b playing')]);
    // The browser's own controls act on the element itself.
    await tab.evaluate(() => document.querySelector('video').pause());
    await seen(tab, 'a pause');
    await tab.evaluate(() => window.players.forEach((player) => player.close()));
    assert.deepEqual(tab.complaints, [], tab.browserName);
  });
  await until('no viewer at either stream', async () => (await viewers('a')) + (await viewers('b')) === 0);
});

test('WebCodecs and the plain stream play there too', () =>
  both(async (tab) => {
    await open(tab);
    const players = ['webcodecs', 'src'];
    await tab.evaluate(
      ([src, ways]) =>
        ways.forEach((player) => {
          const element = window.listen(document.createElement('video-stream'), player);
          Object.assign(element, { src, player, autoplay: true, muted: true });
          document.querySelector('main').append(element);
        }),
      [server.url('/live/b'), players],
    );
    for (const player of players) {
      await seen(tab, `${player} playing`);
      const [isDrawn, size] = await tab.evaluate(async (way) => {
        const element = document.querySelector(`[player=${way}]`);
        return [element.shadowRoot.querySelector('canvas') !== null, (await element.screenshot('image/jpeg')).size];
      }, player);
      assert.equal(isDrawn, player === 'webcodecs', `${tab.browserName} ${player}`);
      assert.ok(size > 300, `${player} ${size}`);
    }
    assert.deepEqual([tab.complaints, await tab.violations()], [[], []], tab.browserName);
  }));

// docs/player.md gives that as the reason for what is played by without the attribute `player`.
test('a page reads the picture from its video element, and by WebCodecs from the canvas beside it', () =>
  both(async (tab) => {
    await open(tab);
    for (const player of [undefined, 'webcodecs']) {
      const found = await tab.evaluate(
        async ([module, src, way]) => {
          const { watch } = await import(module);
          const video = document.createElement('video');
          video.muted = true;
          document.querySelector('main').replaceChildren(video);
          const playing = watch(video, src, { player: way });
          await new Promise((resolve) => playing.on('playing', resolve));
          while (!playing.videoWidth || video.readyState < 2) await new Promise((resolve) => setTimeout(resolve, 50));
          const brush = new OffscreenCanvas(64, 36).getContext('2d');
          brush.drawImage(video, 0, 0, 64, 36);
          const isDrawn = brush.getImageData(0, 0, 64, 36).data.some((value) => value > 0);
          const tracks = (video.captureStream ?? video.mozCaptureStream).call(video).getVideoTracks().length;
          const canvas = video.nextElementSibling?.localName ?? null;
          playing.close();
          return { isDrawn, tracks, canvas };
        },
        [server.url('/player.js'), server.url('/live/a'), player],
      );
      const expected = player ? { isDrawn: false, tracks: 0, canvas: 'canvas' } : { isDrawn: true, tracks: 1, canvas: null };
      assert.deepEqual(found, expected, `${tab.browserName} ${player}`);
    }
  }));

test('segments play when they are asked for, and where no socket can be had', async () => {
  const way = await Way.start(server.port);
  try {
    await both(async (tab) => {
      await open(tab, { origin: way.origin });
      await addTo(tab, way.url('/live/a'), { via: 'segments' });
      await seen(tab, 'a playing');
      assert.deepEqual([tab.complaints, await tab.violations()], [[], []], tab.browserName);
    });
    assert.equal(way.refused, 0, 'a socket was asked for');
    await both(async (tab) => {
      await addTo(tab, way.url('/live/a'), {});
      await seen(tab, 'a playing');
      await tab.evaluate(() => document.querySelector('video-stream').remove());
    });
    assert.ok(way.refused >= 4 && way.segments > 3, `${way.refused} sockets, ${way.segments} segments`);
  } finally {
    way.close();
  }
});

test('a missing key and a wrong key give an `error` event, and the right key plays', () =>
  both(async (tab) => {
    await open(tab, { origin: closed.origin });
    await addTo(tab, closed.url('/live/locked'));
    await seen(tab, 'a error');
    const error = () => tab.evaluate(() => document.querySelector('video-stream').error);
    assert.deepEqual(await error(), { code: 'key', message: 'This stream needs a key.' });
    await picture(tab, `client-key-${tab.browserName}`);
    const set = (key) =>
      tab.evaluate((value) => {
        window.told.length = 0;
        document.querySelector('video-stream').key = value;
      }, key);
    await set('wrong');
    await seen(tab, 'a error');
    assert.match((await error()).message, /^That key is wrong\./);
    await set('right horse');
    await seen(tab, 'a playing');
    assert.equal(await error(), null);
  }));

test('an origin that is refused, a policy that blocks and an src that is none are each told', async () => {
  const stranger = await lab.server();
  await both(async (tab) => {
    /** Firefox asks no policy about a MediaSource. */
    const media = [server.origin, 'media-src', '/live/a', 'policy', 'Add blob: to its media-src.'];
    for (const [origin, without, src, code, words] of [
      [stranger.origin, '', '/live/a', 'origin', `Start it with --allow-origin ${site.origin}.`],
      [server.origin, 'connect-src', '/live/a', 'policy', 'to its connect-src.'],
      ...(tab.browserName === 'chromium' ? [media] : []),
      [server.origin, '', '/recordings/a', 'address', 'it looks like https://example.org/live/NAME.'],
    ]) {
      await open(tab, { origin, without });
      await addTo(tab, origin + src);
      await seen(tab, 'a error');
      const error = await tab.evaluate(() => document.querySelector('video-stream').error);
      assert.equal(error.code, code, `${tab.browserName} ${error.message}`);
      assert.ok(error.message.endsWith(words), error.message);
    }
  });
});

test('a server that starts again is found again', async () => {
  await both(async (tab) => {
    await open(tab);
    await addTo(tab, server.url('/live/a'));
    await seen(tab, 'a playing');
    await tab.evaluate(() => {
      window.told.length = 0;
    });
  });
  const { port } = server;
  await server.kill();
  await both((tab) => seen(tab, 'a connecting'));
  server = await lab.server({ port, args: ['--allow-origin', site.origin] });
  await lab.push(server, 'a', FILE);
  await both((tab) => seen(tab, 'a playing'));
});
