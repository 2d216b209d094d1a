import test from 'node:test';
import assert from 'node:assert/strict';
import { next, start, STATES } from '../../web/home/machine.js';

const before = start('quiet-harbor-27', 'stream-7f3a');
const stream = (name, uptime_s, more = {}) => ({ name, uptime_s, live: true, viewers: 1, ...more });
const listed = (streams, more = {}) => ({ type: 'listed', streams, isLocked: false, hasKey: false, ...more });
const names = ({ streams }) => streams.map(({ name }) => name);

const EVENTS = [
  [listed([]), 'empty'],
  [listed([stream('a', 1)]), 'live'],
  [listed([], { isLocked: true }), 'locked'],
  [listed([stream('a', 1)], { isLocked: true }), 'live'],
  [{ type: 'refused', hasKey: true }, 'locked'],
  [{ type: 'unanswered' }, 'unreachable'],
];

test('every list leads to its state from every other', () => {
  for (const name of STATES) {
    for (const [event, expected] of EVENTS) {
      assert.equal(next({ ...before, name }, event).name, expected, `${name} ${event.type}`);
    }
  }
});

test('a name leaves the state of the list as it is', () => {
  for (const name of STATES) {
    for (const event of [
      { type: 'typed', value: 'show' },
      { type: 'named', name: 'show' },
    ]) {
      const state = next({ ...before, name }, event);
      assert.deepEqual([state.name, state.value, state.typed], [name, 'show', 'show']);
    }
  }
});

test('an event that is none throws', () => {
  assert.throws(() => next(before, { type: 'listened' }), /no event/);
});

test('streams that have been on air longest stand first, and those off air do not', () => {
  const state = next(before, listed([stream('new', 5), stream('off', 99, { live: false }), stream('old', 50)]));
  assert.deepEqual(names(state), ['old', 'new']);
});

test('a server that does not answer leaves the streams that were seen', () => {
  const seen = next(before, listed([stream('a', 1)], { isLocked: true }));
  const state = next(seen, { type: 'unanswered' });
  assert.deepEqual([names(state), state.isLocked], [['a'], true]);
});

/** What the field holds after letters were put into it, one after another. */
function type(letters) {
  let state = next(before, { type: 'typed', value: '' });
  for (const letter of letters) state = next(state, { type: 'typed', value: state.value + letter });
  return state;
}

test('letters are spelled as they are typed, and what was typed is kept', () => {
  assert.deepEqual([type('Мой кот').value, type('Мой кот').typed], ['Moy-kot', 'Мой кот']);
  assert.equal(type('日本').value, '日本');
  assert.deepEqual([type('show.webm').value, type('show.webm').typed], ['show', 'show.webm']);
});

test('a shorter text is taken as it is', () => {
  const state = next(type('Straße'), { type: 'typed', value: 'Stra' });
  assert.deepEqual([state.value, state.typed], ['Stra', 'Stra']);
});
