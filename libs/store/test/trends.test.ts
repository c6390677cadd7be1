import type { QueueSample } from '@meadow/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  busiestHours,
  concurrencyTrend,
  durationTrend,
  insertQueueSamples,
  insertTaskEvents,
  insertWorkers,
  insertWorkerSamples,
  overview,
  queueTrends,
  runtimeHeatMap,
  taskTrends,
  throughput,
  trendScopes,
  workerTrends,
  type Spread,
  type Store,
  type TaskEventLine,
  type TrendInput,
} from '../src/index.ts';
import { event, linesOf, openMigratedStore, sql } from './database.ts';

const DAY = 86_400;
const HOUR = 3_600;
// the begin of a day, so that days, hours and minutes all have borders within the history
const END = Math.floor(Date.now() / 1000 / DAY) * DAY - DAY;
const BEGIN = END - 3 * DAY;
const TASKS = 4_000;

/** Numbers from 0 to 1 that a seed decides. */
function randomness(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const random = randomness(20_261_122);
const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)]!;

/** `mail` runs nothing that runs elsewhere; `app.load` runs in two queues. */
const QUEUES: Readonly<Record<string, readonly string[]>> = {
  'app.send': ['mail'],
  'app.bounce': ['mail'],
  'app.load': ['bulk', 'fast'],
  'app.tick': ['fast'],
};

/** Events of tasks that wait, run, fail, are retried and revoked; some heard hours late, some from a wrong clock. */
function history(): TaskEventLine[] {
  return Array.from({ length: TASKS }, (_, index): TaskEventLine[] => {
    const name = pick(Object.keys(QUEUES));
    const cluster = random() < 0.8 ? 'prod' : 'test';
    const worker = `celery@w${Math.floor(random() * 3)}`;
    const sentAt = BEGIN + random() * 2.9 * DAY;
    // numbers that a sum of doubles has exactly in any order
    const wait_seconds = Math.ceil(random() * 4_096) / 256;
    const runtime = Math.ceil(2 ** (random() * 18)) / 256;
    const known = { cluster, name, queue: pick(QUEUES[name]!), worker };
    const late = random() < 0.1 ? random() * 5 * HOUR : 0.02;
    const heard = (at: number) => ({ ...known, collected_at: at + late });
    const startedAt = sentAt + wait_seconds;
    const endedAt = startedAt + runtime;
    const id = `task-${index}`;
    const begun = [
      event('task-sent', id, sentAt, { ...heard(sentAt), worker: 'gen1@web' }),
      event('task-received', id, sentAt + 0.01, heard(sentAt + 0.01)),
      event('task-started', id, startedAt, { ...heard(startedAt), wait_seconds }),
    ];
    const end = random();
    if (end < 0.7) begun.push(event('task-succeeded', id, endedAt, { ...heard(endedAt), runtime, wait_seconds }));
    else if (end < 0.85) {
      const exception_type = pick(['ValueError', 'Timeout']);
      begun.push(event('task-failed', id, endedAt, { ...heard(endedAt), exception_type, wait_seconds }));
    } else if (end < 0.95) begun.push(event('task-retried', id, endedAt, heard(endedAt)));
    else begun.push(event('task-revoked', id, endedAt, heard(endedAt)));
    // what Meadow says itself is no event of Celery, and a clock of 1970 is not believed
    if (index % 50 === 0) begun.push(event('meadow-lost', id, endedAt, heard(endedAt)));
    return index % 70 === 0 ? begun.map((each) => ({ ...each, timestamp: index })) : begun;
  }).flat();
}

const events = history();
/** As rollups count: Celery's own, at the time that can be believed. */
const counted = events
  .filter(({ type }) => !type.startsWith('meadow-'))
  .map((each) => ({ ...each, at: each.timestamp < BEGIN ? each.collected_at : each.timestamp }));
type Counted = (typeof counted)[number];

let store: Store;

