import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { freePort, startEmbeddedClickHouse, startNats, startRedis, startService } from '@meadow/testkit';
import { Redis } from 'ioredis';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { cpuSeconds, memoryMb } from './processes.ts';
import { envelope, taskTraffic } from './shapes.ts';

/** Events a `task.multi` holds when a worker is busy: Celery flushes at 24. */
const BATCH = 24;
/** The generator waits when this many events are under way: the question is throughput, not how much fits in a socket. */
const UNDER_WAY = 120_000;
/** Budgets of the design: µs of CPU per event. */
const BUDGET = { collector: 4, pipeline: 12, eventsPerSecond: 50_000 };

interface Progress {
  published: number;
  stored: number;
}

/**
 * Real shapes through the whole pipeline, Redis to ClickHouse, on this machine: one JSON line with rate, CPU per event and
 * process, memory, and what was lost or stored twice.
 */
export async function ingest(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: 'string', default: '300000' },
      unbatched: { type: 'string', default: '0.1' },
      rate: { type: 'string', default: '0' },
    },
  });
  const wanted = Number(values.events);
  const unbatchedShare = Number(values.unbatched);
  const rate = Number(values.rate);
  if (!(rate >= 0)) throw new Error('--rate takes events per second, 0 for as fast as it goes');
  if (!Number.isInteger(wanted) || wanted < 1 || !(unbatchedShare >= 0 && unbatchedShare <= 1)) {
    throw new Error('--events takes a whole number, --unbatched a share from 0 to 1');
  }

  await using stack = new AsyncDisposableStack();
  const redis = stack.use(
    // the bench asks for the pipeline's speed, not for Redis's patience with a slow subscriber
    await startRedis({ port: await freePort(), args: ['--client-output-buffer-limit', 'pubsub 0 0 0'] }),
  );
  const nats = stack.use(await startNats());
  const clickhouse = stack.use(await startEmbeddedClickHouse());
  const addresses = {
    natsUrl: nats.url,
    clickhouseUrl: clickhouse.url,
    clusters: [{ name: 'bench', broker: redis.url }],
  };
  const aggregator = stack.use(await startService('aggregator', addresses));
  const collector = stack.use(await startService('collector', addresses));
  const store = createClient({ url: clickhouse.url, database: 'meadow' });
  stack.defer(() => store.close());
  const client = new Redis(redis.url);
  stack.defer(() => client.disconnect());
  await listening(client);

  const processes = {
    collector: collector.pid,
    nats: nats.pid,
    aggregator: aggregator.pid,
    clickhouse: clickhouse.pid,
  };
  const before = mapValues(processes, cpuSeconds);
  const progress: Progress = { published: 0, stored: 0 };
  const began = performance.now();
  const watching = watch(store, progress, began);
  const byType = await publish(client, { wanted, unbatchedShare, rate }, progress);
  const published = performance.now();
  const stored = await settle(store, progress);
  const seconds = (performance.now() - began) / 1000;
  await watching.stop();
  const cpu = mapValues(processes, (pid, name) => cpuSeconds(pid) - (before[name] ?? 0));
  const perEvent = mapValues(cpu, (used) => round((used * 1e6) / progress.published));
  const total = round(Object.values(perEvent).reduce((sum, value) => sum + value, 0));
  const tasks = await one(store, 'SELECT count() AS rows, uniqExact(task_id) AS ids FROM tasks');
  const rollup = await one(store, 'SELECT sum(sent) AS rows, sum(succeeded) AS ids FROM task_rollup');

  process.stdout.write(
    `${JSON.stringify({
      bench: 'ingest',
      at: new Date().toISOString(),
      events: progress.published,
      seconds: round(seconds),
      publish_seconds: round((published - began) / 1000),
      events_per_second: Math.round(progress.published / seconds),
      cpu_us_per_event: { ...perEvent, total },
      lost: progress.published - stored.ids,
      duplicated: stored.rows - stored.ids,
      tasks: { sent: byType.get('task-sent') ?? 0, rows: tasks.rows, ids: tasks.ids },
      rollup: {
        sent: rollup.rows - (byType.get('task-sent') ?? 0),
        succeeded: rollup.ids - (byType.get('task-succeeded') ?? 0),
      },
      rss_mb: mapValues(processes, (pid) => memoryMb(pid)),
      budget: BUDGET,
    })}\n`,
  );
}

