// An uplink that carries less and less of the stream: quality goes down, and comes back. Each rate for long, and what
// viewers see meanwhile, by hand: node uplink.mjs

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, picture } from './lab.mjs';
import { ASKED, busyCamera, onAirThroughGate, watchPublisher } from './uplink.mjs';

/** The uplink is held at each rate until the stream is smaller. The encoder of a busy machine may never fill the first two. */
const KBPS = [1200, 600, 300];
const HELD_MOST_MS = 15_000;
const lab = new Lab();
let camera;

before(() => {
  camera = busyCamera();
});
after(async () => {
  await lab.close();
  camera?.remove();
});

test(`an uplink of ${KBPS.join(', then ')} kbit/s gets a smaller stream each time, viewers play on, and the quality returns when the limit is removed`, async (t) => {
  const { gate, server, publisher, viewer } = await onAirThroughGate(lab, camera.file);
  try {
    const least = Math.min(...KBPS);
    let lower;
    for (const kbps of KBPS) {
      gate.slow(kbps * 125);
      const isLower = ({ isReduced, bits, width }) => isReduced && bits < kbps * 1000 && (kbps > least || width < ASKED.width);
      const held = await watchPublisher(publisher, HELD_MOST_MS, isLower);
      lower = held.at(-1);
      const { bitrate_bps: sent } = await server.stream('squeezed');
      t.diagnostic(`${kbps} kbit/s, ${Math.round(lower.atMs)} ms: ${lower.width} points wide, ${lower.rate}, ${lower.words}`);
      assert.ok(lower.bits < kbps * 1000 || sent < kbps * 1000, `${sent} ${JSON.stringify(lower)}`);
      assert.ok(held.every(({ state }) => state !== 'reconnecting'));
    }
    assert.ok(lower.isReduced && lower.bits < least * 1000 && lower.width < ASKED.width, JSON.stringify(lower));
    await picture(publisher, 'publish-reduced');
    const freedAt = performance.now();
    gate.slow(Infinity);
    const frames = viewer.frames(3000);
    const raised = (await watchPublisher(publisher, 20_000, ({ bits }) => bits > lower.bits)).at(-1);
    t.diagnostic(`raised ${Math.round(performance.now() - freedAt)} ms after the limit was removed: ${lower.bits} to ${raised.bits}`);
    assert.ok(raised.bits > lower.bits, `${lower.bits} to ${raised.bits}`);
    const { shown, changed } = await frames;
    t.diagnostic(`${shown} frames in 3 s, ${changed} of them differ`);
    assert.ok(shown > 12 && changed > 6, `${shown}, ${changed}`);
    assert.deepEqual(publisher.complaints, []);
  } finally {
    gate.close();
  }
});
