// The record button of the publisher page, and the mark that viewers see.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Lab, picture, until } from './lab.mjs';

const lab = new Lab();
let folder;
let server;
let publisher;
let viewer;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'videostream-recordings-'));
  server = await lab.server({ args: ['--record', folder, '--record-on-request'] });
  [publisher, viewer] = [await lab.chromium(), await lab.chromium()];
});
after(async () => {
  await lab.close();
  await rm(folder, { recursive: true });
});

const isShown = (tab, id) => tab.evaluate((each) => !document.getElementById(each).hidden, id);

test('the record button records, viewers see it, and pressed again it stops', async () => {
  await publisher.open(server.url('/publish/demo?source=test&audio=0&auto'));
  await publisher.reaches('live');
  await viewer.open(server.url('/live/demo'));
  await viewer.reaches('playing');
  await until('a record button', () => isShown(publisher, 'record'));
  assert.equal(await isShown(viewer, 'recorded'), false);
  assert.equal((await server.stream('demo')).recording, false);

  await publisher.click('#record');
  await until('a mark on the publisher page', () => isShown(publisher, 'recorded'));
  await until('a mark on the viewer page', () => isShown(viewer, 'recorded'));
  assert.equal((await server.stream('demo')).recording, true);
  assert.equal(await publisher.evaluate(() => document.getElementById('record').textContent), 'Stop recording');
  await picture(publisher, 'publish-recording');
  await picture(viewer, 'watch-recording');

  await publisher.click('#record');
  await until('no mark on the viewer page', async () => !(await isShown(viewer, 'recorded')));
  await until('no mark on the publisher page', async () => !(await isShown(publisher, 'recorded')));
  const files = await readdir(join(folder, 'demo'));
  assert.equal(files.length, 1, files.join());
  assert.match(files[0], /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.webm$/);
  // The broadcast goes on.
  await publisher.reaches('live');
});
