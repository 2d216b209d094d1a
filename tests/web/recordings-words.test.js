import assert from 'node:assert/strict';
import test from 'node:test';
import { explainRefusal, metaOf, summaryOf } from '../../web/recordings/words.js';

test('the summary counts recordings, and says of what', () => {
  assert.equal(summaryOf({ count: 0, hasMore: false, stream: null }), 'There are no recordings.');
  assert.equal(summaryOf({ count: 0, hasMore: false, stream: 'demo' }), 'There are no recordings of demo.');
  assert.equal(summaryOf({ count: 1, hasMore: false, stream: 'demo' }), '1 recording of demo');
  assert.equal(summaryOf({ count: 12, hasMore: true, stream: null }), 'The newest 12');
});

test('a recording that grows has no length', () => {
  assert.equal(metaOf({ duration_ms: 65_000, bytes: 1_200_000 }).replace('\u202f', ' '), '1:05 · 1.2 MB');
  assert.equal(metaOf({ duration_ms: null, bytes: 900 }).replace('\u202f', ' '), '900 B');
});

test('each refusal is a sentence that says what to do', () => {
  for (const status of [0, 401, 403, 500]) assert.match(explainRefusal(status), /^[A-Z].*\. .*\.$/);
});
