// Plays one stream through WebCodecs: what comes is decoded at once, drawn to a canvas, and sounds
// through an AudioWorklet. There is no browser's buffer in between, so the delay is ours to choose.
//
//   messages ─► Scanner ─┬─► KeyframeGate ─► VideoDecoder ─► FrameQueue ─► CanvasScreen
//                        ├─► Sound (AudioDecoder, worklet) ──────┐   ▲
//                        └─► Arrivals ─► how far behind ─► speed ┘   │
//                                             PlayClock ─────────────┘ what is heard now
//
// Sound that runs out makes the delay grow, and once it has ended pictures go by their own clock; a late picture
// is shown when it comes. A gap, a skip or an error is left by the next keyframe. What cannot be mended here, and
// what hangs (watchdog.js), is reported by `unable`: the page goes on with Media Source Extensions.

import { RateMeter } from '../../lib/rate-meter.js';
import { Scanner, readInit } from '../webm-scan.js';
import { Arrivals, PLANS } from './arrivals.js';
import { CanvasScreen } from './canvas-screen.js';
import { FrameQueue } from './frame-queue.js';
import { KeyframeGate } from './keyframe-gate.js';
import { PlayClock } from './play-clock.js';
import { Presence, SILENT_AFTER_MS } from './presence.js';
import { Sound } from './sound.js';
import { configsOf, isSameSound } from './track-config.js';
import { Watchdog } from './watchdog.js';

/**
 * @typedef {object} Listener
 * @property {() => void} ready
 * @property {(error: Error) => void} unable
 * @property {(tracks: import('../webm-scan.js').Track[]) => boolean} declared
 */
/** @typedef {'video' | 'audio'} Kind */

const TICK_MS = 40;
/** Decoders have few frames to give; the rest waits undecoded. */
const IN_HAND_MOST = 10;
/** Of these, some may stay with them until more come. */
const KEPT_MOST = 3;
/** A picture this far behind its time was late. */
const LATE_MS = 60;
/** Errors within this time: the second one is the last. */
const ERRORS_WITHIN_MS = 30_000;
/** Without data the clock goes on for a while, longer where frames are known to be rare. */
const CLOCK_SHORTEST_MS = 1100;
const CLOCK_LONGEST_MS = 2500;
const PAUSE_FADES = 0.96;
const SYNC_SAMPLES = 90;
/**
 * Sound is opened behind the first picture: it costs a browser up to a tenth of a second, once. So long and
 * so many frames are waited for at most.
 */
const HELD_MS = 300;
const HELD_MOST = 60;

/** Whether this browser has what it takes. Only secure pages have. */
export function canPlayByCodecs() {
  return ['VideoDecoder', 'AudioDecoder', 'AudioWorkletNode'].every((name) => name in globalThis);
}

export class CodecsPlayer {
  #on;
  #latency;
  #plan;
  /** @type {Kind | null} */
  #ignored;
  #screen;
  #scanner = new Scanner();
  #meter = new RateMeter();
  #arrivals;
  #clock;
  #gate = new KeyframeGate();
  /** @type {FrameQueue<VideoFrame>} */
  #frames = new FrameQueue();
  /** @type {VideoDecoder | null} */
  #decoder = null;
  /** @type {Sound | null} */
  #sound = null;
  /**
   * Until the first picture is there: sound as it came, and since when it waits.
   *
   * @type {{ sinceMs: number, frames: { timestampMs: number, bytes: Uint8Array }[] } | null}
   */
  #heldSound = null;
  #mime = '';
  /** @type {{ video: import('./track-config.js').VideoTrack | null, audio: import('./track-config.js').AudioTrack | null }} */
  #tracks = { video: null, audio: null };
  /** When each frame went to the decoder, by its timestamp in microseconds. @type {Map<number, number>} */
  #fed = new Map();
  #watchdog = new Watchdog();
  /** @type {number[]} */
  #errorsAtMs = [];
  #presence = new Presence();
  #lastPushMs = 0;
  /** The longest pause between messages of late. */
  #pauseMs = 0;
  #isReady = false;
  #isLate = false;
  #isOver = false;
  #skips = 0;
  #total = 0;
  /** How much later than its sound each frame was shown, of late. @type {number[]} */
  #behindSound = [];
  #drawId = 0;
  #ticker;