beforeAll(async () => {
  store = await openMigratedStore();
  const shuffled = events.map((line) => ({ line, place: random() })).sort((one, other) => one.place - other.place);
  const batches = Array.from({ length: 20 }, (_, batch) =>
    linesOf(shuffled.filter((__, index) => index % 20 === batch).map(({ line }) => line)),
  );
  for (const [batch, lines] of batches.entries()) {
    await insertTaskEvents(store, { lines, token: `batch ${batch}` });
    // at once, and again after others
    if (batch % 3 === 0) await insertTaskEvents(store, { lines, token: `batch ${batch}` });
    const before = batch - 4;
    if (before >= 0) await insertTaskEvents(store, { lines: batches[before]!, token: `batch ${before}` });
  }
  await insertWorkers(store, {
    rows: [0, 1, 2].map((number) => ({
      ...{ cluster: 'prod', worker: `celery@w${number}`, pool: number === 2 ? 'batch' : 'web', updated_at: END },
      ...{ pid: 1, freq: 2, active: 0, processed: 0, loadavg: [], started_at: null, last_heartbeat_at: END },
      ...{ last_heard_at: END, clock_offset_seconds: 0, sw_ident: '', sw_ver: '', sw_sys: '', offline: false },
    })),
    token: '1',
  });
});
afterAll(() => store[Symbol.asyncDispose]());

const SCOPES: readonly Partial<TrendInput>[] = [
  {},
  { cluster: 'prod' },
  { cluster: 'prod', task: 'app.send' },
  { task: 'app.load', queue: 'bulk' },
  { cluster: 'test', queue: 'mail' },
  { queue: 'fast' },
  { cluster: 'prod', worker: 'celery@w1' },
  { cluster: 'prod', pool: 'web' },
  { task: 'nothing.like.it' },
];
/** With widths that are kept by day, hour and minute, and one that is not kept. */
const SPANS = [
  { from: BEGIN, to: END, bucketSeconds: DAY },
  { from: BEGIN + 5 * HOUR, to: END - 7 * HOUR, bucketSeconds: HOUR },
  { from: BEGIN + DAY + 600, to: BEGIN + DAY + 5 * HOUR + 600, bucketSeconds: 600 },
];
const ASKED = SCOPES.flatMap((scope) => SPANS.map((span) => ({ ...scope, ...span })));

const isIn = (scope: Partial<TrendInput>, { at, ...line }: Counted, from: number, to: number): boolean =>
  at >= from &&
  at < to &&
  (scope.cluster ?? line.cluster) === line.cluster &&
  (scope.task ?? line.name) === line.name &&
  (scope.queue ?? line.queue) === line.queue &&
  (scope.worker ?? line.worker) === line.worker &&
  (scope.pool === undefined ||
    (line.cluster === 'prod' &&
      line.worker.startsWith('celery') &&
      (line.worker === 'celery@w2') === (scope.pool === 'batch')));

const within = (scope: Partial<TrendInput>, from: number, to: number): Counted[] =>
  counted.filter((line) => isIn(scope, line, from, to));

const KINDS = ['sent', 'received', 'started', 'succeeded', 'failed', 'retried', 'revoked', 'rejected'] as const;
const countsOf = (lines: readonly Counted[]) =>
  Object.fromEntries(KINDS.map((kind) => [kind, lines.filter(({ type }) => type === `task-${kind}`).length]));

const runtimesOf = (lines: readonly Counted[]): number[] => lines.flatMap(({ runtime }) => runtime ?? []);
const waitsOf = (lines: readonly Counted[]): number[] =>
  lines.flatMap(({ type, wait_seconds }) => (type === 'task-started' ? (wait_seconds ?? []) : []));
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
const orNull = <Value>(values: readonly number[], value: Value): Value | null => (values.length === 0 ? null : value);

/** Whether a percentile is that of the values: some value next to its rank is as large, from 1 % below to 3.1 % above. */
function isPercentile(told: number | null, values: readonly number[], level: number): boolean {
  if (values.length === 0 || told === null) return values.length === 0 && told === null;
  const sorted = values.toSorted((one, other) => one - other);
  const rank = level * (sorted.length - 1);
  const near = [Math.floor(rank) - 1, Math.floor(rank), Math.ceil(rank), Math.ceil(rank) + 1].flatMap(
    (index) => sorted[index] ?? [],
  );
  return told >= Math.min(...near) * 0.99 && told <= Math.max(...near) * 1.031;
}

