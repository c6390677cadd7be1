import { expect, test } from 'vitest';
import {
  insertTaskEvents,
  insertTasks,
  insertWorkers,
  openTaskIds,
  recentEventIds,
  taskDetail,
  taskEventsByIds,
  taskKeysByIds,
  workerList,
  type Store,
} from '../src/index.ts';
import { event, linesOf, openMigratedStore, sql, task } from './database.ts';

// recent, since rollups forget by the clock of the wall; microseconds that a sum of doubles would not keep
const T = Number(`${Math.floor(Date.now() / 1000) - 600}.186502`);

const counted = (store: Store) =>
  sql(
    store,
    `SELECT (SELECT count() FROM meadow.task_events) AS events, (SELECT sum(events) FROM meadow.task_rates) AS counted,
            (SELECT sum(failed) FROM meadow.failure_rollup) AS failed, (SELECT sum(runtime_sum) FROM meadow.task_rates) AS runtime`,
  );

test('times keep their microseconds, whole seconds too', async () => {
  await using store = await openMigratedStore();
  const times = [T, 1_795_169_474, 1_795_169_474.1, 1_795_169_474.000001, 1_795_169_473.999999];
  const lines = linesOf(times.map((time) => event('task-received', 'a', time, { collected_at: time })));
  await insertTaskEvents(store, { lines, token: 't' });
  const rows = await taskEventsByIds(store, { cluster: 'prod', taskIds: ['a'] });
  expect(rows.map((row) => row.timestamp)).toEqual(times.toSorted((a, b) => a - b));
  expect(rows.map((row) => row.collected_at)).toEqual(times.toSorted((a, b) => a - b));
});

test('a sender whose clock is absurd does not hold up the others', async () => {
  await using store = await openMigratedStore();
  const weeks = Array.from({ length: 200 }, (_, index) => T - index * 7 * 86_400);
  const times = [-5, 0, 1e10, 1e11, 9e11, -9e11, ...weeks];
  const lines = linesOf(times.map((time) => event('task-started', 'a', time, { collected_at: T, wait_seconds: 1 })));
  await insertTaskEvents(store, { lines, token: 't' });
  expect(await counted(store)).toMatchObject([{ events: times.length, counted: times.length }]);
});

test('a write repeated with its token changes neither the table nor any rollup', async () => {
  await using store = await openMigratedStore();
  const lines = linesOf([
    event('task-received', 'a', T, { name: 'n' }),
    event('task-succeeded', 'a', T + 1, { name: 'n', runtime: 0.5 }),
    event('task-failed', 'b', T + 1, { name: 'n', exception_type: 'ValueError' }),
  ]);
  await insertTaskEvents(store, { lines, token: 'one' });
  await insertTaskEvents(store, { lines, token: 'one' });
  expect(await counted(store)).toEqual([{ events: 3, counted: 3, failed: 1, runtime: 0.5 }]);
  await insertTaskEvents(store, { lines, token: 'two' });
  expect(await counted(store)).toEqual([{ events: 6, counted: 6, failed: 2, runtime: 1 }]);
});

test('the same write at once from two processes is one write', async () => {
  await using store = await openMigratedStore();
  const lines = linesOf(Array.from({ length: 2000 }, (_, index) => event('task-sent', `t${index}`, T + index / 1000)));
  await Promise.all([insertTaskEvents(store, { lines, token: 'x' }), insertTaskEvents(store, { lines, token: 'x' })]);
  expect(await counted(store)).toEqual([{ events: 2000, counted: 2000, failed: 0, runtime: 0 }]);
});

test('a repeat completes a rollup that a crash left without its part', async () => {
  await using store = await openMigratedStore();
  const lines = linesOf([event('task-failed', 'a', T, { name: 'n', exception_type: 'ValueError' })]);
  // what a crash between the table and its views leaves: rows in one, not in the other
  await store.command('test', `DETACH TABLE ${store.database}.failure_rollup_fill`, {}, {});
  await insertTaskEvents(store, { lines, token: 'one' });
  await store.command('test', `ATTACH TABLE ${store.database}.failure_rollup_fill`, {}, {});
  expect(await counted(store)).toMatchObject([{ events: 1, counted: 1, failed: 0 }]);
  await insertTaskEvents(store, { lines, token: 'one' });
  expect(await counted(store)).toMatchObject([{ events: 1, counted: 1, failed: 1 }]);
});

test('lines may be cut anywhere into chunks, and keys unknown to this release are skipped', async () => {
  await using store = await openMigratedStore();
  const text = linesOf([
    { ...event('task-sent', 'é\'"\\💥', T, { args: "('ü', \"q'\")\n" }), of_next_release: [1, { a: null }] },
  ]);
  const chunks = Array.from({ length: text.length }, (_, index) => text.subarray(index, index + 1));
  await insertTaskEvents(store, { lines: chunks, token: 't' });
  const [row] = await taskEventsByIds(store, { cluster: 'prod', taskIds: ['é\'"\\💥', 'other'] });
  expect(row).toMatchObject({
    task_id: 'é\'"\\💥',
    args: "('ü', \"q'\")\n",
    pid: null,
    runtime: null,
    terminated: null,
    queue: '',
  });
});

