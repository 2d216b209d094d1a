// Records tracks as WebM through WebCodecs, with the interface of a MediaRecorder and without its delay.
//
//   tracks ─► MediaStreamTrackProcessor ─► encoder-worker.js ─► data
//
// One worker serves the page's recordings: a new one begins while the one before it goes on.

/** @typedef {import('./recording.js').Rates} Rates */

/** WebM's codecs by the names that recorder types and WebCodecs have for them. */
const CODECS = [
  { type: /\bvp8\b/, codec: 'vp8' },
  { type: /\b(vp9|vp09[.\w]*)/, codec: 'vp09.00.41.08' },
  { type: /\b(av1|av01[.\w]*)/, codec: 'av01.0.08M.08' },
];

/** @type {Worker | null} */
let worker = null;
/** @type {Map<number, CodecsRecorder>} */
const recorders = new Map();
let lastId = 0;

/**
 * Whether this browser has what it takes for a recorder's type. Chromium has; Firefox gives no frames of
 * a sound's track.
 *
 * @param {string} mimeType
 */
export function canRecordByCodecs(mimeType) {
  const has = ['MediaStreamTrackProcessor', 'VideoEncoder', 'AudioEncoder', 'Worker'].every((name) => name in globalThis);
  return has && /^(video|audio)\/webm/.test(mimeType) && (/^audio/.test(mimeType) || codecOf(mimeType) !== null);
}

/** @param {string} mimeType */
function codecOf(mimeType) {
  return CODECS.find(({ type }) => type.test(mimeType))?.codec ?? null;
}

export class CodecsRecorder {
  /** @type {'inactive' | 'recording'} */
  state = 'inactive';
  mimeType;
  /** @type {((event: { data: Uint8Array<ArrayBuffer> }) => void) | null} */
  ondataavailable = null;
  /** @type {(() => void) | null} */
  onstop = null;
  /** @type {((event: { error: Error }) => void) | null} */
  onerror = null;
  #id = 0;
  #media;
  #options;
  #hasEnded = false;

  /**
   * @param {MediaStream} media
   * @param {MediaRecorderOptions & { videoKeyFrameIntervalCount?: number }} options
   */
  constructor(media, options) {
    this.#media = media;
    this.#options = options;
    this.mimeType = options.mimeType ?? '';
    lastId += 1;
    this.#id = lastId;
  }

  /** @param {number} sliceMs blocks of so long go out together; 0: each at once */
  start(sliceMs) {
    // Chromium's alone, so the types do not have it.
    const { MediaStreamTrackProcessor } = /** @type {any} */ (globalThis);
    const framesOf = (/** @type {MediaStreamTrack | undefined} */ track) =>
      track ? new MediaStreamTrackProcessor({ track }).readable : null;
    const [picture] = this.#media.getVideoTracks();
    const [video, audio] = [framesOf(picture), framesOf(this.#media.getAudioTracks()[0])];
    const { videoBitsPerSecond = 2_500_000, audioBitsPerSecond = 96_000, videoKeyFrameIntervalCount: keyframeCount = 29 } = this.#options;
    const frameRate = picture?.getSettings?.().frameRate || 30;
    const rates = { videoBitsPerSecond, audioBitsPerSecond };
    this.state = 'recording';
    recorders.set(this.#id, this);
    const start = { video, audio, codec: codecOf(this.mimeType) ?? '', frameRate, keyframeCount, sliceMs, rates };
    this.#tell(
      { start },
      [video, audio].filter((each) => each !== null),
    );
  }

  stop() {
    if (this.state === 'inactive') return;
    this.state = 'inactive';
    this.#tell({ isOver: true });
  }

  /**
   * Other bit rates from now on, in the same recording.
   *
   * @param {Rates} rates
   */
  setRates({ videoBitsPerSecond, audioBitsPerSecond }) {
    this.#tell({ rates: { videoBitsPerSecond, audioBitsPerSecond } });
  }

  /** @param {number} sliceMs */
  setSlice(sliceMs) {
    this.#tell({ sliceMs });
  }

  /**
   * What the worker says.
   *
   * @param {{ bytes?: Uint8Array<ArrayBuffer>, hasEnded?: boolean, error?: string }} message
   */
  hear({ bytes, hasEnded, error }) {
    if (bytes) this.ondataavailable?.({ data: bytes });
    if (!hasEnded || this.#hasEnded) return;
    this.#hasEnded = true;
    this.state = 'inactive';
    recorders.delete(this.#id);
    if (error) this.onerror?.({ error: new Error(error) });
    else this.onstop?.();
  }

  /**
   * @param {object} message
   * @param {Transferable[]} [transfer]
   */
  #tell(message, transfer = []) {
    worker ??= startWorker();
    worker.postMessage({ id: this.#id, ...message }, transfer);
  }
}

function startWorker() {
  const started = new Worker(new URL('./encoder-worker.js', import.meta.url), { type: 'module' });
  started.onmessage = ({ data: { id, ...message } }) => recorders.get(id)?.hear(message);
  started.onerror = () => {
    worker = null;
    for (const recorder of [...recorders.values()]) recorder.hear({ hasEnded: true, error: 'the encoder stopped' });
  };
  return started;
}
