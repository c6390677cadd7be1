import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { openBus, type Bus } from '@meadow/bus';
import {
  batchSubject,
  BUCKETS,
  encodeTaskEvents,
  eventId,
  partitionOf,
  type BatchKind,
  type PipelineEvent,
} from '@meadow/contract';
import { startMeadow, startService, waitFor, type Meadow, type Service } from '@meadow/testkit';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Place, Places } from '../src/partition-table.ts';

/** NATS and ClickHouse, a hand in each, and aggregators as processes of their own. */
export interface Rig extends AsyncDisposable {
  readonly meadow: Meadow;
  readonly bus: Bus;
  readonly store: ClickHouseClient;
  aggregator(): Promise<Service>;
  publish(cluster: string, events: readonly PipelineEvent[]): Promise<void>;
  /** A message of a kind that is passed on line by line. */
  publishLines(kind: BatchKind, cluster: string, lines: readonly object[]): Promise<void>;
  counts(cluster: string): Promise<Record<string, number>>;
  settled(cluster: string, events: number): Promise<void>;
  /** Rows of events and of tasks are written side by side, so one may be seen before the other; a second look finds surplus. */
  expectExactly(cluster: string, tasks: number): Promise<void>;
  /** By partition. */
  places(): Promise<readonly Place[]>;
}

export async function openRig(): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const meadow = stack.use(await startMeadow({ services: [] }));
  const bus = stack.use(await openBus({ url: meadow.nats.url, name: 'test', signal: AbortSignal.timeout(20_000) }));
  await bus.events.ensure();
  const store = createClient({
    url: meadow.clickhouse.url,
    database: 'meadow',
    log: { level: ClickHouseLogLevel.OFF },
  });
  stack.defer(() => store.close());
  const partitions = await bus.bucket(BUCKETS.partitions, (value) => value as Places);
  const kept = stack.move();

  const send = (subject: string, data: Buffer, count: number): Promise<unknown> =>
    bus.events.publish(subject, data, { id: randomUUID(), count, collector: 'test' });
  const counts = async (cluster: string): Promise<Record<string, number>> => {
    const answer = await store.query({ query: COUNTS, query_params: { cluster }, format: 'JSONEachRow' });
    const [row] = await answer.json<Record<string, string>>();
    return Object.fromEntries(Object.entries(row ?? {}).map(([key, value]) => [key, Number(value)]));
  };
  return {
    meadow,
    bus,
    store,
    counts,
    aggregator: () => startService('aggregator', { natsUrl: meadow.nats.url, clickhouseUrl: meadow.clickhouse.url }),
    async publish(cluster, events) {
      const parts = Map.groupBy(events, (event) => partitionOf(event.task_id ?? ''));
      for (const [partition, part] of parts) {
        await send(batchSubject('task', cluster, partition), encodeTaskEvents(part), part.length);
      }
    },
    async publishLines(kind, cluster, lines) {
      const data = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      await send(batchSubject(kind, cluster, 0), data, lines.length);
    },
    async settled(cluster, events) {
      await waitFor(async () => (await counts(cluster).catch(() => null))?.['events'] === events, {
        what: `${events} events of ${cluster} in the store`,
        deadlineMs: 40_000,
      });
    },
    async expectExactly(cluster, tasks) {
      const look = (): Promise<unknown> => counts(cluster).catch(() => null);
      await expect.poll(look, { timeout: 40_000, interval: 100 }).toEqual(exactly(tasks));
      await delay(1_000);
      expect(await look()).toEqual(exactly(tasks));
    },
    places: async () => (await partitions.get('partitions'))?.value.places ?? [],
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const COUNTS = `
  SELECT
    (SELECT count() FROM task_events WHERE cluster = {cluster:String}) AS events,
    (SELECT uniqExact(event_id) FROM task_events WHERE cluster = {cluster:String}) AS event_ids,
    (SELECT count() FROM tasks WHERE cluster = {cluster:String}) AS tasks,
    (SELECT countIf(state = 'SUCCESS') FROM tasks WHERE cluster = {cluster:String}) AS succeeded,
    (SELECT countIf(name = '' OR queue = '' OR root_id = '' OR wait_seconds IS NULL) FROM tasks WHERE cluster = {cluster:String}) AS incomplete,
    (SELECT countIf(name = '' OR queue = '') FROM task_events WHERE cluster = {cluster:String}) AS unnamed,
    (SELECT sum(events) FROM task_rollup WHERE cluster = {cluster:String}) AS rolled,
    (SELECT sum(failed) FROM task_rollup WHERE cluster = {cluster:String}) AS rolled_failed,
    (SELECT sum(runtime_count) FROM task_rollup WHERE cluster = {cluster:String}) AS rolled_runtimes`;

/** What `counts` gives for so many tasks made by `life`, a multiple of ten. */
export const exactly = (tasks: number): Record<string, number> => ({
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

/** A task's four events. Every tenth fails. */
export function life(cluster: string, index: number): PipelineEvent[] {
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

export const lives = (cluster: string, from: number, count: number): PipelineEvent[] =>
  Array.from({ length: count }, (_, offset) => life(cluster, from + offset)).flat();
