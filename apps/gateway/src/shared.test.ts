import { expect, test } from 'vitest';
import { SharedAnswers } from './shared.ts';

test('asks once for all who ask at the same time, and again when the answer is old', async () => {
  let now = 0;
  let asked = 0;
  const shared = new SharedAnswers(() => now);
  const ask = (): Promise<number> => shared.ask('q', 1_000, async () => ++asked);
  expect(await Promise.all(Array.from({ length: 50 }, ask))).toEqual(new Array(50).fill(1));
  now = 999;
  expect(await ask()).toBe(1);
  now = 1_000;
  expect(await ask()).toBe(2);
});

test('tells a failure to those who wait and tries anew for the next', async () => {
  const shared = new SharedAnswers();
  const failing = (): Promise<never> => shared.ask('q', 1_000, () => Promise.reject(new Error('down')));
  expect((await Promise.allSettled([failing(), failing()])).map(({ status }) => status)).toEqual([
    'rejected',
    'rejected',
  ]);
  expect(await shared.ask('q', 1_000, async () => 'up')).toBe('up');
});
