import test from 'node:test';
import assert from 'node:assert/strict';
import { EVENTS, isOnAir, isSending, next, start, STATES } from '../../web/publish/machine.js';

const PROBLEM = { title: 'The camera is in use by another program.', text: 'Close it and press Try again.' };
const KEY_PROBLEM = { title: 'Publishing here needs a key.', text: 'Enter it here.', wantsKey: true };
const SENDING = ['connecting', 'live', 'slow', 'stuck', 'silent', 'reconnecting'];

/** The page in the state `name`, with its camera open. */
const at = (name, more = {}) => ({ ...start({ source: 'camera', canRecord: true }), name, hasPreview: true, ...more });
const run = (state, ...events) => events.reduce((before, event) => next(before, event).state, state);
const namesAfter = (state, ...events) => {
  const names = [];
  events.reduce((before, event) => {
    const after = next(before, event).state;
    names.push(after.name);
    return after;
  }, state);
  return names;
};

/** One event of each type, to which an open camera's page answers as to its own. */
const eventFor = {
  pressed: { type: 'pressed' },
  picked: { type: 'picked', source: 'test' },
  began: { type: 'began' },
  keyGiven: { type: 'keyGiven' },
  changed: { type: 'changed' },
  checked: { type: 'checked', question: 0, isTaken: true },
  opened: { type: 'opened', wish: 0 },
  notOpened: { type: 'notOpened', wish: 0, error: PROBLEM },
  seen: { type: 'seen', air: 'slow', nowMs: 1 },
  refused: { type: 'refused', error: KEY_PROBLEM },
  failed: { type: 'failed', error: PROBLEM },
  replaced: { type: 'replaced' },
  sourceEnded: { type: 'sourceEnded' },
  muteToggled: { type: 'muteToggled' },
  hideToggled: { type: 'hideToggled' },
  stopAnswered: { type: 'stopAnswered', isSure: true },
};

/** Where each event leads; a state that is not named here stays. */
const leads = (names, to) => Object.fromEntries(names.map((name) => [name, to]));
const NOT_SENDING = STATES.filter((name) => !SENDING.includes(name));
const TABLE = {
  pressed: {
    idle: 'checking',
    checking: 'idle',
    taken: 'connecting',
    asking: 'idle',
    connecting: 'idle',
    ended: 'checking',
    replaced: 'connecting',
    error: 'asking',
  },
  picked: leads(NOT_SENDING, 'asking'),
  began: { idle: 'connecting' },
  keyGiven: { error: 'checking' },
  changed: {},
  checked: { checking: 'taken' },
  opened: { asking: 'idle' },
  notOpened: leads(NOT_SENDING, 'error'),
  seen: leads(SENDING, 'slow'),
  refused: leads(SENDING, 'error'),
  failed: leads(SENDING, 'error'),
  replaced: leads(SENDING, 'replaced'),
  sourceEnded: leads(STATES, 'ended'),
  muteToggled: {},
  hideToggled: {},
  stopAnswered: {},
};

test('every event in every state leads where the table says', () => {
  assert.deepEqual(Object.keys(TABLE).sort(), [...EVENTS].sort());
  for (const type of EVENTS) {
    for (const name of STATES) {
      const { state } = next(at(name), eventFor[type]);
      assert.equal(state.name, TABLE[type][name] ?? name, `${type} in ${name}`);
    }
  }
});

test('every state can be reached, and left for idle or a broadcast', () => {
  const reached = new Set(Object.values(TABLE).flatMap((row) => Object.values(row)));
  for (const air of SENDING) reached.add(next(at('live'), { type: 'seen', air, nowMs: 1 }).state.name);
  assert.deepEqual(
    STATES.filter((name) => !reached.has(name)),
    [],
  );
});

test('an event or a state that is none throws', () => {
  assert.throws(() => next(at('idle'), { type: 'prodded' }), /no event/);
  assert.throws(() => next(at('lost'), { type: 'pressed' }), /no state/);
});

test('a free name goes live from the open camera, and Stop closes it once it is confirmed', () => {
  const events = [
    { type: 'pressed' },
    { type: 'checked', question: 1, isTaken: false },
    { type: 'seen', air: 'connecting', nowMs: 10 },
    { type: 'seen', air: 'live', nowMs: 20 },
    { type: 'seen', air: 'slow', nowMs: 30 },
    { type: 'seen', air: 'live', nowMs: 40 },
  ];
  assert.deepEqual(namesAfter(at('idle'), ...events), ['checking', 'connecting', 'connecting', 'live', 'slow', 'live']);
  const live = run(at('idle'), ...events);
  assert.equal(live.liveSinceMs, 20);
  const asked = next(live, { type: 'pressed' });
  assert.deepEqual([asked.state.name, asked.state.isStopAsked, asked.effects], ['live', true, []]);
  const { state, effects } = next(asked.state, { type: 'stopAnswered', isSure: true });
  assert.equal(state.isStopAsked, false);
  assert.deepEqual([state.name, state.ending, state.hasPreview, state.liveSinceMs], ['ended', 'stopped', false, null]);
  assert.deepEqual(effects, ['stop', 'close']);
});

test('a name that is on air is taken over at the second press only', () => {
  const asked = next(at('idle'), { type: 'pressed' });
  assert.deepEqual(asked.effects, ['check']);
  const taken = next(asked.state, { type: 'checked', question: asked.state.question, isTaken: true });
  assert.deepEqual([taken.state.name, taken.effects], ['taken', []]);
  const sure = next(taken.state, { type: 'pressed' });
  assert.deepEqual([sure.state.name, sure.effects], ['connecting', ['connect']]);
});

