import { expect, test } from 'vitest';
import { sorted } from './sorted.ts';

test('rows are sorted by a figure or a name, and what is not known comes last either way', () => {
  const rows = [
    { name: 'b', wait: 2 },
    { name: 'a', wait: null },
    { name: 'c', wait: 10 },
  ];
  const figures = { name: (row: (typeof rows)[number]) => row.name, wait: (row: (typeof rows)[number]) => row.wait };
  const names = (by: string, desc: boolean) =>
    sorted(rows, { by, desc }, figures)
      .map(({ name }) => name)
      .join('');
  expect([names('wait', true), names('wait', false), names('name', false), names('name', true)]).toEqual([
    ...['cba', 'bca', 'abc', 'cba'],
  ]);
  expect(names('nothing', true)).toBe('bac');
});
