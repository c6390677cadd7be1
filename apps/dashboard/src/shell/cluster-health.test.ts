import type { ClusterStatus } from '@meadow/contract';
import { expect, test } from 'vitest';
import { clusterHealth } from './cluster-health.ts';

const status = (facts: Partial<ClusterStatus> = {}): ClusterStatus => ({
  cluster: 'prod',
  state: 'connected',
  since: 50,
  error: null,
  endpoint: 'redis://h/0',
  transport: 'redis',
  events: 1,
  rejected: 0,
  gaps: 0,
  lastEventAt: 99,
  reportedAt: 100,
  collector: 'c1',
  ...facts,
});
const kindOf = (facts: Partial<ClusterStatus> | null, now = 101) =>
  clusterHealth(
    { name: 'prod', state: 'connected', stale: false, summary: null, status: facts === null ? null : status(facts) },
    now,
  );

test('a cluster without a collector is unreported and says what to do', () => {
  expect(kindOf(null)).toMatchObject({ kind: 'unreported', since: null });
  expect(kindOf(null).remedy).not.toBe('');
});

test('an old report says nothing of now, however good it was', () => {
  expect(kindOf({}, 120)).toMatchObject({ kind: 'unreported', since: 100 });
});

test('a failed broker gives its own remedy', () => {
  expect(kindOf({ state: 'failed', error: { code: 'X', message: 'check the password' } })).toMatchObject({
    kind: 'failed',
    remedy: 'check the password',
  });
});

test('a connected one needs nothing', () => {
  expect(kindOf({})).toMatchObject({ kind: 'connected', remedy: '', since: 50 });
});
