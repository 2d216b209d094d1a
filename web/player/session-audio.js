// Media keys reach a page by its media elements. What plays through Web Audio has none: Firefox gives such a page no
// keys, and Chromium takes them away when it is paused. So an audio element starts and pauses with it: it plays for a
// moment what browsers take for sound and people do not hear, and then stands at speed 0, which costs nothing and
// counts as playing.

/** Browsers tell media from the sounds of buttons by how long they are: Chromium from 5 s on. */
const SECONDS = 6;
const SAMPLES_PER_SECOND = 8000;
/** Firefox takes less than -72 dB for silence. */
const LEVEL = 10 ** (-66 / 20);
const PITCH_HZ = 20;
/** Browsers have noticed the sound by then. */
const NOTICED_AFTER_SECONDS = 0.2;

/** As a WAV file: such a tone. */
export function faintTone() {
  const count = SECONDS * SAMPLES_PER_SECOND;
  // Little-endian words: "RIFF", size, "WAVE", "fmt ", its size, PCM and one channel, rate, bytes per second, bytes
  // per sample and bits, "data", size.
  const head = [0x46464952, 36 + 2 * count, 0x45564157, 0x20746d66, 16, 0x10001, SAMPLES_PER_SECOND, 2 * SAMPLES_PER_SECOND, 0x100002];
  const wav = new DataView(new ArrayBuffer(44 + 2 * count));
  [...head, 0x61746164, 2 * count].forEach((word, i) => wav.setUint32(4 * i, word, true));
  for (let i = 0; i < count; i += 1) {
    const sample = LEVEL * Math.sin((2 * Math.PI * PITCH_HZ * i) / SAMPLES_PER_SECOND);
    wav.setInt16(44 + 2 * i, Math.round(0x7fff * sample), true);
  }
  return wav;
}

export class SessionAudio {
  #on;
  /** @type {HTMLAudioElement | null} */
  #audio = null;
  #isPlaying = false;
  #isMuted = true;

  /**
   * `on` hears what the browser does by itself, which pauses media while the phone rings.
   *
   * @param {{ play: () => void, pause: () => void }} on
   */
  constructor(on) {
    this.#on = on;
  }

  /**
   * What the page does now; told as often as one likes.
   *
   * @param {{ isPlaying: boolean, isMuted: boolean }} now
   */
  tell({ isPlaying, isMuted }) {
    if (isPlaying === this.#isPlaying && isMuted === this.#isMuted) return;
    this.#isPlaying = isPlaying;
    this.#isMuted = isMuted;
    // A page that has made no sound has no keys.
    if (!this.#audio && (!isPlaying || isMuted)) return;
    this.#audio ??= this.#open();
    this.#audio.muted = isMuted;
    if (!isPlaying) this.#audio.pause();
    else this.#start(this.#audio);
  }

  #open() {
    const audio = new Audio(URL.createObjectURL(new Blob([faintTone()], { type: 'audio/wav' })));
    audio.loop = true;
    audio.ontimeupdate = () => {
      if (audio.currentTime > NOTICED_AFTER_SECONDS) audio.playbackRate = 0;
    };
    audio.onplay = () => {
      if (!audio.paused && !this.#isPlaying) this.#on.play();
    };
    audio.onpause = () => {
      if (audio.paused && this.#isPlaying) this.#on.pause();
    };
    return audio;
  }

  /** @param {HTMLAudioElement} audio */
  #start(audio) {
    audio.currentTime = 0;
    audio.playbackRate = 1;
    audio.play().catch(() => {
      // Refused, or paused before it began. There are no keys until it is started again.
    });
  }
}
