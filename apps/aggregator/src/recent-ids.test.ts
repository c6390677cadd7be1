import { expect, test } from 'vitest';
import { RecentIds } from './recent-ids.ts';

const id = (value: number): string =>
  ((BigInt(value) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn).toString(16).padStart(16, '0');

test('an id is new once, and stays known for at least the capacity', () => {
  const window = new RecentIds(1024);
  for (let value = 1; value <= 5000; value++) {
    expect(window.add(id(value))).toBe(true);
    expect(window.add(id(value))).toBe(false);
    if (value > 1000) expect(window.add(id(value - 1000))).toBe(false);
  }
});

test('an id far older than the window is forgotten, so memory stays as it is', () => {
  const window = new RecentIds(64);
  for (let value = 1; value <= 1000; value++) window.add(id(value));
  expect(window.add(id(1))).toBe(true);
});

test('ids that differ in one half only are two', () => {
  const window = new RecentIds(64);
  expect(window.add('00000000ffffffff')).toBe(true);
  expect(window.add('ffffffff00000000')).toBe(true);
  expect(window.add('0000000000000000')).toBe(true);
  expect(window.add('0000000000000000')).toBe(false);
});