test('versions of a task written in any order leave the same row', async () => {
  const versions = [
    task('a', T, { version: 1 }),
    task('a', T, { version: 2, state: 'STARTED', started_at: T + 1, wait_seconds: 1 }),
    task('a', T, {
      version: 3,
      state: 'SUCCESS',
      is_final: true,
      finished_at: T + 2.5,
      runtime_seconds: 1.5,
      cut: ['args'],
      attempt_log: [
        {
          ...{ number: 1, retries: 0, worker: 'celery@w1', received_at: T, started_at: T + 1, ended_at: T + 2.5 },
          ...{ state: 'SUCCESS', exception: '', redelivered: false },
        },
      ],
    }),
  ];
  const { version: _v, keep_until: _k, is_final: _f, ...expected } = versions[2]!;
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    await using store = await openMigratedStore();
    for (const index of order) await insertTasks(store, { rows: [versions[index]!], token: `v${index}` });
    expect(await taskDetail(store, { taskId: 'a' })).toEqual([expected]);
    expect(await sql(store, 'SELECT state, is_final FROM meadow.tasks')).toEqual([
      { state: 'SUCCESS', is_final: true },
    ]);
    const [key] = await taskKeysByIds(store, { cluster: 'prod', taskIds: ['a'] });
    expect(key).toEqual({ cluster: 'prod', task_id: 'a', first_seen_at: T, version: 3, is_final: true });
  }
});

test('rows past their time are deleted, each by its own', async () => {
  await using store = await openMigratedStore();
  const now = Math.floor(Date.now() / 1000);
  const lines = linesOf([
    event('task-sent', 'old', now - 100, { keep_until: now - 10 }),
    event('task-sent', 'new', now - 100, { keep_until: now + 1000 }),
    { ...event('task-sent', 'unsaid', now - 100), keep_until: undefined },
  ]);
  await insertTaskEvents(store, { lines, token: 't' });
  await insertTasks(store, {
    rows: [task('old', now - 100, { keep_until: now - 10 }), task('new', now - 100)],
    token: 't',
  });
  const [unsaid] = await sql<{ s: number }>(
    store,
    `SELECT toUInt32(keep_until) - toUInt32(collected_at) AS s FROM meadow.task_events WHERE task_id = 'unsaid'`,
  );
  expect(unsaid).toEqual({ s: 14 * 86_400 });
  await store.command('test', `OPTIMIZE TABLE ${store.database}.task_events FINAL`, {}, {});
  await store.command('test', `OPTIMIZE TABLE ${store.database}.tasks_raw FINAL`, {}, {});
  expect(await sql(store, 'SELECT task_id FROM meadow.task_events ORDER BY task_id')).toEqual([
    { task_id: 'new' },
    { task_id: 'unsaid' },
  ]);
  expect(await sql(store, 'SELECT task_id FROM meadow.tasks')).toEqual([{ task_id: 'new' }]);
});

test('recovery reads what is recent and what is open, and ten thousand tasks at once', async () => {
  await using store = await openMigratedStore();
  const now = Date.now() / 1000;
  const ids = Array.from({ length: 10_000 }, () => crypto.randomUUID());
  const lines = linesOf(ids.map((id, index) => event('task-sent', id, now - index / 1000)));
  const ancient = event('task-sent', 'ancient', now - 7200);
  await insertTaskEvents(store, { lines: [lines, linesOf([ancient])], token: 't' });
  expect(await taskEventsByIds(store, { cluster: 'prod', taskIds: ids })).toHaveLength(10_000);
  expect(await taskEventsByIds(store, { cluster: 'other', taskIds: ids.slice(0, 10) })).toEqual([]);
  const recent = await recentEventIds(store, { sinceSeconds: 600, limit: 20_000 });
  expect(recent).toHaveLength(10_000);
  expect(recent).not.toContain(ancient.event_id);
  expect(await recentEventIds(store, { sinceSeconds: 600, limit: 3 })).toEqual(recent.slice(0, 3));

  const rows = [
    task('done', now - 5, { is_final: true }),
    task('open', now - 10),
    task('long done', now - 900, { is_final: true }),
    task('stale', now - 7200),
  ];
  await insertTasks(store, { rows, token: 't' });
  const open = await openTaskIds(store, { sinceSeconds: 3600, limit: 10 });
  expect(open.map((key) => key.task_id)).toEqual(['open', 'done']);
});

test('of a worker the newest facts stay', async () => {
  await using store = await openMigratedStore();
  const facts = {
    ...{ cluster: 'prod', worker: 'celery@w1', pid: 7, started_at: T, freq: 2, loadavg: [0.5, 0.25, 1] },
    ...{ processed: 10, sw_ident: 'py-celery', sw_ver: '5.6', sw_sys: 'Linux', offline: false },
    ...{ pool: 'celery@w', last_heard_at: T + 4, clock_offset_seconds: 0.01 },
  };
  const older = { ...facts, last_heartbeat_at: T + 2, active: 1, updated_at: T + 2 };
  const newer = { ...facts, last_heartbeat_at: T + 4, active: 2, updated_at: T + 4 };
  await insertWorkers(store, { rows: [newer], token: 'b' });
  await insertWorkers(store, { rows: [older], token: 'a' });
  const rows = await workerList(store, { now: T + 5 });
  expect(rows).toMatchObject([
    { active: 2, last_heartbeat_at: T + 4, state: 'online', loadavg: [0.5, 0.25, 1], started_at: T },
  ]);
});
