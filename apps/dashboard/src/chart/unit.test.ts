import { expect, test } from 'vitest';
import { UNITS } from './unit.ts';

test('lines of a chart say where they lie in as few letters as that takes', () => {
  expect([0, 0.00002, 0.2, 5, 90, 7_200, 172_800].map(UNITS.seconds.tick)).toEqual([
    ...['0', '0.02 ms', '200 ms', '5 s', '1.5 m', '2 h', '2 d'],
  ]);
  expect([0, 0.05, 1].map(UNITS.share.tick)).toEqual(['0%', '5%', '100%']);
  expect([0.3, 2, 20_000].map(UNITS.number.tick)).toEqual(['0.3', '2', '20,000']);
});

test.each(Object.keys(UNITS) as (keyof typeof UNITS)[])('lines of %s may lie ever further apart', (unit) => {
  const { steps } = UNITS[unit];
  expect(steps).toEqual([...new Set(steps)].sort((one, other) => one - other));
});
