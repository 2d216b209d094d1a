// Records a MediaStream as live WebM, and can begin anew without a gap.
//
// A new recording (new EBML header, new keyframe) is started beside the old one, and takes over
// when its first data is there. The bytes of the two never mix:
//
//   old  … data │ data │ last data, stop
//   new          └ start … first data, data   (kept) ──┴─► handed on, then directly
//
// Blobs are handed on as they come and never opened: a WebSocket takes them in order.
//
// There are two kinds of recorder: MediaRecorder, and codecs/codecs-recorder.js, which has less delay. When
// that fails, a MediaRecorder goes on.

/** @typedef {{ mimeType: string, videoBitsPerSecond: number, audioBitsPerSecond?: number }} Settings */
/** @typedef {Blob | Uint8Array<ArrayBuffer>} Data */
/**
 * What is used of a MediaRecorder. The other kind can change its bit rates, and how much goes out together.
 *
 * @typedef {object} AnyRecorder
 * @property {string} state
 * @property {string} mimeType
 * @property {((event: any) => void) | null} ondataavailable
 * @property {((event: any) => void) | null} onstop
 * @property {((event: any) => void) | null} onerror
 * @property {(sliceMs: number) => void} start
 * @property {() => void} stop
 * @property {(rates: { videoBitsPerSecond: number, audioBitsPerSecond: number }) => void} [setRates]
 * @property {(sliceMs: number) => void} [setSlice]
 */
/** @typedef {(media: MediaStream, options: MediaRecorderOptions) => AnyRecorder | null} Make null: not this type */
/**
 * @typedef {object} Listener
 * @property {(data: Data) => void} data
 * @property {(error: Error) => void} failed
 * @property {() => void} [finished]
 */
/**
 * `kept`: the data of one that has not taken over yet.
 *
 * @typedef {{ recorder: AnyRecorder, kept: Data[] | null, hasStopped: boolean }} Recording
 */

/** Below the 60 ms of an Opus packet nothing is gained, above it latency is lost. */
const TIMESLICE_MS = 50;
/** Frames per second where a track does not tell, and the bounds of what is believed. */
const FRAME_RATE = { usual: 30, least: 10, most: 60 };
const AUDIO_BITS_PER_SECOND = 96_000;
/**
 * A recorder that hands out each block at once costs the server a message to each viewer for it. From so
 * many viewers on, what comes within a MediaRecorder's time goes out together.
 */
const VIEWERS_MANY = 200;

/** In the order in which we prefer them: VP8 costs least to encode, and plays everywhere. */
export const CODECS = [
  { id: 'vp8', label: 'VP8', note: 'plays everywhere' },
  { id: 'vp9', label: 'VP9', note: 'sharper, more work' },
  { id: 'av1', label: 'AV1', note: 'sharpest, most work' },
  // Chromium records it as Matroska without the decoder's configuration: Chromium plays that as a
  // plain stream, Firefox plays its sound alone.
  { id: 'h264', label: 'H.264', note: 'no picture in Firefox' },
];

/**
 * Delta frames between two keyframes: a second of motion. New viewers start at a keyframe.
 *
 * Counted in frames, not in time: a picture that stands still has few frames, and each of them
 * would be a keyframe, which costs the most bytes and starts a GOP of its own. Chromium honours
 * the count; Firefox has its own idea.
 *
 * @param {number | undefined} frameRate
 */
export function keyframeCount(frameRate) {
  const { usual, least, most } = FRAME_RATE;
  return Math.round(Math.min(most, Math.max(least, frameRate || usual))) - 1;
}

/**
 * The codecs that this browser can record as WebM or Matroska, and that others can watch.
 *
 * @param {(type: string) => boolean} isTypeSupported
 */
export function recordableCodecs(isTypeSupported) {
  const isRecordable = (/** @type {{ id: string }} */ { id }) => typeFor(id, { hasVideo: true, hasAudio: false }, isTypeSupported);
  return CODECS.filter(isRecordable);
}

