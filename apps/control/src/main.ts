import {
  joinMembers,
  openBus,
  reportService,
  Share,
  watchClusters,
  type BusNotice,
  type LeaseRecord,
} from '@meadow/bus';
import { BUCKETS, clusterDefinition, type ClusterDefinition } from '@meadow/contract';
import { describeError, replicaOf, retry, runService, watchVitals } from '@meadow/runtime';
import { z } from 'zod';
import { openAudit } from './audit.ts';
import { watchCluster } from './cluster.ts';
import { keptQueues } from './known-queues.ts';
import { keptPause } from './pauses.ts';
import { FOLLOWED_SECONDS, openRevoke } from './revokes.ts';
import { createTelemetry } from './telemetry.ts';

const config = z.object({
  MEADOW_NATS_URL: z.string().default('nats://127.0.0.1:4222'),
});

await runService('control', config, async ({ config, log, version, metrics, signal, readyWhen }) => {
  const telemetry = createTelemetry(log, metrics);
  const { id: replica, replaces } = replicaOf(process.env);
  let missing: string | null = 'no connection to NATS';
  const onNotice = (notice: BusNotice): void => log.warn({ ...notice }, `NATS: ${notice.kind}`);
  const onRetry = (error: unknown, waitMs: number): void =>
    log.warn({ error: describeError(error), waitMs }, 'waiting');

  await using bus = await openBus({ url: config.MEADOW_NATS_URL, name: `control ${replica}`, signal, onNotice });
  readyWhen(() => (bus.connected ? missing : 'no connection to NATS'));
  const facts = () => ({ missing, hops: [], buffers: [], brokers: [], stored_until: null });
  const report = { id: `control-${replica}`, service: 'control', version, vitals: watchVitals(), facts };
  void reportService(bus, report, signal);
  const buckets = await retry(
    async () => {
      await bus.events.ensure();
      return {
        clusters: await bus.bucket<ClusterDefinition>(BUCKETS.clusters, (value) => clusterDefinition.parse(value)),
        leases: await bus.bucket<LeaseRecord>(BUCKETS.leases, (value) => value as LeaseRecord),
        revokes: await bus.bucket(BUCKETS.revokes, (value) => openRevoke.parse(value), {
          ttlMs: FOLLOWED_SECONDS * 1000,
        }),
        pauses: await bus.bucket(BUCKETS.pauses, (value) => keptPause.parse(value)),
        queues: await bus.bucket(BUCKETS.queues, (value) => keptQueues.parse(value)),
      };
    },
    { signal, onRetry },
  );
  missing = 'the other replicas of control are not known yet';
  await using members = await retry(() => joinMembers(bus, 'control', replica, signal, replaces), { signal, onRetry });
  missing = null;
  const share = new Share(members, replica);
  const audit = openAudit(bus.events, replica);
  const { clusters, ...kept } = buckets;
  const deps = { replica, bus, ...kept, share, audit, telemetry };
  await watchClusters(
    clusters,
    {
      watch: (definition, ends) => watchCluster(definition, deps, ends),
      onClusters: (names) => (share.clusters = names),
      onDeleted: () => undefined,
      onRetry,
    },
    signal,
  );
});
