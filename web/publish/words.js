// What the publisher page says in each of its states (see machine.js). Pure.

import { counted } from '../lib/format.js';
import { noSuch } from '../lib/no-such.js';

/** @typedef {import('../publisher/capture.js').Source} Source */
/** @typedef {{ title: string, text: string, wantsKey?: boolean }} Words */
/**
 * @typedef {object} Facts
 * @property {Source | null} [source]
 * @property {boolean} [hasPreview]
 * @property {Words | null} [error]
 * @property {string} [ending]
 * @property {string} [name] of the stream
 * @property {string} [missing]
 * @property {number} [behindMs]
 * @property {boolean} [isDraining]
 * @property {boolean} [isReduced] the quality is lower than was chosen
 * @property {boolean} [isMuted]
 * @property {boolean} [isHidden]
 * @property {string | null} [sound] see level.js
 */

/** @type {Record<Source, string>} */
const READY = {
  camera: 'Your camera is ready. Press Go live when you are.',
  screen: 'Press Go live, then pick a screen, a window or a tab.',
  test: 'The test picture is ready. Press Go live to send it.',
};
/** @type {Record<string, string>} */
const WANTING = {
  none: 'What do you want to show?',
  camera: 'Press Go live to open your camera.',
  test: 'Press Go live to send the test picture.',
};
/** @type {Record<Source, Words>} */
const ASKING = {
  camera: { title: 'Waiting for the camera.', text: 'Your browser may ask: allow the camera and the microphone.' },
  screen: { title: 'Waiting for your choice.', text: 'Pick a screen, a window or a tab to share.' },
  test: { title: 'Drawing the test picture.', text: '' },
};
/** @type {Record<string, string>} */
const ENDED = {
  stopped: 'You stopped the stream.',
  unshared: 'You stopped sharing your screen.',
  unplugged: 'The camera was unplugged.',
};

/** What to do about a source that gives nothing, by what is missing of it. */
const SILENT = {
  picture: {
    camera: {
      title: 'Nothing comes from the camera.',
      text: 'Check that it is switched on and that no other program uses it, or pick another source.',
    },
    screen: {
      title: 'Nothing comes from the screen.',
      text: 'The shared window may be minimized. Bring it back, or press Stop and share again.',
    },
    test: { title: 'Nothing comes from the test picture.', text: 'Reload the page, or pick another source.' },
  },
  sound: {
    camera: {
      title: 'Nothing comes from the microphone.',
      text: 'Viewers see nothing meanwhile. Check the microphone, or choose No sound in Settings.',
    },
    screen: {
      title: 'The sound of the screen is missing.',
      text: 'Viewers see nothing meanwhile. Press Stop and share again, without sound.',
    },
    test: {
      title: 'The sound of the test picture is missing.',
      text: 'Viewers see nothing meanwhile. Reload the page, or pick another source.',
    },
  },
};
const NO_RECORDING = {
  title: 'The browser records nothing.',
  text: 'Press Stop and go live again, or choose another codec in Settings.',
};

/**
 * What a person should know of sound and picture while all is well; empty when there is nothing.
 *
 * @param {Facts} options
 */
function healthOf({ source, isMuted, isHidden, isReduced, sound }) {
  if (isMuted && isHidden) return 'Viewers see black and hear nothing.';
  if (isMuted) return 'Viewers hear nothing: you are muted.';
  if (isHidden) return 'Viewers see black: your picture is hidden.';
  if (sound === 'silent' && source === 'camera') return 'No sound comes from the microphone: check it, or choose another in Settings.';
  if (sound === 'loud') return 'Your sound is too loud and breaks up: turn it down.';
  return isReduced ? 'Your upload is slow, so the quality is lower for now.' : '';
}

/**
 * `{ title, text }` for a state, whole sentences both; `text` may be empty. `missing`: see
 * silence.js.
 *
 * @param {import('./machine.js').Name} state
 * @param {Facts} options
 * @returns {Words}
 */
export function wordsFor(
  state,
  {
    source = null,
    hasPreview = false,
    error = null,
    ending = 'stopped',
    name = 'This stream',
    missing = 'recorder',
    behindMs = 0,
    isDraining = false,
    ...health
  } = {},
) {
  const behind = behindMs >= 1000 ? `${Math.round(behindMs / 1000)} s` : '';
  switch (state) {
    case 'idle':
      return {
        title: source && (hasPreview || source === 'screen') ? READY[source] : WANTING[source ?? 'none'],
        text: hasPreview ? healthOf({ source, ...health }) : '',
      };
    case 'asking':
      return ASKING[source ?? 'camera'];
    case 'checking':
      return { title: `Asking the server whether ${name} is on air.`, text: '' };
    case 'connecting':
      return { title: 'Connecting to the server.', text: '' };
    case 'taken':
      return { title: `${name} is on air now.`, text: 'Going live takes it over. The other publisher is put off air.' };
    case 'live':
      return { title: 'You are on air.', text: healthOf({ source, ...health }) };
    case 'slow':
      return {
        title: `Your upload is too slow${behind && `: ${behind} behind`}.`,
        text: isDraining ? 'It goes on at a lower quality in a moment.' : 'The quality goes down by itself. Stop other uploads if you can.',
      };
    case 'stuck':
      return {
        title: 'Nothing gets through to the server.',
        text: behind ? `${behind} of your stream are waiting here. Check your network.` : 'Check your network.',
      };
    case 'silent':
      if (missing !== 'picture' && missing !== 'sound') return NO_RECORDING;
      return SILENT[missing][source ?? 'camera'];
    case 'reconnecting':
      return { title: 'The connection was lost.', text: 'Trying to get it back; your viewers wait.' };
    case 'ended':
      return { title: ENDED[ending] ?? ENDED.stopped, text: 'Press Go live to begin again.' };
    case 'replaced':
      return { title: 'Someone else is live under this name now.', text: 'To send from here again, press “Take it back”.' };
    case 'error':
      return error ?? { title: 'Something went wrong.', text: 'Press Try again.' };
    default:
      return noSuch('state', state);
  }
}

