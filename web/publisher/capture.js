// Opens what is to be published (camera, screen, test picture), and explains why it could not.

import { mixedSound } from './mixed-sound.js';
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
 * @property {boolean} [echoCancellation] on when not given, as is the next one
 * @property {boolean} [noiseSuppression]
 * @property {boolean} [withMicrophone] beside a screen's own sound
 * @property {boolean} [withCamera] in a corner of a screen's picture
 * @property {MediaStream | null} [screen] what is shared already
 */
/**
 * `tracks` are the browser's own, which tell when they are muted or end. `resize(scale)` makes the
 * picture smaller while it goes on; 1 is its whole size. `screen`: what is shared, which the next
 * capture may go on with; then `stop(true)` leaves it open. `missing`: what was asked for and could not be opened, and why.
 *
 * @typedef {object} Capture
 * @property {MediaStream} stream
 * @property {(keepsScreen?: boolean) => void} stop
 * @property {MediaStreamTrack[]} tracks
 * @property {(scale: number) => void} [resize]
 * @property {MediaStream | null} [screen]
 * @property {Missing[]} [missing]
 */
/** @typedef {'camera' | 'microphone'} Blockable */
/** @typedef {{ what: Blockable, reason: string }} Missing */

/** @type {Source[]} */
export const SOURCES = ['camera', 'screen', 'test'];

/** @type {Blockable[]} */
const BLOCKABLE = ['camera', 'microphone'];

/** Another program, no such device, a device that is gone: the other device may still open. */
const MISSING = ['NotFoundError', 'NotReadableError', 'AbortError', 'OverconstrainedError'];

/**
 * Opens a source.
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
  return source === 'screen' ? openScreen(options) : openCamera(options);
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
 * @param {Options} options
 * @returns {Promise<Capture>}
 */
async function openCamera(options) {
  const { stream, missing } = await openAny({ camera: true, microphone: options.audio }, options);
  const tracks = stream.getTracks();
  const [picture] = stream.getVideoTracks();
  if (picture) await turn(picture, options);
  return { stream, tracks, missing, resize: picture && resizer(picture), stop: () => tracks.forEach((track) => track.stop()) };
}

/**
 * The camera, the microphone, or both; one of them where the other cannot be opened.
 *
 * @param {{ camera: boolean, microphone: boolean }} wanted
 * @param {Options} options
 * @returns {Promise<{ stream: MediaStream, missing: Missing[] }>}
 */
async function openAny({ camera, microphone }, options) {
  const open = (/** @type {boolean} */ video, /** @type {boolean} */ audio) =>
    navigator.mediaDevices.getUserMedia({ video: video && cameraWish(options), audio: audio && microphoneWish(options) });
  try {
    return { stream: await open(camera, microphone), missing: [] };
  } catch (first) {
    const reason = nameOf(first);
    if (!(camera && microphone) || !(MISSING.includes(reason) || (await isOnlyBlocked('microphone', 'camera')))) throw first;
    const silent = await open(true, false).catch(() => null);
    if (silent) return { stream: silent, missing: [{ what: 'microphone', reason }] };
    // A camera that is busy may be freed; one that is not there will not come.
    const dark = reason === 'NotFoundError' ? await open(false, true).catch(() => null) : null;
    if (dark) return { stream: dark, missing: [{ what: 'camera', reason }] };
    throw first;
  }
}

/**
 * Whether one permission is refused, and the other one is given: asking again for that alone opens no
 * new question. Browsers that do not tell count as no.
 *
 * @param {string} blocked
 * @param {string} given
 */
async function isOnlyBlocked(blocked, given) {
  return (await isBlocked(blocked)) === true && (await isBlocked(given)) === false;
}

/**
 * Whether a permission is refused, or null where the browser does not tell.
 *
 * @param {any} name
 * @returns {Promise<boolean | null>}
 */
async function isBlocked(name) {
  try {
    return (await navigator.permissions.query({ name })).state === 'denied';
  } catch {
    return null;
  }
}

/**
 * The devices that a refusal may be about, of those that were asked for: the ones that are known to be
 * blocked, or all of them.
 *
 * @param {{ camera: boolean, microphone: boolean }} wanted
 * @returns {Promise<Blockable[]>}
 */
export async function blockedOf(wanted) {
  const asked = BLOCKABLE.filter((each) => wanted[each]);
  const answers = await Promise.all(asked.map(isBlocked));
  const known = asked.filter((_, i) => answers[i]);
  return known.length ? known : asked;
}

/**
 * @param {Options} options
 * @returns {MediaTrackConstraints}
 */
function cameraWish({ cameraId, width = 1280, height = 720, fps = 30 }) {
  return {
    width: { ideal: width },
    height: { ideal: height },
    frameRate: { ideal: fps },
    ...(cameraId ? { deviceId: { exact: cameraId } } : {}),
  };
}

/**
 * @param {Options} options
 * @returns {MediaTrackConstraints}
 */
function microphoneWish({ microphoneId, echoCancellation = true, noiseSuppression = true }) {
  return {
    echoCancellation,
    noiseSuppression,
    autoGainControl: noiseSuppression,
    ...(microphoneId ? { deviceId: { exact: microphoneId } } : {}),
  };
}

