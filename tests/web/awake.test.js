import test from 'node:test';
import assert from 'node:assert/strict';
import { Awake } from '../../web/lib/awake.js';
import { settled, withGlobals } from './fakes.js';

/** A page with a screen lock: `held` of them, and `show(isShown)`, at which browsers let go of it. */
function screen(t, { mayAsk = true } = {}) {
  const page = new EventTarget();
  page.hidden = false;
  const locks = new Set();
  const request = async () => {
    await settled();
    const lock = new EventTarget();
    lock.release = () => {
      locks.delete(lock);
      lock.dispatchEvent(new Event('release'));
    };
    locks.add(lock);
    return lock;
  };
  page.featurePolicy = { allowsFeature: (name) => name !== 'screen-wake-lock' || mayAsk };
  withGlobals(t, { document: page, navigator: { wakeLock: { request } } });
  const show = (isShown) => {
    page.hidden = !isShown;
    if (!isShown) for (const lock of [...locks]) lock.release();
    page.dispatchEvent(new Event('visibilitychange'));
  };
  const held = async () => {
    await settled();
    await settled();
    return locks.size;
  };
  return { awake: new Awake(), show, held };
}

test('the screen stays on while that is wanted, once', async (t) => {
  const { awake, held } = screen(t);
  awake.want(true);
  awake.want(true);
  assert.equal(await held(), 1);
  awake.want(false);
  assert.equal(await held(), 0);
});

test('a page that is shown again keeps the screen on again', async (t) => {
  const { awake, show, held } = screen(t);
  awake.want(true);
  assert.equal(await held(), 1);
  show(false);
  assert.equal(await held(), 0);
  show(true);
  assert.equal(await held(), 1);
});

test('a lock that comes when it is wanted no longer is given back', async (t) => {
  const { awake, held } = screen(t);
  awake.want(true);
  awake.want(false);
  assert.equal(await held(), 0);
  awake.want(true);
  awake.close();
  assert.equal(await held(), 0);
});

test("another site's frame that may not keep the screen on does not ask", async (t) => {
  const { awake, held } = screen(t, { mayAsk: false });
  awake.want(true);
  assert.equal(await held(), 0);
});

test('a browser without the lock is asked for nothing', async (t) => {
  const { awake } = screen(t);
  withGlobals(t, { navigator: {} });
  awake.want(true);
  await settled();
  awake.want(false);
});
