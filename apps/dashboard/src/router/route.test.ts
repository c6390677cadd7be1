import { describe, expect, test } from 'vitest';
import { formatPath, parsePath, type Route } from './route.ts';

describe('routes', () => {
  test.each<[string, Route]>([
    ['', { page: 'overview', cluster: null }],
    ['c/prod-eu', { page: 'overview', cluster: 'prod-eu' }],
    ['c/prod-eu/doctor', { page: 'doctor', cluster: 'prod-eu' }],
    ['c/prod-eu/broker', { page: 'broker', cluster: 'prod-eu' }],
    ['tasks', { page: 'tasks' }],
    ['tasks/prod/abc-1', { page: 'task', cluster: 'prod', taskId: 'abc-1' }],
    ['tasks/prod/a%2Fb%20c', { page: 'task', cluster: 'prod', taskId: 'a/b c' }],
    ['workflows', { page: 'workflows' }],
    ['workflows/prod/abc-1', { page: 'workflow', cluster: 'prod', rootId: 'abc-1' }],
    ['types', { page: 'types' }],
    ['types/prod/shop.mail%20%2F1', { page: 'type', cluster: 'prod', name: 'shop.mail /1' }],
    ['run', { page: 'run' }],
    ['trends', { page: 'trends' }],
    ['errors', { page: 'errors' }],
    ['errors/prod/0d86391cff8fb024', { page: 'error', cluster: 'prod', fingerprint: '0d86391cff8fb024' }],
    ['queues', { page: 'queues' }],
    ['queues/prod/high%2Fprio%20%231', { page: 'queue', cluster: 'prod', queue: 'high/prio #1' }],
    ['workers', { page: 'workers' }],
    ['workers/prod/celery%40web-1', { page: 'worker', cluster: 'prod', worker: 'celery@web-1' }],
    ['sql', { page: 'sql' }],
    ['audit', { page: 'audit' }],
    ['system', { page: 'system' }],
  ])('%s is read and written alike', (path, route) => {
    expect(parsePath(path)).toEqual(route);
    expect(formatPath(route)).toBe(path);
  });

  test('slashes around a path do not matter', () => {
    expect(parsePath('/tasks/')).toEqual({ page: 'tasks' });
  });

  test.each(['nope', 'c', 'c/a/b', 'tasks/a', 'tasks/a/b/c', 'tasks/%/x'])('%s is missing', (path) => {
    expect(parsePath(path).page).toBe('missing');
  });
});
