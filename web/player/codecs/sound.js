// Decodes sound and plays it through an AudioWorklet: keeps it where the player wants it, by small
// changes of speed, and tells what is heard now.
//
//   frames ─► AudioDecoder ─► sound-worklet.js ─► volume ─► loudspeaker
//                                  └─► reports ─► heardMs

import { DecodedTimes } from './decoded-times.js';
import { SOUND, steer } from './play-clock.js';
import { Watchdog } from './watchdog.js';

/**
 * `moves` counts the moves that came before.
 *
 * @typedef {{ contextSeconds: number, positionMs: number | null, endMs: number | null, isDry: boolean, underflows: number, moves: number }} Report
 */
/**
 * @typedef {object} Listener
 * @property {(tookMs: number) => void} decoded
 * @property {() => void} ranDry
 * @property {(error: Error) => void} failed
 */

/**
 * A browser that does not let a page sound says so by not starting; one that does may take its time:
 * Firefox a second, for its first sound.
 */
const REFUSED_AFTER_MS = 400;
const START_WITHIN_MS = 4000;
/** @type {Record<import('../latency.js').Latency, AudioContextLatencyCategory | number>} */
const LATENCY_HINTS = { low: 0, normal: 'interactive', smooth: 'balanced' };
/** Reports come every 43 ms; without any for this long the sound thread stands. */
const REPORT_WITHIN_MS = 500;
/** What decoders may have in hand. */
const DECODING_MOST = 64;
/** Frames that a decoder may keep, for what it makes of the next: AAC keeps two. */
const OWED_LEAST = 8;
/** Until it is known. */
const LATENCY_MS = 20;
/**
 * Firefox asks its sound server for the time to the ear while it keeps its own sound thread waiting, which
 * the server may wait for: then the page hangs for good (153 ESR with PulseAudio, after some thousand
 * questions). So it is never asked. These are what it says itself where it hides the machine's own.
 */
const UNASKED_LATENCY_MS = /Firefox\//.test(globalThis.navigator?.userAgent ?? '') ? unaskedLatencyMs(navigator.userAgent) : null;
/** Readings of the time to the ear are uneven. */
const LATENCY_SHARE = 0.05;
/** Time for a jump to be reported. */
const JUMP_MS = 150;

export class Sound {
  jumps = 0;
  /** Frames that were decoded. */
  total = 0;
  rate = 1;
  /** From the worklet to the ear. */
  latencyMs = LATENCY_MS;
  #config;
  #delayMs;
  #on;
  #context;
  #volume;
  #decoder;
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** Sent before the worklet was there. @type {any[]} */
  #early = [];
  /** @type {Report | null} */
  #report = null;
  #reportedAtMs = -Infinity;
  #times;
  #isRefused = false;
  #isPlaced = false;
  /** The number of moves sent to the worklet. */
  #moves = 0;
  /** How often it had run dry by the last report. */
  #toldDry = 0;
  /** Since when there has been nothing more to play. @type {number | null} */
  #dryAtMs = null;
  /** Frames that went to the decoder since it last gave something. */
  #owed = 0;
  #watchdogs = { decoder: new Watchdog(), thread: new Watchdog() };
  #jumpedAtMs = -Infinity;
  #isClosed = false;

  /**
   * @param {import('./track-config.js').AudioTrack} track
   * @param {import('../latency.js').Latency} latency
   * @param {Listener} on
   */
  constructor({ config, delayMs }, latency, on) {
    this.#config = config;
    this.#times = new DecodedTimes(config.codec);
    this.#delayMs = delayMs;
    this.#on = on;
    this.#context = new AudioContext({ latencyHint: LATENCY_HINTS[latency] });
    this.#volume = new GainNode(this.#context);
    this.#volume.connect(this.#context.destination);
    this.#decoder = this.#newDecoder();
    this.#openWorklet();
  }

  /** Whether it sounds, or is about to: not so once the browser refused. */
  get isExpected() {
    return !this.#isRefused;
  }

  /** What is heard, for others to listen to. */
  get node() {
    return this.#volume;
  }

  get decodes() {
    return !this.#isRefused || this.#context.state === 'running';
  }

  /** Whether all that came was heard. */
  get isDry() {
    return this.#report?.isDry ?? false;
  }

  /**
   * Whether it is fed, or runs, and gives nothing. Asked all the time.
   *
   * @param {number} nowMs
   */
  isStuck(nowMs) {
    const isRunning = this.#context.state === 'running' && this.#node !== null;
    const isSilent = this.#watchdogs.thread.isStuck(nowMs, isRunning);
    return this.#watchdogs.decoder.isStuck(nowMs, this.#owed > OWED_LEAST) || isSilent;
  }

