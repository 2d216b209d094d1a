// What a browser test needs, started on demand and ended whatever happens.
//
//   const lab = new Lab();
//   after(() => lab.close());
//   const server = await lab.server();
//   const publisher = await lab.chromium();      // one browser instance, one page
//   await publisher.open(server.url('/publish/demo?source=camera&auto'));
//
// One instance per page: a browser slows down the pages that it does not show.

import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startChromium } from './chromium.mjs';
import { startFirefox } from './firefox.mjs';
import { BINARY, Server } from './server.mjs';
import { SoundServer } from './sound-server.mjs';

const SCREENSHOTS = fileURLToPath(new URL('./screenshots/', import.meta.url));

export class Lab {
  /** What was started, oldest first: each has `close()`. */
  #running = [];
  #sound = null;

  async server(options) {
    return this.#keep(await Server.start(options));
  }

  async chromium(options) {
    return this.#keep(await startChromium(options));
  }

  /** Firefox plays and records sound only where there is a sound server. */
  async firefox({ env = {}, ...options } = {}) {
    this.#sound ??= this.#keep(await SoundServer.start());
    return this.#keep(await startFirefox({ ...options, env: { ...this.#sound.env, ...env } }));
  }

  /** Publishes a file over and over, with the program itself, until what is returned is called. */
  async push(server, name, file, options) {
    const child = spawn(BINARY, ['push', '--loop', file, server.url(`/publish/${name}`)], { stdio: 'ignore' });
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    this.#keep({
      close() {
        process.off('exit', kill);
        kill();
      },
    });
    await until(`${name} on air`, async () => (await server.stream(name, options))?.live);
    return kill;
  }

  async close() {
    for (const each of this.#running.splice(0).reverse()) await each.close();
  }

  #keep(each) {
    this.#running.push(each);
    return each;
  }
}

/** With VIDEOSTREAM_SCREENSHOTS set, a picture of the page goes to `screenshots/`. */
export async function picture(tab, name) {
  if (!process.env.VIDEOSTREAM_SCREENSHOTS) return;
  await mkdir(SCREENSHOTS, { recursive: true });
  await tab.page.screenshot({ path: `${SCREENSHOTS}${name}.png` });
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A viewer page's path by which Firefox plays by Media Source Extensions: so a test sees both players. */
export function byBothPlayers({ browserName }, path) {
  return browserName === 'firefox' ? `${path}${path.includes('?') ? '&' : '?'}player=mse` : path;
}

/** Asks until the answer is true, and returns it. */
export async function until(what, ask, { withinMs = 15_000, everyMs = 100 } = {}) {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(everyMs);
  }
}