/**
 * A camera that stands upright would be cropped to the wished size: it is asked for its own.
 *
 * @param {MediaStreamTrack} picture
 * @param {Options} options
 */
async function turn(picture, { width = 1280, height = 720 }) {
  const { width: widths, height: heights } = picture.getCapabilities?.() ?? {};
  if (!((widths?.max ?? 0) < (heights?.max ?? 0)) || width < height) return;
  const wish = { ...picture.getConstraints(), width: { ideal: height }, height: { ideal: width } };
  await picture.applyConstraints(wish).catch(() => {});
}

/**
 * @param {MediaStreamTrack} picture
 * @returns {(scale: number) => void}
 */
function resizer(picture) {
  const { width = 0, height = 0 } = picture.getSettings?.() ?? {};
  const whole = picture.getConstraints?.() ?? {};
  return (scale) => {
    const size = { width: { ideal: Math.round(width * scale) }, height: { ideal: Math.round(height * scale) } };
    // A source that cannot be made smaller keeps its size: the bit rate alone goes down.
    picture.applyConstraints(scale < 1 && width ? { ...whole, ...size } : whole).catch(() => {});
  };
}

/**
 * @param {Options} options
 * @returns {Promise<Capture>}
 */
async function openScreen(options) {
  const screen = options.screen ?? (await shareScreen(options));
  const { stream: own, missing } = await openBeside(options);
  const tracks = [...screen.getTracks(), ...(own?.getAudioTracks() ?? [])];
  const [picture] = screen.getVideoTracks();
  const [camera = null] = own?.getVideoTracks() ?? [];
  const steady = await steadyPicture(picture, camera);
  const sound = mixedSound(tracks.filter(({ kind }) => kind === 'audio'));
  return {
    stream: new MediaStream([steady.track, ...(sound ? [sound.track] : [])]),
    tracks,
    screen,
    missing,
    resize: resizer(picture),
    stop(keepsScreen = false) {
      steady.stop();
      sound?.stop();
      const shared = screen.getTracks();
      for (const track of [...tracks, ...(camera ? [camera] : [])]) if (!keepsScreen || !shared.includes(track)) track.stop();
    },
  };
}

/** @param {Options} options */
async function shareScreen({ audio, fps = 30 }) {
  if (!navigator.mediaDevices.getDisplayMedia) throw new DOMException('no screen capture', 'NotSupportedError');
  return navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: fps } }, audio });
}

/**
 * The microphone and the camera beside a screen: what cannot be opened is left out.
 *
 * @param {Options} options
 * @returns {Promise<{ stream: MediaStream | null, missing: Missing[] }>}
 */
async function openBeside(options) {
  const { withMicrophone: microphone = false, withCamera: camera = false } = options;
  if (!microphone && !camera) return { stream: null, missing: [] };
  try {
    return await openAny({ camera, microphone }, { ...options, width: 640, height: 360 });
  } catch (error) {
    const reason = nameOf(error);
    const wanted = { camera, microphone };
    return { stream: null, missing: BLOCKABLE.filter((each) => wanted[each]).map((what) => ({ what, reason })) };
  }
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
 * What a stream goes on without, and why, for each device that could not be opened. Pure.
 *
 * @param {Missing} missing
 * @param {Source | null} source
 */
export function explainMissing({ what, reason }, source) {
  const isMicrophone = what === 'microphone';
  const device = isMicrophone ? 'microphone' : 'camera';
  const so =
    isMicrophone && source === 'camera' ? 'so your stream is silent' : `so viewers ${isMicrophone ? 'do not hear' : 'do not see'} you`;
  switch (reason) {
    case 'NotFoundError':
    case 'OverconstrainedError':
      return `No ${device} was found, ${so}.`;
    case 'NotAllowedError':
      return `The ${device} is blocked, ${so}. Allow it in the address bar, and choose it in Settings.`;
    case 'NotReadableError':
    case 'AbortError':
      return `The ${device} is in use by another program, ${so}. Close that, and choose it in Settings.`;
    default:
      return `The ${device} did not open, ${so}. Choose it in Settings.`;
  }
}

/**
 * What went wrong and what to do about it: `{ title, text }`. Pure.
 *
 * @param {string} name
 * @param {Source | null} source
 * @param {Blockable[]} blocked what a refusal may be about
 */
export function explainCaptureError(name, source, blocked = BLOCKABLE) {
  if (source === 'screen') return explainScreenError(name);
  if (source === 'test') {
    return { title: 'This browser could not draw the test picture.', text: 'Reload the page, or pick another source.' };
  }
  switch (name) {
    case 'NotAllowedError':
      return {
        title: `The ${blocked.join(' or the ')} is blocked.`,
        text: `Allow the ${blocked.join(' and the ')} for this page, in the address bar or the system settings, and press Try again.`,
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
        title: 'The camera did not open.',
        text: 'Press Try again, or pick another source.',
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
    case 'NotReadableError':
    case 'AbortError':
    case 'NotFoundError':
      return {
        title: 'The browser cannot see the screen.',
        text: 'Allow screen recording for the browser in the system settings, and press Try again.',
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
        title: 'The browser could not share that screen.',
        text: 'Press Try again and pick another screen, window or tab.',
      };
  }
}
