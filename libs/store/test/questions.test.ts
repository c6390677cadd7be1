import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  clusterSummaries,
  dbInfo,
  ingestGaps,
  insertGaps,
  insertPoison,
  insertTaskEvents,
  insertTasks,
  insertWorkers,
  insertWorkerSamples,
  overview,
  poisonList,
  taskDetail,
  taskEvents,
  workerHistory,
  workerList,
  type Store,
  type WorkerWriteRow,
} from '../src/index.ts';
import { event, linesOf, openMigratedStore, sql, task } from './database.ts';

// the begin of an hour, long enough ago to stay the past, recent enough not to expire
const HOUR = Math.floor(Date.now() / 3_600_000) * 3600 - 7200;
const NOW = HOUR + 3600;

/** 100 tasks in the first 100 s: each waits 1 s, runs (i + 1)/10 s; every tenth fails; a second cluster has one task. */
function history() {
  const events = Array.from({ length: 100 }, (_, index) => {
    const at = HOUR + index;
    const id = `task-${String(index).padStart(3, '0')}`;
    const known = { name: index % 2 === 0 ? 'app.even' : 'app.odd', queue: 'q', worker: `celery@w${index % 2}` };
    const failed = index % 10 === 0;
    return [
      event('task-received', id, at, { ...known, clock: 1, pid: 7 }),
      event('task-started', id, at + 1, { ...known, clock: 2, wait_seconds: 1 }),
      failed
        ? event('task-failed', id, at + 2, { ...known, clock: 3, wait_seconds: 1, exception_type: 'ValueError' })
        : event('task-succeeded', id, at + 2, { ...known, clock: 3, wait_seconds: 1, runtime: (index + 1) / 10 }),
    ];
  });
  return [...events.flat(), event('task-sent', 'elsewhere', HOUR + 1800, { cluster: 'test', worker: 'gen1@laptop' })];
}

const worker = (name: string, more: Partial<WorkerWriteRow> = {}): WorkerWriteRow => ({
  ...{ cluster: 'prod', worker: name, pool: '', last_heard_at: NOW - 1, clock_offset_seconds: 0 },
  ...{ pid: 7, started_at: HOUR, last_heartbeat_at: NOW - 1, active: 2, processed: 50 },
  ...{ loadavg: [1, 2, 3], freq: 2, sw_ident: 'py-celery', sw_ver: '5.6.3', sw_sys: 'Linux', offline: false },
  updated_at: NOW - 1,
  ...more,
});

