import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  insertTaskEvents,
  insertTasks,
  taskTypeDetail,
  taskTypeList,
  taskTypeRuns,
  taskTypeTimes,
  type Store,
  type TaskEventLine,
} from '../src/index.ts';
import { event, linesOf, openMigratedStore, sql, task } from './database.ts';

/** An hour of some days ago. */
const T = (Math.floor(Date.now() / 3_600_000) - 72) * 3_600;
const RANGE = { from: T, to: T + 3_600, bucketSeconds: 600 };

let store: Store;

/** Forty runs a minute apart, of which every fourth fails; one in ten is retried first. */
function history(): TaskEventLine[] {
  return Array.from({ length: 40 }, (_, index) => {
    const at = T + index * 60;
    const known = { name: 'shop.buy', queue: index % 2 === 0 ? 'high' : 'low', worker: `celery@w${index % 3}` };
    const failed = { ...known, exception_type: index === 0 ? 'KeyError' : 'ValueError' };
    const end =
      index % 4 === 0
        ? event('task-failed', `t${index}`, at + 3, failed)
        : event('task-succeeded', `t${index}`, at + 2, { ...known, runtime: 1 + index / 100 });
    return [
      event('task-received', `t${index}`, at, known),
      event('task-started', `t${index}`, at + 1, { ...known, wait_seconds: 0.5 }),
      ...(index % 10 === 0 ? [event('task-retried', `t${index}`, at + 1, known)] : []),
      end,
    ];
  }).flat();
}

beforeAll(async () => {
  store = await openMigratedStore();
  const lines = history();
  // late, in another order, and one part twice
  await insertTaskEvents(store, { lines: linesOf(lines.slice(70).toReversed()), token: 'b' });
  await insertTaskEvents(store, { lines: linesOf(lines.slice(0, 70)), token: 'a' });
  await insertTaskEvents(store, { lines: linesOf(lines.slice(0, 70)), token: 'a' });
  const others = [
    event('task-started', 'old', T - 10 * 86_400, { name: 'shop.old' }),
    event('task-failed', 'broken', T - 20 * 86_400, { name: 'shop.broken', exception_type: 'ValueError' }),
    event('task-started', 'ancient', T - 120 * 86_400, { name: 'shop.ancient' }),
    event('task-received', 'x', T + 5, { name: 'shop.buy', cluster: 'test' }),
    event('task-received', 'nameless', T + 5),
  ];
  await insertTaskEvents(store, { lines: linesOf(others), token: 'c' });
});
afterAll(() => store[Symbol.asyncDispose]());

test('types have the figures that the events have, by cluster and name', async () => {
  const { types, bucket_seconds, from, to } = await taskTypeList(store, { ...RANGE, cluster: 'prod' });
  expect([from, to, bucket_seconds]).toEqual([T, T + 3_600, 600]);
  expect(types.map(({ name, last_at }) => [name, last_at])).toEqual([
    ['shop.broken', T - 20 * 86_400],
    ['shop.buy', T + 39 * 60],
    ['shop.old', T - 10 * 86_400],
  ]);
  const buy = types[1]!;
  const [raw] = await sql(
    store,
    `SELECT countIf(type = 'task-received') AS received, countIf(type = 'task-succeeded') AS succeeded,
            countIf(type = 'task-failed') AS failed, countIf(type = 'task-retried') AS retried,
            sum(runtime) AS runtime_sum, max(runtime) AS runtime_max, sumIf(wait_seconds, type = 'task-started') AS wait_sum
     FROM meadow.task_events WHERE cluster = 'prod' AND name = 'shop.buy'`,
  );
  expect(raw).toMatchObject({ received: 40, succeeded: 30, failed: 10, retried: 4 });
  expect(buy).toMatchObject({ ...raw, runtime_sum: expect.closeTo(Number(raw?.['runtime_sum']), 9) as number });
  expect(buy).toMatchObject({ queues: ['high', 'low'], trend: [10, 10, 10, 10, 0, 0] });
  const [p50, p95, p99] = buy.runtime;
  expect(Math.abs((p50 ?? 0) - 1.2)).toBeLessThan(0.03);
  expect([p95, p99].every((each) => Math.abs((each ?? 0) - 1.38) < 0.03)).toBe(true);
  expect(buy.wait[0]).toBeCloseTo(0.5, 1);
  expect(types[2]).toMatchObject({ received: 0, trend: [], runtime: [null, null, null] });
});

