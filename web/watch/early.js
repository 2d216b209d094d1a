// Stands in the page itself: opens the socket, where the page's address says all that it needs; and asks for the script
// with the player that this browser will most likely play by, to be run once the page is read. `StreamSocket` takes the
// socket over, with what it missed. On a slow line, a still picture comes before all that.
{
  /** After so long without the page's script, something is wrong, and media would pile up. */
  const TAKEN_WITHIN_MS = 10_000;
  /** After so long without a picture, the stream's still one stands in for it. Most streams play before. */
  const STILL_AFTER_MS = 400;

  /** @param {Partial<HTMLLinkElement & HTMLScriptElement>} facts */
  const append = (/** @type {'link' | 'script'} */ tag, facts) => document.head.append(Object.assign(document.createElement(tag), facts));

  const { dataset } = document.documentElement;
  // As `wantsCodecs` has it. The other player can be loaded still.
  const isKnown = 'userAgentData' in navigator || navigator.userAgent.includes('Firefox/');
  const src = isKnown && 'VideoDecoder' in globalThis ? dataset.codecs : dataset.mse;
  document.addEventListener('DOMContentLoaded', () => append('script', { type: 'module', src }));

  const hasKey = () => {
    try {
      return sessionStorage.length > 0;
    } catch {
      return false;
    }
  };

  if (/^(\?embed)?$/.test(location.search) && !hasKey()) {
    const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${location.pathname}`;
    const socket = /** @type {import('../lib/socket.js').EarlySocket} */ (new WebSocket(url, 'videostream.v1'));
    socket.binaryType = 'arraybuffer';
    socket.missed = [];
    const keep = (/** @type {Event} */ event) => socket.missed?.push(event);
    socket.onopen = socket.onmessage = socket.onclose = keep;
    setTimeout(() => socket.missed && socket.close(), TAKEN_WITHIN_MS);
    /** @type {any} */ (globalThis).earlySocket = socket;
  }
  append('link', { rel: 'modulepreload', href: src });

  setTimeout(() => {
    const still = document.querySelector('img');
    if (!still || dataset.state !== 'connecting' || !document.querySelector('[property="og:image"]')) return;
    still.onload = () => {
      still.hidden = dataset.state !== 'connecting';
    };
    Object.assign(still, { loading: 'eager', src: `${location.pathname}/poster` });
  }, STILL_AFTER_MS);
}
