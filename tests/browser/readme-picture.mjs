// Makes README.png anew: the publisher's page and a viewer's, side by side at one moment. Not a test: by hand, after a
// change of the pages,
//
//   VIDEOSTREAM_BIN=target/debug/videostream node tests/browser/readme-picture.mjs [OUT.png]

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Lab, sleep, until } from './lab.mjs';

const OUT = process.argv[2] ?? fileURLToPath(new URL('../../README.png', import.meta.url));
const PAGE = { width: 800, height: 700 };
const EDGE = 12;
const BYTES_MAX = 200_000;
/** Streams that are live beside it. */
const OTHERS = {
  harbor: 'gradients=s=640x360:r=10:speed=0.01:c0=0x0b6e4f:c1=0x2f4858:c2=0x6bbf59:n=3:seed=4',
  kitchen: 'mandelbrot=s=640x360:r=10:start_scale=0.02:end_scale=0.01',
  hills: 'gradients=s=640x360:r=10:speed=0.01:c0=0xf4a259:c1=0xd1495b:c2=0x8d99ae:n=3:seed=9',
};
/** Until bit rates and delays have settled. */
const SETTLE_MS = 12_000;
/** The picture is taken once the viewer is at most so late: on a busy machine it never is. */
const DELAY_MS = 100;

const folder = mkdtempSync(join(tmpdir(), 'readme-picture-'));
const lab = new Lab();
try {
  const server = await lab.server();
  for (const [name, source] of Object.entries(OTHERS)) {
    const file = join(folder, `${name}.webm`);
    const encode = ['-pix_fmt', 'yuv420p', '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '600k', '-g', '20'];
    execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', source, '-t', '8', ...encode, file]);
    await lab.push(server, name, file);
  }
  const [publisher, viewer] = await Promise.all([lab.chromium(PAGE), lab.chromium(PAGE)]);
  await publisher.page.emulateMedia({ colorScheme: 'dark' });
  await viewer.page.emulateMedia({ colorScheme: 'light' });
  await publisher.open(server.url('/publish/garden?source=test&auto&size=1280x720'));
  await until('garden on air', async () => (await server.stream('garden'))?.live);
  await viewer.open(server.url('/live/garden'));
  await viewer.reaches('playing');
  await sleep(SETTLE_MS);
  const isCalm = async () =>
    (await viewer.evaluate((mostMs) => window.videostream.stats().latency_ms < mostMs, DELAY_MS)) &&
    !(await publisher.evaluate(() => document.body.innerText.includes('Your upload is slow')));
  await until('little other work on this machine', isCalm, { withinMs: 60_000 });
  // The controls show themselves to a person who moves.
  for (const x of [300, 320, 340]) await viewer.page.mouse.move(x, 200);
  await sleep(400);
  const [left, right] = await Promise.all([publisher, viewer].map(({ page }) => page.screenshot()));
  await compose(viewer.page, [left, right]);
} finally {
  await lab.close();
  rmSync(folder, { recursive: true });
}
const bytes = statSync(OUT).size;
console.log(`${OUT}: ${bytes} bytes`);
if (bytes > BYTES_MAX) process.exitCode = 1;

/** Draws the pictures beside one another, with round corners, on a transparent ground. */
async function compose(page, pictures) {
  const size = { width: 2 * PAGE.width + 4 * EDGE, height: PAGE.height + 2 * EDGE };
  await page.setViewportSize(size);
  const images = pictures.map((png) => `<img src="data:image/png;base64,${png.toString('base64')}">`);
  const look = `body { display: flex; gap: ${2 * EDGE}px; margin: ${EDGE}px; background: none } img { border-radius: 16px }`;
  await page.goto('about:blank');
  await page.setContent(`<style>${look}</style>${images.join('')}`);
  await page.evaluate(() => Promise.all([...document.images].map((image) => image.decode())));
  const whole = join(folder, 'whole.png');
  await page.screenshot({ path: whole, omitBackground: true });
  // 256 colours: a third of the bytes.
  const few = 'split[a][b];[a]palettegen=max_colors=256:reserve_transparent=1[p];[b][p]paletteuse=dither=none';
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', whole, '-vf', few, OUT]);
}