function expectSpread(spread: Spread, values: readonly number[]): void {
  const { count, avg, max, p50, p90, p95, p99 } = spread;
  expect({ count, avg, max }).toEqual({
    count: values.length,
    avg: orNull(values, sum(values) / values.length),
    max: orNull(values, Math.max(...values)),
  });
  const levels = [p50, p90, p95, p99].map((told, index) => isPercentile(told, values, [0.5, 0.9, 0.95, 0.99][index]!));
  expect(levels).toEqual([true, true, true, true]);
}

describe('after shuffled, repeated and late writes, every rollup is what its events say', () => {
  test('counts, sums and longest, by minute, name, queue and worker', async () => {
    const groups = Map.groupBy(counted, ({ cluster, at, name, queue, worker }) =>
      JSON.stringify([cluster, Math.floor(at / 60) * 60, name, queue, worker]),
    );
    const told = await sql<{ key: string }>(
      store,
      `SELECT toJSONString(tuple(toString(cluster), toUInt32(minute), toString(name), toString(queue), toString(worker))) AS key,
              events, ${KINDS.join(', ')}, runtime_count, runtime_sum, runtime_max, wait_count, wait_sum, wait_max
       FROM meadow.task_rates`,
    );
    expect(told).toHaveLength(groups.size);
    for (const { key, ...figures } of told) {
      const lines = groups.get(key) ?? [];
      const runtimes = runtimesOf(lines);
      const waits = waitsOf(lines);
      expect(figures).toEqual({
        events: lines.length,
        ...countsOf(lines),
        ...{ runtime_count: runtimes.length, runtime_sum: sum(runtimes), runtime_max: Math.max(0, ...runtimes) },
        ...{ wait_count: waits.length, wait_sum: sum(waits), wait_max: Math.max(0, ...waits) },
      });
    }
  });

  test('failures, by minute, name and exception', async () => {
    const failed = counted.filter(({ type }) => type === 'task-failed');
    const groups = Map.groupBy(failed, ({ cluster, at, name, exception_type }) =>
      JSON.stringify([cluster, Math.floor(at / 60) * 60, name, exception_type]),
    );
    const told = await sql<{ key: string; failed: number }>(
      store,
      `SELECT toJSONString(tuple(toString(cluster), toUInt32(minute), toString(name), toString(exception_type))) AS key,
              sum(f.failed) AS failed
       FROM meadow.failure_rollup AS f GROUP BY cluster, minute, name, exception_type`,
    );
    expect(new Map(told.map(({ key, failed: count }) => [key, count]))).toEqual(
      new Map([...groups].map(([key, lines]) => [key, lines.length])),
    );
  });

  test.each([
    ['duration_rollup', 'minute', 60, false],
    ['hour_duration_rollup', 'hour', HOUR, false],
    ['name_duration_rollup', 'hour', HOUR, true],
    ['name_day_duration_rollup', 'day', DAY, true],
  ] as const)('sketches of %s', async (table, column, width, byName) => {
    const measured = counted.filter(({ type }) => type === 'task-started' || type === 'task-succeeded');
    const groups = Map.groupBy(measured, ({ cluster, at, name }) =>
      JSON.stringify([cluster, Math.floor(at / width) * width, ...(byName ? [name] : [])]),
    );
    const told = await sql<{ key: string; runtime: (number | null)[]; wait: (number | null)[] }>(
      store,
      `SELECT toJSONString(tuple(toString(cluster), toUInt32(toDateTime(${column}, 'UTC'))${byName ? ', toString(name)' : ''})) AS key,
              quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(d.runtime) AS runtime, quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(d.wait) AS wait
       FROM meadow.${table} AS d GROUP BY cluster, ${column}${byName ? ', name' : ''}`,
    );
    expect(told).toHaveLength(groups.size);
    for (const { key, runtime, wait } of told) {
      const lines = groups.get(key) ?? [];
      for (const [index, level] of [0.5, 0.95, 0.99].entries()) {
        expect(isPercentile(runtime[index] ?? null, runtimesOf(lines), level)).toBe(true);
        expect(isPercentile(wait[index] ?? null, waitsOf(lines), level)).toBe(true);
      }
    }
  });

  test('the overview', async () => {
    const { counts, runtime, wait } = await overview(store, {
      cluster: 'prod',
      from: BEGIN,
      to: END,
      bucketSeconds: HOUR,
    });
    const lines = within({ cluster: 'prod' }, BEGIN, END);
    expect(counts).toEqual(countsOf(lines));
    expect([runtime.count, runtime.mean, runtime.max]).toEqual([
      runtimesOf(lines).length,
      sum(runtimesOf(lines)) / runtimesOf(lines).length,
      Math.max(...runtimesOf(lines)),
    ]);
    expect(isPercentile(wait.p95, waitsOf(lines), 0.95)).toBe(true);
  });
});

