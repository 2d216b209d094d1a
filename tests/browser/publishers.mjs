// Many streams at little cost: each is one request that sends a file and stays open.

import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { until } from './lab.mjs';

/** A recording of `tests/data`. */
export const recorded = (name) => fileURLToPath(new URL(`../data/${name}.webm`, import.meta.url));

export class Publishers {
  #server;
  /** @type {Map<string, import('node:http').ClientRequest>} */
  #open = new Map();

  constructor(server) {
    this.#server = server;
  }

  /** Puts these names on air with what the file has; the server takes a silent one off after 30 s. */
  async start(names, file = recorded('chromium-vp8-only-100ms'), { headers = {} } = {}) {
    const bytes = readFileSync(file);
    for (const name of names) {
      const put = request(this.#server.url(`/publish/${name}`), { method: 'PUT', headers });
      put.on('error', () => {});
      put.write(bytes);
      this.#open.set(name, put);
    }
    for (const name of names) {
      await until(`${name} on air`, async () => (await this.#server.stream(name, { headers }))?.live);
    }
  }

  async stop(name) {
    this.#open.get(name).end();
    this.#open.delete(name);
    await until(`${name} off air`, async () => !(await this.#server.stream(name))?.live);
  }

  close() {
    for (const put of this.#open.values()) put.destroy();
    this.#open.clear();
  }
}
