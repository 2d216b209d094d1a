// Publishers of both browsers lose their network, their page and their server, and go on by themselves.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Gate } from './gate.mjs';
import { Lab, sleep, until } from './lab.mjs';

const lab = new Lab();
let server;
let gate;
let publishers;
let viewers;

before(async () => {
  server = await lab.server();
  gate = await Gate.start(server);
  [publishers, viewers] = await Promise.all([Promise.all([lab.chromium(), lab.firefox()]), Promise.all([lab.firefox(), lab.chromium()])]);
});
after(async () => {
  await lab.close();
  gate.close();
});

const position = (tab) => tab.evaluate(() => document.getElementById('video').currentTime);

test('publishers of both browsers go on by themselves after 5 s without a network, a reload and a new server', async () => {
  const inAll = (act) => Promise.all(publishers.map((publisher, i) => act(publisher, viewers[i])));
  /** Each is watched in the other browser, in the same page all the time. */
  const goesOn = () =>
    inAll(async (publisher, viewer) => {
      await publisher.reaches('live', { withinMs: 20_000 });
      await viewer.says(/watching live/, { withinMs: 20_000 });
      const at = await position(viewer);
      await until('a picture that moves', async () => (await position(viewer)) > at + 0.5);
      assert.ok(await viewer.evaluate(() => window.isTheSamePage), 'the viewer page was loaded again');
    });
  await inAll(async (publisher, viewer) => {
    const name = `train-${publisher.browserName}`;
    await publisher.open(gate.url(`/publish/${name}?source=test&auto&size=320x180`));
    await publisher.reaches('live');
    await viewer.open(server.url(`/live/${name}`));
    await viewer.reaches('playing');
    await viewer.evaluate(() => {
      window.isTheSamePage = true;
    });
  });
  await goesOn();
  gate.hold();
  await sleep(5000);
  gate.release();
  await goesOn();
  await inAll((publisher) => publisher.reload());
  await goesOn();
  const { port } = server;
  await server.kill();
  await inAll(async (publisher, viewer) => {
    await publisher.reaches('reconnecting');
    await viewer.reaches('reconnecting');
  });
  server = await lab.server({ port });
  await goesOn();
});
