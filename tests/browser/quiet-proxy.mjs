// A way between browser and server that can go silent without breaking, as a lost Wi-Fi does.

import { createServer, connect } from 'node:net';

export class QuietProxy {
  #server;
  #pairs = new Set();
  #isQuiet = false;
  origin;

  static async start(port) {
    const proxy = new QuietProxy();
    proxy.#server = createServer((near) => proxy.#join(near, connect(port, '127.0.0.1')));
    await new Promise((resolve) => {
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    proxy.origin = `http://127.0.0.1:${proxy.#server.address().port}`;
    return proxy;
  }

  url(path) {
    return `${this.origin}${path}`;
  }

  /** Nothing passes from now on; connections stay open. */
  hush() {
    this.#isQuiet = true;
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.pause();
  }

  speak() {
    this.#isQuiet = false;
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.resume();
  }

  async close() {
    for (const { near, far } of this.#pairs) for (const socket of [near, far]) socket.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #join(near, far) {
    const pair = { near, far };
    this.#pairs.add(pair);
    near.pipe(far);
    far.pipe(near);
    for (const socket of [near, far]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
      if (this.#isQuiet) socket.pause();
    }
  }
}