/** Waits until the collector hears events. */
async function listening(client: Redis): Promise<void> {
  const end = performance.now() + 20_000;
  while (Number(await client.pubsub('NUMPAT')) === 0) {
    if (performance.now() > end) throw new Error('the collector did not subscribe within 20 s');
    await delay(50);
  }
}

interface Load {
  readonly wanted: number;
  readonly unbatchedShare: number;
  /** Events per second; 0 = as fast as the pipeline takes them. */
  readonly rate: number;
}

async function publish(client: Redis, load: Load, progress: Progress): Promise<Map<string, number>> {
  const { wanted, unbatchedShare, rate } = load;
  const began = performance.now();
  const byType = new Map<string, number>();
  let pipeline = client.pipeline();
  let queued = 0;
  let multi: string[] = [];
  for (let index = 0; progress.published < wanted; index++) {
    const { events } = taskTraffic(index, Date.now() / 1000);
    const single = index % 1000 < unbatchedShare * 1000;
    for (const { type, json } of events) {
      byType.set(type, (byType.get(type) ?? 0) + 1);
      progress.published++;
      queued++;
      if (single || type === 'task-sent') {
        const key = type.replaceAll('-', '.');
        pipeline.publish(`/0.celeryev/${key}`, envelope(json, key, 'gen4242@web-1'));
      } else if (multi.push(json) >= BATCH) {
        pipeline.publish('/0.celeryev/task.multi', envelope(`[${multi.join(', ')}]`, 'task.multi', 'celery@worker-1'));
        multi = [];
      }
    }
    if (queued >= 2_000) {
      await pipeline.exec();
      pipeline = client.pipeline();
      queued = 0;
      while (progress.published - progress.stored > UNDER_WAY) await delay(5);
      const ahead = rate === 0 ? 0 : (progress.published / rate) * 1000 - (performance.now() - began);
      if (ahead > 1) await delay(ahead);
    }
  }
  if (multi.length > 0) {
    pipeline.publish('/0.celeryev/task.multi', envelope(`[${multi.join(', ')}]`, 'task.multi', 'celery@worker-1'));
  }
  await pipeline.exec();
  return byType;
}

/** Follows the count of stored events, and says on stderr how far it is. */
function watch(store: ClickHouseClient, progress: Progress, began: number): { stop(): Promise<void> } {
  let stopped = false;
  const watching = (async () => {
    for (let round = 1; !stopped; round++) {
      await delay(250);
      progress.stored = (await count(store).catch(() => null))?.rows ?? progress.stored;
      if (round % 8 === 0) {
        const seconds = (performance.now() - began) / 1000;
        process.stderr.write(`  ${seconds.toFixed(0)} s: ${progress.published} published, ${progress.stored} stored\n`);
      }
    }
  })();
  return {
    stop: () => {
      stopped = true;
      return watching;
    },
  };
}

/** Waits until every event is stored, or nothing has been added for 15 s. */
async function settle(store: ClickHouseClient, progress: Progress): Promise<{ rows: number; ids: number }> {
  let last = -1;
  let since = performance.now();
  while (progress.stored < progress.published && performance.now() - since < 15_000) {
    await delay(50);
    progress.stored = (await count(store)).rows;
    if (progress.stored !== last) since = performance.now();
    last = progress.stored;
  }
  return one(store, 'SELECT count() AS rows, uniqExact(event_id) AS ids FROM task_events');
}

const count = (store: ClickHouseClient): Promise<{ rows: number; ids: number }> =>
  one(store, 'SELECT count() AS rows, 0 AS ids FROM task_events');

async function one(store: ClickHouseClient, query: string): Promise<{ rows: number; ids: number }> {
  const answer = await store.query({ query, format: 'JSONEachRow' });
  const [row] = await answer.json<{ rows: string | number; ids: string | number }>();
  return { rows: Number(row?.rows ?? 0), ids: Number(row?.ids ?? 0) };
}

function mapValues<K extends string, V, R>(record: Readonly<Record<K, V>>, map: (value: V, key: K) => R): Record<K, R> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value as V, key as K)])) as Record<
    K,
    R
  >;
}

const round = (value: number): number => Math.round(value * 100) / 100;