/**
 * What Stop does to those who watch.
 *
 * @param {number} viewers
 */
export function stopWarning(viewers) {
  if (viewers <= 0) return 'It goes off air at once.';
  return `${counted(viewers, 'viewer is', 'viewers are')} watching. For them it ends at once.`;
}

/**
 * What the main button does in a state, and what kind of button it is. Red is for what ends a stream on air.
 *
 * @param {import('./machine.js').Name} state
 * @returns {{ label: string, kind: 'go' | 'cancel' | 'stop' }}
 */
export function actionFor(state) {
  switch (state) {
    case 'live':
    case 'slow':
    case 'stuck':
    case 'silent':
    case 'reconnecting':
      return { label: 'Stop', kind: 'stop' };
    case 'checking':
    case 'connecting':
    case 'asking':
      return { label: 'Cancel', kind: 'cancel' };
    case 'taken':
      return { label: 'Take it over', kind: 'go' };
    case 'replaced':
      return { label: 'Take it back', kind: 'go' };
    case 'error':
      return { label: 'Try again', kind: 'go' };
    case 'idle':
    case 'ended':
      return { label: 'Go live', kind: 'go' };
    default:
      return noSuch('state', state);
  }
}

/**
 * What the badge on the picture says in the states that have one.
 *
 * @param {import('./machine.js').Name} state
 * @param {{ missing?: string | null, behindMs?: number }} options
 */
export function badgeFor(state, { missing = null, behindMs = 0 } = {}) {
  switch (state) {
    case 'live':
      return 'Live';
    case 'slow':
      return behindMs >= 1000 ? `${Math.round(behindMs / 1000)} s behind` : 'Behind';
    case 'stuck':
      return 'Stuck';
    case 'silent':
      return missing === 'sound' ? 'No sound' : 'No picture';
    case 'reconnecting':
      return 'Offline';
    case 'idle':
    case 'checking':
    case 'taken':
    case 'asking':
    case 'connecting':
    case 'ended':
    case 'replaced':
    case 'error':
      return '';
    default:
      return noSuch('state', state);
  }
}

/**
 * Why the server did not take the stream, told by the status it gives a plain request. `hadKey`:
 * a key or token was shown to it.
 *
 * @param {number} status
 * @param {{ hadKey?: boolean }} options
 * @returns {Words | null}
 */
export function explainRefusal(status, { hadKey = false } = {}) {
  switch (status) {
    case 401:
      if (hadKey) {
        return {
          title: 'This key is not the right one.',
          text: 'Or the link is too old. Enter the publish key of this stream, or ask for a new link.',
          wantsKey: true,
        };
      }
      return {
        title: 'Publishing here needs a key.',
        text: 'The server printed one when it started, unless its owner chose one. Enter it to go live.',
        wantsKey: true,
      };
    case 403:
      return {
        title: 'You may not publish here.',
        text: "Open the page at the server's own address, or ask its owner to let you, or this site, in.",
      };
    case 400:
      return { title: 'This is not a name that a stream can have.', text: 'Go back and pick another.' };
    case 503:
      return { title: 'The server cannot take this stream now.', text: 'Wait a little and press Try again.' };
    default:
      return null;
  }
}

/**
 * Why a broadcast ended for good: the server closed its connection, or, with code 0, the browser failed.
 *
 * @param {number} code
 * @param {string} reason
 * @returns {Words}
 */
export function explainClose(code, reason) {
  const because = reason ? ` The server says: ${sentence(reason)}` : '';
  switch (code) {
    case 0:
      return { title: 'This browser could not record the stream.', text: 'Press Try again, or choose another codec in Settings.' };
    case 1000:
    case 1008:
      return { title: 'The server ended this stream.', text: `Press Try again to send it once more.${because}` };
    default:
      return { title: 'The server does not take this stream.', text: `Press Try again, or choose another codec in Settings.${because}` };
  }
}

/**
 * A warning of the server as a sentence, by its `code` where we have better words for this page.
 *
 * @param {{ code?: string, message?: string }} options
 */
export function explainWarning({ code, message = '' }) {
  switch (code) {
    case 'keyframe-interval':
      return 'New viewers wait long for a picture: the recorder makes too few keyframes. Choose another codec in Settings.';
    case 'timestamps':
      return 'The recording’s clock jumped. The stream goes on.';
    case 'recording':
      return `The server’s recording stopped; you stay on air. ${sentence(message)}`.trim();
    default:
      return sentence(message);
  }
}

/**
 * Why the server did not do what the record button asks.
 *
 * @param {number} status 0 without an answer
 */
export function explainRecording(status) {
  switch (status) {
    case 0:
      return 'The server did not answer. Press Record again when the connection is back.';
    case 401:
    case 403:
      return 'Recording needs the publish key of this stream. Go live with it first.';
    default:
      return 'The server does not record this stream now. Wait a little and try again.';
  }
}

/** @param {string} text */
function sentence(text) {
  if (!text) return '';
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
