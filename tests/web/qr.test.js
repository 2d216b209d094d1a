import test from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { qrCode } from '../../web/lib/qr.js';

const rows = (code) => code.map((row) => row.map((isDark) => (isDark ? '#' : '.')).join(''));
const LINK = `http://127.0.0.1:8080/live/${'stream-0123456789-'.repeat(12)}`;

// Of libqrencode 4.1.1, as are the sums below: qrencode -8 -l M -m 0 -t ASCII TEXT
const SMALL = `
#######.##.#....#.#######
#.....#.#.#####...#.....#
#.###.#.#....#..#.#.###.#
#.###.#..##..###..#.###.#
#.###.#.##..#.....#.###.#
#.....#..##.#.....#.....#
#######.#.#.#.#.#.#######
.........#...##..........
#..######..#...#.#..#.###
##.###...#...#.###..####.
#...#.#..####.##..#..#..#
.##.##..#.#.#..#.....####
..#..###.##..##.###.....#
######......#.##...##..#.
####..#..##...####...####
#.###..###..###.#...#.#.#
#..#.##.#..##..######.##.
........#.##...##...#..#.
#######.##..###.#.#.##..#
#.....#.#.##.#..#...#...#
#.###.#.#.##.#.#######.##
#.###.#.#...##....##.#.##
#.###.#..###.#..#...#.###
#.....#...####...####.###
#######.#..###.####..#..#`;

test('a code is the same as another program makes it', () => {
  assert.deepEqual(rows(qrCode('http://127.0.0.1:808')), SMALL.trim().split('\n'));
});

test('codes of all ten sizes are the same as another program makes them', () => {
  for (const [size, length, sum] of [
    [25, 20, '78b6a76b441eb47b'],
    [29, 27, 'cf8e29c7d75850a5'],
    [33, 43, 'affb45592183445e'],
    [37, 64, '5af4c4231800f88e'],
    [41, 85, '8e9cf8f2cc3f466f'],
    [45, 107, '29c442a135d292a0'],
    [49, 123, '293ee4a55e978263'],
    [53, 153, '8af2bfbac86bc69b'],
    [57, 181, 'fbb7450d2121b523'],
  ]) {
    const code = rows(qrCode(LINK.slice(0, length)));
    const found = createHash('sha256').update(code.join('\n').replaceAll('.', ' ')).digest('hex').slice(0, 16);
    assert.deepEqual([code.length, found], [size, sum], `${length} bytes`);
  }
  assert.equal(qrCode('de').length, 21);
});

test('a text that fits no code has none', () => {
  assert.equal(qrCode('x'.repeat(213)).length, 57);
  assert.equal(qrCode('x'.repeat(214)), null);
  assert.equal(qrCode('é'.repeat(107)), null);
});
