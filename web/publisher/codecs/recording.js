// One recording, in the worker: frames of the tracks go into encoders, and come out as WebM.
//
//   video ─► VideoEncoder ─┐
//                          ├─► BlockOrder ─► WebmWriter ─► data
//   audio ─► AudioEncoder ─┘
//
// What MediaRecorder does, without its waits: packets of sound are 20 ms long in place of 60, and each
// block goes out as soon as its place is known.

import { BlockOrder } from './block-order.js';
import { CaptureClock } from './capture-clock.js';
import { evenSound, silence } from './even-sound.js';
import { isDrawn, limitedRange } from './limited-range.js';
import { SoundTimeline } from './sound-timeline.js';
import { WebmWriter } from './webm-writer.js';

/** @typedef {{ videoBitsPerSecond: number, audioBitsPerSecond: number }} Rates */
/**
 * @typedef {object} Start
 * @property {ReadableStream<VideoFrame> | null} video
 * @property {ReadableStream<AudioData> | null} audio
 * @property {string} codec as WebCodecs names it
 * @property {number} frameRate
 * @property {number} keyframeCount delta frames between two keyframes
 * @property {number} sliceMs
 * @property {Rates} rates
 */
/**
 * @typedef {object} Listener
 * @property {(bytes: Uint8Array<ArrayBuffer>) => void} data whole blocks
 * @property {(error: string) => void} end after the last of it; empty when all went well
 */

/** The encoder is too slow for more: the next frame is newer. */
const QUEUED_MOST = 2;
/** So many are in hand, and an encoder that leaves one out says nothing. */
const ENCODING_MOST = 8;
const ENCODING_MOST_MS = 1000;
/** Packets as short as the encoder does them well. */
const OPUS_FRAME_MS = 20;
/** Pictures have a time each; sound is counted, so that what is lost has to show soon. */
const PICTURE_WINDOW_MS = 10_000;
const SOUND_WINDOW_MS = 2000;
/** How often it is looked whether what waits has waited for too long. */
const TICK_MS = 20;

export class Recording {
  #start;
  #on;
  #rates;
  #sliceMs;
  #order;
  /** @type {WebmWriter | null} */
  #writer = null;
  /** @type {VideoEncoder | null} */
  #video = null;
  /** @type {AudioEncoder | null} */
  #audio = null;
  #videoClock = new CaptureClock(PICTURE_WINDOW_MS);
  #audioClock = new CaptureClock(SOUND_WINDOW_MS);
  #timeline = new SoundTimeline();
  #size = { width: 0, height: 0 };
  /** @type {VideoColorSpaceInit | null} */
  #colour = null;
  #sound = { sampleRate: 0, channels: 0 };
  /** Of the frames in the encoder. @type {number[]} */
  #encoding = [];
  #frameMs = -Infinity;
  #untilKeyframe = 0;
  /** @type {Uint8Array[]} */
  #pieces = [];
  #sentMs = 0;
  /** @type {ReadableStreamDefaultReader<any>[]} */
  #readers = [];
  #isOver = false;
  #ticker;

  /**
   * @param {Start} start
   * @param {Listener} on
   */
  constructor(start, on) {
    this.#start = start;
    this.#on = on;
    this.#rates = start.rates;
    this.#sliceMs = start.sliceMs;
    this.#order = new BlockOrder({ hasSound: start.audio !== null });
    this.#ticker = setInterval(() => this.#write(), TICK_MS);
    if (start.video) this.#read(start.video, (frame) => this.#frame(frame));
    if (start.audio) this.#read(start.audio, (data) => this.#samples(data));
  }

  /** @param {Rates} rates */
  setRates(rates) {
    const former = this.#rates;
    this.#rates = rates;
    this.#attempt(() => {
      if (this.#video && rates.videoBitsPerSecond !== former.videoBitsPerSecond) this.#configureVideo();
      if (this.#audio && rates.audioBitsPerSecond !== former.audioBitsPerSecond) this.#configureAudio();
    });
  }

  /**
   * Blocks of so long go out together.
   *
   * @param {number} sliceMs
   */
  setSlice(sliceMs) {
    this.#sliceMs = sliceMs;
  }