/**
 * The recorder type for a codec and a set of tracks, or null when this browser has none.
 * Names differ between browsers and versions, so several spellings are tried.
 *
 * @param {string} codecId
 * @param {{ hasVideo: boolean, hasAudio: boolean }} options
 * @param {(type: string) => boolean} isTypeSupported
 * @returns {string | null}
 */
export function typeFor(codecId, { hasVideo, hasAudio }, isTypeSupported) {
  /** @type {Record<string, string[]>} */
  const spellings = { vp8: ['vp8'], vp9: ['vp9'], av1: ['av01.0.04M.08', 'av1'], h264: ['avc1', 'h264'] };
  const audio = hasAudio ? ['opus'] : [];
  for (const video of hasVideo ? (spellings[codecId] ?? []) : [null]) {
    const codecs = [...(video ? [video] : []), ...audio].join(',');
    const containers = video === null ? ['audio/webm'] : ['video/webm', 'video/x-matroska'];
    for (const container of containers) {
      const type = `${container};codecs=${codecs}`;
      if (isTypeSupported(type)) return type;
    }
  }
  return null;
}

/** @param {Data} data */
export function sizeOf(data) {
  return 'size' in data ? data.size : data.byteLength;
}

/** @type {Make} */
const makeMediaRecorder = (media, options) => new MediaRecorder(media, options);

export class Recorder {
  #on;
  /** The first one that can is taken. @type {Make[]} */
  #makes;
  /** @type {{ media: MediaStream, settings: Settings } | null} */
  #asked = null;
  #sliceMs = 0;
  /**
   * The recording whose data is handed on.
   *
   * @type {Recording | null}
   */
  #current = null;
  /**
   * The one that will take over; its data is kept until then.
   *
   * @type {Recording | null}
   */
  #next = null;
  #isFinishing = false;

  /**
   * `on.data(data)` in order, `on.failed(error)`, `on.finished()`. `make` is tried before a MediaRecorder.
   *
   * @param {Listener} on
   * @param {Make | null} [make]
   */
  constructor(on, make = null) {
    this.#on = on;
    this.#makes = [...(make ? [make] : []), makeMediaRecorder];
  }

  get isRecording() {
    return this.#current !== null;
  }

  /** The type that the running recorder says it writes. */
  get mimeType() {
    return this.#current?.recorder.mimeType ?? '';
  }