describe.each(ASKED)('trends of $cluster $task $queue $worker $pool by $bucketSeconds s', (input) => {
  /** What is told of each bucket beside what lies in it. */
  function eachBucket<Point extends { readonly at: number }>(
    told: { readonly bucket_seconds: number; readonly series: readonly Point[] },
    compare: (point: Point, lines: readonly Counted[]) => void,
  ): void {
    const { bucket_seconds: width, series } = told;
    const first = Math.floor(input.from / width) * width;
    expect(series.map(({ at }) => at)).toEqual(series.map((_, index) => first + index * width));
    expect((series.at(-1)?.at ?? 0) + width).toBe(Math.ceil(input.to / width) * width);
    const of = Map.groupBy(
      within(input, first, first + series.length * width),
      ({ at }) => Math.floor(at / width) * width,
    );
    for (const point of series) compare(point, of.get(point.at) ?? []);
  }

  test('throughput', async () => {
    const told = await throughput(store, input);
    expect(told.source).toBe('rollup');
    eachBucket(told, ({ at, ...counts }, lines) => expect([at, counts]).toEqual([at, countsOf(lines)]));
    expect(told.total).toEqual(countsOf(within(input, input.from, input.to)));
  });

  test('durations', async () => {
    const told = await durationTrend(store, input);
    eachBucket(told, ({ runtime, wait }, lines) => {
      expectSpread(runtime, runtimesOf(lines));
      expectSpread(wait, waitsOf(lines));
    });
    const all = within(input, input.from, input.to);
    expectSpread(told.total.runtime, runtimesOf(all));
    expectSpread(told.total.wait, waitsOf(all));
  });

  test('concurrency', async () => {
    const told = await concurrencyTrend(store, input);
    eachBucket(told, ({ busy, waiting }, lines) =>
      expect([busy, waiting]).toEqual([
        sum(runtimesOf(lines)) / told.bucket_seconds,
        sum(waitsOf(lines)) / told.bucket_seconds,
      ]),
    );
    expect(told.busy_seconds).toBe(sum(runtimesOf(within(input, input.from, input.to))));
  });

  test('tasks', async () => {
    const told = await taskTrends(store, input);
    const groups = Map.groupBy(within(input, input.from, input.to), ({ name }) => name);
    expect(new Set(told.tasks.map(({ name }) => name))).toEqual(new Set(groups.keys()));
    for (const task of told.tasks) {
      const lines = groups.get(task.name) ?? [];
      const runtimes = runtimesOf(lines);
      const { received, started, succeeded, failed, retried, revoked = 0 } = countsOf(lines);
      expect(task).toMatchObject({ received, started, succeeded, failed, retried, busy_seconds: sum(runtimes) });
      expect(sum(task.ended)).toBe((succeeded ?? 0) + (failed ?? 0) + revoked);
      expect(task.wait_max).toBe(orNull(waitsOf(lines), Math.max(...waitsOf(lines))));
      expect([
        isPercentile(task.runtime_p50, runtimes, 0.5),
        isPercentile(task.runtime_p95, runtimes, 0.95),
        isPercentile(task.wait_p95, waitsOf(lines), 0.95),
      ]).toEqual([true, true, true]);
    }
  });

  test('queues and workers', async () => {
    const lines = within(input, input.from, input.to);
    const { queues } = await queueTrends(store, input);
    const byQueue = Map.groupBy(lines, ({ cluster, queue }) => `${cluster} ${queue}`);
    expect(queues.map(({ cluster, queue }) => `${cluster} ${queue}`).sort()).toEqual([...byQueue.keys()].sort());
    for (const { cluster, queue, started, wait_avg, wait_p95, busy_seconds } of queues) {
      const own = byQueue.get(`${cluster} ${queue}`) ?? [];
      const waits = waitsOf(own);
      expect([started, wait_avg, busy_seconds]).toEqual([
        countsOf(own)['started'],
        orNull(waits, sum(waits) / waits.length),
        sum(runtimesOf(own)),
      ]);
      expect(isPercentile(wait_p95, waits, 0.95)).toBe(true);
    }
    expect(queues.map(({ wait_avg }) => wait_avg ?? 0)).toEqual(
      queues.map(({ wait_avg }) => wait_avg ?? 0).sort((one, other) => other - one),
    );

    const { workers } = await workerTrends(store, input);
    const byWorker = Map.groupBy(
      lines.filter(({ type }) => type !== 'task-sent'),
      ({ cluster, worker }) => `${cluster} ${worker}`,
    );
    expect(workers.map(({ cluster, worker }) => `${cluster} ${worker}`).sort()).toEqual([...byWorker.keys()].sort());
    for (const { cluster, worker, started, failed, busy_seconds } of workers) {
      const own = byWorker.get(`${cluster} ${worker}`) ?? [];
      const counts = countsOf(own);
      expect([started, failed, busy_seconds]).toEqual([counts['started'], counts['failed'], sum(runtimesOf(own))]);
    }
  });

  test('the heat map of runtimes', async () => {
    const { cells, source, bucket_seconds: width } = await runtimeHeatMap(store, input);
    expect(source).toBe('events');
    const of = (runtime: number): number => Math.floor(Math.log2(runtime));
    const truth = Map.groupBy(
      within(input, input.from, input.to).filter(({ runtime }) => runtime !== undefined),
      ({ at, runtime }) => `${Math.floor(at / width) * width} ${of(runtime ?? 0)}`,
    );
    expect(new Map(cells.map(({ at, row, tasks }) => [`${at} ${row}`, tasks]))).toEqual(
      new Map([...truth].map(([cell, lines]) => [cell, lines.length])),
    );
  });

  test('busiest hours, in the zone of who looks', async () => {
    for (const [timeZone, offset] of [
      ['UTC', 0],
      ['Asia/Kolkata', 5.5 * HOUR],
    ] as const) {
      const told = await busiestHours(store, { ...input, timeZone });
      const groups = Map.groupBy(within(input, input.from, input.to), ({ at }) => {
        const there = new Date((at + offset) * 1000);
        return `${((there.getUTCDay() + 6) % 7) + 1} ${there.getUTCHours()}`;
      });
      expect(new Map(told.map(({ weekday, hour, started }) => [`${weekday} ${hour}`, started]))).toEqual(
        new Map([...groups].map(([hour, lines]) => [hour, countsOf(lines)['started']])),
      );
    }
  });
});