  /** Ends with the frames that have come. */
  async finish() {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letGo();
    try {
      await Promise.all([this.#video, this.#audio].map((encoder) => (encoder?.state === 'configured' ? encoder.flush() : null)));
    } catch {
      // What it gave until now is all there is.
    }
    for (let block = this.#order.takeRest(); block; block = this.#order.takeRest()) this.#put(block);
    this.#send();
    this.#close('');
  }

  /**
   * @template {VideoFrame | AudioData} T
   * @param {ReadableStream<T>} stream
   * @param {(value: T) => void | Promise<void>} take closes it
   */
  async #read(stream, take) {
    const reader = stream.getReader();
    this.#readers.push(reader);
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        if (this.#isOver) value.close();
        else await take(value);
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    // As MediaRecorder: it goes on while one of its tracks does.
    this.#readers = this.#readers.filter((each) => each !== reader);
    if (!this.#readers.length) this.finish();
  }

  /** @param {VideoFrame} frame */
  async #frame(frame) {
    const nowMs = performance.now();
    const timeMs = Math.max(this.#frameMs + 1, this.#videoClock.at(frame.timestamp / 1000, nowMs));
    // Players wait for a sound that was declared, and the page has to see that none comes.
    const isSoundAwaited = this.#start.audio !== null && this.#audio === null;
    this.#encoding = this.#encoding.filter((timestamp) => timestamp > (timeMs - ENCODING_MOST_MS) * 1000);
    const isBusy = (this.#video?.encodeQueueSize ?? 0) > QUEUED_MOST || this.#encoding.length > ENCODING_MOST;
    if (isSoundAwaited || isBusy) {
      frame.close();
      return;
    }
    this.#frameMs = timeMs;
    const timestamp = Math.round(timeMs * 1000);
    this.#encoding.push(timestamp);
    const timed = isDrawn(frame) ? await limitedRange(frame, timestamp, this.#start.codec) : new VideoFrame(frame, { timestamp });
    frame.close();
    if (!this.#isOver) this.#encode(timed);
    timed.close();
  }

  /** @param {VideoFrame} frame */
  #encode(frame) {
    const { displayWidth: width, displayHeight: height } = frame;
    if (width !== this.#size.width || height !== this.#size.height) {
      this.#size = { width, height };
      this.#colour ??= frame.colorSpace.toJSON();
      this.#configureVideo();
    }
    const keyFrame = this.#untilKeyframe <= 0;
    this.#untilKeyframe = keyFrame ? this.#start.keyframeCount : this.#untilKeyframe - 1;
    this.#video?.encode(frame, { keyFrame });
  }

  #configureVideo() {
    this.#video ??= new VideoEncoder({
      output: (chunk) => this.#picture(chunk),
      error: (error) => this.#fail(error),
    });
    this.#video.configure({
      codec: this.#start.codec,
      ...this.#size,
      bitrate: this.#rates.videoBitsPerSecond,
      framerate: this.#start.frameRate,
      latencyMode: 'realtime',
    });
  }

  /** @param {EncodedVideoChunk} chunk */
  #picture(chunk) {
    this.#encoding = this.#encoding.filter((timestamp) => timestamp > chunk.timestamp);
    const block = {
      kind: /** @type {const} */ ('video'),
      timeMs: chunk.timestamp / 1000,
      isKeyframe: chunk.type === 'key',
      bytes: bytesOf(chunk),
    };
    this.#order.picture(block, performance.now());
    this.#write();
  }

  /** @param {AudioData} data */
  #samples(data) {
    if (!this.#audio) {
      this.#sound = { sampleRate: data.sampleRate, channels: Math.min(2, data.numberOfChannels) };
      this.#configureAudio();
    } else if (data.sampleRate !== this.#sound.sampleRate) {
      this.#sound.sampleRate = data.sampleRate;
      this.#configureAudio();
    }
    const lengthMs = (data.numberOfFrames * 1000) / data.sampleRate;
    // It is there at its end.
    const capturedMs = this.#audioClock.at(data.timestamp / 1000 + lengthMs, performance.now()) - lengthMs;
    const place = this.#timeline.feed(capturedMs, lengthMs);
    if (place) {
      const { silenceMs, atMs } = place;
      const gap = silence(silenceMs, this.#sound, atMs - silenceMs);
      const sound = evenSound(data, this.#sound.channels, atMs);
      for (const each of [gap, sound]) {
        if (each) this.#audio?.encode(each);
        each?.close();
      }
    }
    data.close();
  }

  #configureAudio() {
    this.#audio ??= new AudioEncoder({
      output: (chunk) => this.#packet(chunk),
      error: (error) => this.#fail(error),
    });
    this.#audio.configure({
      codec: 'opus',
      sampleRate: this.#sound.sampleRate,
      numberOfChannels: this.#sound.channels,
      bitrate: this.#rates.audioBitsPerSecond,
      opus: { frameDuration: OPUS_FRAME_MS * 1000 },
    });
  }

  /** @param {EncodedAudioChunk} chunk */
  #packet(chunk) {
    const lengthMs = (chunk.duration ?? OPUS_FRAME_MS * 1000) / 1000;
    const timeMs = this.#timeline.capturedMs(chunk.timestamp / 1000);
    this.#order.sound({ kind: 'audio', timeMs, isKeyframe: true, bytes: bytesOf(chunk) }, lengthMs, performance.now());
    this.#write();
  }

  #write() {
    const nowMs = performance.now();
    const encodingMs = this.#encoding.length ? this.#encoding[0] / 1000 : null;
    for (let block = this.#order.take(nowMs, encodingMs); block; block = this.#order.take(nowMs, encodingMs)) this.#put(block);
    if (nowMs - this.#sentMs >= this.#sliceMs) this.#send();
  }

  /** @param {import('./webm-writer.js').Block} block */
  #put(block) {
    const { video, audio, codec } = this.#start;
    // Sound from before the first picture has nothing to be seen with.
    if (video && !this.#size.width) return;
    this.#writer ??= new WebmWriter({
      video: video && { codec, ...this.#size, colour: this.#colour },
      audio: audio && { channels: this.#sound.channels },
    });
    this.#pieces.push(...this.#writer.block(block));
  }

  #send() {
    if (!this.#pieces.length) return;
    const whole = new Uint8Array(this.#pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of this.#pieces.splice(0)) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#sentMs = performance.now();
    this.#on.data(whole);
  }

  #letGo() {
    for (const reader of this.#readers) reader.cancel().catch(() => {});
  }

  /** @param {() => void} action */
  #attempt(action) {
    try {
      action();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {unknown} error */
  #fail(error) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letGo();
    this.#close(error instanceof Error ? error.message : String(error));
  }

  /** @param {string} error */
  #close(error) {
    clearInterval(this.#ticker);
    for (const encoder of [this.#video, this.#audio]) if (encoder && encoder.state !== 'closed') encoder.close();
    this.#on.end(error);
  }
}

/** @param {EncodedVideoChunk | EncodedAudioChunk} chunk */
function bytesOf(chunk) {
  const bytes = new Uint8Array(chunk.byteLength);
  chunk.copyTo(bytes);
  return bytes;
}
