// What the publisher page says in each of its states. Pure.
//
//   idle → asking → connecting → live → reconnecting → ended
//            └──────────┴─────────┴──────────┴──► replaced, error

export const STATES = ['idle', 'asking', 'connecting', 'live', 'reconnecting', 'ended', 'replaced', 'error'];

const READY = {
  camera: 'Your camera is ready. Press Go live when you are.',
  screen: 'Press Go live, then pick a screen, a window or a tab.',
  test: 'The test picture is ready. Press Go live to send it.',
};
const WANTING = {
  none: 'What do you want to show?',
  camera: 'Press Go live to open your camera.',
  test: 'Press Go live to send the test picture.',
};
const ASKING = {
  camera: { title: 'Waiting for the camera.', text: 'Your browser may ask: allow the camera and the microphone.' },
  screen: { title: 'Waiting for your choice.', text: 'Pick a screen, a window or a tab to share.' },
  test: { title: 'Drawing the test picture.', text: '' },
};
const ENDED = {
  stopped: 'You stopped the stream.',
  unshared: 'You stopped sharing your screen.',
  unplugged: 'The camera was unplugged.',
};

/** `{ title, text }` for a state, whole sentences both; `text` may be empty. */
export function wordsFor(state, { source = null, hasPreview = false, error = null, ending = 'stopped', isDraining = false } = {}) {
  switch (state) {
    case 'idle':
      return { title: hasPreview || source === 'screen' ? READY[source] : WANTING[source ?? 'none'], text: '' };
    case 'asking':
      return ASKING[source ?? 'camera'];
    case 'connecting':
      return { title: 'Connecting to the server.', text: '' };
    case 'live':
      if (isDraining) return { title: 'Your connection is slower than the stream.', text: 'It goes on at a lower quality in a moment.' };
      return { title: 'You are on air.', text: '' };
    case 'reconnecting':
      return { title: 'The connection was lost.', text: 'Trying to get it back; your viewers wait.' };
    case 'ended':
      return { title: ENDED[ending] ?? ENDED.stopped, text: 'Press Go live to begin again.' };
    case 'replaced':
      return { title: 'Another publisher took this stream over.', text: 'Press Take it back to send from here again.' };
    case 'error':
      return error ?? { title: 'Something went wrong.', text: 'Press Try again.' };
    default:
      throw new Error(`no words for state ${state}`);
  }
}

/** What the main button does in a state. */
export function actionFor(state) {
  switch (state) {
    case 'live':
    case 'reconnecting':
      return { label: 'Stop', isStop: true };
    case 'connecting':
    case 'asking':
      return { label: 'Cancel', isStop: true };
    case 'replaced':
      return { label: 'Take it back', isStop: false };
    case 'error':
      return { label: 'Try again', isStop: false };
    default:
      return { label: 'Go live', isStop: false };
  }
}

/** Why the server did not take the stream, told by the status it gives a plain request. */
export function explainRefusal(status) {
  switch (status) {
    case 401:
      return {
        title: 'This server wants a publish key, or a newer link.',
        text: 'A key was printed when the server started, unless its owner chose one. Enter it here.',
        wantsKey: true,
      };
    case 403:
      return { title: 'You may not publish here.', text: "Open the page at the server's own address, or ask its owner to let you, or this site, in." };
    case 400:
      return { title: 'This is not a name that a stream can have.', text: 'Go back and pick another.' };
    case 503:
      return { title: 'The server cannot take this stream now.', text: 'Wait a little and press Try again.' };
    default:
      return null;
  }
}

/** Why the server closed a connection that had been open, when trying again as before is no use. */
export function explainClose(code, reason) {
  const because = reason ? ` It says: ${reason}.` : '';
  if (code === 1000 || code === 1008) return { title: 'The server ended this stream.', text: `Press Try again to send it once more.${because}` };
  return null;
}
