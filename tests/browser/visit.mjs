// One visit of a page in Chromium, as a new person comes: what went over the wire, what moved while it
// came, and when its first picture was shown.

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

/** A browser without a past: its cache and storage are its own. Close it after its visits. */
export async function newPerson(browser, { width = 960, height = 640, cpu = 1, network = null } = {}) {
  const context = await browser.newContext({ viewport: { width, height } });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await page.addInitScript(note);
  await cdp.send('Network.enable');
  if (cpu !== 1) await cdp.send('Emulation.setCPUThrottlingRate', { rate: cpu });
  if (network) await cdp.send('Network.emulateNetworkConditions', network);
  return { context, page, cdp, close: () => context.close() };
}

/**
 * Opens `url`, waits until `isThere` (which runs in the page) and a while longer, and tells of each
 * request its bytes on the wire, head and body, with its name; and what the page noted.
 */
export async function visit({ page, cdp }, url, { isThere = () => document.readyState === 'complete', settleMs = 0 } = {}) {
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
  await page.goto(url, { waitUntil: 'commit' });
  await page.waitForFunction(isThere, null, { polling: 20, timeout: 30_000 });
  await page.waitForTimeout(settleMs);
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

/** Whether a viewer page shows its first picture. Runs in the page. */
export const hasPicture = () => window.noted?.frameMs !== undefined;

/** Runs in the page before its own scripts: milliseconds since the navigation began, and the shift. */
function note() {
  const noted = { shift: 0 };
  window.noted = noted;
  const once = (name) => {
    noted[name] ??= performance.now();
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
  document.addEventListener('DOMContentLoaded', () => {
    once('parsedMs');
    document.querySelector('video')?.requestVideoFrameCallback((nowMs) => {
      noted.frameMs ??= nowMs;
    });
  });
}