  /**
   * Begins a recording; when one runs, the new one takes over as soon as it has data.
   *
   * @param {MediaStream} media
   * @param {Settings} settings
   */
  start(media, settings) {
    this.#asked = { media, settings };
    const { mimeType, videoBitsPerSecond, audioBitsPerSecond = AUDIO_BITS_PER_SECOND } = settings;
    const [picture] = media.getVideoTracks?.() ?? [];
    // `videoKeyFrameIntervalCount` is newer than the types.
    const options = {
      mimeType,
      videoBitsPerSecond,
      audioBitsPerSecond,
      videoKeyFrameIntervalCount: keyframeCount(picture?.getSettings?.().frameRate),
    };
    this.#dropNext();
    const recorder = this.#make(media, options);
    if (!recorder) throw new Error('no recorder takes this type');
    /** @type {Recording} */
    const recording = { recorder, kept: null, hasStopped: false };
    recorder.ondataavailable = ({ data }) => this.#data(recording, data);
    recorder.onstop = () => this.#stopped(recording);
    recorder.onerror = (event) => this.#failed(recording, /** @type {ErrorEvent} */ (event).error);
    if (this.#current) {
      recording.kept = [];
      this.#next = recording;
    } else {
      this.#current = recording;
    }
    recorder.start(recorder.setSlice ? this.#sliceMs : TIMESLICE_MS);
  }

  /**
   * Whether the recording goes on with other bit rates. If not, they need a new one.
   *
   * @param {Settings} settings
   */
  setRates({ videoBitsPerSecond, audioBitsPerSecond = AUDIO_BITS_PER_SECOND }) {
    const recorder = this.#current?.recorder;
    if (!recorder?.setRates || !this.#asked || this.#next || this.#isFinishing) return false;
    Object.assign(this.#asked.settings, { videoBitsPerSecond, audioBitsPerSecond });
    recorder.setRates({ videoBitsPerSecond, audioBitsPerSecond });
    return true;
  }

  /** @param {number} count */
  setViewers(count) {
    this.#sliceMs = count < VIEWERS_MANY ? 0 : TIMESLICE_MS;
    for (const each of [this.#current, this.#next]) each?.recorder.setSlice?.(this.#sliceMs);
  }

  /** Ends recording after the last block; `on.finished()` follows its last data. */
  finish() {
    this.#dropNext();
    if (!this.#current || this.#isFinishing) return;
    this.#isFinishing = true;
    if (this.#current.recorder.state !== 'inactive') this.#current.recorder.stop();
  }

  /** Ends recording at once, in the middle of an element: only for a connection that is gone. */
  stop() {
    this.#dropNext();
    this.#isFinishing = false;
    if (this.#current) silence(this.#current.recorder);
    this.#current = null;
  }

  /**
   * @param {MediaStream} media
   * @param {MediaRecorderOptions} options
   */
  #make(media, options) {
    for (const make of this.#makes) {
      const recorder = make(media, options);
      if (recorder) return recorder;
    }
    return null;
  }

  /**
   * @param {Recording} recording
   * @param {Data} data
   */
  #data(recording, data) {
    if (!sizeOf(data)) return;
    if (recording === this.#current) {
      this.#on.data(data);
      return;
    }
    if (recording !== this.#next || !recording.kept) return;
    recording.kept.push(data);
    if (recording.kept.length > 1) return;
    // Its first data is here: let the old one finish its last block. `state` says inactive as
    // soon as stop() is called, before the last data has come, so it cannot be relied on.
    if (!this.#current || this.#current.hasStopped) this.#takeOver();
    else if (this.#current.recorder.state !== 'inactive') this.#current.recorder.stop();
  }

  /** @param {Recording} recording */
  #stopped(recording) {
    recording.hasStopped = true;
    if (recording === this.#current) {
      if (this.#next) {
        if (this.#next.kept?.length) this.#takeOver();
      } else if (this.#isFinishing) {
        this.#isFinishing = false;
        this.#current = null;
        this.#on.finished?.();
      } else {
        this.#failed(recording, null);
      }
    } else if (recording === this.#next) {
      this.#failed(recording, null);
    }
  }

  #takeOver() {
    const recording = this.#next;
    if (!recording) return;
    const kept = recording.kept ?? [];
    this.#current = recording;
    this.#next = null;
    this.#isFinishing = false;
    recording.kept = null;
    kept.forEach((data) => this.#on.data(data));
  }

  /**
   * @param {Recording} recording
   * @param {unknown} error
   */
  #failed(recording, error) {
    if (recording !== this.#current && recording !== this.#next) return;
    const reason = error instanceof Error ? error : new Error('the recorder stopped');
    const wasFinishing = this.#isFinishing;
    this.stop();
    if (recording.recorder.setRates && this.#asked && !wasFinishing) {
      console.warn(`recording by MediaRecorder: ${reason.message}`);
      this.#makes = [makeMediaRecorder];
      try {
        this.start(this.#asked.media, this.#asked.settings);
        return;
      } catch (second) {
        this.#on.failed(second instanceof Error ? second : reason);
        return;
      }
    }
    this.#on.failed(reason);
  }

  #dropNext() {
    if (this.#next) silence(this.#next.recorder);
    this.#next = null;
  }
}

/** @param {AnyRecorder} recorder */
function silence(recorder) {
  recorder.ondataavailable = recorder.onstop = recorder.onerror = null;
  if (recorder.state !== 'inactive') recorder.stop();
}
