import assert from 'node:assert/strict';
import test from 'node:test';
import { EventParser } from '../../web/dashboard/events.js';
import { History, HOUR_S, MINUTES_S } from '../../web/dashboard/history.js';

const history = (rows) => new History({ stream: 'demo', figures: ['viewers', 'delay_ms'], rows });
const view = { nowS: 100, spanS: 100, points: 100, fold: 'mean' };

test('events come out whole, wherever their text is cut', () => {
  const text = 'event: history\ndata: {"rows":[[1,2]]}\n\nevent: state\ndata: {"time_s":3}\n\n';
  const whole = [
    { name: 'history', data: { rows: [[1, 2]] } },
    { name: 'state', data: { time_s: 3 } },
  ];
  for (let cut = 0; cut <= text.length; cut += 1) {
    const parser = new EventParser();
    assert.deepEqual([...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))], whole);
  }
});

test('an event that is no JSON is left out', () => {
  assert.deepEqual(new EventParser().push('event: state\ndata: {\n\n: a comment\n\nevent: a\ndata: 1\n\n'), [{ name: 'a', data: 1 }]);
});

test('a short history opens on minutes, a long one on the hour', () => {
  assert.equal(history([]).spanAt(5000), MINUTES_S);
  assert.equal(history([[4990, 1, null]]).spanAt(5000), MINUTES_S);
  assert.equal(history([[4400, 1, null]]).spanAt(5000), HOUR_S);
});

test('what comes goes on behind what the server kept', () => {
  const one = history([[98, 1, null]]);
  one.add(99, { delay_ms: 0.5, viewers: 2 });
  // A second that is there already, and one without a sample.
  one.add(99, { delay_ms: 7, viewers: 7 });
  one.add(100, null);
  assert.deepEqual(one.points('viewers', view), [
    [98, 1],
    [99, 2],
  ]);
  assert.deepEqual(one.points('delay_ms', view), [
    [98, null],
    [99, 0.5],
  ]);
  assert.deepEqual(one.points('no such', view), []);
});

test('seconds that fall on one point become their mean or their peak', () => {
  const one = history([
    [0, 1, 1],
    [1, 3, 9],
    [50, 8, null],
    [51, 9, 4],
  ]);
  const points = (figure, fold) => one.points(figure, { nowS: 99, spanS: 100, points: 10, fold });
  assert.deepEqual(points('viewers', 'mean'), [
    [0, 2],
    [50, 8.5],
  ]);
  assert.deepEqual(points('delay_ms', 'max'), [
    [0, 9],
    [50, 4],
  ]);
});

test('a page that stays open keeps an hour', () => {
  const one = history([]);
  for (let s = 0; s < 2 * HOUR_S; s += 1) one.add(s, { viewers: s });
  const points = one.points('viewers', { nowS: 2 * HOUR_S, spanS: 3 * HOUR_S, points: 1e6, fold: 'max' });
  assert.deepEqual([points.length, points[0][0]], [HOUR_S, HOUR_S]);
});
