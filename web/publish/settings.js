// The settings of the publisher page: what can be chosen, and what is.

import { listDevices } from '../publisher/capture.js';
import { element } from '../lib/element.js';
import { bitRate } from '../lib/format.js';
import { CODECS, recordableCodecs } from '../publisher/recorder.js';

/** @typedef {import('../publisher/capture.js').Source} Source */
/** What a change is for: another recording, another opening of the source or of its microphone, or this page alone. */
/** @typedef {'recording' | 'source' | 'sound' | 'page'} For */

const QUALITIES = [
  { kbps: 600, label: 'Low' },
  { kbps: 1200, label: 'Medium' },
  { kbps: 2500, label: 'High' },
  { kbps: 5000, label: 'Very high' },
];
const SIZES = ['640x360', '960x540', '1280x720', '1920x1080'];
const SIZE_USUAL = '1280x720';
const RATES = [15, 30, 60];
const RATE_USUAL = 30;

/** Which of the fields a source has. */
const FIELDS = {
  camera: ['camera', 'microphone', 'size', 'fps', 'echo', 'noise', 'mirror'],
  screen: ['fps', 'with-microphone', 'with-camera', 'echo', 'noise'],
  test: ['size', 'fps', 'beep'],
};
const OPTIONAL = [...new Set(Object.values(FIELDS).flat())];

/**
 * What the page's address asks for. Pure.
 *
 * @param {URLSearchParams} query
 */
export function choiceFrom(query) {
  const size = /^[1-9]\d{1,3}x[1-9]\d{1,3}$/.test(query.get('size') ?? '') ? /** @type {string} */ (query.get('size')) : SIZE_USUAL;
  return {
    cameraId: '',
    microphoneId: '',
    /** @type {boolean | null} */
    hasAudio: query.has('audio') ? query.get('audio') !== '0' : null,
    kbps: Math.min(50_000, Math.max(100, Number(query.get('kbps')) || 2500)),
    codec: CODECS.find(({ id }) => id === query.get('codec'))?.id ?? 'vp8',
    size,
    fps: Math.min(120, Math.max(1, Number(query.get('fps')) || RATE_USUAL)),
    echoCancellation: query.get('echo') !== '0',
    noiseSuppression: query.get('noise-filter') !== '0',
    withMicrophone: query.has('microphone'),
    withCamera: query.has('corner'),
    isMirrored: query.get('mirror') !== '0',
  };
}

/**
 * Width and height of a size such as `640x360`. Pure.
 *
 * @param {string} size
 */
export function edgesOf(size) {
  const [width, height] = size.split('x').map(Number);
  return { width, height };
}

export class Settings {
  choice;
  #panel = element('settings', HTMLFormElement);
  #button = element('settings-button', HTMLButtonElement);

  /**
   * @param {URLSearchParams} query
   * @param {(what: For) => void} onChange
   */
  constructor(query, onChange) {
    this.choice = choiceFrom(query);
    this.#panel.addEventListener('change', ({ target }) => {
      if (target instanceof HTMLSelectElement || target instanceof HTMLInputElement) onChange(this.#take(target));
    });
    this.#panel.addEventListener('submit', (event) => event.preventDefault());
    this.#button.onclick = () => this.#show(Boolean(this.#panel.hidden));
    document.addEventListener('keydown', ({ key }) => {
      if (key !== 'Escape' || this.#panel.hidden) return;
      this.#show(false);
      this.#button.focus();
    });
    document.addEventListener('pointerdown', ({ target }) => {
      if (!(target instanceof Element && target.closest('#settings, #settings-button, dialog'))) this.#show(false);
    });
  }

