import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Credentials, withCredentials } from '../../web/lib/credentials.js';

test('key and token go along, and nothing else of the page', () => {
  assert.equal(withCredentials('/live/a.jpg', ''), '/live/a.jpg');
  assert.equal(withCredentials('/live/a.jpg', '?source=test&auto'), '/live/a.jpg');
  assert.equal(withCredentials('/live/a', '?embed&token=e.y-_.J'), '/live/a?token=e.y-_.J');
  assert.equal(withCredentials('/live/a', '?key=a%26b%20c'), '/live/a?key=a%26b+c');
  assert.equal(withCredentials('/live/a.jpg', '?token=t&key=k', { t: 5 }), '/live/a.jpg?t=5&key=k&token=t');
});

/** What `sessionStorage` is to these. */
function storage() {
  const items = new Map();
  return {
    items,
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => items.set(name, value),
    removeItem: (name) => items.delete(name),
  };
}

const page = (path, search = '') => ({ pathname: path, search });

test('a key or token of the address is used, and a typed key counts more', () => {
  const session = storage();
  const known = new Credentials('watch', 'a', { page: page('/live/a', '?token=t&key=k&embed'), storage: session });
  assert.equal(known.url('/live/a'), '/live/a?key=k&token=t');
  assert.deepEqual(known.headers(), { authorization: 'Bearer t' });
  known.remember('correct horse');
  assert.equal(known.url('/live/a.jpg', { t: 5 }), '/live/a.jpg?t=5&key=correct+horse');
  assert.deepEqual(known.headers(), { authorization: 'Bearer correct horse' });
  known.forget();
  assert.equal(known.key, 'k');
  assert.equal(session.items.size, 0);
});

test('a typed key stays for the session, for one stream, one act and one site', () => {
  const session = storage();
  new Credentials('watch', 'a', { page: page('/video/live/a'), storage: session }).remember('k');
  const key = (act, name, path) => new Credentials(act, name, { page: page(path), storage: session }).key;
  assert.equal(key('watch', 'a', '/video/live/a'), 'k');
  assert.equal(key('watch', 'b', '/video/live/b'), null);
  assert.equal(key('publish', 'a', '/video/publish/a'), null);
  assert.equal(key('watch', 'a', '/live/a'), null);
});

test('the key of the whole site serves streams that have none of their own', () => {
  const session = storage();
  new Credentials('watch', '', { page: page('/'), storage: session }).remember('all');
  const stream = new Credentials('watch', 'a', { page: page('/live/a'), storage: session });
  assert.equal(stream.key, 'all');
  stream.remember('own');
  assert.equal(stream.key, 'own');
});

test('without a storage, and without a key, pages work all the same', () => {
  const none = new Credentials('watch', 'a', { page: page('/live/a'), storage: null });
  assert.equal(none.isKnown, false);
  assert.equal(none.url('/live/a'), '/live/a');
  assert.deepEqual(none.headers(), {});
  none.remember('ключ');
  assert.equal(none.key, 'ключ');
  assert.doesNotThrow(() => new Headers(none.headers()));
});

test('no page reads a key or a token in another way, nor puts one into a link to share', () => {
  for (const path of ['publish/publish.js', 'watch/watch.js', 'home/home.js']) {
    const text = readFileSync(new URL(`../../web/${path}`, import.meta.url), 'utf8');
    assert.doesNotMatch(text, /get\('(key|token)'\)/, path);
    // Links that people copy are made of origin and path alone.
    for (const [line] of text.matchAll(/.*(location\.origin|\$\('link'\)\.href =).*/g)) {
      assert.doesNotMatch(line, /search|location\.href|withCredentials|credentials/, `${path}: ${line}`);
    }
  }
});
