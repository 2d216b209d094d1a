// Two pages that behave as those of node-videostream do, written for this test: one publishes, one
// listens. They come from a port of their own, as the old ones did.
//
// The publisher records without a timeslice and asks for what there is at intervals. The first piece of a
// recording goes to the first port, each further one to the second; after a few pieces the recorder is
// stopped, its last piece is dropped, and a new one starts on the same stream.
//
// The listener glues what comes: a blob replaces all before it, a chunk is added. Each time the video
// element gets the whole as a new `src`.

import { createServer } from 'node:http';
import { once } from 'node:events';

const PUBLISHER = `
const ports = PORTS;
const open = (index) => new Promise((resolve) => {
  const socket = new WebSocket('ws://127.0.0.1:' + ports[index] + '/');
  socket.onopen = () => resolve(socket);
});
window.pieces = { blobs: 0, chunks: 0 };
async function source(kind) {
  if (kind === 'screen') return navigator.mediaDevices.getDisplayMedia({ video: true });
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [320, 180];
  const paint = canvas.getContext('2d', { alpha: false });
  let at = 0;
  setInterval(() => {
    paint.fillStyle = 'hsl(' + (at * 7) % 360 + ' 80% 50%)';
    paint.fillRect(0, 0, 320, 180);
    paint.fillStyle = '#fff';
    paint.fillRect((at * 5) % 320, 60, 40, 60);
    at += 1;
  }, 40);
  return canvas.captureStream(25);
}
window.publish = async (kind, mimeType, everyMs, piecesMost) => {
  const stream = await source(kind);
  const [blobs, chunks] = await Promise.all([open(0), open(1)]);
  const record = () => {
    const recorder = new MediaRecorder(stream, { mimeType, bitsPerSecond: 800_000 });
    let count = 0;
    recorder.ondataavailable = ({ data }) => {
      if (recorder.state === 'inactive') {
        record();
        return;
      }
      (count === 0 ? blobs : chunks).send(data);
      window.pieces[count === 0 ? 'blobs' : 'chunks'] += 1;
      count += 1;
      if (count > piecesMost) recorder.stop();
      else setTimeout(() => recorder.requestData(), everyMs);
    };
    recorder.start();
    setTimeout(() => recorder.requestData(), everyMs);
  };
  record();
};`;

const LISTENER = `
const ports = PORTS;
const video = document.querySelector('video');
video.muted = true;
window.heard = { blobs: 0, chunks: 0, frames: 0, widths: new Set(), errors: 0 };
let parts = [];
let url = '';
const show = () => {
  const time = video.currentTime;
  URL.revokeObjectURL(url);
  url = URL.createObjectURL(new Blob(parts, { type: 'video/webm' }));
  video.src = url;
  video.currentTime = time;
};
const count = () => {
  window.heard.frames += 1;
  window.heard.widths.add(video.videoWidth);
  video.requestVideoFrameCallback(count);
};
video.requestVideoFrameCallback(count);
video.onerror = () => { window.heard.errors += 1; };
window.listen = () => {
  new WebSocket('ws://127.0.0.1:' + ports[2] + '/').onmessage = ({ data }) => {
    window.heard.blobs += 1;
    parts = [data];
    show();
  };
  new WebSocket('ws://127.0.0.1:' + ports[3] + '/').onmessage = ({ data }) => {
    window.heard.chunks += 1;
    parts.push(data);
    show();
  };
};`;

/** The four ports that a server printed. */
export function oldPorts(server) {
  const lines = server.lines.map((line) => /^old protocol, [a-z ]+: ws:\/\/127\.0\.0\.1:(\d+)$/.exec(line));
  return lines.flatMap((match) => (match ? [Number(match[1])] : []));
}

/** Serves both pages: `{ publisher, listener, close }`, the first two being their addresses. */
export async function serveOldPages(ports) {
  const page = (script) =>
    `<!doctype html><title>old</title><button>Start</button><video autoplay width="320" height="180"></video><script>${script.replace('PORTS', JSON.stringify(ports))}</script>`;
  const web = createServer(({ url }, answer) => {
    answer.setHeader('Content-Type', 'text/html');
    answer.end(page(url === '/publisher' ? PUBLISHER : LISTENER));
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  const origin = `http://127.0.0.1:${web.address().port}`;
  return {
    publisher: `${origin}/publisher`,
    listener: `${origin}/listener`,
    close() {
      web.closeAllConnections();
      web.close();
    },
  };
}