test('a span of seconds is told from single events', async () => {
  const input = { from: BEGIN + DAY, to: BEGIN + DAY + 600, bucketSeconds: 5 };
  const { series, source, bucket_seconds } = await throughput(store, input);
  expect([source, bucket_seconds, series.length]).toEqual(['events', 5, 120]);
  for (const { at, ...counts } of series) expect(counts).toEqual(countsOf(within({}, at, at + 5)));
});

test('percentiles are told from sketches where they are kept, and where they are not, what they are made of is told', async () => {
  const span = { from: BEGIN, to: END, bucketSeconds: HOUR };
  const source = async (scope: Partial<TrendInput>, bucketSeconds = HOUR) =>
    (await durationTrend(store, { ...span, ...scope, bucketSeconds })).percentiles;
  expect(await source({})).toBe('rollup');
  expect(await source({}, 60)).toBe('rollup');
  expect(await source({ task: 'app.load' })).toBe('rollup');
  expect(await source({ queue: 'mail' })).toBe('rollup');
  expect(await source({ queue: 'bulk' })).toBe('events');
  expect(await source({ worker: 'celery@w1' })).toBe('events');
  expect(await source({ task: 'app.load' }, 1_800)).toBe('events');
  const year = await durationTrend(store, { ...span, from: END - 30 * DAY, task: 'app.load' });
  expect(year).toMatchObject({ percentiles: 'rollup', bucket_seconds: DAY });
  expect(year.series.at(-1)).toEqual((await durationTrend(store, { ...span, bucketSeconds: DAY, task: 'app.load' })).series.at(-1)); // prettier-ignore
});

