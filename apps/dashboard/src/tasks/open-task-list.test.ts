import { describe, expect, test } from 'vitest';
import { sampleRow } from '../live/sample-row.ts';
import { judgeOf, openTaskList } from './open-task-list.ts';
import { LiveTasks } from './live-tasks.ts';
import { PolledTasks } from './polled-tasks.ts';
import { NEWEST_FIRST } from './task-sort.ts';

const NOW = 1_790_000_000;
const scope = (query: string, cluster = '') => ({ filter: { cluster, query }, span: '1h' }) as const;

describe('a pushed row', () => {
  const row = sampleRow({ state: 'FAILURE', exception: 'ValueError("No stock")', first_seen_at: NOW });
  test.each([
    ['', true],
    ['state:FAILURE,RETRY', true],
    ['-state:FAILURE', false],
    ['name:shop.* runtime>0.5', true],
    ['exception:ValueError', true],
    ['exception:~"no STOCK"', true],
    ['queue:cel', false],
    ['absent', false],
  ])('of a query %s: %s', (query, belongs) => {
    expect(judgeOf(scope(query), NOW)?.(row)).toBe(belongs);
  });

  test('belongs to the cluster and the span that are looked at', () => {
    expect(judgeOf(scope('', 'prod'), NOW)?.(row)).toBe(true);
    expect(judgeOf(scope('', 'pro'), NOW)?.(row)).toBe(false);
    const between = (from: number, to: number) => judgeOf({ ...scope(''), span: { from, to } }, NOW)?.(row);
    expect([between(NOW, NOW + 1), between(NOW - 1, NOW)]).toEqual([true, false]);
  });

  test('that is cut does not tell what stands behind the cut', () => {
    const long = sampleRow({ kwargs: `{'note': '${'a'.repeat(190)}...` });
    expect(judgeOf(scope('kwargs.id=7'), NOW)?.(long)).toBeNull();
    expect(judgeOf(scope('kwargs.id=7 state:LOST'), NOW)?.(long)).toBe(false);
  });
});

test('a list is pushed onto where that can be right, and asked for again and again where not', () => {
  const api = { search: untouched, liveTasks: untouched.call };
  const kind = (query: string, sort = NEWEST_FIRST) => openTaskList(api, { ...scope(query), sort }, NOW).constructor;
  expect(kind('state:FAILURE')).toBe(LiveTasks);
  expect(kind('state:FAILURE', { by: 'runtime', desc: true })).toBe(PolledTasks);
  expect(kind('state:FAILURE', { by: 'seen', desc: false })).toBe(PolledTasks);
  expect(kind('traceback:~refused')).toBe(PolledTasks);
});

/** Nothing is asked before somebody reads the list. */
const untouched = {
  list: () => Promise.reject(new Error('asked for a page')),
  facets: () => Promise.reject(new Error('asked for facets')),
  values: () => Promise.reject(new Error('asked for values')),
  call: () => {
    throw new Error('subscribed');
  },
};
