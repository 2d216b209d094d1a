import test from 'node:test';
import assert from 'node:assert/strict';
import { at, siteRoot } from '../../web/lib/place.js';

test('a page knows where its site begins, below any prefix', () => {
  const tails = ['', 'live/a', 'publish/a', 'recordings', 'recordings/a', 'dashboard'];
  for (const root of ['/', '/video/', '/a/b/', '/on/live/tv/']) {
    for (const tail of tails) assert.equal(siteRoot(root + tail), root, root + tail);
  }
});

test('a stream may be called as a part of the site is', () => {
  assert.equal(siteRoot('/live/live'), '/');
  assert.equal(siteRoot('/publish/dashboard'), '/');
  assert.equal(siteRoot('/video/live/recordings'), '/video/');
});

test('what scripts ask for lies below the same prefix', () => {
  assert.equal(at('api/streams', '/video/live/a'), '/video/api/streams');
  assert.equal(at('', '/live/a'), '/');
});
