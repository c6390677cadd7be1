import { expect, test } from 'vitest';
import { sampleRow } from './sample-row.ts';
import { ranSeconds } from './task-times.ts';

test.each([
  [{ runtime_seconds: 2, started_at: 0, finished_at: 9 }, 2],
  [{ runtime_seconds: null, started_at: 5, finished_at: 9 }, 4],
  [{ runtime_seconds: null, started_at: null, finished_at: 9 }, null],
  [{ runtime_seconds: null, started_at: 5, finished_at: null }, null],
  [{ runtime_seconds: null, started_at: 9, finished_at: 5 }, null],
])('%o ran for %s', (facts, seconds) => {
  expect(ranSeconds(sampleRow(facts))).toBe(seconds);
});
