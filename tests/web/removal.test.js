import assert from 'node:assert/strict';
import test from 'node:test';
import { explainRemoval } from '../../web/lib/removal.js';

test('a removal that fails says why and what to do, and asks for a key only where one helps', () => {
  for (const status of [0, 401, 403, 409, 500, 503]) {
    const { text, isDone, needsKey } = explainRemoval(status, false);
    assert.match(text, /^[A-Z].*\. [A-Z].*\.$/);
    assert.deepEqual([isDone, needsKey], [false, status === 401 || status === 403]);
  }
  assert.notEqual(explainRemoval(401, true).text, explainRemoval(401, false).text);
});

test('what is not there any more is removed', () => {
  for (const status of [204, 404]) assert.equal(explainRemoval(status, true).isDone, true);
});
