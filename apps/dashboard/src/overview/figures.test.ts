import { expect, test } from 'vitest';
import type { ClusterLoss, EventCounts } from '@meadow/api';
import { chartGaps, ended, failureShare, gapWords, lossShare, lossTotal, lossWords, outcomeSeries } from './figures.ts';

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

const loss = (facts: Partial<ClusterLoss>): ClusterLoss => ({
  ...{ cluster: 'a', expected: 0, lost: 0, unmeasured: 0, measured_until: 100, windows: [] },
  ...facts,
});

test('loss that was not measured is not known, which is not none', () => {
  expect(lossShare(lossTotal([]))).toBeNull();
  expect(lossWords(lossTotal([]))).toBe('not measured yet');
  const silent = lossTotal([loss({ unmeasured: 40 })]);
  expect([lossShare(silent), lossWords(silent)]).toEqual([null, '40 not known']);
});

test('loss is told with what it rests on', () => {
  const none = lossTotal([loss({ expected: 1000 }), loss({ expected: 200, unmeasured: 3 })]);
  expect([lossShare(none), lossWords(none)]).toEqual([0, '0 of 1,200 starts · 3 not known']);
  expect(lossShare(lossTotal([loss({ expected: 1000, lost: 1 })]))).toBe(0.001);
});

test('measured loss marks the charts as gaps do', () => {
  const windows = [{ started_at: 3600, ended_at: 3660, expected: 200, lost: 5 }];
  const gap = { cluster: 'a', collector: 'c', started_at: 0, ended_at: 1, estimated_events: null } as const;
  const marks = chartGaps(
    { gaps: [{ ...gap, reason: 'heartbeats-missed' }], loss: [loss({ expected: 200, lost: 5, windows })] },
    4000,
    { locale: 'en-GB', timeZone: 'UTC' },
  );
  expect(marks).toMatchObject([
    { from: 0, to: 1, label: '00:00:00 – 00:00:01 a: events may be missing, most workers fell silent together' },
    {
      from: 3600,
      to: 3659,
      label: "01:00:00 – 01:01:00 a: 5 of 200 starts were never heard (2.5%), by the workers' own counters",
    },
  ]);
});
