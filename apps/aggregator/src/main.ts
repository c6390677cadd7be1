import { openBus, withLease, type BusNotice, type LeaseRecord } from '@meadow/bus';
import { BUCKETS, clusterDefinition, type RetentionPolicy } from '@meadow/contract';
import { describeError, retry, runService } from '@meadow/runtime';
import { migrate, openStore } from '@meadow/store';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { DEFAULT_RETENTION, Pipeline } from './pipeline.ts';
import { createTelemetry } from './telemetry.ts';
import type { Intent } from './writer.ts';

const config = z.object({
  MEADOW_NATS_URL: z.string().default('nats://127.0.0.1:4222'),
  MEADOW_CLICKHOUSE_URL: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:8123'),
  MEADOW_CLICKHOUSE_USER: z.string().default('default'),
  MEADOW_CLICKHOUSE_PASSWORD: z.string().default(''),
});

await runService('aggregator', config, async ({ config, log, metrics, signal, readyWhen }) => {
  const telemetry = createTelemetry(log, metrics);
  const id = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  let missing: string | null = 'no connection to NATS';
  const onNotice = (notice: BusNotice): void => log.warn({ ...notice }, `NATS: ${notice.kind}`);
  const onRetry = (error: unknown, waitMs: number): void => {
    missing = error instanceof Error ? error.message : String(error);
    log.warn({ error: describeError(error), waitMs }, 'waiting');
  };

  await using bus = await openBus({ url: config.MEADOW_NATS_URL, name: `aggregator ${id}`, signal, onNotice });
  readyWhen(() => (bus.connected ? missing : 'no connection to NATS'));
  await using store = openStore({
    url: config.MEADOW_CLICKHOUSE_URL,
    username: config.MEADOW_CLICKHOUSE_USER,
    password: config.MEADOW_CLICKHOUSE_PASSWORD,
  });
  const buckets = await retry(
    async () => {
      await bus.events.ensure();
      return {
        leases: await bus.bucket(BUCKETS.leases, (value) => value as LeaseRecord),
        intents: await bus.bucket(BUCKETS.intents, (value) => value as Intent),
        clusters: await bus.bucket(BUCKETS.clusters, (value) => clusterDefinition.parse(value)),
      };
    },
    { signal, onRetry },
  );
  const retention = new Map<string, RetentionPolicy>();
  const followClusters = async (): Promise<void> => {
    for await (const change of buckets.clusters.watch(signal)) {
      if (change.kind === 'put') retention.set(change.key, change.value.retention);
    }
  };
  void retry(followClusters, { signal, onRetry }).catch(() => undefined);

  missing = null;
  telemetry.standingBy();
  const writeUnderLease = (): Promise<void> =>
    withLease(buckets.leases, 'aggregator', id, signal, async (lease) => {
      // the lease is the lock: one replica migrates, and it is the one that writes
      await retry(() => migrate(store, { signal: lease }), { signal: lease, onRetry });
      missing = null;
      await Pipeline.run({
        bus,
        store,
        intents: buckets.intents,
        retentionOf: (cluster) => retention.get(cluster) ?? DEFAULT_RETENTION,
        telemetry,
        signal: lease,
      });
    });
  await retry(
    async () => {
      while (!signal.aborted) await writeUnderLease();
    },
    { signal, onRetry: (error) => telemetry.leaseLost(error) },
  ).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
});
