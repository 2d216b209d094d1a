// What a player asks of the server, and what the server says: by the socket or its segments
// (../player/segments/way-in.js), and by plain requests.

import { WayIn } from '../player/segments/way-in.js';
import { restartBehindMs } from '../watch/time-shift.js';
import { playsOf } from '../watch/types.js';
import { withSecrets } from './address.js';
import { askServer, askWhy } from './refusal.js';

/** @typedef {import('../watch/states.js').State} State */
/**
 * The player, as far as this needs it.
 *
 * @typedef {object} Owner
 * @property {(event: import('../watch/states.js').Untimed) => void} send takes what happens
 * @property {(type: string, detail?: unknown) => void} say tells the importer
 * @property {(count: number | null) => void} showViewers
 * @property {() => { state: State | null, players: import('../watch/players.js').Players | null }} now
 */

/** From a beginning of the player to its end. */
export class Connection {
  #address;
  #owner;
  #via;
  #isOver = false;
  /** Null while none is wanted. @type {WayIn | null} */
  way = null;
  /** How long ago the media behind the newest init segment came. */
  toldBehindMs = 0;
  /** How many messages come at once behind it, where that is known. @type {number | null} */
  toldBacklog = null;

  /**
   * @param {import('./address.js').Address} address
   * @param {Owner} owner
   * @param {string | null} via `segments` where no socket is to be asked for
   */
  constructor(address, owner, via) {
    this.#address = address;
    this.#owner = owner;
    this.#via = via;
  }

  connect() {
    const { url, credentials } = this.#address;
    this.close();
    const socket = () => {
      const { state } = this.#owner.now();
      const behindMs = state ? restartBehindMs(state.shift) : 0;
      return withSecrets(url, credentials, behindMs ? { t: -behindMs / 1000 } : {}).replace('http', 'ws');
    };
    const file = (/** @type {string} */ each, extra = {}) => withSecrets(new URL(`${url.pathname}/${each}`, url), credentials, extra);
    this.way = new WayIn(socket, file, {
      message: (message) => this.#onMessage(message),
      data: (bytes) => {
        const { players } = this.#owner.now();
        this.#owner.send({ type: 'data', hasPicture: Boolean(players?.hasPicture) });
        players?.push(bytes);
      },
      lost: (loss) => this.#owner.send({ type: 'lost', ...loss }),
    });
    this.way.connect({ bySegments: this.#via === 'segments' });
  }

  /** It may connect again. */
  close() {
    this.way?.close();
    this.way = null;
  }

  /** For good: answers that are still on their way are not told. */
  end() {
    this.#isOver = true;
    this.close();
  }

  /** A socket does not say why it was refused. */
  async askWhy() {
    const asked = this.way;
    const { needsKey, problem } = await askWhy(this.#address);
    if (asked === this.way && !asked?.isOpen) this.#answered(problem, needsKey);
  }

  /** Without a socket, what the stream is doing is asked for. */
  async askAbout() {
    const response = await askServer(this.#address);
    if (this.#isOver) return;
    if (response?.status === 401) {
      this.#answered(null, true);
      return;
    }
    const stream = response?.ok ? await response.json().catch(() => null) : null;
    const mime = stream?.mime ?? null;
    this.#owner.showViewers(stream?.viewers ?? null);
    this.#owner.send({ type: 'polled', live: Boolean(stream?.live), mime, plays: this.#playsOf(mime ?? '') });
  }

  /**
   * The page's policy has blocked something: perhaps the stream.
   *
   * @param {SecurityPolicyViolationEvent} event
   */
  async violated({ disposition, effectiveDirective, blockedURI }) {
    if (disposition === 'report') return;
    const loaded = await import('./policy.js').catch(() => null);
    const problem = loaded?.policyProblem({ effectiveDirective, blockedURI }, this.#address.url);
    if (problem) this.#answered(problem, false);
  }

  /**
   * @param {import('./refusal.js').Problem | null} problem
   * @param {boolean} needsKey
   */
  #answered(problem, needsKey) {
    if (!this.#isOver) this.#owner.send({ type: 'answered', problem, needsKey, hadKey: this.#address.credentials.isKnown });
  }

  /** @param {import('../lib/socket.js').Message} message */
  #onMessage(message) {
    const { send, say } = this.#owner;
    const hasPicture = Boolean(this.#owner.now().players?.hasPicture);
    switch (message.type) {
      case 'hello':
        send({ type: 'hello', live: message.live, hasPicture });
        break;
      case 'init':
        this.toldBehindMs = message.behind_ms ?? 0;
        this.toldBacklog = message.backlog ?? null;
        say('generation', { generation: message.generation, mime: message.mime });
        send({ type: 'init', mime: message.mime, plays: this.#playsOf(message.mime), hasPicture });
        break;
      case 'skip':
        say('skip', { from: message.from_ms / 1000, to: message.to_ms / 1000 });
        send({ type: 'skip' });
        break;
      case 'stalled':
      case 'resumed':
      case 'offline':
        send({ type: message.type, reason: message.reason });
        break;
      case 'viewers':
        this.#owner.showViewers(message.count);
        break;
      default: // A newer server may say more.
    }
  }

  /** @param {string} mime */
  #playsOf(mime) {
    const { state, players } = this.#owner.now();
    return playsOf(mime, (each) => Boolean(state && players?.plays(each, state)));
  }
}
