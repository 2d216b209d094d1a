import test from 'node:test';
import assert from 'node:assert/strict';
import { addressOf, AddressError, withSecrets } from '../../web/client/address.js';
import { socketUrl } from '../../web/lib/socket.js';

const PAGE = 'https://site.example/shop/page.html?key=of-the-page';
const of = (src, base = PAGE, secrets = {}) => addressOf(src, base, secrets);

test('an address on another site leads to all of its stream, below its path prefix', () => {
  const address = of('https://video.example/tv/live/demo');
  const { name, url, state, media, poster } = address;
  assert.equal(name, 'demo');
  assert.deepEqual(
    [url, state, media, poster].map(({ href }) => href),
    ['', '/../../api/streams/demo', '.webm', '/poster'].map((end) => new URL(`https://video.example/tv/live/demo${end}`).href),
  );
  assert.equal(socketUrl(url.href, address.credentials), 'wss://video.example/tv/live/demo');
});

test('relative addresses, sockets and the address of the file are understood', () => {
  for (const [src, href] of [
    ['live/demo', 'https://site.example/shop/live/demo'],
    ['/live/demo', 'https://site.example/live/demo'],
    ['wss://video.example/live/demo', 'https://video.example/live/demo'],
    ['https://video.example/live/demo.webm', 'https://video.example/live/demo'],
    ['https://video.example/live/demo/', 'https://video.example/live/demo'],
  ]) {
    assert.equal(of(src).url.href, href);
  }
  assert.equal(of('live/a', 'http://localhost:8080/').url.href, 'http://localhost:8080/live/a');
});

test('the error for an address without a stream shows one that has a stream', () => {
  for (const src of [
    '',
    'demo',
    '/recordings/demo',
    'https://a.example/live/',
    'https://a.example/live/.x',
    'data:,live/a',
    'ftp://a/live/b',
  ]) {
    assert.throws(
      () => of(src),
      (error) => error instanceof AddressError && /looks like https:\/\/example\.org\/live\/NAME/.test(error.message),
      src,
    );
  }
  assert.throws(() => of('https://[/live/a'), /is no address/);
});

test('a page on https plays nothing from http, but from its own machine', () => {
  assert.throws(() => of('http://video.example/live/demo'), /^AddressError|A page on https cannot play “http:/);
  assert.equal(of('ws://localhost:8080/live/demo').url.protocol, 'http:');
});

test('keys and tokens come from src or from options, and never from the page', () => {
  const socket = (address) => new URL(socketUrl(address.url.href, address.credentials)).search;
  assert.equal(socket(of('live/a')), '');
  assert.equal(socket(of('live/a?key=of-src')), '?key=of-src');
  assert.equal(socket(of('live/a?key=of-src', PAGE, { key: 'given words' })), '?key=given+words');
  assert.equal(socket(of('live/a', PAGE, { token: 'signed' })), '?token=signed');
  const address = of('live/a', PAGE, { key: 'k' });
  assert.equal(withSecrets(address.poster, address.credentials, { bare: '' }), 'https://site.example/shop/live/a/poster?bare=&key=k');
});

test('a time in the address begins behind live', () => {
  assert.deepEqual([of('live/a?t=-30').behindMs, of('live/a').behindMs], [30_000, 0]);
});
