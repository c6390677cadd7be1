import { expect, test } from 'vitest';
import { sampleWorker } from './sample-worker.ts';
import { chosenOf, toggled } from './selection.ts';

const [a, b, c] = [sampleWorker('a'), sampleWorker('b'), sampleWorker('a', { cluster: 'other' })] as const;

test('a pool is chosen as a whole, also when a part of it was, and let go as a whole', () => {
  const part = toggled([a], new Set());
  expect(chosenOf([a, b], part)).toBe('some');
  const all = toggled([a, b], part);
  expect(chosenOf([a, b], all)).toBe('all');
  expect(toggled([a, b], all).size).toBe(0);
});

test('workers of the same name on two clusters are two', () => {
  expect(chosenOf([c], toggled([a], new Set()))).toBe('none');
});

test('of no workers none is chosen', () => {
  expect(chosenOf([], new Set())).toBe('none');
});
