import { expect, test } from 'vitest';
import { marksOf, placeOf, wrongWith } from './query-marks.ts';

const NOW = 1_790_000_000;
const drawn = (text: string) => marksOf(text, NOW).map(({ text: part, kind }) => [kind, part]);

test('terms are told from what lies between them', () => {
  expect(drawn('state:FAILURE  -name:a "b c"')).toEqual([
    ['term', 'state:FAILURE'],
    ['gap', '  '],
    ['not', '-name:a'],
    ['gap', ' '],
    ['term', '"b c"'],
  ]);
  expect(drawn('')).toEqual([]);
});

test('what is wrong is marked where it stands', () => {
  expect(drawn('name:a stat:x b')).toContainEqual(['wrong', 'stat']);
  expect(wrongWith('name:a', NOW)).toBeNull();
});

test('where something is missing, what stands before it is marked', () => {
  expect(drawn('name:a state:')).toEqual([
    ['gap', 'name:a state'],
    ['wrong', ':'],
  ]);
  expect(placeOf({ position: 0, length: 0 }, 'a')).toEqual({ from: 0, to: 1 });
});
