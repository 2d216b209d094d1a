import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { withCredentials } from '../../web/credentials.js';

test('key and token go along, and nothing else of the page', () => {
  assert.equal(withCredentials('/live/a.jpg', ''), '/live/a.jpg');
  assert.equal(withCredentials('/live/a.jpg', '?source=test&auto'), '/live/a.jpg');
  assert.equal(withCredentials('/live/a', '?embed&token=e.y-_.J'), '/live/a?token=e.y-_.J');
  assert.equal(withCredentials('/live/a', '?key=a%26b%20c'), '/live/a?key=a%26b+c');
  assert.equal(withCredentials('/live/a.jpg', '?token=t&key=k', { t: 5 }), '/live/a.jpg?t=5&key=k&token=t');
});

test('no page reads a key or a token in another way, nor puts one into a link to share', () => {
  for (const page of ['publish.js', 'watch.js', 'home.js']) {
    const text = readFileSync(new URL(`../../web/${page}`, import.meta.url), 'utf8');
    assert.doesNotMatch(text, /get\('(key|token)'\)/, page);
    // Links that people copy are made of origin and path alone.
    for (const [line] of text.matchAll(/.*(location\.origin|\$\('link'\)\.href =).*/g)) {
      assert.doesNotMatch(line, /search|location\.href|withCredentials/, `${page}: ${line}`);
    }
  }
});
