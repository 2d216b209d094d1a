// What the viewer page says in each of its states. Pure.
//
//   idle → connecting → waiting → playing → reconnecting → ended
//                          └──────────┴──────────┴───────► error

export const STATES = ['idle', 'connecting', 'waiting', 'playing', 'reconnecting', 'ended', 'error'];

/** `{ title, text }` for a state, whole sentences both; `text` may be empty. */
export function wordsFor(state, { name, error = null, isPaused = false, wasOnAir = false }) {
  switch (state) {
    case 'idle':
    case 'connecting':
      return { title: `Connecting to ${name}.`, text: '' };
    case 'waiting':
      if (wasOnAir) return { title: `${name} has stopped for a moment.`, text: 'Stay here: it goes on by itself.' };
      return { title: `${name} is not on air yet.`, text: 'Stay here: it starts by itself.' };
    case 'playing':
      if (isPaused) return { title: 'Paused.', text: 'Press play to return to the live picture.' };
      return { title: 'You are watching live.', text: '' };
    case 'reconnecting':
      return { title: 'The connection was lost.', text: 'Trying to get it back.' };
    case 'ended':
      return { title: `${name} has gone off air.`, text: 'Stay here: if it comes back, it plays by itself.' };
    case 'error':
      return error ?? { title: 'This stream cannot be played.', text: 'Reload the page to try again.' };
    default:
      throw new Error(`no words for state ${state}`);
  }
}

/** Why a socket was refused, told by the status that the same server gives a plain request. */
export function explainRefusal(status) {
  switch (status) {
    case 401:
      return { title: 'This stream needs a key, or a newer link.', text: 'Ask whoever sent you the link for the whole of it: the end may be missing, or its time is over.' };
    case 400:
    case 404:
      return { title: 'There is no such stream.', text: 'Check the address, or pick one from all streams.' };
    case 403:
      return { title: 'This stream may not be shown to you here.', text: 'Open it at its own address, or ask whoever sent you the link.' };
    default:
      return null;
  }
}

/** For a type that this browser cannot play by any way. */
export function explainUnplayable(mime) {
  const kind = mime ? ` (${mime.replaceAll('"', '')})` : '';
  return {
    title: 'This browser cannot play the stream.',
    text: `It does not know its format${kind}. Chrome, Edge and Firefox do.`,
  };
}
