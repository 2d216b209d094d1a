// A way between browsers and a server that lets no WebSocket through, and hands on answers as it likes:
// as they come, whole, or now and then only in part.

import { createServer, request } from 'node:http';
import { once } from 'node:events';
import { Readable } from 'node:stream';

const MEDIA = /^\/live\/[^/]+\/\d+\.webm/;

export class Way {
  #server;
  #port;
  /** Whether it hands on a segment when it has all of it. */
  isWhole = false;
  /** Whether it breaks each segment off once, in its middle. */
  breaks = false;
  #broken = new Set();
  /** Segments asked for, and broken off. */
  segments = 0;
  cuts = 0;
  /** Pages of other origins: by their paths, a type and a text. */
  pages = {};
  origin;

  static async start(port) {
    const way = new Way();
    way.#port = port;
    way.#server = createServer((near, answer) => way.#pass(near, answer));
    // As proxies do that know none.
    way.#server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
    way.#server.listen(0, '127.0.0.1');
    await once(way.#server, 'listening');
    way.origin = `http://127.0.0.1:${way.#server.address().port}`;
    return way;
  }

  url(path) {
    return `${this.origin}${path}`;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #pass(near, answer) {
    const page = this.pages[near.url];
    if (page) {
      answer.writeHead(200, { 'content-type': page.type });
      answer.end(page.text);
      return;
    }
    const isMedia = MEDIA.test(near.url);
    if (isMedia) this.segments += 1;
    const far = request({ host: '127.0.0.1', port: this.#port, path: near.url, method: near.method, headers: near.headers });
    far.on('error', () => answer.destroy());
    answer.on('close', () => far.destroy());
    far.on('response', async (response) => {
      response.on('error', () => answer.destroy());
      const { statusCode, headers } = response;
      if (isMedia && this.isWhole) {
        const parts = await response.toArray().catch(() => null);
        if (!parts) {
          answer.destroy();
          return;
        }
        answer.writeHead(statusCode, headers);
        Readable.from(parts).pipe(answer);
        return;
      }
      answer.writeHead(statusCode, headers);
      if (isMedia && this.breaks && statusCode === 200 && !this.#broken.has(near.url)) {
        this.#broken.add(near.url);
        this.#breakOff(response, answer);
        return;
      }
      response.pipe(answer);
    });
    near.pipe(far);
  }

  /** After some ten thousand bytes, wherever in a block that is. */
  #breakOff(response, answer) {
    let left = 10_007;
    response.on('data', (part) => {
      if (left <= 0) return;
      answer.write(part.subarray(0, left));
      left -= part.length;
      if (left > 0) return;
      this.cuts += 1;
      // What was written goes out before the end.
      setTimeout(() => answer.destroy(), 50);
    });
    response.on('end', () => {
      if (left > 0) answer.end();
    });
  }
}
