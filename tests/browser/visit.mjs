// One visit of a page in Chromium, as a new person comes: what went over the wire, what moved while it
// came, and when its first picture was shown.

import { once as eventOf } from 'node:events';
import { sleep } from './lab.mjs';

/** Chromium's names of what a line is like (CDP, `Network.emulateNetworkConditions`). */
const line = (kbitPerSecond, latency) => {
  const throughput = (kbitPerSecond * 1000) / 8;
  return { offline: false, downloadThroughput: throughput, uploadThroughput: throughput, latency };
};

export const CONDITIONS = {
  'as it is': {},
  'CPU 4 x slower': { cpu: 4 },
  '4 Mbit/s, 60 ms': { network: line(4000, 60) },
  '400 kbit/s, 400 ms': { network: line(400, 400) },
};

const PICTURE_WITHIN_MS = 30_000;

/** The function that the page calls when it shows its first picture. */
const TELLER = 'tellFirstPicture';

/** A browser without a past: its cache and storage are its own. Close it after its visits. */
export async function newPerson(browser, { width = 960, height = 640, cpu = 1, network = null } = {}) {
  const context = await browser.newContext({ viewport: { width, height } });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await page.addInitScript(note, TELLER);
  await cdp.send('Network.enable');
  await cdp.send('Runtime.enable');
  await cdp.send('Runtime.addBinding', { name: TELLER });
  if (cpu !== 1) await cdp.send('Emulation.setCPUThrottlingRate', { rate: cpu });
  if (network) await cdp.send('Network.emulateNetworkConditions', network);
  return { context, page, cdp, close: () => context.close() };
}

/**
 * Opens `url`, waits until it is loaded, or `forPicture` until it shows its first picture, and a while longer;
 * and tells of each request its bytes on the wire, head and body, with its name; and what the page noted.
 */
export async function visit({ page, cdp }, url, { forPicture = false, settleMs = 0 } = {}) {
  const requests = new Map();
  const on = {
    'Network.requestWillBeSent': ({ requestId, request }) => requests.set(requestId, { url: request.url, bytes: 0 }),
    'Network.webSocketCreated': ({ requestId, url: address }) => requests.set(requestId, { url: address, bytes: 0 }),
    'Network.webSocketHandshakeResponseReceived': ({ requestId, response }) => {
      requests.get(requestId).bytes = response.headersText.length;
    },
    'Network.responseReceived': ({ requestId, response }) => {
      const request = requests.get(requestId);
      if (!request) return;
      request.isCached = response.fromDiskCache || Boolean(response.fromPrefetchCache);
      request.bytes = Math.max(request.bytes, response.encodedDataLength);
    },
    'Network.requestServedFromCache': ({ requestId }) => {
      requests.get(requestId).isCached = true;
    },
    // Head and body.
    'Network.loadingFinished': ({ requestId, encodedDataLength }) => {
      const request = requests.get(requestId);
      if (request) request.bytes = encodedDataLength;
    },
  };
  for (const [event, listener] of Object.entries(on)) cdp.on(event, listener);
  // The test asks the page nothing before: the driver's first question would hold up the page's own scripts.
  const signal = AbortSignal.timeout(PICTURE_WITHIN_MS);
  const isTold = forPicture && eventOf(cdp, 'Runtime.bindingCalled', { signal });
  await page.goto(url, { waitUntil: forPicture ? 'commit' : 'load' });
  await isTold;
  await sleep(settleMs);
  const noted = await page.evaluate(() => window.noted);
  for (const [event, listener] of Object.entries(on)) cdp.off(event, listener);
  // What came from the memory of the page itself is not always said to, and has no bytes.
  const isOnTheWire = ({ url: address, isCached, bytes }) => !isCached && bytes > 0 && !address.startsWith('blob:');
  const fetched = [...requests.values()].filter(isOnTheWire);
  return {
    requests: fetched.map(({ url: address, bytes }) => ({ path: new URL(address).pathname, bytes })),
    bytes: fetched.reduce((sum, { bytes }) => sum + bytes, 0),
    ...noted,
  };
}

/** Runs in the page before its own scripts: milliseconds since the navigation began, and the shift. */
function note(teller) {
  const noted = { shift: 0 };
  window.noted = noted;
  const once = (name, ms = performance.now()) => {
    if (name in noted) return;
    noted[name] = ms;
    if (name === 'frameMs') window[teller]?.('');
  };
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) noted.shift += value;
  }).observe({ type: 'layout-shift', buffered: true });
  const Original = window.WebSocket;
  window.WebSocket = class extends Original {
    constructor(...args) {
      super(...args);
      once('socketMs');
      this.addEventListener('open', () => once('openMs'));
      this.addEventListener('message', ({ data }) => once(typeof data === 'string' ? 'wordMs' : 'mediaMs'));
    }
  };
  const append = SourceBuffer.prototype.appendBuffer;
  SourceBuffer.prototype.appendBuffer = function appendBuffer(data) {
    once('appendMs');
    return append.call(this, data);
  };
  const decode = globalThis.VideoDecoder?.prototype.decode;
  if (decode) {
    VideoDecoder.prototype.decode = function decodeFrame(chunk) {
      once('appendMs');
      return decode.call(this, chunk);
    };
  }
  // A canvas is shown with the frame in which it is drawn to.
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function drawImage(picture, ...place) {
    if (picture instanceof (globalThis.VideoFrame ?? Node)) once('frameMs');
    return draw.call(this, picture, ...place);
  };
  document.addEventListener('DOMContentLoaded', () => {
    once('parsedMs');
    document.querySelector('video')?.requestVideoFrameCallback((nowMs) => once('frameMs', nowMs));
  });
}
