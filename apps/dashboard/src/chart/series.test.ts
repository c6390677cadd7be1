import { expect, test } from 'vitest';
import { gapsAt, lonely, newest, stack } from './series.ts';

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

test('what nobody looked at is neither the newest value nor a line to the next', () => {
  expect(newest([3, 0, null])).toBe(0);
  expect(newest([null, null])).toBeNull();
  expect(lonely([1, null, 2, 3, null, 0, null])).toEqual([0, 5]);
});

test('a gap marks every bucket that it touches', () => {
  const gap = { from: 100, to: 130, label: '' };
  expect(gapsAt([gap], 60, 120)).toEqual([gap]);
  expect(gapsAt([gap, gap], 120, 180)).toHaveLength(2);
  expect(gapsAt([gap], 180, 240)).toEqual([]);
  expect(gapsAt([gap], 40, 100)).toEqual([]);
});
