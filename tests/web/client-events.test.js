import test from 'node:test';
import assert from 'node:assert/strict';
import { eventsBetween, IDLE, viewOf } from '../../web/client/events.js';
import { next } from '../../web/watch/machine.js';
import { begin, STATES } from '../../web/watch/states.js';

const plays = { all: true, withoutAudio: true, withoutVideo: true };

/** The events that an importer gets while these happen to the machine. */
function told(events) {
  let { state } = begin({ hasMse: true, nowMs: 0 });
  let view = viewOf(state);
  const all = [eventsBetween(IDLE, view)];
  for (const event of events) {
    ({ state } = next(state, { nowMs: 0, ...event }));
    all.push(eventsBetween(view, viewOf(state)));
    view = viewOf(state);
  }
  return { all: all.map((each) => each.join(' ')), view, state };
}

const STARTED = [
  { type: 'hello', live: true, hasPicture: false },
  { type: 'init', mime: 'video/webm;codecs="vp8"', plays, hasPicture: false },
  { type: 'ready' },
];

test('a stream that plays gives the events of a video', () => {
  assert.deepEqual(told(STARTED).all, ['play waiting statechange', '', '', 'playing statechange']);
});

test('a pause and what follows it', () => {
  const { all } = told([...STARTED, { type: 'toggled', isBuffered: true }, { type: 'toggled', isBuffered: true }]);
  assert.deepEqual(all.slice(-2), ['pause statechange', 'play playing statechange']);
});

test('a stream that waits, ends and comes back', () => {
  const { all, view } = told([
    { type: 'hello', live: false, hasPicture: false },
    ...STARTED,
    { type: 'offline', reason: 'ended' },
    { type: 'hello', live: true, hasPicture: false },
  ]);
  // It waits for the connection, and then for the stream: that is one wait.
  assert.deepEqual(all, [
    'play waiting statechange',
    'statechange',
    'statechange',
    '',
    'playing statechange',
    'ended statechange',
    'waiting statechange',
  ]);
  assert.equal(view.state, 'connecting');
});

test('a key that is missing is an error, and ends when one is given', () => {
  const { all, view } = told([
    { type: 'lost', opened: false, attempt: 0, retryInMs: 100 },
    { type: 'answered', problem: null, needsKey: true, hadKey: false },
    { type: 'keyGiven' },
  ]);
  assert.deepEqual(all.slice(-2), ['error statechange', 'waiting statechange']);
  assert.deepEqual(view, { state: 'connecting', paused: false });
});

test('a picture that stands is stalled', () => {
  const { view } = told([
    ...STARTED,
    { type: 'looked', position: 1, aheadMs: 50, behindMs: 100, isOffline: false, nowMs: 100 },
    { type: 'looked', position: 1, aheadMs: 50, behindMs: 900, isOffline: false, nowMs: 900 },
  ]);
  assert.equal(view.state, 'stalled');
});

test('every state of the machine is one for importers', () => {
  const { state } = begin({ hasMse: true, nowMs: 0 });
  const names = STATES.map((name) => viewOf({ ...state, name }).state);
  assert.deepEqual(names, ['connecting', 'waiting', 'live', 'connecting', 'ended', 'failed', 'failed']);
  const paused = STATES.map((name) => viewOf({ ...state, name, wantsPlay: false }).state);
  assert.deepEqual(paused, ['paused', 'paused', 'paused', 'paused', 'ended', 'failed', 'failed']);
});
