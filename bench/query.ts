import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { DEFAULT_ERROR_RULES, parseTaskQuery } from '@meadow/contract';
import {
  durationTrend,
  errorGroups,
  migrate,
  openStore,
  overview,
  queueTrends,
  runtimeHeatMap,
  taskDetail,
  taskFacets,
  taskList,
  taskTrends,
  throughput,
  workflow,
  type Store,
  type TaskOrder,
  type TrendInput,
} from '@meadow/store';
import { startEmbeddedClickHouse } from '@meadow/testkit';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { atMost, percentile, print, round, type Figure } from './figure.ts';
import { CLUSTERS, makeHistory, taskName } from './history.ts';

/** Each question is asked so often, every time of something else. */
const ASKED = 20;
const HOUR = 3_600;
const DAY = 24 * HOUR;
/** Merges go on after the last insert: a store that runs for days has them behind it. */
const SETTLE_MS = 600_000;

interface TaskName {
  readonly cluster: string;
  readonly taskId: string;
}

interface World {
  readonly store: Store;
  readonly known: readonly TaskName[];
  /** Unix seconds of the newest task. */
  readonly now: number;
}

interface Asked {
  /** Milliseconds; p95 is at most this. */
  readonly budget: number;
  /** Asks once, of something that follows from `round`. */
  readonly ask: (world: World, round: number) => Promise<unknown>;
}

/**
 * A month of history in an embedded ClickHouse, and how long the pages' questions take over it, one at a time: one JSON line
 * with p50 and p95 of each beside its budget, and the bytes on disk per task.
 */
export async function query(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      tasks: { type: 'string', default: '50000000' },
      days: { type: 'string', default: '30' },
      data: { type: 'string' },
    },
  });
  const tasks = Number(values.tasks);
  const days = Number(values.days);
  if (!(tasks >= 1000) || !(days >= 1)) throw new Error('--tasks takes a number from 1000, --days one from 1');

  const known = values.data !== undefined && existsSync(join(values.data, 'store'));
  await using server = await startEmbeddedClickHouse({
    ...(values.data === undefined ? {} : { dataDir: values.data }),
    args: ['--max-query-seconds', '3600'],
  });
  await using store = openStore({ url: server.url });
  const client = createClient({ url: server.url, database: 'meadow', request_timeout: 3_600_000 });
  await migrate(store);
  const began = performance.now();
  const until = Math.floor(Date.now() / 1000);
  if (!known) {
    const onDay = (day: number): void => {
      process.stderr.write(`  day ${day} of ${days} after ${Math.round((performance.now() - began) / 1000)} s\n`);
    };
    await makeHistory(client, { tasks, days, until, onDay });
  }
  await settle(client);
  const made = (performance.now() - began) / 1000;
  const one = async (sql: string): Promise<number> => Number((await rows<{ n: string }>(client, sql))[0]?.n ?? 0);
  const newest = await one('SELECT toUnixTimestamp(max(first_seen_at)) AS n FROM tasks_raw');
  const world = { store, known: await someTasks(client, newest, days), now: newest };

  const figures: Record<string, Figure> = {};
  const p50: Record<string, number> = {};
  for (const [name, asked] of Object.entries(QUESTIONS)) {
    const times: number[] = [];
    for (let round = 0; round < ASKED; round++) {
      const from = performance.now();
      await asked.ask(world, round);
      times.push(performance.now() - from);
    }
    p50[name] = round(percentile(times, 0.5) ?? 0, 1);
    figures[name] = atMost(round(percentile(times, 0.95) ?? 0, 1), asked.budget);
    process.stderr.write(`  ${name}: p50 ${p50[name]} ms, p95 ${figures[name].value} ms ${figures[name].budget}\n`);
  }
  const stored = await one('SELECT count() AS n FROM tasks_raw');
  const bytes = await one(`SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE active AND database = 'meadow'`);
  print(
    'query',
    { tasks: stored, days, made_seconds: round(made), bytes_per_task: round(bytes / stored, 1), p50 },
    figures,
  );
  await client.close();
}

/** Of names that many tasks have. */
const nameOf = (round: number): string => taskName((round * 7) % 40);
/** Every other time one cluster, else all of them. */
const clusterOf = (round: number): string | undefined =>
  round % 2 === 0 ? undefined : CLUSTERS[(round >> 1) % CLUSTERS.length];