  /** @param {(type: string) => boolean} isTypeSupported */
  fill(isTypeSupported) {
    const { kbps, codec, size, fps } = this.choice;
    const qualities = QUALITIES.map((each) => [String(each.kbps), `${each.label}, ${bitRate(each.kbps * 1000)}`]);
    if (!QUALITIES.some((each) => each.kbps === kbps)) qualities.push([String(kbps), `As asked, ${bitRate(kbps * 1000)}`]);
    fill('quality', qualities, String(kbps));
    const codecs = recordableCodecs(isTypeSupported);
    fill(
      'codec',
      codecs.map(({ id, label, note: what }) => [id, `${label}, ${what}`]),
      codec,
    );
    const sizes = SIZES.includes(size) ? SIZES : [...SIZES, size];
    fill(
      'size',
      sizes.map((each) => [each, each.replace('x', ' × ')]),
      size,
    );
    const rates = RATES.includes(fps) ? RATES : [...RATES, fps];
    fill(
      'fps',
      rates.map((each) => [String(each), `${each} pictures a second`]),
      String(fps),
    );
    for (const [id, isOn] of Object.entries(this.#switches())) element(id, HTMLInputElement).checked = isOn;
  }

  /**
   * The fields of a source, and the devices that there are now.
   *
   * @param {Source | null} source
   * @param {MediaStream | null} stream what is open
   */
  async fillDevices(source, stream) {
    const { cameras, microphones } = await listDevices();
    const used = (/** @type {string} */ kind) =>
      stream
        ?.getTracks()
        .find((track) => track.kind === kind)
        ?.getSettings?.().deviceId ?? '';
    fill(
      'camera',
      cameras.map(({ id, label }) => [id, label]),
      this.choice.cameraId || used('video'),
    );
    fill(
      'microphone',
      [...microphones.map(({ id, label }) => [id, label]), ['none', 'No sound']],
      this.choice.hasAudio === false ? 'none' : this.choice.microphoneId || used('audio'),
    );
    element('beep', HTMLInputElement).checked = this.choice.hasAudio === true;
    const shown = source ? FIELDS[source] : [];
    for (const id of OPTIONAL) /** @type {HTMLElement} */ (element(id, HTMLElement).closest('label')).hidden = !shown.includes(id);
  }

  #switches() {
    const { echoCancellation: echo, noiseSuppression: noise, withMicrophone, withCamera, isMirrored: mirror } = this.choice;
    return { echo, noise, mirror, 'with-microphone': withMicrophone, 'with-camera': withCamera };
  }

  /** @param {boolean} isOpen */
  #show(isOpen) {
    this.#panel.hidden = !isOpen;
    this.#button.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) this.#panel.scrollIntoView({ block: 'nearest' });
  }

  /**
   * @param {HTMLSelectElement | HTMLInputElement} field
   * @returns {For}
   */
  #take(field) {
    const { choice } = this;
    const isOn = field instanceof HTMLInputElement && field.checked;
    switch (field.id) {
      case 'quality':
        choice.kbps = Number(field.value);
        return 'recording';
      case 'codec':
        choice.codec = field.value;
        return 'recording';
      case 'mirror':
        choice.isMirrored = isOn;
        return 'page';
      case 'camera':
        choice.cameraId = field.value;
        break;
      case 'microphone':
        choice.hasAudio = field.value !== 'none';
        choice.microphoneId = choice.hasAudio ? field.value : '';
        break;
      case 'beep':
        choice.hasAudio = isOn;
        break;
      case 'size':
        choice.size = field.value;
        break;
      case 'fps':
        choice.fps = Number(field.value);
        break;
      case 'echo':
        choice.echoCancellation = isOn;
        return 'sound';
      case 'noise':
        choice.noiseSuppression = isOn;
        return 'sound';
      case 'with-microphone':
        choice.withMicrophone = isOn;
        break;
      case 'with-camera':
        choice.withCamera = isOn;
        break;
      default:
        return 'page';
    }
    return 'source';
  }
}

/**
 * @param {string} id
 * @param {string[][]} options each a value and its words
 * @param {string} value
 */
function fill(id, options, value) {
  element(id, HTMLSelectElement).replaceChildren(...options.map(([each, label]) => new Option(label, each, false, each === value)));
}