  /**
   * Whether what is heard is known, and goes on.
   *
   * @param {number} nowMs
   */
  isHeard(nowMs) {
    const isReported = (this.#report?.positionMs ?? null) !== null && nowMs - this.#reportedAtMs < REPORT_WITHIN_MS;
    return this.#context.state === 'running' && isReported && this.#isPlaced;
  }

  /**
   * One frame as it came.
   *
   * @param {number} timestampMs
   * @param {Uint8Array} bytes
   */
  decode(timestampMs, bytes) {
    if (this.#isClosed || this.#decoder.state !== 'configured' || this.#decoder.decodeQueueSize > DECODING_MOST) return;
    const timestamp = Math.round((timestampMs - this.#delayMs) * 1000);
    this.#times.fed(timestamp, performance.now());
    this.#owed += 1;
    this.#decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp, data: /** @type {Uint8Array<ArrayBuffer>} */ (bytes) }));
  }

  /** Whether the browser lets it sound. */
  async start() {
    this.#isPlaced = false;
    const context = this.#context;
    if (context.state !== 'running') {
      const late = new Promise((resolve) => {
        setTimeout(resolve, mayStart(context) ? START_WITHIN_MS : REFUSED_AFTER_MS);
      });
      await Promise.race([context.resume().catch(() => {}), late]);
    }
    this.#isRefused = this.#context.state !== 'running';
    return !this.#isRefused;
  }

  stop() {
    this.#context.suspend().catch(() => {});
  }

  /** @param {number} volume */
  setVolume(volume) {
    this.#volume.gain.setTargetAtTime(volume, this.#context.currentTime, 0.01);
  }

  /**
   * What of the stream is heard now; only while `isHeard`.
   *
   * @param {number} nowMs
   */
  heardMs(nowMs) {
    const { contextSeconds = 0, positionMs = null } = this.#report ?? {};
    if (positionMs === null) return null;
    const { currentTime } = this.#context;
    const sinceTickMs = this.#sinceTickMs(nowMs, currentTime);
    this.#learnLatency(nowMs, currentTime + sinceTickMs / 1000);
    if (this.#dryAtMs !== null) return positionMs - this.#onItsWayMs(nowMs);
    return positionMs + sinceTickMs + (currentTime - contextSeconds) * 1000 * this.rate - this.latencyMs;
  }

  /**
   * The speed of what is heard: it stands once all that came was heard.
   *
   * @param {number} nowMs
   */
  heardRate(nowMs) {
    return this.#onItsWayMs(nowMs) > 0 ? this.rate : 0;
  }

  /**
   * How much of the sound is between the worklet and the ear.
   *
   * @param {number} nowMs
   */
  #onItsWayMs(nowMs) {
    return this.#dryAtMs === null ? this.latencyMs : Math.max(0, this.latencyMs - (nowMs - this.#dryAtMs));
  }

  /**
   * Brings what is heard now nearer to `wishedMs` of the stream.
   *
   * @param {number} nowMs
   * @param {number} wishedMs
   * @param {number} jumpMs
   */
  steer(nowMs, wishedMs, jumpMs) {
    if (this.#report === null || this.#report.endMs === null || this.#context.state !== 'running') return;
    if (nowMs - this.#jumpedAtMs < JUMP_MS) return;
    const heardMs = this.heardMs(nowMs);
    const { rate, isJump } = steer(heardMs === null ? Infinity : wishedMs - heardMs, { ...SOUND, jumpMs });
    // Where there is no sound yet, it would only run out again.
    const placeMs = wishedMs + this.latencyMs;
    const isThere = placeMs < this.#report.endMs + (nowMs - this.#reportedAtMs);
    if ((isJump && isThere) || !this.#isPlaced) {
      if (this.#isPlaced) this.jumps += 1;
      this.#isPlaced = true;
      this.#jumpedAtMs = nowMs;
      this.#moves += 1;
      this.#report = null;
      this.#dryAtMs = null;
      this.#send({ moveToMs: placeMs, rate: 1 });
      this.rate = 1;
    } else if (rate !== this.rate) {
      this.rate = rate;
      this.#send({ rate });
    }
  }

  /** It has ended. Where it goes on, if it does, the next `steer` decides. */
  lose() {
    this.#isPlaced = false;
  }

  close() {
    this.#isClosed = true;
    if (this.#decoder.state !== 'closed') this.#decoder.close();
    this.#node?.disconnect();
    this.#context.close().catch(() => {});
  }

  /** Another beginning, or after an error. */
  restart() {
    if (this.#decoder.state !== 'closed') this.#decoder.close();
    this.#times.clear();
    this.#owed = 0;
    this.#decoder = this.#newDecoder();
  }

  #newDecoder() {
    const decoder = new AudioDecoder({
      output: (data) => this.#decoded(data),
      error: (error) => {
        if (!this.#isClosed && decoder === this.#decoder) this.#on.failed(error);
      },
    });
    decoder.configure(this.#config);
    return decoder;
  }

  async #openWorklet() {
    try {
      await this.#context.audioWorklet.addModule(new URL('./sound-worklet.js', import.meta.url));
      if (this.#isClosed) return;
      const channels = Math.min(8, this.#config.numberOfChannels);
      const node = new AudioWorkletNode(this.#context, 'stream-sound', { numberOfInputs: 0, outputChannelCount: [channels] });
      node.port.onmessage = ({ data }) => {
        if (data.spare) this.#spare.push(...data.spare);
        else this.#reported(data);
      };
      node.connect(this.#volume);
      this.#node = node;
      for (const message of this.#early.splice(0)) this.#send(message);
    } catch (error) {
      if (!this.#isClosed) this.#on.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /**
   * Arrays that the worklet has copied and sent back, to be filled again: Firefox never frees arrays that stay there.
   *
   * @type {Float32Array<ArrayBuffer>[]}
   */
  #spare = [];

  /** @param {any} message */
  #send(message) {
    const buffers = message.channels?.map((/** @type {Float32Array} */ { buffer }) => buffer) ?? [];
    if (this.#node) this.#node.port.postMessage(message, buffers);
    else this.#early.push(message);
  }

  /** @param {AudioData} data */
  #decoded(data) {
    this.#owed = 0;
    this.total += 1;
    this.#watchdogs.decoder.gave();
    const { timestamp, atMs } = this.#times.came(data.timestamp);
    if (atMs !== null) this.#on.decoded(performance.now() - atMs);
    const channels = Array.from({ length: data.numberOfChannels }, (_, planeIndex) => {
      const spare = this.#spare.pop();
      const samples = spare?.length === data.numberOfFrames ? spare : new Float32Array(data.numberOfFrames);
      data.copyTo(samples, { planeIndex, format: 'f32-planar' });
      return samples;
    });
    this.#send({ startMs: timestamp / 1000, sampleRate: data.sampleRate, channels });
    data.close();
  }

  /** @param {Report} report */
  #reported(report) {
    this.#watchdogs.thread.gave();
    // From before a move, it tells where the sound was.
    if (report.moves !== this.#moves) return;
    this.#report = report;
    this.#reportedAtMs = performance.now();
    this.#dryAtMs = report.isDry ? (this.#dryAtMs ?? this.#reportedAtMs) : null;
    const isFresh = report.underflows > this.#toldDry;
    this.#toldDry = report.underflows;
    if (isFresh && this.#context.state === 'running') this.#on.ranDry();
  }

  /** The context's clock moves in steps of a device's buffer; between two of them ours goes on. */
  #tick = { seconds: -1, atMs: 0 };

  /**
   * @param {number} nowMs
   * @param {number} contextSeconds
   */
  #sinceTickMs(nowMs, contextSeconds) {
    if (contextSeconds !== this.#tick.seconds) this.#tick = { seconds: contextSeconds, atMs: nowMs };
    return Math.min(20, nowMs - this.#tick.atMs);
  }

  /**
   * @param {number} nowMs
   * @param {number} contextSeconds
   */
  #learnLatency(nowMs, contextSeconds) {
    if (UNASKED_LATENCY_MS !== null) {
      this.latencyMs = UNASKED_LATENCY_MS;
      return;
    }
    const { contextTime = 0, performanceTime = 0 } = this.#context.getOutputTimestamp?.() ?? {};
    const isTold = contextTime > 0 && performanceTime > 0 && Math.abs(nowMs - performanceTime) < 500;
    const latencyMs = isTold
      ? (contextSeconds - contextTime) * 1000 - (nowMs - performanceTime)
      : (this.#context.outputLatency || this.#context.baseLatency || 0) * 1000;
    const likelyMs = Math.max(0, Math.min(400, latencyMs));
    this.latencyMs += (likelyMs - this.latencyMs) * LATENCY_SHARE;
  }
}

/** @param {string} userAgent */
function unaskedLatencyMs(userAgent) {
  if (userAgent.includes('Windows')) return 40;
  return userAgent.includes('Mac OS') ? 12 : 25;
}

/**
 * Whether the browser is known to let a page sound.
 *
 * @param {AudioContext} context
 */
function mayStart(context) {
  const { userActivation, getAutoplayPolicy } = /** @type {any} */ (navigator);
  // Firefox has a word for it. Others let sound begin where the page was tapped.
  return getAutoplayPolicy ? getAutoplayPolicy.call(navigator, context) === 'allowed' : Boolean(userActivation?.hasBeenActive);
}