test('workers and queues tell what their samples say, and what they do not say is not known', async () => {
  const beat = (worker: string, at: number, active: number, load: number) =>
    event('worker-heartbeat', '', at, { worker, active, loadavg: [load, 0, 0] });
  const samples = [
    beat('celery@w0', BEGIN + 10, 2, 1),
    beat('celery@w0', BEGIN + 20, 4, 3),
    beat('celery@w1', BEGIN + 15, 5, 1),
    beat('celery@w1', BEGIN + 70, 1, 1),
  ];
  await insertWorkerSamples(store, { lines: linesOf(samples), token: 'beats' });
  const looked: Omit<QueueSample, 'at' | 'ready' | 'oldest_age_seconds'> = {
    ...{ cluster: 'prod', queue: 'mail', kind: 'list', source: 'redis', unacked: null, consumers: 1, bytes: null },
    ...{ published_per_second: null, delivered_per_second: null, by_priority: null },
  };
  await insertQueueSamples(store, {
    rows: [
      { ...looked, at: BEGIN + 5, ready: 10, oldest_age_seconds: 4 },
      { ...looked, at: BEGIN + 9, ready: 30, oldest_age_seconds: null },
    ],
    token: 'looks',
  });
  const span = { cluster: 'prod', from: BEGIN, to: END, bucketSeconds: 60 };
  const { series } = await concurrencyTrend(store, { ...span, to: BEGIN + 180 });
  expect(series.map(({ active, workers }) => [active, workers])).toEqual([
    [8, 2],
    [1, 1],
    [null, 0],
  ]);
  const { workers } = await workerTrends(store, { ...span, bucketSeconds: HOUR });
  expect(workers.find(({ worker }) => worker === 'celery@w0')).toMatchObject({
    ...{ active_avg: 3, active_max: 4, load_avg: 2, load_max: 3 },
  });
  expect(workers.find(({ worker }) => worker === 'celery@w2')).toMatchObject({ active_avg: null, load_max: null });
  const { queues } = await queueTrends(store, { ...span, bucketSeconds: HOUR });
  expect(queues.find(({ queue }) => queue === 'mail')).toMatchObject({
    ...{ ready_avg: 20, ready_max: 30, oldest_age_seconds: 4 },
  });
  expect(queues.find(({ queue }) => queue === 'fast')).toMatchObject({ ready_avg: null, oldest_age_seconds: null });
});

test('what trends can be narrowed to is what was seen', async () => {
  expect(await trendScopes(store, { cluster: 'prod', from: BEGIN, to: END })).toEqual({
    tasks: ['app.bounce', 'app.load', 'app.send', 'app.tick'],
    queues: ['bulk', 'fast', 'mail'],
    workers: ['celery@w0', 'celery@w1', 'celery@w2'],
    pools: ['batch', 'web'],
  });
});
