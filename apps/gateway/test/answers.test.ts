import { openBus, type Bus } from '@meadow/bus';
import { BUCKETS, clusterDefinition, type ClusterStatus } from '@meadow/contract';
import {
  insertGaps,
  insertTaskEvents,
  insertTasks,
  insertWorkers,
  migrate,
  openStore,
  type Store,
} from '@meadow/store';
import { startMeadow, waitFor, type Meadow } from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, failureOf, metric, type Client } from './client.ts';
import { eventLine, linesOf, writeRow } from './rows.ts';

let meadow: Meadow;
let store: Store;
let bus: Bus;
let client: Client;
let url: string;
const now = Date.now() / 1000;

beforeAll(async () => {
  meadow = await startMeadow({ services: ['gateway'] });
  url = meadow.services.gateway?.url ?? '';
  client = connect(url);
  store = openStore({ url: meadow.clickhouse.url });
  bus = await openBus({ url: meadow.nats.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  expect((await failureOf(client.workers.list.query({}))).told).toBe('503 STORE_NOT_READY');
  await migrate(store);
  const rows = Array.from({ length: 30 }, (_, index) =>
    writeRow(`t${index}`, {
      first_seen_at: now - 60 + index,
      args: "('a', 1)",
      kwargs: "{'when': <object at 0x7f>, 'big': [1, ...]}",
      state: index % 3 === 0 ? 'FAILURE' : 'SUCCESS',
      queue: index % 2 === 0 ? 'mail' : 'celery',
    }),
  );
  await insertTasks(store, { token: 'tasks', rows });
  const events = rows.flatMap(({ task_id, state, name }) => [
    eventLine('task-received', task_id, { name, timestamp: now - 30 }),
    eventLine(state === 'FAILURE' ? 'task-failed' : 'task-succeeded', task_id, {
      ...{ name, runtime: 0.25, state, timestamp: now - 20 },
      ...(state === 'FAILURE' ? { exception: "KeyError('x')", exception_type: 'KeyError' } : {}),
    }),
  ]);
  await insertTaskEvents(store, { token: 'events', lines: linesOf(events) });
  const facts = {
    pid: 7,
    started_at: now - 100,
    last_heartbeat_at: now,
    active: 3,
    processed: 10,
    loadavg: [0.1],
    freq: 2,
    pool: 'celery@w',
    last_heard_at: now,
    clock_offset_seconds: 0.01,
  };
  const software = { sw_ident: 'py-celery', sw_ver: '5.4.0', sw_sys: 'Linux' };
  await insertWorkers(store, {
    token: 'workers',
    rows: [{ cluster: 'prod', worker: 'celery@w1', ...facts, ...software, offline: false, updated_at: now }],
  });
  const gap = { cluster: 'prod', collector: 'c1', started_at: now - 50, ended_at: now - 40, estimated_events: null };
  await insertGaps(store, { token: 'gaps', rows: [{ ...gap, reason: 'disconnected' }] });
}, 90_000);

afterAll(async () => {
  await bus[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
});

test('pages through tasks, newest first, narrowed as asked', async () => {
  const first = await client.tasks.list.query({ cluster: 'prod', limit: 20, range: '1h' });
  expect(first.rows.map(({ task_id }) => task_id)).toEqual(Array.from({ length: 20 }, (_, index) => `t${29 - index}`));
  const second = await client.tasks.list.query({ cluster: 'prod', limit: 20, range: '1h', cursor: first.next ?? '' });
  expect([second.rows.length, second.next]).toEqual([10, null]);
  const narrowed = await client.tasks.list.query({ query: 'state:failure queue:mail SHOP' });
  expect(narrowed.rows.map(({ task_id }) => task_id)).toEqual(['t24', 't18', 't12', 't6', 't0']);
  const byId = { by: 'state', desc: false } as const;
  const sorted = await client.tasks.list.query({ query: 'id:t0,t1,t2,t3', sort: byId });
  expect(sorted.rows.map(({ task_id }) => task_id)).toEqual(['t0', 't3', 't1', 't2']);
});

test('counts what a query finds, by what it is', async () => {
  const { seconds, ...counted } = await client.tasks.facets.query({ query: 'state:failure', range: '1h' });
  expect(counted).toEqual({
    ...{ total: { count: 10, exact: true }, countedFrom: null },
    facets: [
      { field: 'state', values: [{ value: 'FAILURE', count: 10 }] },
      { field: 'name', values: [{ value: 'shop.buy', count: 10 }] },
      {
        field: 'queue',
        values: [
          { value: 'celery', count: 5 },
          { value: 'mail', count: 5 },
        ],
      },
      { field: 'worker', values: [{ value: 'celery@w1', count: 10 }] },
      { field: 'exception', values: [] },
    ],
  });
  expect(seconds).toBeGreaterThan(0);
});

test('shows a task with its Python values read, and says what cannot be', async () => {
  const task = await client.tasks.get.query({ cluster: 'prod', taskId: 't3' });
  expect(task).toMatchObject({ task_id: 't3', state: 'FAILURE', args: "('a', 1)" });
  expect(task.parsed.args).toMatchObject({ exact: true, cut: false, parsed: { kind: 'tuple' } });
  expect(task.parsed.kwargs).toMatchObject({ exact: false, cut: true, parsed: { kind: 'dict' } });
  expect(task.parsed.result).toBeNull();
  const events = await client.tasks.events.query({ cluster: 'prod', taskId: 't3' });
  expect(events.map(({ type }) => type)).toEqual(['task-received', 'task-failed']);
  expect(await failureOf(client.tasks.get.query({ cluster: 'test', taskId: 't3' }))).toEqual({
    told: '404 TASK_NOT_FOUND',
    message: 'no task t3 in cluster test: never heard of, or past its retention',
  });
});

test('tells what happened, beside the span before, with its gaps', async () => {
  const overview = await client.overview.get.query({ cluster: 'prod', range: '1h' });
  expect(overview.counts).toMatchObject({ received: 30, succeeded: 20, failed: 10 });
  expect(overview.previous?.counts.received).toBe(0);
  expect(overview.series).toHaveLength(60);
  expect(overview.to - overview.from).toBe(3_600);
  expect(overview.failing).toEqual([{ cluster: 'prod', name: 'shop.buy', exception_type: 'KeyError', failed: 10 }]);
  expect(overview.running).toBe(3);
  expect(overview.gaps).toHaveLength(1);
  expect(overview.runtime.p95).toBeCloseTo(0.25, 2);
  expect(await client.system.gaps.query({ cluster: 'prod' })).toHaveLength(1);
  expect(await client.system.poison.query({})).toEqual([]);
});

test('names values for completion, and workers with their last hour', async () => {
  const seen = async (field: 'name' | 'queue' | 'kwargs', prefix: string) =>
    (await client.tasks.values.query({ cluster: 'prod', field, prefix })).values.map(({ value }) => value);
  expect(await seen('name', 'BUY')).toEqual(['shop.buy']);
  expect((await seen('queue', '')).toSorted()).toEqual(['celery', 'mail']);
  expect(await seen('kwargs', 'b')).toEqual(['big']);
  expect(await client.workers.list.query({ cluster: 'prod' })).toMatchObject([
    { worker: 'celery@w1', state: 'online', succeeded_last_hour: 20, failed_last_hour: 10 },
  ]);
});

test('asks the store once however many look at the same overview', async () => {
  const count = 'meadow_gateway_question_seconds_count{question="overview"}';
  const before = await metric(url, count);
  // each tab has a connection and a batch of its own
  await Promise.all(Array.from({ length: 50 }, () => connect(url).overview.get.query({ range: '6h' })));
  expect((await metric(url, count)) - before).toBe(1);
});

test('says what is wrong with a question', async () => {
  const badRange = await failureOf(client.overview.get.query({ range: '2h' as '1h' }));
  expect(badRange.told).toBe('400 INPUT_INVALID');
  expect(badRange.message).toContain('use one of 15m, 1h, 6h, 24h, 7d, 30d');
  expect((await failureOf(client.tasks.list.query({ cursor: 'zzz' }))).told).toBe('400 CURSOR_INVALID');
  const unread = await client.tasks.list.query({ query: 'queue:mail nmae:x' }).catch((error: unknown) => error);
  expect(unread).toMatchObject({
    message: "there is no field 'nmae': did you mean name? a text to search for is put in quotes",
    data: { httpStatus: 400, meadowCode: 'QUERY_INVALID', position: 11, length: 4 },
  });
  const long = 'ü'.repeat(4_000);
  expect(await client.tasks.list.query({ query: long, range: '1h' })).toMatchObject({ rows: [], next: null });
  expect((await failureOf(client.tasks.facets.query({ query: `${long}x` }))).told).toBe('400 INPUT_INVALID');
  expect((await failureOf(client.tasks.list.query({ cluster: "x' OR 1=1" }))).told).toBe('400 INPUT_INVALID');
  expect((await failureOf(client.tasks.list.query({ from: 1_700_000_000_000 }))).message).toContain('not milliseconds');
  expect((await fetch(`${url}/trpc/tasks.nothing`)).status).toBe(404);
});

test('lists clusters with what their collectors say, and never a password', async () => {
  const clusters = await bus.bucket(BUCKETS.clusters, (value) => value);
  const reports = await bus.bucket(BUCKETS.status, (value) => value, { ttlMs: 60_000 });
  for (const name of ['prod', 'silent', 'gone']) {
    await clusters.put(name, clusterDefinition.parse({ name, broker: 'redis://:hunter2@broker:6379/0' }));
  }
  const status: ClusterStatus = {
    ...{ cluster: 'prod', state: 'failed', since: now - 10, error: { code: 'X', message: 'no' }, collector: 'c1' },
    ...{ endpoint: 'redis://:**@broker:6379/0', transport: 'redis', events: 5, rejected: 1, gaps: 2 },
    ...{ lastEventAt: now - 30, reportedAt: now - 60 },
  };
  await reports.put('prod', status);
  await waitFor(async () => (await client.clusters.list.query()).length === 3, { what: 'three clusters' });
  await clusters.delete('gone');
  await waitFor(async () => (await client.clusters.list.query()).length === 2, { what: 'two clusters' });
  await waitFor(async () => (await client.clusters.list.query())[0]?.status, { what: 'the report' });
  const lines = await client.clusters.list.query();
  expect(lines).toMatchObject([
    { name: 'prod', state: 'failed', stale: true, status, summary: { workers_online: 1, running: 3 } },
    { name: 'silent', state: 'unreported', stale: false, status: null, summary: null },
  ]);
  const system = await client.system.status.query();
  expect(system).toMatchObject({
    store: { ok: true },
    bus: { ok: true, error: '' },
    ingest: { lastEventAt: now - 30 },
  });
  expect(system.store.rows).toBeGreaterThan(0);
  expect(JSON.stringify([lines, system]) + meadow.services.gateway?.log()).not.toContain('hunter2');
});
