// The publisher page's recorder by WebCodecs: its colours, and what takes over where it fails.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, until } from './lab.mjs';

/** The test picture's ground, and the bars at its foot. */
const COLOURS = ['#141311', '#d9d4ca', '#d8b93f', '#4fb0b8', '#5aa65a', '#b35c9e', '#c2493d', '#3f5ea8', '#26241f'];
/** Of 255: encoders lose some, and a wrong range or matrix costs 13 to 23. */
const OFF_MOST = 9;

const lab = new Lab();
let server;
let publisher;

before(async () => {
  [server, publisher] = await Promise.all([lab.server(), lab.chromium()]);
  await publisher.beforePages(breakWhereAsked);
});
after(() => lab.close());

/** Runs in the page before its own scripts: an encoder that the browser does not have. */
function breakWhereAsked() {
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (location.hash === '#broken' && message?.start) message.start.codec = 'vp8.broken';
    return postMessage.call(this, message, ...rest);
  };
}

/** Runs in a viewer page: the colours where `COLOURS` were drawn. */
function coloursSeen() {
  const [width, height] = [640, 360];
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d');
  context.drawImage(window.videostream.picture, 0, 0, width, height);
  const at = (x, y) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)];
  const bars = Array.from({ length: 8 }, (_, i) => at(((i + 0.5) * width) / 8, height - (1.9 * height) / 45));
  return [at(4, 4), ...bars];
}

const partsOf = (colour) => [1, 3, 5].map((i) => Number.parseInt(colour.slice(i, i + 2), 16));

test('the test picture has its colours in both browsers and players', async (t) => {
  await publisher.open(server.url('/publish/colours?source=test&auto&size=640x360'));
  await publisher.reaches('live');
  const viewers = await Promise.all([lab.chromium(), lab.firefox(), lab.chromium()]);
  await Promise.all(
    viewers.map(async (viewer, i) => {
      const player = i === 2 ? 'webcodecs' : 'mse';
      await viewer.open(server.url(`/live/colours?player=${player}`));
      await viewer.reaches('playing');
      const off = await until(`${viewer.browserName}, ${player}: a whole picture`, async () => {
        const seen = await viewer.evaluate(coloursSeen);
        const worst = seen.map((colour, c) => Math.max(...partsOf(COLOURS[c]).map((part, p) => Math.abs(part - colour[p]))));
        return Math.max(...worst) <= OFF_MOST && worst;
      });
      t.diagnostic(`${viewer.browserName}, ${player}: off by ${off}`);
      await viewer.close();
    }),
  );
  assert.deepEqual(publisher.complaints, []);
});

test('where the encoder fails a MediaRecorder records, and the stream goes on air', async () => {
  await publisher.open(server.url('/publish/broken?source=test&auto&size=640x360#broken'));
  await publisher.reaches('live');
  await until('a stream', async () => (await server.stream('broken'))?.codecs === 'vp8');
  assert.ok(
    publisher.complaints.some((each) => /recording by MediaRecorder/.test(each)),
    publisher.complaints.join('\n'),
  );
});
