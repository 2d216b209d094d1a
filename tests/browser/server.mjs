// A videostream server on a free port, or on a given one.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const BINARY = process.env.VIDEOSTREAM_BIN ?? fileURLToPath(new URL('../../target/release/videostream', import.meta.url));
const READY = /^listening on (https?:\/\/\S+)/;
const READY_WITHIN_MS = 10_000;

export class Server {
  #process;
  #killOnExit;
  /** `http://127.0.0.1:PORT`, or `https` where the arguments ask for it. */
  origin;
  log = '';
  /** The lines that it has printed. */
  lines = [];

  static async start({ host = '127.0.0.1', port = 0, args = [] } = {}) {
    const server = new Server();
    await server.#start(['--listen', `${host}:${port}`, ...args]);
    return server;
  }

  get pid() {
    return this.#process.pid;
  }

  get port() {
    return Number(new URL(this.origin).port);
  }

  url(path) {
    return `${this.origin}${path}`;
  }

  /** The JSON state of a stream, or null. */
  async stream(name, { headers = {} } = {}) {
    const response = await fetch(this.url(`/api/streams/${name}`), { headers });
    return response.ok ? response.json() : null;
  }

  /** As a crash would end it: no goodbye to anyone. */
  kill() {
    return this.#end('SIGKILL');
  }

  close() {
    return this.#end('SIGTERM');
  }

  async #start(args) {
    this.#process = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#killOnExit = () => this.#process.kill('SIGKILL');
    process.on('exit', this.#killOnExit);
    this.#process.stderr.on('data', (text) => {
      this.log += text;
    });
    const lines = createInterface({ input: this.#process.stdout });
    this.origin = await new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`${BINARY} ${why}\n${this.log}`));
      this.#process.once('error', (error) => fail(`did not start: ${error.message}`));
      this.#process.once('exit', (code) => fail(`ended with ${code}`));
      setTimeout(() => fail('said nothing'), READY_WITHIN_MS).unref();
      lines.on('line', (line) => {
        this.lines.push(line);
        const [, origin] = READY.exec(line) ?? [];
        if (origin) resolve(origin);
      });
    });
  }

  async #end(signal) {
    process.off('exit', this.#killOnExit);
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill(signal);
    // It promises to be gone within 5 s.
    const late = setTimeout(() => this.#process.kill('SIGKILL'), 6000);
    await ended;
    clearTimeout(late);
  }
}
