import type { ClusterRegistry, RegisteredCluster } from '@meadow/api';
import type { Bucket, Bus } from '@meadow/bus';
import { BUCKETS, clusterStatus, type ClusterStatus } from '@meadow/contract';
import { retry } from '@meadow/runtime';
import type { Telemetry } from './telemetry.ts';

/** Clusters as NATS's buckets tell them, kept up to date by watching. */
export class BucketRegistry implements ClusterRegistry {
  readonly #defined = new Map<string, true>();
  readonly #reported = new Map<string, ClusterStatus>();
  readonly #telemetry: Telemetry;

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
  }

  /** Names from both buckets: a report may come before its definition is seen, and outlive it for a minute. */
  list(): readonly RegisteredCluster[] {
    const names = new Set([...this.#defined.keys(), ...this.#reported.keys()]);
    return [...names].sort().map((name) => ({ name, status: this.#reported.get(name) ?? null }));
  }

  /** Follows both buckets until `signal` is aborted, through every failure. */
  async follow(bus: Bus, signal: AbortSignal): Promise<void> {
    // a definition holds the broker's password: only its name is read
    const definitions = () => bus.bucket(BUCKETS.clusters, () => true as const);
    const reports = () => bus.bucket(BUCKETS.status, (value) => clusterStatus.parse(value), { ttlMs: 60_000 });
    await Promise.all([this.#keep(this.#defined, definitions, signal), this.#keep(this.#reported, reports, signal)]);
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
