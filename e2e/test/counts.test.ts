import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import {
  celeryEnvironment,
  runPython,
  startCeleryWorker,
  startMeadow,
  startRabbitmq,
  startRedis,
  waitFor,
} from '@meadow/testkit';
import { expect, test } from 'vitest';
import { tapRabbitmq, tapRedis, type EventTap } from './event-tap.ts';

const TASKS = 20_000;

/** Publishes the run: mostly successes, every tenth fails, every twentieth is retried once, and chains in between. */
const PUBLISH = `
import garden
with garden.app.producer_pool.acquire(block=True) as producer:
    sent = 0
    while sent < ${TASKS}:
        if sent % 1000 == 0:
            garden.add_chain(3).apply_async(producer=producer)
            sent += 3
        elif sent % 10 == 1:
            garden.fail.apply_async(producer=producer)
            sent += 1
        elif sent % 20 == 5:
            garden.flaky.apply_async((1, 0), producer=producer)
            sent += 1
        else:
            garden.add.apply_async((sent, 1), producer=producer)
            sent += 1
print(sent)
`;

/** The same on both brokers, since the promise is the same: what Celery sent is what the store holds. */
async function expectExactCounts(cluster: string, broker: string, backend: string, tap: EventTap): Promise<void> {
  await using meadow = await startMeadow({
    services: ['aggregator', 'collector'],
    clusters: [{ name: cluster, broker }],
  });
  const store = createClient({
    url: meadow.clickhouse.url,
    database: 'meadow',
    log: { level: ClickHouseLogLevel.OFF },
  });
  const settings = { brokerUrl: broker, backendUrl: backend, settings: { worker_prefetch_multiplier: 4 } };
  await using worker = await startCeleryWorker({ ...settings, args: ['--concurrency', '2', '--without-gossip'] });

  const sent = Number(await runPython(PUBLISH, { env: celeryEnvironment(settings), deadlineMs: 120_000 }));
  expect(sent).toBeGreaterThanOrEqual(TASKS);
  // a chain's followers are published by workers: the run is over when every task heard of has ended
  await waitFor(
    () => {
      const ended = (tap.counts.get('task-succeeded') ?? 0) + (tap.counts.get('task-failed') ?? 0);
      return ended >= sent && ended === tap.taskIds.size;
    },
    { what: 'every task to end', deadlineMs: 240_000, everyMs: 200 },
  );
  await worker.stop();
  const query = async <T>(sql: string): Promise<T[]> =>
    (await store.query({ query: sql, format: 'JSONEachRow' })).json<T>();
  const total = tap.total();
  await waitFor(
    async () => {
      const [row] = await query<{ n: string }>('SELECT count() AS n FROM task_events');
      return Number(row?.n) >= total;
    },
    { what: `${total} events to be stored`, deadlineMs: 60_000, everyMs: 200 },
  );

  const stored = await query<{ type: string; n: string }>('SELECT type, count() AS n FROM task_events GROUP BY type');
  expect(new Map(stored.map(({ type, n }) => [type, Number(n)]))).toEqual(new Map(tap.counts));
  // events, tasks and rollups are written side by side, so one may be seen a moment before the other
  const soon = { timeout: 10_000, interval: 200 };
  const first = async (sql: string): Promise<Record<string, number>> =>
    mapNumbers((await query<Record<string, string>>(sql))[0] ?? {});
  const tasks = (): Promise<Record<string, number>> =>
    first(
      `SELECT count() AS tasks, uniqExact(task_id) AS ids, countIf(state = 'SUCCESS') AS succeeded, countIf(state = 'FAILURE') AS failed,
        countIf(name = '' OR queue = '') AS unnamed, countIf(attempts = 2) AS retried, countIf(wait_seconds IS NULL) AS waitless
       FROM tasks`,
    );
  await expect.poll(tasks, soon).toEqual({
    tasks: tap.taskIds.size,
    ids: tap.taskIds.size,
    succeeded: tap.counts.get('task-succeeded'),
    failed: tap.counts.get('task-failed'),
    unnamed: 0,
    retried: tap.counts.get('task-retried'),
    waitless: 0,
  });
  const rollup = (): Promise<Record<string, number>> =>
    first(
      'SELECT sum(sent) AS sent, sum(succeeded) AS succeeded, sum(failed) AS failed, sum(retried) AS retried FROM task_rollup',
    );
  await expect.poll(rollup, soon).toEqual({
    sent: tap.counts.get('task-sent'),
    succeeded: tap.counts.get('task-succeeded'),
    failed: tap.counts.get('task-failed'),
    retried: tap.counts.get('task-retried'),
  });
  await store.close();
}

const mapNumbers = (row: Record<string, string>): Record<string, number> =>
  Object.fromEntries(Object.entries(row).map(([key, value]) => [key, Number(value)]));

test('Redis: 20,000 real tasks with failures, retries and chains are stored as Celery sent them', async () => {
  await using redis = await startRedis();
  await using tap = await tapRedis(redis.url);
  await expectExactCounts('redis', redis.url, redis.url.replace('/0', '/1'), tap);
}, 500_000);

test('RabbitMQ: 20,000 real tasks with failures, retries and chains are stored as Celery sent them', async () => {
  await using rabbitmq = await startRabbitmq();
  await using redis = await startRedis();
  await using tap = await tapRabbitmq(rabbitmq.amqpUrl);
  await expectExactCounts('rabbit', rabbitmq.amqpUrl, redis.url.replace('/0', '/1'), tap);
}, 500_000);