describe('over a known hour', () => {
  let store: Store;

  beforeAll(async () => {
    store = await openMigratedStore();
    const events = history();
    await insertTaskEvents(store, { lines: linesOf(events.slice(0, 150)), token: '1' });
    await insertTaskEvents(store, { lines: linesOf(events.slice(150)), token: '2' });
    const rows = Array.from({ length: 100 }, (_, index) =>
      task(`task-${String(index).padStart(3, '0')}`, HOUR + index, {
        state: index % 10 === 0 ? 'FAILURE' : 'SUCCESS',
        is_final: true,
      }),
    );
    await insertTasks(store, {
      rows: [...rows, task('elsewhere', HOUR + 1800, { cluster: 'test', state: 'PENDING' })],
      token: '1',
    });
    await insertWorkers(store, {
      rows: [
        worker('celery@w0'),
        // its clock is an hour behind, which makes it no less alive
        worker('celery@w1', { freq: 20, last_heartbeat_at: NOW - 3659, last_heard_at: NOW - 59, updated_at: NOW - 59 }),
        worker('celery@lost', { last_heartbeat_at: NOW - 31, last_heard_at: NOW - 31, updated_at: NOW - 31 }),
        worker('celery@gone', { offline: true, active: 0 }),
        worker('celery@new', { last_heartbeat_at: null, active: null, freq: null, cluster: 'test' }),
      ],
      token: '1',
    });
  });
  afterAll(() => store[Symbol.asyncDispose]());

  test('the overview has exact counts, filled buckets and percentiles to 1 %', async () => {
    const seen = await overview(store, { cluster: 'prod', from: HOUR, to: NOW, bucketSeconds: 60 });
    expect(seen.counts).toEqual({
      ...{ sent: 0, received: 100, started: 100, succeeded: 90, failed: 10, retried: 0, revoked: 0, rejected: 0 },
    });
    expect(seen.states).toEqual({ FAILURE: 10, SUCCESS: 90 });
    expect(seen.series).toHaveLength(60);
    expect(seen.series.map((point) => point.at)).toEqual(Array.from({ length: 60 }, (_, index) => HOUR + index * 60));
    expect(seen.series.slice(0, 3).map((point) => point.received)).toEqual([60, 40, 0]);
    expect(seen.wait).toEqual({
      count: 100,
      mean: 1,
      max: 1,
      p50: expect.closeTo(1, 1),
      p95: expect.closeTo(1, 1),
      p99: expect.closeTo(1, 1),
    });
    expect(seen.runtime.count).toBe(90);
    expect(seen.runtime.max).toBe(10);
    // the runtimes are 0.1 … 10.0 without 0.1, 1.1, 2.1 …
    expect(seen.runtime.mean).toBeCloseTo(5.1, 6);
    expect(Math.abs((seen.runtime.p50 ?? 0) - 5.1)).toBeLessThan(0.11);
    expect(Math.abs((seen.runtime.p95 ?? 0) - 9.6)).toBeLessThan(0.2);
    expect(seen.failing).toEqual([{ cluster: 'prod', name: 'app.even', exception_type: 'ValueError', failed: 10 }]);
  });

  test('the overview of all clusters counts all, and of a quiet hour nothing', async () => {
    const all = await overview(store, { from: HOUR, to: NOW, bucketSeconds: 1800 });
    expect(all.counts.sent).toBe(1);
    expect(all.series.map((point) => [point.received, point.sent])).toEqual([
      [100, 0],
      [0, 1],
    ]);
    const quiet = await overview(store, { from: HOUR - 3600, to: HOUR, bucketSeconds: 600 });
    expect(quiet.series.map((point) => point.received)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(quiet.runtime).toEqual({ count: 0, mean: null, max: null, p50: null, p95: null, p99: null });
    expect(quiet).toMatchObject({ states: {}, failing: [] });
  });

  test('too many points widen the bucket', async () => {
    const seen = await overview(store, { from: HOUR - 30 * 86_400, to: NOW, bucketSeconds: 60 });
    expect(seen.series.length).toBeLessThanOrEqual(2000);
    expect(seen.series[1]!.at - seen.series[0]!.at).toBe(seen.bucket_seconds);
    expect(seen.counts.received).toBe(100);
  });

  test('each cluster is summed up', async () => {
    expect(await clusterSummaries(store, { now: HOUR + 120 })).toMatchObject([
      { cluster: 'prod', events_per_minute: 60, tasks_per_minute: 20, failed_last_hour: 10 },
      { cluster: 'test', events_per_minute: 0, failed_last_hour: 0 },
    ]);
    expect(await clusterSummaries(store, { now: NOW })).toMatchObject([
      {
        cluster: 'prod',
        events_per_minute: 0,
        running: 4,
        workers_online: 2,
        workers_total: 4,
        last_event_at: NOW - 1,
      },
      { cluster: 'test', running: 0, workers_online: 1, workers_total: 1 },
    ]);
  });

  test('workers are online, lost past three beats or 30 s, or offline', async () => {
    const rows = await workerList(store, { cluster: 'prod', now: NOW });
    expect(rows.map((row) => [row.worker, row.state, row.succeeded_last_hour, row.failed_last_hour])).toEqual([
      ['celery@gone', 'offline', 0, 0],
      ['celery@lost', 'lost', 0, 0],
      ['celery@w0', 'online', 40, 10],
      ['celery@w1', 'online', 50, 0],
    ]);
    expect(rows[2]).toMatchObject({
      pid: 7,
      loadavg: [1, 2, 3],
      started_at: HOUR,
      last_heartbeat_at: NOW - 1,
      sw_ver: '5.6.3',
    });
    const [fresh] = await workerList(store, { cluster: 'test', now: NOW });
    expect(fresh).toMatchObject({ state: 'online', active: null, freq: null, last_heartbeat_at: null });
    expect(await workerList(store, { now: NOW, silentSeconds: 10 })).toHaveLength(3);
  });

  test('a timeline is in order, and at its limit keeps the newest', async () => {
    const rows = await taskEvents(store, { cluster: 'prod', taskId: 'task-010' });
    expect(rows.map((row) => [row.type, row.timestamp, row.clock])).toEqual([
      ['task-received', HOUR + 10, 1],
      ['task-started', HOUR + 11, 2],
      ['task-failed', HOUR + 12, 3],
    ]);
    expect(rows[0]).toMatchObject({ pid: 7, worker: 'celery@w0', queue: 'q', retries: null, exception: '' });
    const cut = await taskEvents(store, { cluster: 'prod', taskId: 'task-010', limit: 1 });
    expect(cut.map((row) => row.type)).toEqual(['task-failed']);
    expect(await taskEvents(store, { cluster: 'test', taskId: 'task-010' })).toEqual([]);
  });

  test('a task is found by id alone', async () => {
    expect(await taskDetail(store, { taskId: 'elsewhere' })).toMatchObject([{ cluster: 'test', state: 'PENDING' }]);
    expect(await taskDetail(store, { taskId: 'elsewhere', cluster: 'prod' })).toEqual([]);
    expect(await taskDetail(store, { taskId: 'nowhere' })).toEqual([]);
  });

  test('the database tells its size', async () => {
    const info = await dbInfo(store);
    expect(info.schema_version).toBe(readdirSync(new URL('../migrations', import.meta.url)).length);
    expect(info.version).toMatch(/^\d+\.\d+/);
    expect(info.tables.find((table) => table.table === 'task_events')).toMatchObject({ rows: 301 });
    expect(info.bytes).toBeGreaterThan(0);
  });
});

test('poison and gaps come back as they were written', async () => {
  await using store = await openMigratedStore();
  const poison = {
    ...{ cluster: 'prod', collected_at: HOUR + 0.25, reason: 'EVENT_NOT_JSON', detail: 'at 3', size: 70_000 },
    ...{ content_type: 'application/json', routing_key: 'task.multi', body: '{\'\u0000"é\n' },
  };
  const gaps = [
    {
      ...{ cluster: 'prod', collector: 'c1', started_at: HOUR, ended_at: HOUR + 9.5 },
      ...{ reason: 'disconnected' as const, estimated_events: 12.5 },
    },
    {
      ...{ cluster: 'prod', collector: 'c1', started_at: HOUR + 20, ended_at: HOUR + 21 },
      ...{ reason: 'overflow' as const, estimated_events: null },
    },
  ];
  for (const token of ['a', 'a']) {
    await insertPoison(store, { rows: [poison], token });
    await insertGaps(store, { rows: gaps, token });
  }
  expect(await poisonList(store, { from: HOUR, to: NOW })).toEqual([poison]);
  expect(await poisonList(store, { from: HOUR, to: NOW, cluster: 'test' })).toEqual([]);
  expect(await ingestGaps(store, { from: HOUR, to: NOW })).toEqual(gaps.toReversed());
  expect(await ingestGaps(store, { from: HOUR + 5, to: HOUR + 6, cluster: 'prod' })).toEqual(gaps.slice(0, 1));
});

test('heartbeats are kept as samples, also without what Celery leaves out', async () => {
  await using store = await openMigratedStore();
  const beat = event('worker-heartbeat', '', HOUR, { worker: 'celery@w1', freq: 2, active: 1, loadavg: [0.5, 1, 2] });
  const bare = event('worker-heartbeat', '', HOUR + 1, { worker: 'celery@w1', freq: 5 });
  await insertWorkerSamples(store, { lines: linesOf([beat, bare]), token: 'a' });
  await insertWorkerSamples(store, { lines: linesOf([beat, bare]), token: 'a' });
  expect(await sql(store, 'SELECT freq, active, loadavg FROM meadow.worker_samples ORDER BY timestamp')).toEqual([
    { freq: 2, active: 1, loadavg: [0.5, 1, 2] },
    { freq: 5, active: null, loadavg: [] },
  ]);
});

test('a worker without heartbeats is known by its tasks, and who only sends tasks is none', async () => {
  await using store = await openMigratedStore();
  const events = [
    event('task-sent', 'a', HOUR + 10, { worker: 'gen1@web' }),
    event('task-received', 'a', HOUR + 11, { worker: 'celery@mute' }),
    event('task-succeeded', 'a', HOUR + 12, { worker: 'celery@mute', runtime: 1 }),
    event('task-received', 'b', HOUR + 11, { worker: 'celery@w0' }),
  ];
  await insertTaskEvents(store, { lines: linesOf(events), token: '1' });
  await insertWorkers(store, { rows: [worker('celery@w0')], token: '1' });
  expect(await workerList(store, { cluster: 'prod', now: HOUR + 60 })).toMatchObject([
    { worker: 'celery@w0' },
    { worker: 'celery@mute', state: 'quiet', last_heard_at: HOUR, succeeded_last_hour: 1, active: null },
  ]);
  expect(await workerList(store, { cluster: 'prod', now: HOUR + 7300 })).toMatchObject([{ worker: 'celery@w0' }]);
});

test('a worker that was restarted has two lives, each with its own count', async () => {
  await using store = await openMigratedStore();
  const beat = (at: number, pid: number, processed: number, type = 'worker-heartbeat') =>
    event(type, '', at, { worker: 'celery@w1', pid, processed, active: 1, freq: 2, loadavg: [0.5, 1, 2] });
  const samples = [
    beat(HOUR, 7, 0, 'worker-online'),
    beat(HOUR + 10, 7, 40),
    beat(HOUR + 70, 7, 90),
    beat(HOUR + 75, 8, 0, 'worker-online'),
    beat(HOUR + 130, 8, 30),
    beat(HOUR + 131, 8, 30, 'worker-offline'),
    event('worker-heartbeat', '', HOUR + 50, { worker: 'celery@other', pid: 1, processed: 5 }),
  ];
  await insertWorkerSamples(store, { lines: linesOf(samples), token: '1' });
  const span = { cluster: 'prod', worker: 'celery@w1', from: HOUR, to: HOUR + 180, bucketSeconds: 60 };
  const { lives, series } = await workerHistory(store, span);
  expect(lives).toEqual([
    { pid: 8, started_at: HOUR + 75, last_heard_at: HOUR + 131.02, said_goodbye: true, processed: 30 },
    { pid: 7, started_at: HOUR, last_heard_at: HOUR + 70.02, said_goodbye: false, processed: 90 },
  ]);
  expect(series).toEqual([
    { at: HOUR, active: 1, load: 0.5, processed: 40 },
    { at: HOUR + 60, active: 1, load: 0.5, processed: 50 },
    { at: HOUR + 120, active: 1, load: 0.5, processed: 30 },
  ]);
});
