import { expect, test } from 'vitest';
import { readSettings, whyNot, whyNotTerminate, type Method, type WorkerFacts } from './abilities.ts';
import { recorded } from './recorded.ts';
import { readStats } from './stats.ts';

const factsOf = (worker: string): WorkerFacts => ({
  state: 'online',
  stats: readStats(recorded('celery-5.2', 'stats', worker)),
  settings: readSettings(recorded('celery-5.2', 'conf', worker)),
});
const [prefork, autoscaled, threads] = ['w1@proto', 'w2@proto', 'w3@proto'].map(factsOf) as [
  WorkerFacts,
  WorkerFacts,
  WorkerFacts,
];
const pool = { 'max-concurrency': 1, processes: [7], 'max-tasks-per-child': null };
const solo: WorkerFacts = { state: 'online', stats: readStats({ pid: 7, pool }), settings: null };
const unknown: WorkerFacts = { state: 'online', stats: null, settings: null };

test.each<[string, WorkerFacts, Method, string | null]>([
  ['prefork grows', prefork, 'pool_grow', null],
  ['prefork shrinks', prefork, 'pool_shrink', null],
  ['prefork without an autoscaler', prefork, 'autoscale', 'It was started without --autoscale'],
  ['prefork with restarts on', prefork, 'pool_restart', null],
  ['the autoscaler decides', autoscaled, 'pool_grow', 'Its size is the autoscaler’s'],
  ['the autoscaler decides', autoscaled, 'pool_shrink', 'Its size is the autoscaler’s'],
  ['the autoscaler can be told', autoscaled, 'autoscale', null],
  ['restarts are off', autoscaled, 'pool_restart', 'Its worker_pool_restarts is off'],
  ['threads keep their size', threads, 'pool_grow', 'A pool of threads keeps the size'],
  ['threads keep no time limits', threads, 'time_limit', 'Its pool keeps no time limits'],
  ['solo has no size', solo, 'pool_grow', 'A solo pool is the main process itself'],
  [
    'solo would answer that it restarts',
    { ...solo, settings: { ...prefork.settings! } },
    'pool_restart',
    'Only a prefork',
  ],
  ['configured events stay on', prefork, 'disable_events', 'It is configured to send them'],
  ['any worker is shut down', threads, 'shutdown', null],
  ['an offline one hears nothing', { ...prefork, state: 'offline' }, 'ping', 'It is offline'],
  ['a lost one may hear', { ...prefork, state: 'lost' }, 'ping', null],
])('%s: %#', (_what, facts, method, why) => {
  if (why === null) expect(whyNot(method, facts)).toBeNull();
  else expect(whyNot(method, facts)).toContain(why);
});

test('a pool of one cannot be shrunk', () => {
  const one = readStats({ pid: 1, pool: { 'max-concurrency': 1, processes: [8], writes: 'N/A' } });
  expect(whyNot('pool_shrink', { ...unknown, stats: one })).toContain('one process left');
  expect(whyNot('pool_grow', { ...unknown, stats: one })).toBeNull();
});

test('nothing is held against a worker of which nothing is known', () => {
  for (const method of ['pool_grow', 'pool_shrink', 'autoscale', 'pool_restart', 'disable_events'] as const) {
    expect(whyNot(method, unknown)).toBeNull();
  }
});

test('a task is ended where a process of its own runs it', () => {
  expect(whyNotTerminate(prefork.stats)).toBeNull();
  expect(whyNotTerminate(null)).toBeNull();
  expect(whyNotTerminate(threads.stats)).toContain('thread');
  expect(whyNotTerminate(solo.stats)).toContain('solo');
});
