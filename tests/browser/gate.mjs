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

  /** For each connection; Infinity lets go. */
  slow(bytesPerSecond) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  /** Lets data go up piece by piece, and reads on after the last one. */
  #pace(client, server, data) {
    client.pause();
    const count = Math.min(data.length, Math.ceil((this.#bytesPerSecond * PIECE_MS) / 1000));
    server.write(data.subarray(0, count));
    setTimeout(
      () => {
        if (client.destroyed) return;
        if (count < data.length) this.#pace(client, server, data.subarray(count));
        else if (!this.#isHeld) client.resume();
      },
      (count * 1000) / this.#bytesPerSecond,
    );
  }

  #join(client, port) {
    const server = connect(port, '127.0.0.1');
    this.#sockets.add(client);
    if (this.#isHeld) client.pause();
    client.on('data', (data) => {
      if (this.#bytesPerSecond === Infinity) server.write(data);
      else this.#pace(client, server, data);
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
