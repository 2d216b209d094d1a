// A shared tab that stands still: its stream goes on, and every viewer gets a picture.
// Runs alone: it compares sound and picture in time.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer, get } from 'node:http';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { Lab, picture, sleep } from './lab.mjs';
import { assertFlows, assertMoves } from './moving.mjs';

const STILL_S = 7;
/** Three browsers on two cores: the player may have learnt to keep two seconds, and no more. */
const LAG_S = 3;
/** The first frame counts. */
const STILL_CHANGES = 1;
const lab = new Lab();
const site = createServer((_, response) => {
  response.setHeader('content-type', 'text/html');
  response.end(`<!doctype html><title>Slide to share</title><body style="background:#246">
    <canvas id="c" width="300" height="200"></canvas><script>
    const g = document.getElementById('c').getContext('2d'); let n = 0, timer;
    const sound = new AudioContext(), tone = new OscillatorNode(sound), volume = new GainNode(sound, { gain: 0.1 });
    tone.connect(volume).connect(sound.destination); tone.start();
    move = () => { timer = setInterval(() => { g.fillStyle = 'hsl(' + n++ * 9 + ',80%,50%)'; g.fillRect(0, 0, 300, 200); }, 33); };
    halt = () => clearInterval(timer); move();</script>`);
});
after(async () => {
  site.close();
  await lab.close();
});

for (const audio of [false, true]) {
  test(`a shared tab that stands still has frames, ${audio ? 'and sound in step with them' : 'and few keyframes'}`, async (t) => {
    const server = await lab.server();
    const { publisher, tab } = await shareTab(server, audio);
    await sleep(2000);
    const parts = [];
    const request = get(server.url('/live/slides.webm'), (response) => response.on('data', (part) => parts.push(part)));
    await sleep(2000);
    await tab.evaluate(() => window.halt());
    await sleep(STILL_S * 1000);
    assert.equal(await publisher.state(), 'live', await publisher.words());
    await picture(publisher, 'publish-still');
    request.destroy();
    // A tab that is gone is not one that stands still.
    await tab.close();
    await publisher.reaches('ended');
    await publisher.says(/^You stopped sharing/);
    await publisher.close();

    const packets = packetsOf(Buffer.concat(parts));
    const last = Math.max(...packets.map(({ seconds }) => seconds));
    // The last second may be cut, and what happened just before the still does not count.
    const still = packets.filter(({ seconds }) => seconds > last - STILL_S + 1.5 && seconds < last - 0.5);
    const lengthS = STILL_S - 2;
    const frames = still.filter(({ kind }) => kind === 'video');
    const keyframes = frames.filter(({ isKeyframe }) => isKeyframe);
    const gaps = frames.slice(1).map(({ seconds }, i) => seconds - frames[i].seconds);
    t.diagnostic(
      `${(frames.length / lengthS).toFixed(1)} frames a second, longest gap ${Math.max(...gaps).toFixed(2)} s, ${keyframes.length} keyframes in ${lengthS} s, ${frames.reduce((sum, { bytes }) => sum + bytes, 0)} bytes`,
    );
    assert.ok(frames.length >= 2 * lengthS, `${frames.length} frames in ${lengthS} s`);
    assert.ok(keyframes.length <= lengthS / 3, `${keyframes.length} keyframes in ${lengthS} s`);
    assert.ok(Math.max(...gaps) < 1, 'no hole between frames');
    if (!audio) return;
    const sound = packets.filter(({ kind }) => kind === 'audio').at(-1).seconds;
    const shown = packets.filter(({ kind }) => kind === 'video').at(-1).seconds;
    t.diagnostic(`at the end the picture is at ${shown} s, the sound at ${sound} s`);
    assert.ok(Math.abs(sound - shown) < 0.6, `${shown} s, ${sound} s`);
  });
}

for (const audio of [false, true]) {
  test(`viewers of a shared tab${audio ? ' with sound' : ''} see it stand still and move again, whenever they come`, async (t) => {
    const server = await lab.server();
    const { publisher, tab } = await shareTab(server, audio);
    const viewers = [await lab.chromium(), await lab.firefox()];
    for (const viewer of viewers) {
      await viewer.open(server.url('/live/slides'));
      await viewer.reaches('playing');
    }
    await Promise.all(viewers.map((viewer) => assertMoves(viewer)));

    await tab.evaluate(() => window.halt());
    await sleep(3000);
    await Promise.all(viewers.map((viewer) => assertFlows(viewer, 3000, { hadGaps: true, lagSeconds: LAG_S })));
    const seen = await Promise.all(viewers.map((viewer) => viewer.frames(2000)));
    seen.forEach((each, i) =>
      assert.ok(each.changed <= STILL_CHANGES, `${viewers[i].browserName} sees a still move: ${JSON.stringify(each)}`),
    );
    for (const viewer of viewers) await picture(viewer, `watch-still-${viewer.browserName}`);
    // Coming again is coming while it stands still.
    for (const viewer of viewers) {
      const fromMs = performance.now();
      await viewer.reload();
      await viewer.reaches('playing', { withinMs: 5000 });
      t.diagnostic(`${viewer.browserName}: plays a still after ${Math.round(performance.now() - fromMs)} ms`);
    }
    await Promise.all(viewers.map((viewer) => assertFlows(viewer, 3000, { lagSeconds: LAG_S })));
    for (const viewer of viewers) {
      const colour = await viewer.evaluate(colourShown);
      assert.ok(Math.max(...colour) > 60, `${viewer.browserName} shows ${colour}`);
    }

    await tab.evaluate(() => window.move());
    await Promise.all(viewers.map((viewer) => assertMoves(viewer)));
    for (const viewer of viewers) assert.deepEqual(viewer.complaints, [], viewer.browserName);
    for (const each of [publisher, ...viewers]) await each.close();
  });
}

/** Runs in the page: red, green and blue in the middle of the picture. */
function colourShown() {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d');
  context.drawImage(window.probe.picture(), 0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}

/** A browser that shares a tab of its own, and is live with it. */
async function shareTab(server, audio) {
  if (!site.listening) await once(site.listen(0, '127.0.0.1'), 'listening');
  const publisher = await lab.chromium({ shares: 'Slide to share' });
  const tab = await publisher.page.context().newPage();
  await tab.goto(`http://127.0.0.1:${site.address().port}/`);
  await publisher.page.bringToFront();
  await publisher.open(server.url(`/publish/slides?source=screen&auto&audio=${Number(audio)}`));
  await publisher.reaches('live');
  return { publisher, tab };
}

function packetsOf(webm) {
  const entries = 'packet=codec_type,pts_time,size,flags';
  const text = execFileSync('ffprobe', ['-v', 'error', '-show_entries', entries, '-of', 'csv=p=0', '-'], { input: webm }).toString();
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [kind, seconds, bytes, flags] = line.split(',');
      return { kind, seconds: Number(seconds), bytes: Number(bytes), isKeyframe: flags.startsWith('K') };
    });
}
