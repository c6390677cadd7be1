import { joinMembers, openBus, reportService, withLease, type BusNotice, type LeaseRecord } from '@meadow/bus';
import {
  BUCKETS,
  clusterDefinition,
  clusterStatus,
  retentionPolicy,
  workerPool,
  type ClusterDefinition,
  type RetentionPolicy,
} from '@meadow/contract';
import { describeError, exposeFlow, replicaOf, retry, runService, watchVitals } from '@meadow/runtime';
import { migrate, openStore } from '@meadow/store';
import { setFlagsFromString } from 'node:v8';
import { z } from 'zod';
import { PartitionTable, type Places } from './partition-table.ts';
import { closeOpenTasks } from './ends.ts';
import { AggregatorFlow } from './flow.ts';
import { measureLossOverTime } from './loss.ts';
import { createTelemetry } from './telemetry.ts';
import { Term } from './term.ts';
import type { Intent } from './intent.ts';

/** What is being written is finished after a stop, unless the store takes longer than this. */
const FINISH_MS = 5_000;
const DEFAULT_RETENTION: RetentionPolicy = retentionPolicy.parse({});

const config = z.object({
  MEADOW_NATS_URL: z.string().default('nats://127.0.0.1:4222'),
  MEADOW_CLICKHOUSE_URL: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:8123'),
  MEADOW_CLICKHOUSE_USER: z.string().default('default'),
  MEADOW_CLICKHOUSE_PASSWORD: z.string().default(''),
  MEADOW_LOST_AFTER_SECONDS: z.coerce.number().min(1).max(86_400).default(60),
});

/**
 * The heap is 20 MB, and several times as much passes through buffers outside of it each second. V8 takes those for growth of
 * the heap and collects all of it three times a second, a quarter of the process's CPU, unless it may nearly double.
 */
setFlagsFromString('--heap-growing-percent=75');

await runService('aggregator', config, async ({ config, log, version, metrics, signal, readyWhen }) => {
  const flow = new AggregatorFlow();
  exposeFlow(metrics, () => flow.read());
  const telemetry = createTelemetry(log, metrics, flow);
  const { id } = replicaOf(process.env);
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
  const report = { id: `aggregator-${id}`, service: 'aggregator', version, vitals: watchVitals() };
  void reportService(bus, { ...report, facts: () => flow.facts(missing) }, signal);
  const buckets = await retry(
    async () => {
      await bus.events.ensure();
      return {
        leases: await bus.bucket(BUCKETS.leases, (value) => value as LeaseRecord),
        intents: await bus.bucket(BUCKETS.intents, (value) => value as Intent),
        partitions: await bus.bucket(BUCKETS.partitions, (value) => value as Places),
        clusters: await bus.bucket(BUCKETS.clusters, (value) => clusterDefinition.parse(value)),
        status: await bus.bucket(BUCKETS.status, (value) => clusterStatus.parse(value), { ttlMs: 60_000 }),
      };
    },
    { signal, onRetry },
  );
  const rules = new Map<string, Pick<ClusterDefinition, 'retention' | 'workerPools'>>();
  const followClusters = async (): Promise<void> => {
    for await (const change of buckets.clusters.watch(signal)) {
      if (change.kind === 'put') rules.set(change.key, change.value);
    }
    signal.throwIfAborted();
    throw new Error('the watch of clusters ended by itself');
  };
  // the rules that are known serve meanwhile
  const onUnfollowed = (error: unknown, waitMs: number): void =>
    log.warn({ error: describeError(error), waitMs }, 'the rules of clusters cannot be followed now');
  void retry(followClusters, { signal, onRetry: onUnfollowed }).catch(() => undefined);

  missing = null;
  // one replica migrates, the others wait for it
  const withLock = async <Result>(name: string, work: () => Promise<Result>): Promise<Result> => {
    const done: Result[] = [];
    await withLease(buckets.leases, name, id, signal, async () => void done.push(await work()));
    return done[0] as Result;
  };
  await retry(() => migrate(store, { signal, withLock }), { signal, onRetry });
  missing = null;

  // one replica measures for all
  const measure = (): Promise<void> =>
    withLease(buckets.leases, 'loss', id, signal, (lease) =>
      measureLossOverTime({
        store,
        stream: bus.events,
        onMeasured: telemetry.lossMeasured,
        signal: lease,
        now: () => Date.now() / 1000,
      }),
    );
  void retry(measure, { signal, onRetry: telemetry.lossWaiting }).catch(() => undefined);

  // and one looks for tasks that will not tell their end
  const closeEnds = (): Promise<void> =>
    withLease(buckets.leases, 'ends', id, signal, (lease) =>
      closeOpenTasks({
        store,
        stream: bus.events,
        requests: bus.requests,
        statuses: buckets.status,
        graceSeconds: config.MEADOW_LOST_AFTER_SECONDS,
        onLost: telemetry.gaveUp,
        onFound: telemetry.endsFound,
        onUnanswered: telemetry.endsUnanswered,
        signal: lease,
        now: () => Date.now() / 1000,
      }),
    );
  void retry(closeEnds, { signal, onRetry: telemetry.endsWaiting }).catch(() => undefined);

  const finish = new AbortController();
  signal.addEventListener('abort', () => setTimeout(() => finish.abort(signal.reason), FINISH_MS).unref(), {
    once: true,
  });
  // a member until everything is written: the others take a replica that is none for dead
  await using members = await joinMembers(bus, 'aggregator', id, finish.signal);
  let number = 0;
  const beginTerm = async (): Promise<void> => {
    // the term before may have ended because somebody removed it
    await bus.events.ensure();
    await Term.run({
      bus,
      intents: buckets.intents,
      table: new PartitionTable(buckets.partitions),
      members,
      member: id,
      number: ++number,
      inserts: {
        store,
        retentionOf: (cluster) => rules.get(cluster)?.retention ?? DEFAULT_RETENTION,
        poolOf: (cluster, worker) => workerPool(worker, rules.get(cluster)?.workerPools),
        onRetry: telemetry.waiting,
        onBuried: telemetry.buried,
      },
      telemetry,
      stop: signal,
      signal: finish.signal,
    });
  };
  await retry(beginTerm, { signal, onRetry: telemetry.termFailed, maxWaitMs: 2_000 }).catch((error: unknown) => {
    // what was cut short the others write again
    if (!signal.aborted) throw error;
  });
});
