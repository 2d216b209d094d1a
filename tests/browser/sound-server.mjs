// A PulseAudio of our own with a null sink: without one, Firefox never lets a page sound.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READY_WITHIN_MS = 5000;

export class SoundServer {
  #process;
  #directory;
  #killOnExit;

  static async start() {
    const sound = new SoundServer();
    await sound.#start();
    return sound;
  }

  /** What a program must have in its environment to play here. */
  get env() {
    return { XDG_RUNTIME_DIR: this.#directory, PULSE_SERVER: `unix:${this.#socket}` };
  }

  get #socket() {
    return join(this.#directory, 'sound.socket');
  }

  async close() {
    process.off('exit', this.#killOnExit);
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      await ended;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #start() {
    this.#directory = await mkdtemp(join(tmpdir(), 'videostream-sound-'));
    this.#process = spawn(
      'pulseaudio',
      [
        '-n',
        '--daemonize=no',
        '--exit-idle-time=-1',
        '--use-pid-file=no',
        '--log-level=error',
        '--load=module-null-sink',
        `--load=module-native-protocol-unix socket=${this.#socket}`,
      ],
      {
        stdio: 'ignore',
        env: { ...process.env, XDG_RUNTIME_DIR: this.#directory, HOME: this.#directory },
      },
    );
    this.#killOnExit = () => this.#process.kill('SIGKILL');
    process.on('exit', this.#killOnExit);
    let failure = null;
    this.#process.once('error', (error) => {
      failure = error.message;
    });
    this.#process.once('exit', (code) => {
      failure ??= `it ended with ${code}`;
    });
    const deadline = performance.now() + READY_WITHIN_MS;
    while (!existsSync(this.#socket)) {
      if (failure || performance.now() > deadline) throw new Error(`no pulseaudio: ${failure ?? 'it made no socket'}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