  /**
   * `on.ready()` once there is something to play; `on.unable(error)` when another player has to take
   * over; `on.declared(tracks)` what an init segment declares, to which false means that it shall not
   * be played. `ignore` leaves one kind out.
   *
   * @param {HTMLVideoElement} video
   * @param {Listener} on
   * @param {{ ignore?: Kind | null, latency?: import('../latency.js').Latency }} options
   */
  constructor(video, on, { ignore = null, latency = 'normal' } = {}) {
    this.#on = on;
    this.#ignored = ignore;
    this.#latency = latency;
    this.#plan = PLANS[latency];
    this.#arrivals = new Arrivals(this.#plan);
    this.#clock = new PlayClock(this.#plan.jumpMs);
    this.#screen = new CanvasScreen(video, {
      positionMs: () => this.#positionMs(performance.now()),
      counts: () => ({ total: this.#total, dropped: this.#frames.dropped }),
      play: () => this.#play(),
      pause: () => this.#pause(),
      changed: () => this.#changed(),
    });
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  /** What shows the picture, to be drawn from. */
  get picture() {
    return this.#screen.canvas;
  }

  /** Where its sound passes, or null. */
  get soundNode() {
    return this.#sound?.node ?? null;
  }

  /**
   * The stream's type, told just before its init segment.
   *
   * @param {string} mime
   */
  announce(mime) {
    this.#mime = mime;
  }

  /**
   * One binary message.
   *
   * @param {Uint8Array} message
   */
  push(message) {
    if (this.#isOver) return;
    const nowMs = performance.now();
    this.#meter.add(message.length, nowMs);
    for (const { type, bytes, blocks } of this.#scanner.push(message)) {
      if (type === 'init') this.#init(bytes);
      for (const block of blocks) this.#block(block, bytes, nowMs);
    }
    this.#pauseMs = Math.max(this.#pauseMs * PAUSE_FADES, this.#lastPushMs ? nowMs - this.#lastPushMs : 0);
    this.#lastPushMs = nowMs;
    this.#feed(nowMs);
  }

  /** The next data leaves a gap. */
  skipped() {
    this.#skips += 1;
    this.#gate.gap();
    this.#arrivals.settle(performance.now());
  }

  /** Back to the live edge, after a pause: to play does that by itself. */
  catchUp() {}

  destroy() {
    this.#isOver = true;
    clearInterval(this.#ticker);
    cancelAnimationFrame(this.#drawId);
    this.#closeDecoder();
    this.#sound?.close();
    this.#frames.clear();
    this.#screen.destroy();
  }

  stats() {
    const nowMs = performance.now();
    const leadMs = this.#arrivals.leadMs(nowMs);
    const positionMs = this.#positionMs(nowMs);
    const { newestMs } = this.#presence;
    const sorted = [...this.#behindSound].sort((a, b) => a - b);
    return {
      player: 'webcodecs',
      mime: this.#mime,
      latency: this.#latency,
      latency_ms: this.#isReady && leadMs !== null ? nowMs + leadMs - positionMs : null,
      buffer_ms: Math.max(0, newestMs - positionMs),
      target_ms: this.#arrivals.targetMs(nowMs, this.#soundMs()),
      rate: this.#clock.rate,
      bitrate_bps: this.#meter.bitsPerSecond(nowMs),
      frames: this.#total,
      dropped: this.#frames.dropped,
      undecoded: this.#gate.dropped,
      underflows: this.#arrivals.underflows,
      seeks: this.#clock.jumps + (this.#sound?.jumps ?? 0),
      // This player's clock goes on through gaps.
      gaps: 0,
      skips: this.#skips,
      ranges: newestMs ? [[positionMs / 1000, Math.max(newestMs, positionMs) / 1000]] : [],
      sound_frames: this.#sound?.total ?? 0,
      sound_ms: this.#sound?.isHeard(nowMs) ? this.#sound.latencyMs : null,
      lip_sync_ms: sorted.length ? sorted[sorted.length >> 1] : null,
    };
  }

  /** @param {Uint8Array} bytes */
  #init(bytes) {
    const isToPlay = this.#on.declared(readInit(bytes).tracks) !== false;
    const { video, audio, unknown } = configsOf(bytes, this.#mime);
    if (!isToPlay) return;
    const isUsable = unknown.length === 0 && (video || audio);
    if (!isUsable) {
      this.#giveUp(new Error(`WebCodecs decode no ${unknown.join(', ') || 'such stream'}`));
      return;
    }
    const former = this.#tracks;
    this.#tracks = { video: this.#ignored === 'video' ? null : video, audio: this.#ignored === 'audio' ? null : audio };
    this.#presence.clear();
    this.#arrivals.restart();
    // Also of the same type: what comes depends on nothing that came.
    this.#gate.clear();
    if (this.#tracks.video) this.#openDecoder();
    else this.#closeDecoder();
    if (this.#sound && isSameSound(former.audio, this.#tracks.audio)) this.#attempt('audio', () => this.#sound?.restart());
    else if (this.#tracks.video && !this.#isReady) this.#heldSound = { sinceMs: performance.now(), frames: [] };
    else this.#openSound();
  }

  #openSound() {
    const held = this.#heldSound?.frames ?? [];
    this.#heldSound = null;
    this.#sound?.close();
    this.#sound = null;
    const { audio } = this.#tracks;
    if (!audio) return;
    this.#attempt('audio', () => {
      this.#sound = new Sound(audio, this.#latency, {
        decoded: (tookMs) => {
          this.#arrivals.decoded('audio', tookMs);
          if (!this.#tracks.video) this.#begin();
        },
        ranDry: () => this.#ranDry(),
        failed: (error) => this.#failed('audio', error),
      });
      this.#sound.setVolume(this.#screen.volume);
      if (!this.#screen.isPaused && !this.#screen.isMuted) this.#sound.start();
      for (const { timestampMs, bytes } of held) this.#sound.decode(timestampMs, bytes);
    });
  }

  /** Silence because nothing comes at all is no underflow, nor is it when sound has ended. */
  #ranDry() {
    const nowMs = performance.now();
    if (!this.#screen.isPaused && nowMs - this.#lastPushMs < SILENT_AFTER_MS && this.#hasSound()) this.#arrivals.underflow(nowMs);
  }

  #openDecoder() {
    this.#closeDecoder();
    const { video } = this.#tracks;
    if (!video) return;
    this.#attempt('video', () => {
      const decoder = new VideoDecoder({
        output: (frame) => this.#decoded(frame),
        error: (error) => {
          if (decoder === this.#decoder) this.#failed('video', error);
        },
      });
      this.#decoder = decoder;
      decoder.configure(video.config);
    });
  }

  #closeDecoder() {
    const decoder = this.#decoder;
    this.#decoder = null;
    if (decoder && decoder.state !== 'closed') decoder.close();
    this.#fed.clear();
    this.#gate.gap();
  }

  /**
   * @param {import('../webm-scan.js').Block} block
   * @param {Uint8Array} bytes
   * @param {number} nowMs
   */
  #block({ kind, timestampMs, isKeyframe, timeAt, frameTo }, bytes, nowMs) {
    if (kind === 'other') return;
    const track = this.#tracks[kind];
    // The track's number is the byte before.
    if (!track || (bytes[timeAt - 1] & 0x7f) !== track.number) return;
    this.#presence.came(kind, timestampMs, nowMs);
    this.#arrivals.came(kind, timestampMs, nowMs);
    const frame = bytes.subarray(timeAt + 3, frameTo);
    if (kind === 'video') {
      this.#gate.push({ timestampMs, isKeyframe, bytes: frame });
    } else if (this.#heldSound) {
      this.#heldSound.frames.push({ timestampMs, bytes: frame });
      if (this.#heldSound.frames.length > HELD_MOST) this.#heldSound.frames.shift();
    } else if (this.#sound?.decodes && !(this.#screen.isPaused && this.#isReady)) {
      this.#attempt('audio', () => this.#sound?.decode(timestampMs, frame));
    }
  }

  /** @param {number} nowMs */
  #feed(nowMs) {
    while (this.#decoder?.state === 'configured' && this.#fed.size + this.#frames.length < IN_HAND_MOST) {
      const coded = this.#gate.take(this.#clock.at(nowMs));
      if (!coded) return;
      const { timestampMs, isKeyframe, bytes } = coded;
      const timestamp = Math.round(timestampMs * 1000);
      this.#fed.set(timestamp, nowMs);
      const data = /** @type {Uint8Array<ArrayBuffer>} */ (bytes);
      this.#attempt('video', () => this.#decoder?.decode(new EncodedVideoChunk({ type: isKeyframe ? 'key' : 'delta', timestamp, data })));
    }
  }

  /** @param {VideoFrame} frame */
  #decoded(frame) {
    if (this.#isOver) {
      frame.close();
      return;
    }
    const nowMs = performance.now();
    const fedAtMs = this.#fed.get(frame.timestamp);
    this.#watchdog.gave();
    // Those before it came to nothing.
    for (const timestamp of this.#fed.keys()) {
      if (timestamp > frame.timestamp) break;
      this.#fed.delete(timestamp);
    }
    if (fedAtMs !== undefined) this.#arrivals.decoded('video', nowMs - fedAtMs);
    this.#total += 1;
    this.#frames.push(frame);
    if (this.#clock.at(nowMs) === null) this.#steer(nowMs);
    const mediaMs = this.#mediaMs(nowMs);
    const isLate = this.#isReady && mediaMs - frame.timestamp / 1000 > LATE_MS;
    if (isLate && !this.#isLate && !this.#soundIsHeard(nowMs)) this.#arrivals.underflow(nowMs);
    this.#isLate = isLate;
    this.#frames.dropLate(mediaMs);
    this.#feed(nowMs);
    // No display asks a hidden tab for a picture.
    if (document.hidden) this.#draw();
    else this.#drawId ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#drawId = 0;
    if (this.#isOver) return;
    const nowMs = performance.now();
    const frame = this.#screen.isPaused && this.#isReady ? null : this.#frames.take(this.#mediaMs(nowMs));
    if (frame) {
      if (this.#soundIsHeard(nowMs)) {
        this.#behindSound.push((this.#sound?.heardMs(nowMs) ?? 0) - frame.timestamp / 1000);
        if (this.#behindSound.length > SYNC_SAMPLES) this.#behindSound.shift();
      }
      this.#screen.show(frame);
      frame.close();
      // The first one is to be seen before sound is opened. No display asks a hidden tab for a picture.
      if (this.#isReady || document.hidden) this.#begin();
      else setTimeout(() => this.#begin());
      this.#feed(nowMs);
    }
    if (this.#frames.length && !document.hidden) this.#drawId = requestAnimationFrame(() => this.#draw());
  }

  #begin() {
    if (this.#isReady || this.#isOver) return;
    this.#isReady = true;
    if (this.#heldSound) this.#openSound();
    this.#screen.ready();
    this.#on.ready();
  }

  #tick() {
    const nowMs = performance.now();
    if (this.#arrivals.leadMs(nowMs) === null) return;
    if (this.#heldSound && nowMs - this.#heldSound.sinceMs > HELD_MS) this.#openSound();
    this.#steer(nowMs);
    // What nothing follows, decoders may keep; and some frames they keep for the next.
    const isFed = nowMs - this.#lastPushMs < SILENT_AFTER_MS && this.#fed.size > (this.#isReady ? KEPT_MOST : 0);
    if (this.#watchdog.isStuck(nowMs, isFed)) this.#giveUp(new Error('the decoder gives no picture'));
    else if (this.#sound?.isStuck(nowMs)) this.#giveUp(new Error('the sound stands'));
    this.#feed(nowMs);
    if (this.#frames.length && !document.hidden) this.#drawId ||= requestAnimationFrame(() => this.#draw());
  }

  /** @param {number} nowMs */
  #steer(nowMs) {
    const leadMs = this.#arrivals.leadMs(nowMs);
    if (leadMs === null || (this.#screen.isPaused && this.#isReady)) return;
    const wishedMs = nowMs + leadMs - this.#arrivals.targetMs(nowMs, this.#soundMs());
    if (!this.#hasSound() || !this.#sound) {
      this.#sound?.lose();
      this.#clock.steer(nowMs, wishedMs);
      return;
    }
    this.#sound.steer(nowMs, wishedMs, this.#plan.jumpMs);
    const heardMs = this.#soundIsHeard(nowMs) ? this.#sound.heardMs(nowMs) : null;
    if (heardMs === null) this.#clock.steer(nowMs, wishedMs);
    else this.#clock.follow(nowMs, heardMs, this.#sound.heardRate(nowMs));
  }

  /** Whether sound comes, also while it is muted. */
  #hasSound() {
    return this.#sound !== null && this.#presence.hasSound(this.#sound.isDry);
  }

  /** @param {number} nowMs */
  #soundIsHeard(nowMs) {
    return this.#hasSound() && Boolean(this.#sound?.isHeard(nowMs));
  }

  /** How long sound takes to the ear; null where none is to be heard. */
  #soundMs() {
    return this.#sound?.isExpected && this.#hasSound() ? this.#sound.latencyMs : null;
  }

  /**
   * What is to be seen now. The first picture is shown as soon as there is one.
   *
   * @param {number} nowMs
   */
  #mediaMs(nowMs) {
    if (!this.#isReady) return Infinity;
    return (this.#clock.at(nowMs) ?? Infinity) + (this.#soundIsHeard(nowMs) ? this.#plan.aheadMs : 0);
  }

  /**
   * The page's clock: it stands when nothing comes.
   *
   * @param {number} nowMs
   */
  #positionMs(nowMs) {
    const { newestMs } = this.#presence;
    const goesOnMs = Math.min(CLOCK_LONGEST_MS, Math.max(CLOCK_SHORTEST_MS, 2 * this.#pauseMs));
    return Math.max(0, Math.min(this.#clock.at(nowMs) ?? 0, newestMs + goesOnMs));
  }

  async #play() {
    this.#clock.go();
    this.#hold();
    if (this.#screen.isMuted || !this.#sound) {
      // If it may, so that the sound is there at once when it is wanted.
      this.#sound?.start();
      return;
    }
    if (await this.#sound.start()) return;
    if (this.#isOver || this.#screen.isPaused || this.#screen.isMuted) return;
    this.#screen.isPaused = true;
    this.#pause();
    throw new DOMException('sound may begin after a tap only', 'NotAllowedError');
  }

  #pause() {
    this.#clock.hold(performance.now());
    this.#sound?.stop();
    this.#hold();
  }

  #changed() {
    this.#sound?.setVolume(this.#screen.volume);
    if (!this.#screen.isPaused && !this.#screen.isMuted && this.#sound && !this.#sound.isExpected) this.#sound.start();
    this.#hold();
  }

  /** Nothing is decoded that nobody will see. */
  #hold() {
    const isHeld = this.#isReady && (this.#screen.isPaused || !this.#screen.isVisible);
    if (isHeld) {
      this.#gate.hold();
      return;
    }
    this.#gate.release();
    this.#feed(performance.now());
  }

  /**
   * @param {Kind} kind
   * @param {() => void} action
   */
  #attempt(kind, action) {
    try {
      action();
    } catch (error) {
      this.#failed(kind, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /**
   * Once, a decoder begins anew with the next keyframe.
   *
   * @param {Kind} kind
   * @param {Error} error
   */
  #failed(kind, error) {
    if (this.#isOver) return;
    const nowMs = performance.now();
    this.#errorsAtMs = [...this.#errorsAtMs.filter((atMs) => nowMs - atMs < ERRORS_WITHIN_MS), nowMs];
    if (error.name === 'NotSupportedError' || error.name === 'TypeError' || this.#errorsAtMs.length > 1) {
      this.#giveUp(error);
      return;
    }
    console.warn(`decoding ${kind} again: ${error.message}`);
    if (kind === 'video') this.#openDecoder();
    else this.#openSound();
  }

  /** @param {Error} error */
  #giveUp(error) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#on.unable(error);
  }
}
