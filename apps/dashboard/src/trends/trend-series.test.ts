import type { EventCounts, Spread, Throughput } from '@meadow/api';
import { expect, test } from 'vitest';
import {
  durationLines,
  failureRate,
  flowLines,
  gridOf,
  outcomeLines,
  perOf,
  retryRate,
  weekGrid,
} from './trend-series.ts';

const NONE: EventCounts = {
  ...{ sent: 0, received: 0, started: 0, succeeded: 0 },
  ...{ failed: 0, retried: 0, revoked: 0, rejected: 0 },
};
const trend = (bucket_seconds: number, points: readonly Partial<EventCounts>[]): Throughput => ({
  bucket_seconds,
  source: 'rollup',
  total: NONE,
  series: points.map((point, index) => ({ at: index * bucket_seconds, ...NONE, ...point })),
});

test('the span before is one dashed line, as long as its points are as wide', () => {
  const now = trend(60, [{ succeeded: 120, failed: 1 }]);
  const before = trend(60, [{ succeeded: 5, retried: 2, rejected: 1 }]);
  const { series } = outcomeLines({ now, before });
  expect(series.map(({ label, values, dashed }) => [label, values, dashed ?? false])).toEqual([
    ['succeeded', [120], false],
    ['retried', [0], false],
    ['revoked', [0], false],
    ['failed', [1], false],
    ['all, before', [8], true],
  ]);
  expect(
    flowLines({ now, before: null }, { words: 'a second', seconds: 1 }).series.find(({ label }) => label === 'ended')
      ?.values,
  ).toEqual([121 / 60]);
  expect(outcomeLines({ now, before: trend(120, []) }).series.some(({ dashed }) => dashed)).toBe(false);
});

test('a rate is told for a time in which something ends', () => {
  const of = (succeeded: number) => perOf({ ...trend(60, [{}, {}]), total: { ...NONE, succeeded } }).words;
  expect([of(120), of(119), of(2), of(1), of(0)]).toEqual(['a second', 'a minute', 'a minute', 'an hour', 'an hour']);
});

test('a rate of nothing is not known', () => {
  expect([failureRate(NONE), retryRate(NONE)]).toEqual([null, null]);
  const counts = { ...NONE, succeeded: 6, failed: 2, retried: 2 };
  expect([failureRate(counts), retryRate(counts)]).toEqual([0.25, 0.2]);
});

test('where percentiles are not known, mean and longest are shown', () => {
  const spread: Spread = { count: 2, avg: 3, max: 5, p50: null, p90: null, p95: null, p99: null };
  const point = { at: 0, runtime: spread, wait: spread };
  const answer = { bucket_seconds: 60, percentiles: null, total: point, series: [point] };
  const labels = (of: typeof answer | (Omit<typeof answer, 'percentiles'> & { percentiles: 'rollup' })) =>
    durationLines({ now: of, before: null }, 'wait').series.map(({ label, values }) => `${label} ${values.join()}`);
  expect(labels(answer)).toEqual(['mean 3', 'longest 5']);
  expect(labels({ ...answer, percentiles: 'rollup' })).toEqual(['p50 ', 'p90 ', 'p95 ', 'p99 ']);
});

test('runtimes lie in a grid of every column and every row between the shortest and the longest', () => {
  const cells = [
    { at: 60, row: -1, tasks: 3 },
    { at: 120, row: 1, tasks: 2 },
  ];
  expect(gridOf({ bucket_seconds: 60, source: 'events', from: 60, to: 240, cells })).toEqual({
    times: [60, 120, 180],
    least: [2, 1, 0.5],
    values: [
      [0, 0, 3],
      [2, 0, 0],
      [0, 0, 0],
    ],
  });
  expect(gridOf({ bucket_seconds: 60, source: null, from: 0, to: 60, cells: [] })).toMatchObject({ least: [] });
});

test('a week has its hours beside each other and its days beneath each other', () => {
  const hour = { weekday: 7, hour: 23, started: 4, ended: 3, failed: 1, busy_seconds: 2 };
  const grid = weekGrid([hour], ({ ended }) => ended);
  expect([grid.length, grid[0]?.length, grid[23]?.[6], grid[0]?.[0]]).toEqual([24, 7, 3, 0]);
});
