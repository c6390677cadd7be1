import { describe, expect, test } from 'vitest';
import { recorded } from './recorded.ts';
import { cpuShare, readStats, type Stats } from './stats.ts';

describe.each(['celery-5.2', 'celery-latest'] as const)('%s', (version) => {
  const statsOf = (worker: string): Stats | null => readStats(recorded(version, 'stats', worker));

  test('a prefork pool is known, and as large as it has processes', () => {
    const stats = statsOf('w1@proto');
    expect(stats?.pool).toMatchObject({ kind: 'prefork', size: 2, tasksPerChild: null, softLimit: null });
    expect(stats?.pool.processes).toHaveLength(2);
    expect(stats?.autoscaler).toBeNull();
    expect(stats?.ran[0]?.name).toBe('prototasks.add');
  });

  test('an autoscaled pool has grown past what it tells as its concurrency', () => {
    expect(statsOf('w2@proto')).toMatchObject({ pool: { size: 3 }, autoscaler: { min: 1, max: 3 } });
  });

  test('a pool of threads is known, and as large as it may become', () => {
    expect(statsOf('w3@proto')?.pool).toMatchObject({ kind: 'threads', size: 2, processes: [] });
  });

  test('what is told of the main process and the broker is read', () => {
    const stats = statsOf('w1@proto');
    expect(stats).toMatchObject({ uptimeSeconds: 17, prefetch: 10 });
    expect(stats?.usage?.cpuSeconds).toBeGreaterThan(0.1);
    expect(stats?.usage?.maxrss).toBeGreaterThan(10_000);
    expect(stats?.broker).toMatch(/^redis:\/\/127\.0\.0\.1:\d+\/\d*$/);
  });
});

/** As Celery's pools tell of themselves, by their sources. */
const SOLO = {
  'max-concurrency': 1,
  processes: [7],
  'max-tasks-per-child': null,
  'put-guarded-by-semaphore': true,
  timeouts: [],
};

test.each([
  ['solo', '', SOLO],
  ['eventlet', '', { 'max-concurrency': 100, 'free-threads': 98, 'running-threads': 2 }],
  ['gevent', '', { 'max-concurrency': 100 }],
  ['other', 'our.pool:Pool', { 'max-concurrency': 100 }],
  ['gevent', '', { implementation: 'celery.concurrency.gevent:TaskPool', 'max-concurrency': 100 }],
  ['other', '', { implementation: 'our.pool:Pool', 'max-concurrency': 100 }],
  ['other', '', { 'max-concurrency': 4, lanes: 4 }],
])('a pool is %s (worker_pool %j) by what it tells: %j', (kind, workerPool, pool) => {
  expect(readStats({ pid: 7, pool }, workerPool)?.pool).toMatchObject({ kind, processes: [] });
});

test('limits of the pool and of its processes are read', () => {
  const pool = { 'max-concurrency': 1, processes: [8], 'max-tasks-per-child': 50, timeouts: [20, 30], writes: 'N/A' };
  expect(readStats({ pid: 7, pool })?.pool).toMatchObject({ tasksPerChild: 50, softLimit: 20, hardLimit: 30 });
});

test.each([null, 'no', [], {}, { pool: 'none' }])('%j is no answer to stats', (value) => {
  expect(readStats(value)).toBeNull();
});

test('a share of a core is told between two answers of one process only', () => {
  const at = (cpu: number, pid = 7): Stats | null =>
    readStats({ pid, pool: SOLO, rusage: { utime: cpu, stime: 0, maxrss: 1 } });
  expect(cpuShare(at(10), at(11)!, 4)).toBe(0.25);
  expect(cpuShare(at(10, 6), at(11)!, 4)).toBeNull();
  expect(cpuShare(null, at(11)!, 4)).toBeNull();
  expect(cpuShare(at(10), at(11)!, 0.2)).toBeNull();
  const silent = readStats({ pid: 7, pool: SOLO, rusage: 'rusage not supported by this platform' });
  expect(cpuShare(at(10), silent!, 4)).toBeNull();
});
