import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  insertTaskEvents,
  insertTasks,
  insertWorkerSamples,
  openTaskIds,
  openTasksOf,
  taskHolders,
  workerProcesses,
  type Store,
} from '../src/index.ts';
import { event, linesOf, openMigratedStore, sql, task } from './database.ts';

const now = Math.floor(Date.now() / 1000);
const held = { worker: 'w@h', pid: 7, state: 'STARTED', started_at: now - 60, updated_at: now - 60 };
const holder = { cluster: 'prod', worker: 'w@h', pid: 7 };
let store: Store;

beforeAll(async () => {
  store = await openMigratedStore();
  const final = { state: 'SUCCESS', is_final: true, version: 2 };
  await insertTasks(store, {
    rows: [
      task('started', now - 60, held),
      task('received', now - 60, { ...held, state: 'RECEIVED', started_at: null, updated_at: now - 90 }),
      task('newer', now - 60, { ...held, updated_at: now - 5 }),
      task('ended', now - 60, held),
      task('moved', now - 60, held),
      task('retried', now - 60, { ...held, state: 'RETRY', retried_at: now - 58 }),
      task('retried, start unheard', now - 60, { ...held, state: 'RETRY', retried_at: now - 58, started_at: null }),
      task('cancelled', now - 60, { ...held, state: 'RETRY' }),
      task('retried, then cancelled', now - 60, { ...held, state: 'RETRY', retried_at: now - 70 }),
      task('queued', now - 60, { worker: '', state: 'PENDING' }),
      task('lost', now - 60, { ...held, state: 'LOST', is_final: true, updated_at: now - 3_000 }),
      task('elsewhere', now - 60, { ...held, pid: null }),
    ],
    token: '1',
  });
  await insertTasks(store, {
    rows: [
      task('ended', now - 60, { ...held, ...final }),
      task('moved', now - 60, { ...held, worker: 'other@h', version: 2 }),
    ],
    token: '2',
  });
});
afterAll(() => store[Symbol.asyncDispose]());

test('holders are the processes that may have open tasks', async () => {
  const holders = await taskHolders(store, { clusters: ['prod'] });
  const names = holders.map(({ worker, pid }) => `${worker} ${pid}`).sort();
  expect(names).toEqual(['other@h 7', 'w@h 0', 'w@h 7']);
  expect(await taskHolders(store, { clusters: ['another'] })).toEqual([]);
});

test('of one of them only tasks count that are open and its own by their newest version', async () => {
  const open = await openTasksOf(store, { holder, started: false, before: now, limit: 10 });
  expect(open).toEqual([
    { task_id: 'received', updated_at: now - 90 },
    { task_id: 'cancelled', updated_at: now - 60 },
    { task_id: 'retried, then cancelled', updated_at: now - 60 },
    { task_id: 'started', updated_at: now - 60 },
    { task_id: 'newer', updated_at: now - 5 },
  ]);
  const before = await openTasksOf(store, { holder, started: true, before: now - 30, limit: 10 });
  expect(before.map(({ task_id }) => task_id)).toEqual(['cancelled', 'retried, then cancelled', 'started']);
});

test('a process is idle since the last of several heartbeats over seconds that counted no task', async () => {
  let number = 0;
  const beat = (age: number, active: number | undefined, pid: number, type = 'worker-heartbeat') => ({
    ...{ cluster: 'prod', event_id: (++number).toString(16).padStart(16, '0'), type, worker: 'w@h', pid },
    ...{ timestamp: now - age, collected_at: now - age + 0.5, ...(active === undefined ? {} : { active }) },
  });
  const lines = linesOf([
    ...[beat(40, 0, 7), beat(30, 1, 7), beat(25, 0, 7), beat(20, 0, 7), beat(15, 0, 7), beat(10, undefined, 7)],
    ...[beat(20, 0, 8), beat(5, 0, 8, 'worker-offline')],
  ]);
  await insertWorkerSamples(store, { lines, token: '1' });
  const span = { clusters: ['prod'], from: now - 100, to: now };
  const [first, second] = (await workerProcesses(store, span)).sort((a, b) => a.pid - b.pid);
  expect(first).toMatchObject({ pid: 7, last_at: now - 10, said_goodbye: false, idle_since: now - 25 });
  expect(second).toMatchObject({ pid: 8, heard_at: now - 4.5, said_goodbye: true, idle_since: 0 });
});

test('a task that was lost may go on: after a restart its redelivery is no new task', async () => {
  const open = await openTaskIds(store, { sinceSeconds: 3_600, limit: 100 });
  expect(open.map(({ task_id }) => task_id)).toContain('lost');
});

test('rollups count what Celery told, and nothing of what Meadow did', async () => {
  const types = ['task-started', 'meadow-lost', 'meadow-result-SUCCESS'];
  await insertTaskEvents(store, { lines: linesOf(types.map((type) => event(type, 'u1', now))), token: '1' });
  expect(await sql(store, 'SELECT sum(events) AS events, sum(started) AS started FROM meadow.task_rates')).toEqual([
    { events: 1, started: 1 },
  ]);
});
