import { expect, test } from 'vitest';
import { chosenOf, toggled } from './selection.ts';

test('a group is chosen as a whole, also when a part of it was, and let go as a whole', () => {
  const part = toggled(['a'], new Set());
  expect(chosenOf(['a', 'b'], part)).toBe('some');
  const all = toggled(['a', 'b'], part);
  expect(chosenOf(['a', 'b'], all)).toBe('all');
  expect(toggled(['a', 'b'], all).size).toBe(0);
});

test('of no rows none is chosen', () => {
  expect(chosenOf([], new Set())).toBe('none');
});
