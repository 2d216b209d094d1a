// A network between a browser and a server that can be held, or made slow, on its way up.

import { createServer, connect } from 'node:net';
import { once } from 'node:events';

const PIECE_MS = 50;

export class Gate {
  #server;
  #sockets = new Set();
  #isHeld = false;
  #bytesPerSecond = Infinity;
  origin;

  static async start(server) {
    const gate = new Gate();
    gate.#server = createServer((client) => gate.#join(client, server.port));
    gate.#server.listen(0, '127.0.0.1');
    await once(gate.#server, 'listening');
    gate.origin = `http://127.0.0.1:${gate.#server.address().port}`;
    return gate;
  }

  url(path) {
    return `${this.origin}${path}`;
  }

  /** Nothing goes up any more; connections stay. */
  hold() {
    this.#isHeld = true;
    for (const socket of this.#sockets) socket.pause();
  }

  release() {
    this.#isHeld = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /** For each connection. */
  slow(bytesPerSecond) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #join(client, port) {
    const server = connect(port, '127.0.0.1');
    this.#sockets.add(client);
    if (this.#isHeld) client.pause();
    client.on('data', (data) => {
      server.write(data);
      if (this.#bytesPerSecond === Infinity) return;
      client.pause();
      const restMs = Math.max(PIECE_MS, (data.length * 1000) / this.#bytesPerSecond);
      setTimeout(() => {
        if (!this.#isHeld) client.resume();
      }, restMs);
    });
    server.pipe(client);
    const end = () => {
      this.#sockets.delete(client);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('close', end).on('error', end);
  }
}