test('a screen is opened when going live, and not before', () => {
  const picked = next(at('idle'), { type: 'picked', source: 'screen' });
  assert.deepEqual([picked.state.name, picked.state.hasPreview, picked.effects], ['idle', false, ['close']]);
  const free = run(picked.state, { type: 'pressed' }, { type: 'checked', question: 1, isTaken: false });
  assert.equal(free.name, 'asking');
  const opened = next(free, { type: 'opened', wish: free.wish });
  assert.deepEqual([opened.state.name, opened.effects], ['connecting', ['connect']]);
});

test('answers to abandoned requests are ignored', () => {
  const asking = run(at('idle'), { type: 'picked', source: 'test' });
  const cancelled = run(asking, { type: 'pressed' });
  assert.equal(cancelled.name, 'idle');
  for (const event of [
    { type: 'opened', wish: asking.wish },
    { type: 'notOpened', wish: asking.wish, error: PROBLEM },
  ]) {
    assert.deepEqual(next(cancelled, event), { state: cancelled, effects: [] });
  }
  const again = run(at('idle'), { type: 'pressed' }, { type: 'pressed' }, { type: 'picked', source: 'test' });
  const checking = run({ ...again, name: 'idle' }, { type: 'pressed' });
  assert.equal(next(checking, { type: 'checked', question: 1, isTaken: true }).state.name, 'checking');
});

test('another source changes the broadcast without ending it', () => {
  const picked = next(at('live'), { type: 'picked', source: 'test' });
  assert.deepEqual([picked.state.name, picked.state.source, picked.effects], ['live', 'test', ['open']]);
  const { wish } = picked.state;
  assert.deepEqual(next(picked.state, { type: 'opened', wish }).effects, ['change']);
  const failed = next(picked.state, { type: 'notOpened', wish, error: PROBLEM });
  assert.deepEqual([failed.state.name, failed.effects, failed.note], ['live', ['note'], PROBLEM.title]);
});

test('Try again repeats the failed step: the preview, or going live', () => {
  const preview = run(at('idle', { hasPreview: false }), { type: 'picked', source: 'camera' });
  const unseen = run(preview, { type: 'notOpened', wish: preview.wish, error: PROBLEM });
  assert.deepEqual(next(unseen, { type: 'pressed' }).effects, ['open']);
  const refused = run(at('connecting', { wantsLive: true }), { type: 'refused', error: PROBLEM });
  assert.deepEqual([refused.error, next(refused, { type: 'pressed' }).effects], [PROBLEM, ['check']]);
});

test('a wrong key is forgotten and asked for, and the next one goes live', () => {
  const refused = next(at('reconnecting'), { type: 'refused', error: KEY_PROBLEM });
  assert.deepEqual([refused.state.name, refused.effects], ['error', ['stop', 'askKey']]);
  const given = next(refused.state, { type: 'keyGiven' });
  assert.deepEqual([given.state.name, given.state.error, given.effects], ['checking', null, ['check']]);
});

test('a browser that cannot record is reported before any request for a camera', () => {
  const { state, effects } = next(at('idle', { canRecord: false }), { type: 'pressed' });
  assert.deepEqual([state.name, state.error.title, effects], ['error', 'This browser cannot record WebM.', []]);
});

test('an ended source is named', () => {
  assert.equal(run(at('live'), { type: 'sourceEnded' }).ending, 'unplugged');
  assert.equal(run(at('live', { source: 'screen' }), { type: 'sourceEnded' }).ending, 'unshared');
});

test('only sending states have a broadcast, and connecting is not on air', () => {
  assert.deepEqual(
    STATES.filter((name) => isSending(at(name))),
    SENDING,
  );
  assert.deepEqual(
    STATES.filter((name) => isOnAir(at(name))),
    SENDING.slice(1),
  );
});

test('every state on air asks before it stops, and goes on without a yes', () => {
  for (const name of SENDING.slice(1)) {
    const { state: asked } = next(at(name), { type: 'pressed' });
    assert.deepEqual([asked.name, asked.isStopAsked], [name, true]);
    const kept = next(asked, { type: 'stopAnswered', isSure: false });
    assert.deepEqual([kept.state.name, kept.state.isStopAsked, kept.effects], [name, false, []]);
    assert.equal(next(asked, { type: 'seen', air: 'slow', nowMs: 1 }).state.isStopAsked, true);
  }
});

test('the question whether to stop is gone with the broadcast', () => {
  const asked = run(at('live'), { type: 'pressed' });
  for (const event of [{ type: 'replaced' }, { type: 'failed', error: PROBLEM }, { type: 'sourceEnded' }]) {
    const { state } = next(asked, event);
    assert.equal(state.isStopAsked, false, event.type);
    assert.equal(next(state, { type: 'stopAnswered', isSure: true }).state, state);
  }
});

test('mute and hide change what the tracks give and nothing else, and outlast another source', () => {
  for (const name of STATES) {
    const muted = next(at(name), { type: 'muteToggled' });
    assert.deepEqual([muted.state, muted.effects], [at(name, { isMuted: true }), ['switch']]);
    const hidden = next(muted.state, { type: 'hideToggled' });
    assert.deepEqual([hidden.state, hidden.effects], [at(name, { isMuted: true, isHidden: true }), ['switch']]);
  }
  const other = run(at('live', { isMuted: true, isHidden: true }), { type: 'picked', source: 'test' });
  const opened = next(other, { type: 'opened', wish: other.wish });
  assert.deepEqual([opened.state.isMuted, opened.state.isHidden, opened.effects], [true, true, ['change']]);
  const loud = next(opened.state, { type: 'muteToggled' });
  assert.equal(loud.state.isMuted, false);
});
