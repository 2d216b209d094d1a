import assert from 'node:assert/strict';
import test from 'node:test';
import { chart, pointAt, scaleEnd } from '../../web/dashboard/chart.js';

const VIEW = { nowS: 100, spanS: 100, holeS: 15 };

test('a scale ends at 1, 2 or 5 of a decade, not below the peak', () => {
  const ends = [0, 0.03, 1, 1.1, 3, 5, 7, 99, 101, 2e6, 3e6].map(scaleEnd);
  assert.deepEqual(ends, [1, 0.05, 1, 2, 5, 5, 10, 100, 200, 2e6, 5e6]);
});

test('a line goes from left to right, and up for more', () => {
  const points = [
    [90, 0],
    [95, 5],
    [100, 10],
  ];
  const { line, area, end, peak } = chart(points, VIEW);
  assert.equal(line, 'M90 100L95 50L100 0');
  assert.equal(area, 'M90 100L90 100L95 50L100 0L100 100Z');
  assert.deepEqual([end, peak], [10, 10]);
});

test('a hole in time or in what is known is a hole in the line', () => {
  const points = [
    [10, 1],
    [20, 1],
    [50, 1],
    [60, null],
    [70, 1],
  ];
  const { line } = chart(points, VIEW);
  assert.deepEqual(line.match(/M[^M]*/g), ['M10 0L20 0', 'M50 0h1', 'M70 0h1']);
});

test('a chart without figures is empty, and a flat one does not fill its height', () => {
  assert.deepEqual(chart([], VIEW), { line: '', area: '', end: 1, peak: null });
  assert.equal(chart([[50, 1]], { ...VIEW, least: 10 }).line, 'M50 90h1');
});

test('the pointer finds the nearest figure, and nothing where there is none', () => {
  const points = [
    [10, 1],
    [20, 2],
    [22, null],
    [50, 3],
  ];
  assert.deepEqual(pointAt(points, 0.22, VIEW), [20, 2]);
  assert.deepEqual(pointAt(points, 0.49, VIEW), [50, 3]);
  assert.equal(pointAt(points, 0.8, VIEW), null);
});
