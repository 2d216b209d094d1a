// Stands in the page itself, so that the socket opens while the rest of the page is still on its way;
// `StreamSocket` takes it over, with what it missed. Only where the page's address says all that the
// socket needs: then it is also clear which player will be asked for.
{
  /** After so long without the page's script, something is wrong, and media would pile up. */
  const TAKEN_WITHIN_MS = 10_000;

  const hasKey = () => {
    try {
      return sessionStorage.length > 0;
    } catch {
      return false;
    }
  };

  if (/^(\?embed)?$/.test(location.search) && !hasKey()) {
    const { codecs, mse } = document.documentElement.dataset;
    // As `wantsCodecs` has it.
    const isKnown = 'userAgentData' in navigator || navigator.userAgent.includes('Firefox/');
    const link = document.createElement('link');
    link.rel = 'modulepreload';
    link.href = (isKnown && 'VideoDecoder' in globalThis ? codecs : mse) ?? '';
    document.head.append(link);

    const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${location.pathname}`;
    const socket = /** @type {import('../lib/socket.js').EarlySocket} */ (new WebSocket(url, 'videostream.v1'));
    socket.binaryType = 'arraybuffer';
    socket.missed = [];
    const keep = (/** @type {Event} */ event) => socket.missed?.push(event);
    socket.onopen = socket.onmessage = socket.onclose = keep;
    setTimeout(() => socket.missed && socket.close(), TAKEN_WITHIN_MS);
    /** @type {any} */ (globalThis).earlySocket = socket;
  }
}
