import { expect, test } from 'vitest';
import { ShortcutReader } from './shortcuts.ts';

test('single keys and pairs are commands', () => {
  const reader = new ShortcutReader();
  expect(reader.read('/', 0)).toBe('search');
  expect(reader.read('g', 10)).toBeNull();
  expect(reader.read('t', 20)).toBe('tasks');
  expect(reader.read('t', 30)).toBe('theme');
});

test('a pair that takes too long is two single keys', () => {
  const reader = new ShortcutReader();
  reader.read('g', 0);
  expect(reader.read('t', 5000)).toBe('theme');
});

test('a wrong second key is forgotten', () => {
  const reader = new ShortcutReader();
  reader.read('g', 0);
  expect(reader.read('x', 10)).toBeNull();
  expect(reader.read('o', 20)).toBeNull();
});
