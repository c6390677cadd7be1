import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { openBus, type Bus } from '@meadow/bus';
import { batchSubject, BUCKETS, eventId, partitionOf, type PipelineEvent } from '@meadow/contract';
import { startMeadow, startService, waitFor, type Meadow, type Service } from '@meadow/testkit';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';

let meadow: Meadow;
let bus: Bus;
let store: ClickHouseClient;

beforeAll(async () => {
  meadow = await startMeadow({ services: [] });
  bus = await openBus({ url: meadow.nats.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  await bus.events.ensure();
  store = createClient({ url: meadow.clickhouse.url, database: 'meadow', log: { level: ClickHouseLogLevel.OFF } });
}, 60_000);

afterAll(async () => {
  await store.close();
  await bus[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
});

const aggregator = (): Promise<Service> =>
  startService('aggregator', { natsUrl: meadow.nats.url, clickhouseUrl: meadow.clickhouse.url });

let clock = 1;

/** Microseconds, as the collector rounds them. */
const rounded = (seconds: number): number => Math.round(seconds * 1e6) / 1e6;

function eventOf(
  cluster: string,
  task: string,
  type: string,
  seconds: number,
  more: Partial<PipelineEvent> = {},
): PipelineEvent {
  const at = rounded(seconds);
  const worker = type === 'task-sent' ? 'gen1@client' : 'celery@w1';
  const id = eventId(cluster, worker, 1, ++clock, type, task, at);
  const base = { cluster, event_id: id, type, timestamp: at, collected_at: Date.now() / 1000, worker, pid: 1, clock };
  return { ...base, task_id: task, ...more };
}

/** A task's four events. */
function life(cluster: string, index: number): PipelineEvent[] {
  const task = randomUUID();
  const at = Date.now() / 1000;
  const ends =
    index % 10 === 0
      ? eventOf(cluster, task, 'task-failed', at + 0.3, { exception: "KeyError('x')", traceback: 'KeyError: x' })
      : eventOf(cluster, task, 'task-succeeded', at + 0.3, { result: `'${index}'`, runtime: 0.1 });
  return [
    eventOf(cluster, task, 'task-sent', at, { name: `shop.t${index % 7}`, queue: 'q', root_id: task, retries: 0 }),
    eventOf(cluster, task, 'task-received', at + 0.1, { name: `shop.t${index % 7}`, root_id: task, retries: 0 }),
    eventOf(cluster, task, 'task-started', at + 0.2),
    ends,
  ];
}

async function publish(cluster: string, events: readonly PipelineEvent[]): Promise<void> {
  const parts = Map.groupBy(events, (event) => partitionOf(event.task_id ?? ''));
  for (const [partition, part] of parts) {
    const data = Buffer.from(part.map((event) => `${JSON.stringify(event)}\n`).join(''));
    const batch = { id: randomUUID(), count: part.length, collector: 'test' };
    await bus.events.publish(batchSubject('task', cluster, partition), data, batch);
  }
}

async function counts(cluster: string): Promise<Record<string, number>> {
  const answer = await store.query({
    query: `
      SELECT
        (SELECT count() FROM task_events WHERE cluster = {cluster:String}) AS events,
        (SELECT uniqExact(event_id) FROM task_events WHERE cluster = {cluster:String}) AS event_ids,
        (SELECT count() FROM tasks WHERE cluster = {cluster:String}) AS tasks,
        (SELECT countIf(state = 'SUCCESS') FROM tasks WHERE cluster = {cluster:String}) AS succeeded,
        (SELECT countIf(name = '' OR queue = '' OR root_id = '' OR wait_seconds IS NULL) FROM tasks WHERE cluster = {cluster:String}) AS incomplete,
        (SELECT countIf(name = '' OR queue = '') FROM task_events WHERE cluster = {cluster:String}) AS unnamed,
        (SELECT sum(events) FROM task_rollup WHERE cluster = {cluster:String}) AS rolled,
        (SELECT sum(failed) FROM task_rollup WHERE cluster = {cluster:String}) AS rolled_failed,
        (SELECT sum(runtime_count) FROM task_rollup WHERE cluster = {cluster:String}) AS rolled_runtimes`,
    query_params: { cluster },
    format: 'JSONEachRow',
  });
  const [row] = await answer.json<Record<string, string>>();
  return Object.fromEntries(Object.entries(row ?? {}).map(([key, value]) => [key, Number(value)]));
}

async function settled(cluster: string, events: number): Promise<Record<string, number>> {
  await waitFor(async () => (await counts(cluster).catch(() => null))?.['events'] === events, {
    what: `${events} events of ${cluster} in the store`,
    deadlineMs: 40_000,
  });
  return counts(cluster);
}

const exactly = (tasks: number): Record<string, number> => ({
  events: tasks * 4,
  event_ids: tasks * 4,
  tasks,
  succeeded: tasks * 0.9,
  incomplete: 0,
  unnamed: 0,
  rolled: tasks * 4,
  rolled_failed: tasks / 10,
  rolled_runtimes: tasks * 0.9,
});

/** Rows of events and of tasks are written side by side, so one may be seen before the other; a second look finds surplus. */
async function expectExactly(cluster: string, tasks: number): Promise<void> {
  const look = (): Promise<unknown> => counts(cluster).catch(() => null);
  await expect.poll(look, { timeout: 40_000, interval: 100 }).toEqual(exactly(tasks));
  await delay(1_000);
  expect(await look()).toEqual(exactly(tasks));
}

test('counts in events, tasks and rollups are exact though the aggregator is killed in the middle of writing', async () => {
  const tasks = 30_000;
  const kills = 8;
  let running = await aggregator();
  const intents = await bus.bucket(BUCKETS.intents, (value) => value);
  const done = new AbortController();
  // an intent is put when the rows of its batch are about to be written: that is when it hurts most
  const killing = (async () => {
    let killed = 0;
    for await (const change of intents.watch(done.signal)) {
      if (change.kind !== 'put') continue;
      await delay(Math.random() * 70);
      await running.kill9();
      running = await aggregator();
      if (++killed === kills) break;
    }
    return killed;
  })();
  for (let index = 0; index < tasks; index += 200) {
    await publish('killed', Array.from({ length: 200 }, (_, offset) => life('killed', index + offset)).flat());
    await delay(40);
  }
  await waitFor(async () => (await Promise.race([killing, delay(1, null)])) !== null, {
    what: `the aggregator to be killed ${kills} times`,
    deadlineMs: 120_000,
  });
  expect(await killing).toBe(kills);
  await expectExactly('killed', tasks);
  await running.stop();
}, 240_000);

test('counts are exact though ClickHouse and NATS are killed in between', async () => {
  const tasks = 10_000;
  await using _running = await aggregator();
  for (let index = 0; index < tasks; index += 200) {
    await publish('outage', Array.from({ length: 200 }, (_, offset) => life('outage', index + offset)).flat());
    await delay(20);
    if (index === 3_000) {
      await meadow.clickhouse.kill9();
      await meadow.clickhouse.restart();
    }
    if (index === 6_000) {
      await meadow.nats.kill9();
      await meadow.nats.restart();
      await waitFor(() => bus.connected, { what: 'NATS to be back', deadlineMs: 15_000 });
    }
  }
  await expectExactly('outage', tasks);
}, 120_000);

test('what two collectors heard counts once, also across a restart', async () => {
  const tasks = 1_000;
  const lives = Array.from({ length: tasks }, (_, index) => life('twice', index)).flat();
  const first = await aggregator();
  await publish('twice', lives);
  await expectExactly('twice', tasks);
  await publish('twice', lives);
  await first.stop();
  await using _second = await aggregator();
  await publish('twice', lives);
  await publish('twice-end', life('twice-end', 1));
  await settled('twice-end', 4);
  expect(await counts('twice')).toEqual(exactly(tasks));
}, 60_000);

test('a task whose events come backwards and in pieces, with a restart between, ends as the same row', async () => {
  const [sent, received, started, succeeded] = life('pieces', 1);
  const first = await aggregator();
  await publish('pieces', [succeeded!, started!]);
  await settled('pieces', 2);
  await first.stop();
  await using _second = await aggregator();
  await publish('pieces', [received!]);
  await settled('pieces', 3);
  await publish('pieces', [sent!]);
  await settled('pieces', 4);
  const read = async (): Promise<Record<string, unknown>[]> => {
    const answer = await store.query({ query: `SELECT * FROM tasks WHERE cluster = 'pieces'`, format: 'JSONEachRow' });
    return answer.json<Record<string, unknown>>();
  };
  await waitFor(async () => (await read())[0]?.['queue'] === 'q', {
    what: 'the last row of the task',
    deadlineMs: 10_000,
  });
  const rows = await read();
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ state: 'SUCCESS', name: 'shop.t1', queue: 'q', runtime_seconds: 0.1, attempts: 1 });
  expect(Number(rows[0]?.['wait_seconds'])).toBeCloseTo(0.2, 5);
}, 60_000);

test('of two aggregators one writes; when it is killed the other takes over and nothing is lost or doubled', async () => {
  const tasks = 4_000;
  const first = await aggregator();
  await using _second = await aggregator();
  for (let index = 0; index < tasks; index += 200) {
    await publish('pair', Array.from({ length: 200 }, (_, offset) => life('pair', index + offset)).flat());
    if (index === 2_000) await first.kill9();
    await delay(20);
  }
  await expectExactly('pair', tasks);
}, 90_000);
