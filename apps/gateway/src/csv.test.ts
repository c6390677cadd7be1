import { expect, test } from 'vitest';
import { csvLine } from './csv.ts';

test('cells are quoted where they have to be, and come as they are elsewhere', () => {
  expect(csvLine(['a', 'b c', '', null, 0.25, -1])).toBe('a,b c,,,0.25,-1\r\n');
  expect(csvLine(['a,b', 'say "x"', 'two\nlines', 'two\rlines', "it's"])).toBe(
    '"a,b","say ""x""","two\nlines","two\rlines",it\'s\r\n',
  );
});

test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1'])('%j is a text and no formula', (cell) => {
  expect(csvLine([cell]).replace(/^"/, '')).toMatch(/^'[=+\-@\t\r\n]/);
});

test('what only holds such a sign stays as it is', () => {
  expect(csvLine(['a=1', '1-2', 'celery@host'])).toBe('a=1,1-2,celery@host\r\n');
});
