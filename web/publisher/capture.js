// Opens what is to be published (camera, screen, test picture), and explains why it could not.

import { steadyPicture } from './steady-picture.js';
import { openTestPicture } from './test-picture.js';

/** @typedef {'camera' | 'screen' | 'test'} Source */
/**
 * @typedef {object} Options
 * @property {boolean} audio
 * @property {string} [cameraId]
 * @property {string} [microphoneId]
 * @property {number} [width]
 * @property {number} [height]
 * @property {number} [fps]
 * @property {string} [name]
 */
/** @typedef {{ stream: MediaStream, stop: () => void, tracks: MediaStreamTrack[], isSoundMissing?: boolean }} Capture */

/** @type {Source[]} */
export const SOURCES = ['camera', 'screen', 'test'];

/**
 * `{ stream, stop(), tracks, isSoundMissing }` for a source; `tracks` are the browser's own, which
 * tell when they are muted or end. Options: `audio` (boolean), `cameraId`, `microphoneId`,
 * `width`, `height`, `fps`, `name`.
 *
 * @param {Source} source
 * @param {Options} options
 * @returns {Promise<Capture>}
 */
export async function openSource(source, options) {
  if (source === 'test') {
    const picture = await openTestPicture({ ...options, sound: options.audio });
    return { ...picture, tracks: picture.stream.getTracks() };
  }
  if (!navigator.mediaDevices) throw new DOMException('insecure context', 'SecurityError');
  const stream = await (source === 'screen' ? openScreen(options) : openCameraAtLeast(options));
  const isSoundMissing = source === 'camera' && options.audio && !stream.getAudioTracks().length;
  const tracks = stream.getTracks();
  const stop = () => tracks.forEach((track) => track.stop());
  const [screen] = source === 'screen' ? stream.getVideoTracks() : [];
  if (!screen) return { stream, stop, tracks, isSoundMissing };
  const steady = await steadyPicture(screen);
  return {
    stream: new MediaStream([steady.track, ...stream.getAudioTracks()]),
    stop() {
      stop();
      steady.stop();
    },
    tracks,
  };
}

/**
 * What the browser calls the reason, which need not be an Error.
 *
 * @param {any} reason
 * @returns {string}
 */
export function nameOf(reason) {
  return reason?.name ?? '';
}

/**
 * A camera without a microphone is better than neither.
 *
 * @param {Options} options
 */
async function openCameraAtLeast(options) {
  try {
    return await openCamera(options);
  } catch (reason) {
    if (nameOf(reason) !== 'NotFoundError' || !options.audio) throw reason;
    return openCamera({ ...options, audio: false });
  }
}

/** @param {Options} options */
function openCamera({ audio, cameraId, microphoneId, width = 1280, height = 720, fps = 30 }) {
  return navigator.mediaDevices.getUserMedia({
    video: {
      width: { ideal: width },
      height: { ideal: height },
      frameRate: { ideal: fps },
      ...(cameraId ? { deviceId: { exact: cameraId } } : {}),
    },
    audio: audio && (microphoneId ? { deviceId: { exact: microphoneId } } : true),
  });
}

/** @param {Options} options */
function openScreen({ audio, fps = 30 }) {
  if (!navigator.mediaDevices.getDisplayMedia) throw new DOMException('no screen capture', 'NotSupportedError');
  return navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: fps } }, audio });
}

/** Cameras and microphones as `{ id, label }`; names are known only after a permission. */
export async function listDevices() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const kind = (/** @type {MediaDeviceKind} */ wanted, /** @type {string} */ word) =>
    devices
      .filter((device) => device.kind === wanted && device.deviceId)
      .map(({ deviceId, label }, i) => ({ id: deviceId, label: label || `${word} ${i + 1}` }));
  return { cameras: kind('videoinput', 'Camera'), microphones: kind('audioinput', 'Microphone') };
}

/**
 * What went wrong and what to do about it: `{ title, text }`. Pure.
 *
 * @param {string} name
 * @param {Source | null} source
 */
export function explainCaptureError(name, source) {
  if (source === 'screen') return explainScreenError(name);
  switch (name) {
    case 'NotAllowedError':
      return {
        title: 'The camera is blocked.',
        text: 'Allow the camera and microphone for this page, in the address bar or the system settings, and press Try again.',
      };
    case 'NotReadableError':
    case 'AbortError':
      return {
        title: 'The camera is in use by another program.',
        text: 'Close it and press Try again.',
      };
    case 'NotFoundError':
    case 'OverconstrainedError':
      return {
        title: 'No camera or microphone was found.',
        text: 'Connect one and press Try again, or share your screen or the test picture instead.',
      };
    case 'SecurityError':
      return {
        title: 'Cameras need a secure page.',
        text: 'Open this page by https, or on this computer at localhost. The test picture works here too.',
      };
    default:
      return {
        title: 'The camera could not be opened.',
        text: `The browser says ${name || 'nothing more'}. Press Try again, or pick another source.`,
      };
  }
}

/** @param {string} name */
function explainScreenError(name) {
  switch (name) {
    case 'NotAllowedError':
      return {
        title: 'Nothing was shared.',
        text: 'The screen choice was closed or is blocked. Press Try again and pick a screen, window or tab.',
      };
    case 'InvalidStateError':
      return {
        title: 'Sharing a screen needs a click.',
        text: 'Press Go live, then pick a screen, window or tab.',
      };
    case 'SecurityError':
      return {
        title: 'Screen sharing needs a secure page.',
        text: 'Open this page by https, or on this computer at localhost. The test picture works here too.',
      };
    case 'NotSupportedError':
      return {
        title: 'This browser cannot share its screen.',
        text: 'Use the camera here, or share the screen from a computer.',
      };
    default:
      return {
        title: 'The screen could not be shared.',
        text: `The browser says ${name || 'nothing more'}. Press Try again, or pick another source.`,
      };
  }
}
