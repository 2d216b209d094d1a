// A slow line from a server to a browser: see slow-line.py.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('slow-line.py', import.meta.url));

export class SlowLine {
  #process;
  origin;

  static async start(server, kbps) {
    const line = new SlowLine();
    line.#process = spawn('python3', [SCRIPT, String(server.port), String(kbps * 125)], { stdio: ['ignore', 'pipe', 'inherit'] });
    process.once('exit', () => line.close());
    const [port] = await once(line.#process.stdout, 'data');
    line.origin = `http://127.0.0.1:${String(port).trim()}`;
    return line;
  }

  url(path) {
    return `${this.origin}${path}`;
  }

  close() {
    this.#process.kill('SIGKILL');
  }
}
