import type { ClusterRegistry, RegisteredCluster } from '@meadow/api';
import { serviceReports, type Bucket, type Bus } from '@meadow/bus';
import {
  BUCKETS,
  clusterDefinition,
  clusterStatus,
  type ClusterStatus,
  type PoolRule,
  type ServiceStatus,
} from '@meadow/contract';
import { retry } from '@meadow/runtime';
import type { Telemetry } from './telemetry.ts';

/** A service reports every 5 s: after this much silence it is taken for gone. */
const SILENT_SECONDS = 17;

/** Clusters and services as NATS's buckets tell them, kept up to date by watching. */
export class BucketRegistry implements ClusterRegistry {
  readonly #defined = new Map<string, readonly PoolRule[]>();
  readonly #reported = new Map<string, ClusterStatus>();
  readonly #services = new Map<string, ServiceStatus>();
  readonly #telemetry: Telemetry;
  readonly #now: () => number;

  /** @param now Unix seconds */
  constructor(telemetry: Telemetry, now: () => number) {
    this.#telemetry = telemetry;
    this.#now = now;
  }

  /** Names from both buckets: a report may come before its definition is seen, and outlive it for a minute. */
  list(): readonly RegisteredCluster[] {
    const names = new Set([...this.#defined.keys(), ...this.#reported.keys()]);
    return [...names].sort().map((name) => ({ name, status: this.#reported.get(name) ?? null }));
  }

  /** An expired report is not told by NATS: what is old is left out here. */
  services(): readonly ServiceStatus[] {
    const oldest = this.#now() - SILENT_SECONDS;
    for (const [id, { reported_at: at }] of this.#services) if (at < oldest) this.#services.delete(id);
    return [...this.#services.values()].sort((a, b) =>
      `${a.service} ${a.id}`.localeCompare(`${b.service} ${b.id}`, 'en'),
    );
  }

  /** Of a cluster's own; none where it is not defined. */
  poolRules(cluster: string): readonly PoolRule[] {
    return this.#defined.get(cluster) ?? [];
  }

  /** Follows the buckets until `signal` is aborted, through every failure. */
  async follow(bus: Bus, signal: AbortSignal): Promise<void> {
    // a definition holds the broker's password: nothing else of it is kept
    const definitions = () => bus.bucket(BUCKETS.clusters, (value) => clusterDefinition.parse(value).workerPools);
    const reports = () => bus.bucket(BUCKETS.status, (value) => clusterStatus.parse(value), { ttlMs: 60_000 });
    await Promise.all([
      this.#keep(this.#defined, definitions, signal),
      this.#keep(this.#reported, reports, signal),
      this.#keep(this.#services, () => serviceReports(bus), signal),
    ]);
  }

  async #keep<T>(known: Map<string, T>, open: () => Promise<Bucket<T>>, signal: AbortSignal): Promise<void> {
    const watch = async (): Promise<void> => {
      const bucket = await open();
      const seen = new Set<string>();
      for await (const change of bucket.watch(signal)) {
        if (change.kind === 'put') {
          seen.add(change.key);
          known.set(change.key, change.value);
        } else if (change.kind === 'deleted') {
          known.delete(change.key);
        } else {
          // what went away while nobody watched
          for (const key of known.keys()) if (!seen.has(key)) known.delete(key);
        }
      }
      if (!signal.aborted) throw new Error('the watch of a bucket ended');
    };
    const onRetry = (error: unknown, waitMs: number): void => this.#telemetry.registryWaiting(error, waitMs);
    await retry(watch, { signal, onRetry }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
