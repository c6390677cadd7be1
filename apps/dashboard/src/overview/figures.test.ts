import { expect, test } from 'vitest';
import type { EventCounts } from '@meadow/api';
import { ended, failureShare, gapWords, outcomeSeries } from './figures.ts';

const NONE: EventCounts = {
  sent: 0,
  received: 0,
  started: 0,
  succeeded: 0,
  failed: 0,
  retried: 0,
  revoked: 0,
  rejected: 0,
};

test('a failure share needs something that ended', () => {
  expect(failureShare(NONE)).toBeNull();
  expect(failureShare({ ...NONE, succeeded: 3, failed: 1, retried: 9 })).toBe(0.25);
});

test('a retry is no end', () => {
  expect(ended({ ...NONE, succeeded: 1, failed: 1, revoked: 1, rejected: 1, retried: 5 })).toBe(4);
});

test('every outcome is part of the chart', () => {
  const point = { ...NONE, at: 0, succeeded: 1, failed: 2, retried: 3, revoked: 4, rejected: 5 };
  expect(outcomeSeries([point]).map((series) => series.values[0])).toEqual([1, 3, 9, 2]);
});

test('a gap says how much is missing when that is known', () => {
  const gap = {
    cluster: 'a',
    collector: 'c',
    started_at: 0,
    ended_at: 1,
    reason: 'disconnected',
    estimated_events: 1200,
  } as const;
  expect(gapWords(gap)).toBe('a: about 1,200 events are missing, the broker was not connected');
  expect(gapWords({ ...gap, estimated_events: null })).toContain('may be missing');
});
