import { expect, test } from 'vitest';
import { gapAt, stack } from './series.ts';

test('parts are stacked from the bottom up', () => {
  expect(
    stack([
      [1, 2],
      [3, 0],
      [0, 5],
    ]),
  ).toEqual([
    [1, 2],
    [4, 2],
    [4, 7],
  ]);
  expect(stack([])).toEqual([]);
});

test('a gap marks every bucket that it touches', () => {
  const gap = { from: 100, to: 130, label: '' };
  expect(gapAt([gap], 60, 120)).toBe(gap);
  expect(gapAt([gap], 120, 180)).toBe(gap);
  expect(gapAt([gap], 180, 240)).toBeNull();
  expect(gapAt([gap], 40, 100)).toBeNull();
});
