// A web site that is not the server's own: its pages import the player from there.

import { createServer } from 'node:http';
import { once } from 'node:events';

/** Runs in the page: what a site's own script would do. */
async function script() {
  const origin = new URLSearchParams(location.search).get('of');
  window.module = import(`${origin}/player.js`).then((module) => {
    window.told = [];
    const types = ['play', 'pause', 'playing', 'waiting', 'ended', 'error', 'volumechange', 'statechange', 'generation'];
    /** Notes what a player tells: `stream event`, `stream state` for a change of it. */
    window.listen = (player, name) => {
      for (const type of types) {
        player.addEventListener(type, () => window.told.push(`${name} ${type === 'statechange' ? player.state : type}`));
      }
      return player;
    };
    document.documentElement.dataset.state = 'ready';
    return module;
  });
}

const PAGE = '<!doctype html><title>Elsewhere</title><script type="module" src="/script.js"></script><main></main>';

export class Elsewhere {
  #server;
  origin;

  static async start() {
    const site = new Elsewhere();
    site.#server = createServer((request, response) => {
      const url = new URL(request.url, 'http://a');
      if (url.pathname === '/script.js') {
        response.writeHead(200, { 'content-type': 'text/javascript' }).end(`(${script})();`);
        return;
      }
      if (url.pathname !== '/') {
        response.writeHead(204).end();
        return;
      }
      const headers = { 'content-type': 'text/html', 'content-security-policy': policyFor(url.searchParams) };
      response.writeHead(200, headers).end(PAGE);
    });
    site.#server.listen(0, '127.0.0.1');
    await once(site.#server, 'listening');
    site.origin = `http://127.0.0.1:${site.#server.address().port}`;
    return site;
  }

  /** A page for streams of this origin; `without` leaves directives of its policy out. */
  url(origin, without = '') {
    return `${this.origin}/?${new URLSearchParams({ of: origin, without })}`;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** As strict as docs/player.md says that it may be. */
function policyFor(query) {
  const origin = query.get('of');
  const directives = {
    'default-src': "'none'",
    'script-src': `'self' ${origin}`,
    'connect-src': `${origin} ${origin.replace('http', 'ws')}`,
    'img-src': `'self' ${origin}`,
    'media-src': `blob: ${origin}`,
    'require-trusted-types-for': "'script'",
    'trusted-types': "'none'",
  };
  for (const name of query.get('without').split(',')) delete directives[name];
  return Object.entries(directives)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ');
}
