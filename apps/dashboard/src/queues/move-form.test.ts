import { expect, test } from 'vitest';
import { readLimit } from './move-form.ts';

test.each<[string, number | null | undefined]>([
  ['', null],
  [' 12 ', 12],
  ['1,851', 1851],
  ['0', undefined],
  ['-3', undefined],
  ['1.5', undefined],
  ['all', undefined],
  ['10000001', undefined],
])('“%s” is read as %s', (text, count) => {
  expect(readLimit(text)).toBe(count);
});
