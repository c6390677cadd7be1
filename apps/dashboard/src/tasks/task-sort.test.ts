import { expect, test } from 'vitest';
import { NEWEST_FIRST, readSort, sortedBy, writeSort } from './task-sort.ts';

test.each([
  ['', NEWEST_FIRST],
  ['sort=-runtime', { by: 'runtime', desc: true }],
  ['sort=name', { by: 'name', desc: false }],
  ['sort=seen', { by: 'seen', desc: false }],
] as const)('%s is read and written alike', (address, sort) => {
  expect(readSort(new URLSearchParams(address))).toEqual(sort);
  expect(writeSort(sort, new URLSearchParams('sort=-wait')).toString()).toBe(address);
});

test('what is no sort is newest first', () => {
  expect(readSort(new URLSearchParams('sort=-colour'))).toEqual(NEWEST_FIRST);
  expect(readSort(new URLSearchParams('sort=constructor'))).toEqual(NEWEST_FIRST);
});

test('a column sorts its natural way first, then the other', () => {
  const slowest = sortedBy('runtime', NEWEST_FIRST);
  expect(slowest).toEqual({ by: 'runtime', desc: true });
  expect(sortedBy('runtime', slowest)).toEqual({ by: 'runtime', desc: false });
  expect(sortedBy('name', slowest)).toEqual({ by: 'name', desc: false });
});
