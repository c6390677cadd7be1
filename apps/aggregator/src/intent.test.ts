import { expect, test } from 'vitest';
import { versionOf } from './intent.ts';

test('versions of a stream made anew are above all of the one before, though its positions begin at 1', () => {
  const before = versionOf({ stream: '2026-11-21T09:31:31.123456789Z', to: 40_000_000, done: {}, dropped: [] });
  const after = versionOf({ stream: '2026-11-21T09:41:31.5Z', to: 1, done: {}, dropped: [] });
  expect(after).toBeGreaterThan(before);
  expect(Number.isSafeInteger(after)).toBe(true);
});
