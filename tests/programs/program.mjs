// A command line as a person types it, run by a shell in a process group of its own.

import { spawn } from 'node:child_process';
import { sleep } from '../browser/lab.mjs';

const KILLED_AFTER_MS = 2000;

const running = new Set();
process.on('exit', () => {
  for (const program of running) program.kill();
});

export class Program {
  /** What it printed, on either output. */
  output = '';
  hasEnded = false;
  ended;
  #child;

  constructor(command, { folder, env = {} }) {
    this.#child = spawn('sh', ['-c', command], { cwd: folder, detached: true, env: { ...process.env, ...env } });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (text) => {
        this.output += text;
      });
    }
    // A program may end while it is written to.
    this.#child.stdin.on('error', () => {});
    running.add(this);
    this.ended = new Promise((resolve) => {
      this.#child.once('close', () => {
        this.hasEnded = true;
        running.delete(this);
        resolve();
      });
    });
  }

  say(text) {
    this.#child.stdin.write(text);
  }

  /** As Ctrl-C does, and with force where that does not help. */
  async stop() {
    if (this.hasEnded) return;
    this.#signal('SIGINT');
    await Promise.race([this.ended, sleep(KILLED_AFTER_MS)]);
    this.kill();
    await this.ended;
  }

  kill() {
    this.#signal('SIGKILL');
  }

  #signal(name) {
    try {
      process.kill(-this.#child.pid, name);
    } catch {
      // The last process of the group is gone.
    }
  }
}

/** Runs a command to its end, and returns what it printed on its standard output. */
export async function run(file, args, options = {}) {
  const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (text) => {
    output += text;
  });
  child.stderr.on('data', (text) => {
    errors += text;
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { output, errors, code };
}