const customerOf = (round: number): number => (round * 7_919) % 100_000;

function list(text: (round: number) => string, seconds: number, sort?: TaskOrder): Asked['ask'] {
  return ({ store, now }, round) =>
    taskList(store, { query: parseTaskQuery(text(round), now), from: now - seconds, to: now, sort });
}

function trend(ask: (store: Store, input: TrendInput) => Promise<unknown>, days: number): Asked['ask'] {
  return ({ store, now }, round) =>
    ask(store, { cluster: clusterOf(round), from: now - days * DAY, to: now, bucketSeconds: days * 600 });
}

const QUESTIONS: Readonly<Record<string, Asked>> = {
  task_by_id: {
    budget: 50,
    async ask({ store, known }, round) {
      const found = await taskDetail(store, known[round] ?? NOBODY);
      if (found.length !== 1) throw new Error(`task ${round} was not found`);
    },
  },
  list_state_name_1h: { budget: 200, ask: list((round) => `state:FAILURE,RETRY name:${nameOf(round)}`, HOUR) },
  list_kwargs_24h: { budget: 500, ask: list((round) => `kwargs.customer_id=${customerOf(round)}`, DAY) },
  list_free_text_24h: { budget: 1_000, ask: list((round) => `"order ${customerOf(round)} could"`, DAY) },
  list_slowest_24h: { budget: 1_000, ask: list(() => 'state:SUCCESS', DAY, { by: 'runtime', desc: true }) },
  list_newest: { budget: 200, ask: list(() => '', 30 * DAY) },
  facets_24h: {
    budget: 1_000,
    ask: ({ store, now }, round) =>
      taskFacets(store, { cluster: clusterOf(round), query: parseTaskQuery('', now), from: now - DAY, to: now }),
  },
  overview_24h: {
    budget: 300,
    ask: ({ store, now }, round) =>
      overview(store, { cluster: clusterOf(round), from: now - DAY, to: now, bucketSeconds: 600 }),
  },
  percentiles_by_task_30d: { budget: 1_000, ask: trend(taskTrends, 30) },
  throughput_30d: { budget: 1_000, ask: trend(throughput, 30) },
  durations_7d: { budget: 1_000, ask: trend(durationTrend, 7) },
  queues_7d: { budget: 1_000, ask: trend(queueTrends, 7) },
  heat_map_24h: { budget: 1_000, ask: trend(runtimeHeatMap, 1) },
  error_groups_7d: {
    budget: 1_000,
    ask: ({ store, now }, round) =>
      errorGroups(store, { cluster: clusterOf(round), from: now - 7 * DAY, to: now, rules: DEFAULT_ERROR_RULES }),
  },
  workflow: {
    budget: 1_000,
    ask: ({ store, known }, round) => {
      const { cluster, taskId } = known[round] ?? NOBODY;
      return workflow(store, { cluster, rootId: taskId });
    },
  },
};

const NOBODY = { cluster: '', taskId: '' };

/** Tasks of any time, each the first of its second. */
async function someTasks(client: ClickHouseClient, now: number, days: number): Promise<TaskName[]> {
  const known: TaskName[] = [];
  for (let at = now - HOUR; known.length < ASKED; at -= Math.floor((days * DAY) / (ASKED * 1.1))) {
    known.push(
      ...(await rows<TaskName>(
        client,
        `SELECT cluster, task_id AS taskId FROM tasks_raw WHERE first_seen_at >= toDateTime64(${at}, 6) ORDER BY first_seen_at LIMIT 1`,
      )),
    );
  }
  return known;
}

/** Until merges have come to rest. */
async function settle(client: ClickHouseClient): Promise<void> {
  const end = performance.now() + SETTLE_MS;
  for (let quiet = 0; quiet < 5 && performance.now() < end;) {
    const [merging] = await rows<{ n: string }>(client, 'SELECT count() AS n FROM system.merges');
    quiet = Number(merging?.n ?? 0) === 0 ? quiet + 1 : 0;
    await delay(1_000);
  }
}

async function rows<Row>(client: ClickHouseClient, sql: string): Promise<Row[]> {
  const answer = await client.query({ query: sql, format: 'JSONEachRow' });
  return answer.json<Row>();
}
