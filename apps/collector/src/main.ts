import {
  joinMembers,
  openBus,
  reportService,
  Share,
  watchClusters,
  type BusNotice,
  type LeaseRecord,
} from '@meadow/bus';
import {
  BUCKETS,
  clusterDefinition,
  clusterStatus,
  heardRecord,
  type ClusterDefinition,
  type ClusterStatus,
  type HeardRecord,
} from '@meadow/contract';
import { describeError, exposeFlow, replicaOf, retry, runService, watchVitals } from '@meadow/runtime';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { watchCluster } from './cluster.ts';
import { gatherSeeds, readDefinitions, type Definitions } from './definitions.ts';
import { seed } from './seed.ts';
import { Flows } from './flow.ts';
import { createTelemetry } from './telemetry.ts';

const config = z.object({
  MEADOW_NATS_URL: z.string().default('nats://127.0.0.1:4222'),
  MEADOW_CLUSTERS: z.string().default(''),
  MEADOW_CLUSTERS_FILE: z.string().default(''),
});

/** Status of a cluster that nobody watches any more disappears after this. */
const STATUS_TTL_MS = 60_000;

async function readSeeds(environment: string, path: string): Promise<Definitions> {
  const { values } = parseArgs({ options: { cluster: { type: 'string', multiple: true, default: [] } } });
  const problems: { cluster: string | null; message: string }[] = [];
  let file: { path: string; text: string } | null = null;
  if (path !== '') {
    try {
      file = { path, text: await readFile(path, 'utf8') };
    } catch (error) {
      problems.push({
        cluster: null,
        message: `MEADOW_CLUSTERS_FILE: ${error instanceof Error ? error.message : path}`,
      });
    }
  }
  const gathered = gatherSeeds({ environment, file, args: values.cluster });
  const read = readDefinitions(gathered.seeds);
  return { clusters: read.clusters, problems: [...problems, ...gathered.problems, ...read.problems] };
}

await runService('collector', config, async ({ config, log, version, metrics, signal, readyWhen }) => {
  const telemetry = createTelemetry(log, metrics);
  const { id: collector, replaces } = replicaOf(process.env);
  let missing: string | null = 'no connection to NATS';
  const onNotice = (notice: BusNotice): void => log.warn({ ...notice }, `NATS: ${notice.kind}`);
  const onRetry = (error: unknown, waitMs: number): void =>
    log.warn({ error: describeError(error), waitMs }, 'waiting');

  const { clusters, problems } = await readSeeds(config.MEADOW_CLUSTERS, config.MEADOW_CLUSTERS_FILE);
  for (const { message } of problems) telemetry.badDefinition(message);

  await using bus = await openBus({ url: config.MEADOW_NATS_URL, name: `collector ${collector}`, signal, onNotice });
  readyWhen(() => (bus.connected ? missing : 'no connection to NATS'));
  const flows = new Flows();
  exposeFlow(metrics, () => flows.read());
  const report = { id: `collector-${collector}`, service: 'collector', version, vitals: watchVitals() };
  void reportService(bus, { ...report, facts: () => flows.facts(missing) }, signal);
  const buckets = await retry(
    async () => {
      await bus.events.ensure();
      return {
        clusters: await bus.bucket<ClusterDefinition>(BUCKETS.clusters, (value) => clusterDefinition.parse(value)),
        status: await bus.bucket<ClusterStatus>(BUCKETS.status, (value) => clusterStatus.parse(value), {
          ttlMs: STATUS_TTL_MS,
        }),
        leases: await bus.bucket<LeaseRecord>(BUCKETS.leases, (value) => value as LeaseRecord),
        heard: await bus.bucket<HeardRecord>(BUCKETS.heard, (value) => heardRecord.parse(value)),
      };
    },
    { signal, onRetry },
  );
  await retry(() => seed(buckets.clusters, clusters), { signal, onRetry });
  await tellInvalid(buckets.status, problems, collector);

  missing = 'the other collectors are not known yet';
  await using members = await retry(() => joinMembers(bus, 'collector', collector, signal, replaces), {
    signal,
    onRetry,
  });
  missing = null;
  const share = new Share(members, collector);
  const { status, leases, heard } = buckets;
  const deps = {
    collector,
    stream: bus.events,
    requests: bus.requests,
    status,
    leases,
    heard,
    share,
    telemetry,
    flows,
    ending: signal,
  };
  await watchClusters(
    buckets.clusters,
    {
      watch: (cluster, ends) => watchCluster(cluster, deps, ends),
      onClusters: (names) => (share.clusters = names),
      onDeleted: (name) => void heard.delete(name).catch(() => undefined),
      onRetry,
    },
    signal,
  );
});

/** A definition that does not fit is shown beside the others, so that it is found where people look. */
async function tellInvalid(
  status: { put(key: string, value: ClusterStatus): Promise<number> },
  problems: Definitions['problems'],
  collector: string,
): Promise<void> {
  const now = Date.now() / 1000;
  for (const { cluster, message } of problems) {
    if (cluster === null) continue;
    const report: ClusterStatus = {
      cluster,
      collector,
      state: 'failed',
      since: now,
      error: { code: 'CLUSTER_INVALID', message },
      endpoint: '',
      transport: 'unknown',
      events: 0,
      rejected: 0,
      gaps: 0,
      lastEventAt: null,
      reportedAt: now,
    };
    await status.put(cluster, report).catch(() => undefined);
  }
}
