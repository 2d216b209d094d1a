// What a browser cannot play is called by its name, and what it can is played all the same.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture, until } from './lab.mjs';
import { Media } from './media.mjs';

const lab = new Lab();
const media = new Media();
let server;
let viewers;

before(async () => {
  server = await lab.server();
  viewers = [await lab.chromium(), await lab.firefox()];
});
after(async () => {
  await lab.close();
  media.close();
});

test('an unplayable video codec is named, with a link for VLC', async () => {
  await lab.push(server, 'mjpeg', media.make('mjpeg.mkv', { video: ['mjpeg', '-q:v', '20'] }));
  for (const viewer of viewers) {
    await viewer.open(server.url('/live/mjpeg'));
    await viewer.says(/Motion JPEG/);
    const words = await viewer.words();
    assert.doesNotMatch(words, /watching live\.$|Chrome/);
    await picture(viewer, `mjpeg-${viewer.browserName}`);
  }
  const [chromium] = viewers;
  const vlc = await chromium.evaluate(() => document.getElementById('vlc').href);
  if ((await chromium.state()) === 'error') assert.equal(vlc, server.url('/live/mjpeg.webm'));
});

test('an unplayable audio codec is named, and the video plays', async () => {
  await lab.push(server, 'aac', media.make('aac.mkv', { audio: 'aac' }));
  for (const viewer of viewers) {
    // Of what was before.
    viewer.complaints.length = 0;
    await viewer.open(server.url('/live/aac?player=mse'));
    await viewer.reaches('playing');
    await viewer.says(/watching live\. There is no sound: it is in AAC/);
    assert.ok((await viewer.evaluate(() => document.querySelector('video').videoWidth)) > 0);
    assert.deepEqual(
      viewer.complaints.filter((each) => /afresh/.test(each)),
      [],
    );
  }
  // WebCodecs play more than Media Source Extensions do.
  const [chromium] = viewers;
  await chromium.open(server.url('/live/aac'));
  await chromium.reaches('playing');
  await until('the sound in AAC', () => chromium.evaluate(() => window.videostream.stats().sound_ms !== null));
});