test('all clusters have lines of their own, and a span of days counts whole days and hours alike', async () => {
  const { types } = await taskTypeList(store, { from: T - 3 * 86_400, to: T + 7_200, bucketSeconds: 86_400 });
  expect(types.map(({ cluster, name }) => `${cluster} ${name}`)).toEqual([
    'prod shop.broken',
    'prod shop.buy',
    'prod shop.old',
    'test shop.buy',
  ]);
  expect(types[1]).toMatchObject({ received: 40, runtime_count: 30 });
  expect(Math.abs((types[1]?.runtime[0] ?? 0) - 1.2)).toBeLessThan(0.03);
});

test('a type tells where it ran, what went wrong, and every bucket', async () => {
  const found = await taskTypeDetail(store, { ...RANGE, cluster: 'prod', name: 'shop.buy' });
  expect(found.series.map(({ at }) => at)).toEqual([0, 1, 2, 3, 4, 5].map((index) => T + index * 600));
  expect(found.series.map(({ succeeded, failed }) => [succeeded, failed])).toEqual([
    [7, 3],
    [8, 2],
    [7, 3],
    [8, 2],
    [0, 0],
    [0, 0],
  ]);
  expect(found.series[5]).toMatchObject({ runtime: null, wait: null });
  expect(found.series[0]?.wait).toBe(0.5);
  expect(found.queues).toEqual([
    { value: 'high', ended: 20, failed: 10 },
    { value: 'low', ended: 20, failed: 0 },
  ]);
  expect(found.workers.map(({ ended }) => ended)).toEqual([14, 13, 13]);
  expect(found.failures).toEqual([
    { exception_type: 'ValueError', failed: 9, last_at: T + 36 * 60 },
    { exception_type: 'KeyError', failed: 1, last_at: T },
  ]);
});

test('runs are told once each, by when they were sent, but for what other tasks sent', async () => {
  const beat = { name: 'shop.clean', client: 'gen1@beat' };
  await insertTasks(store, {
    rows: [
      task('r1', T + 1, { ...beat, sent_at: T }),
      task('r2', T + 61, { ...beat, sent_at: null, received_at: T + 60.5 }),
      // its sending was heard of later
      task('r3', T + 121, { ...beat, client: '', sent_at: null, received_at: T + 121 }),
      task('r3', T + 121, { ...beat, sent_at: T + 120, received_at: T + 121, version: 2 }),
      task('child', T + 90, { ...beat, parent_id: 'r1', root_id: 'r1' }),
      task('elsewhere', T + 90, { ...beat, cluster: 'test' }),
    ],
    token: 'runs',
  });
  const asked = { cluster: 'prod', name: 'shop.clean', from: T - 60 };
  expect(await taskTypeRuns(store, asked)).toEqual([T + 120, T + 60.5, T].map((at) => ({ at, client: 'gen1@beat' })));
  expect(await taskTypeRuns(store, { ...asked, limit: 1 })).toHaveLength(1);
  expect(await taskTypeRuns(store, { ...asked, from: T + 100 })).toHaveLength(1);
});

test('times of many types are told at once: exactly of the last two hours, by the minute of what is older', async () => {
  const now = T + 40 * 60;
  const { often, seldom } = await taskTypeTimes(store, { cluster: 'prod', now });
  // three runs are too few, and events alone are no tasks
  expect(often).toEqual([]);
  const buy = seldom.find(({ name }) => name === 'shop.buy');
  expect(buy?.times).toEqual(Array.from({ length: 40 }, (_, index) => T + (39 - index) * 60));
  // a start that nobody was seen to send or receive is no run that anybody began
  expect(seldom.map(({ name }) => name)).toEqual(['shop.buy']);
  const more = Array.from({ length: 8 }, (_, turn) => task(`q${turn}`, T + turn * 20, { name: 'shop.quick' }));
  await insertTasks(store, { rows: [...more, { ...more[0]!, version: 9 }], token: 'quick' });
  expect((await taskTypeTimes(store, { now })).often).toEqual([
    { cluster: 'prod', name: 'shop.quick', times: [7, 6, 5, 4, 3, 2, 1, 0].map((turn) => T + turn * 20) },
  ]);
});
