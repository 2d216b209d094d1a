// The worker of codecs-recorder.js: encodes tracks, and posts pieces of WebM. A hidden page does not
// slow it down.

import { Recording } from './recording.js';

/** @type {Map<number, Recording>} */
const recordings = new Map();

onmessage = ({ data: { id, start, rates, sliceMs, isOver } }) => {
  if (start) {
    const end = (/** @type {string} */ error) => {
      recordings.delete(id);
      postMessage({ id, hasEnded: true, error });
    };
    const data = (/** @type {Uint8Array<ArrayBuffer>} */ bytes) => postMessage({ id, bytes }, { transfer: [bytes.buffer] });
    recordings.set(id, new Recording(start, { data, end }));
  }
  const recording = recordings.get(id);
  if (rates) recording?.setRates(rates);
  if (sliceMs !== undefined) recording?.setSlice(sliceMs);
  if (isOver) recording?.finish();
};
