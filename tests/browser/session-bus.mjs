// A D-Bus session bus of our own, by which a browser gives media keys to its pages (MPRIS): nothing but what a test
// starts is on it.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './lab.mjs';

const run = promisify(execFile);
const PLAYERS = 'org.mpris.MediaPlayer2';
const PLAYER = `${PLAYERS}.Player`;

/** Without the services that a desktop's bus starts when asked for. */
const configOf = (socket) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=${socket}</listen>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
`;

export class SessionBus {
  #directory;
  #process;
  #kill = () => this.#process.kill('SIGKILL');

  static async start() {
    const bus = new SessionBus();
    await bus.#start();
    return bus;
  }

  /** What a program must have in its environment to be on this bus. */
  get env() {
    return { DBUS_SESSION_BUS_ADDRESS: `unix:path=${this.#socket}` };
  }

  /** The player of a browser's page, once there is one: its name on the bus begins with the browser's. */
  player(browserName) {
    return until(`${browserName} is a player on the bus`, async () => {
      const listed = await this.#call('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus.ListNames');
      const name = listed.match(new RegExp(`${PLAYERS}\\.${browserName}\\.[\\w.]+`))?.[0];
      return name && new SystemPlayer((method, ...args) => this.#call(name, '/org/mpris/MediaPlayer2', method, ...args));
    });
  }

  async close() {
    process.off('exit', this.#kill);
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      await ended;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #socket() {
    return join(this.#directory, 'bus.socket');
  }

  async #start() {
    this.#directory = await mkdtemp(join(tmpdir(), 'videostream-bus-'));
    const config = join(this.#directory, 'bus.conf');
    await writeFile(config, configOf(this.#socket));
    this.#process = spawn('dbus-daemon', [`--config-file=${config}`, '--nofork', '--nopidfile'], { stdio: 'ignore' });
    process.on('exit', this.#kill);
    let failure = null;
    this.#process.once('error', ({ message }) => {
      failure = message;
    });
    await until('dbus-daemon listens', () => {
      if (failure) throw new Error(`no dbus-daemon: ${failure}`);
      return existsSync(this.#socket);
    });
  }

  /** A method's answer, as text. */
  async #call(to, path, method, ...args) {
    const asked = ['--session', '--print-reply', `--dest=${to}`, path, method, ...args];
    return (await run('dbus-send', asked, { env: { ...process.env, ...this.env } })).stdout;
  }
}

/** What a desktop's panel and its media keys have of a page that plays. */
class SystemPlayer {
  #call;

  constructor(call) {
    this.#call = call;
  }

  /** `Playing`, `Paused` or `Stopped`. */
  async status() {
    return /"(\w+)"/.exec(await this.#property('PlaybackStatus'))?.[1];
  }

  /** `{ title, artist, artUrl }`, each undefined where it is not told. */
  async metadata() {
    const told = await this.#property('Metadata');
    const text = (key) => new RegExp(`"${key}"\\s+variant\\s+(?:array \\[\\s+)?string "([^"]*)"`).exec(told)?.[1];
    return { title: text('xesam:title'), artist: text('xesam:artist'), artUrl: text('mpris:artUrl') };
  }

  /** A media key: `Play`, `Pause`, `PlayPause` or `Stop`. */
  async press(key) {
    await this.#call(`${PLAYER}.${key}`);
  }

  #property(name) {
    return this.#call('org.freedesktop.DBus.Properties.Get', `string:${PLAYER}`, `string:${name}`);
  }
}
