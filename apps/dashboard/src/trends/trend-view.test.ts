import { expect, test } from 'vitest';
import { readTrendView, tasksQuery, writeTrendView, type TrendView } from './trend-view.ts';

const NOTHING = { task: '', queue: '', worker: '', pool: '' };
const views: TrendView[] = [
  { tab: 'throughput', scope: NOTHING, span: '1h', compare: false },
  { tab: 'queues', scope: { ...NOTHING, queue: 'high prio' }, span: '90d', compare: true },
  { tab: 'latency', scope: { ...NOTHING, task: 'a.b', pool: 'web' }, span: { from: 1_795_000_000, to: 1_795_003_600 }, compare: false }, // prettier-ignore
];

test.each(views)('a view is in the address, and comes back as it was: $tab', (view) => {
  const query = writeTrendView(view, new URLSearchParams('cluster=prod&tab=hours&task=old'));
  expect(query.get('cluster')).toBe('prod');
  expect(readTrendView(new URLSearchParams(query.toString()))).toEqual(view);
});

test('what is usual is left out of the address, and what is nonsense does not matter', () => {
  expect(writeTrendView(views[0]!, new URLSearchParams()).toString()).toBe('');
  expect(readTrendView(new URLSearchParams('tab=nope&range=1y&compare=no&from=2&to=1'))).toEqual(views[0]);
});

test('a point leads to its tasks', () => {
  const query = tasksQuery('prod', { ...NOTHING, task: 'a.b', queue: 'high prio' }, 'state:FAILURE', {
    from: 1_795_000_020,
    to: 1_795_000_080,
  });
  expect(Object.fromEntries(query)).toEqual({
    cluster: 'prod',
    query: 'name=a.b queue="high prio" state:FAILURE',
    from: '2026-11-18T11:07Z',
    to: '2026-11-18T11:08Z',
  });
});
