import test from 'node:test';
import assert from 'node:assert/strict';
import { mayStartAlone } from '../../web/publish/start-alone.js';

const TYPED = { referrer: '', origin: 'https://cam.example', isFramed: false, openerOrigin: null };
const may = (seen) => mayStartAlone({ ...TYPED, ...seen });

test('a typed address and a page of the same site may go live without a click', () => {
  assert.ok(may({}));
  assert.ok(may({ ledBy: 'none' }));
  assert.ok(may({ referrer: 'https://cam.example/', ledBy: 'same-origin' }));
  assert.ok(may({ referrer: 'https://cam.example/', openerOrigin: 'https://cam.example' }));
});

test('a page elsewhere puts no camera on air', () => {
  for (const referrer of ['https://elsewhere.example/x', 'http://cam.example/', 'https://cam.example:444/', 'odd']) {
    assert.ok(!may({ referrer }), referrer);
  }
  assert.ok(!may({ openerOrigin: 'elsewhere' }));
  assert.ok(!may({ isFramed: true, referrer: 'https://cam.example/' }));
  assert.ok(!may({ ledBy: 'cross-site' }));
  assert.ok(!may({ ledBy: 'same-site' }));
});
