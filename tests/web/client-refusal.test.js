import test from 'node:test';
import assert from 'node:assert/strict';
import { addressOf } from '../../web/client/address.js';
import { policyProblem } from '../../web/client/policy.js';
import { askWhy } from '../../web/client/refusal.js';

const address = addressOf('https://video.example/live/demo?key=k', 'https://site.example/');
globalThis.location = { origin: 'https://site.example' };

/** The error for an answer of the server: a status that the page may read, `hidden`, or nothing. */
async function why(answer) {
  const asked = [];
  globalThis.fetch = async (url, { mode = 'cors' }) => {
    asked.push(`${mode} ${url}`);
    if (typeof answer === 'number') return { ok: answer === 200, status: answer };
    if (answer === 'hidden' && mode === 'no-cors') return { type: 'opaque', status: 0 };
    throw new TypeError('Failed to fetch');
  };
  return { ...(await askWhy(address)), asked };
}

test('a server that answers a page which may not read it does not let its origin in', async () => {
  const { needsKey, problem, asked } = await why('hidden');
  assert.ok(!needsKey);
  assert.equal(problem.code, 'origin');
  assert.equal(problem.title, 'video.example does not show its streams to pages of https://site.example.');
  assert.equal(problem.text, 'Start it with --allow-origin https://site.example.');
  assert.deepEqual(asked, ['cors https://video.example/api/streams/demo?key=k', 'no-cors https://video.example/live/demo']);
});

test('a server that is away, or has no such stream yet, is tried again', async () => {
  for (const answer of ['nothing', 404, 200, 503]) {
    const { needsKey, problem } = await why(answer);
    assert.deepEqual([needsKey, problem], [false, null], answer);
  }
});

test('a missing key and a refusal give errors of their own', async () => {
  assert.equal((await why(401)).needsKey, true);
  assert.equal((await why(403)).problem.code, 'refused');
});

test('the error for a policy that blocks the stream names what to add to it', () => {
  const { url } = address;
  const problem = (effectiveDirective, blockedURI) => policyProblem({ effectiveDirective, blockedURI }, url)?.text ?? null;
  assert.equal(
    problem('connect-src', 'wss://video.example/live/demo'),
    'Add https://video.example wss://video.example to its connect-src.',
  );
  assert.equal(
    problem('connect-src', 'https://video.example/api/streams/demo'),
    'Add https://video.example wss://video.example to its connect-src.',
  );
  assert.equal(problem('media-src', 'blob'), 'Add blob: to its media-src.');
  assert.equal(problem('media-src', 'https://video.example/live/demo.webm'), 'Add https://video.example to its media-src.');
  // Of others, and of what the stream plays without.
  assert.equal(problem('connect-src', 'https://other.example/'), null);
  assert.equal(problem('img-src', 'https://video.example/live/demo/poster'), null);
});
