import type { Bucket } from '@meadow/bus';
import type { ClusterDefinition } from '@meadow/contract';

/** Starts watching a cluster; the returned promise ends when `signal` is aborted. It never rejects. */
export type Watch = (definition: ClusterDefinition, signal: AbortSignal) => Promise<void>;

interface Watched {
  readonly definition: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/**
 * Puts seeded definitions into the bucket, where they differ from what is there, and takes out those that were seeded once
 * and are no longer. A collector without seeds touches nothing, nor does any what a user added at run time.
 */
export async function seed(bucket: Bucket<ClusterDefinition>, clusters: readonly ClusterDefinition[]): Promise<void> {
  if (clusters.length === 0) return;
  const known = new Map((await bucket.all()).map(({ key, value }) => [key, value]));
  for (const cluster of clusters) {
    const definition: ClusterDefinition = { ...cluster, source: 'seed' };
    if (JSON.stringify(known.get(cluster.name)) !== JSON.stringify(definition))
      await bucket.put(cluster.name, definition);
    known.delete(cluster.name);
  }
  for (const [name, { source }] of known) if (source === 'seed') await bucket.delete(name);
}

/**
 * Watches every cluster that the bucket names, each in a loop of its own, until `signal` is aborted: a definition that is
 * added starts one, one that is changed restarts it, one that is deleted stops it. Clusters never wait for one another.
 */
export async function watchAll(bucket: Bucket<ClusterDefinition>, watch: Watch, signal: AbortSignal): Promise<void> {
  const watched = new Map<string, Watched>();
  const start = (definition: ClusterDefinition, after: Promise<void>): void => {
    const stop = new AbortController();
    const ends = AbortSignal.any([signal, stop.signal]);
    const ended = after.then(() => (ends.aborted ? undefined : watch(definition, ends)));
    watched.set(definition.name, { definition: JSON.stringify(definition), stop, ended });
  };
  try {
    for await (const change of bucket.watch(signal)) {
      if (change.kind === 'caught-up') continue;
      const running = watched.get(change.key);
      if (change.kind === 'deleted') {
        running?.stop.abort();
        watched.delete(change.key);
      } else if (running?.definition !== JSON.stringify(change.value)) {
        running?.stop.abort();
        start(change.value, running?.ended ?? Promise.resolve());
      }
    }
  } finally {
    for (const { stop } of watched.values()) stop.abort();
    await Promise.all([...watched.values()].map(({ ended }) => ended));
  }
}
