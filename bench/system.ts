import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { compileServices } from '@meadow/runtime';
import {
  argsOf,
  COMPILE_CACHE,
  freePort,
  startEmbeddedClickHouse,
  startNats,
  startRedis,
  startService,
  waitFor,
  type Service,
  type ServiceName,
} from '@meadow/testkit';
import { Redis } from 'ioredis';
import { mapValues } from './figure.ts';
import { cpuSeconds, memoryMb } from './processes.ts';

/** The whole of Meadow on this machine, each process its own, watching one Redis. */
export interface System extends AsyncDisposable {
  readonly redisPort: number;
  readonly store: ClickHouseClient;
  readonly services: Readonly<Partial<Record<ServiceName, Service>>>;
  /** What the pipeline is made of; Redis and the generator are not part of it. */
  readonly pids: Readonly<Record<string, number>>;
  readonly redisPid: number;
  /** Seconds of CPU since the start of the system's work, by process. */
  cpu(): Record<string, number>;
  rss(): Record<string, { now: number; peak: number }>;
  /** First row of a query, numbers as numbers. */
  one(query: string): Promise<Record<string, number>>;
}

export async function startSystem(services: readonly ServiceName[]): Promise<System> {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(
    // the bench asks for the pipeline's speed, not for Redis's patience with a slow subscriber
    await startRedis({ port: await freePort(), args: ['--client-output-buffer-limit', 'pubsub 0 0 0'] }),
  );
  const nats = stack.use(await startNats());
  const clickhouse = stack.use(await startEmbeddedClickHouse());
  // as they are when they start for the second time
  await compileServices(services.map(argsOf), COMPILE_CACHE);
  const running: Partial<Record<ServiceName, Service>> = {};
  const pids: Record<string, number> = { nats: nats.pid, clickhouse: clickhouse.pid };
  for (const name of services) {
    const service = await startService(name, {
      natsUrl: nats.url,
      clickhouseUrl: clickhouse.url,
      clusters: [{ name: 'bench', broker: redis.url }],
    });
    running[name] = stack.use(service);
    pids[name] = service.pid;
  }
  const store = createClient({ url: clickhouse.url, database: 'meadow' });
  stack.defer(() => store.close());
  const client = new Redis(redis.url);
  await waitFor(async () => Number(await client.pubsub('NUMPAT')) > 0, {
    what: 'the collector to subscribe',
    deadlineMs: 30_000,
  });
  client.disconnect();
  const before = mapValues(pids, cpuSeconds);
  const kept = stack.move();
  return {
    redisPort: redis.port,
    redisPid: redis.pid,
    store,
    services: running,
    pids,
    cpu: () => mapValues(pids, (pid, name) => cpuSeconds(pid) - (before[name] ?? 0)),
    rss: () => mapValues(pids, (pid) => memoryMb(pid)),
    async one(query) {
      const answer = await store.query({ query, format: 'JSONEachRow' });
      const [row] = await answer.json<Record<string, string | number>>();
      return mapValues(row ?? {}, (value) => Number(value));
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
