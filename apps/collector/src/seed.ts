import type { Bucket } from '@meadow/bus';
import type { ClusterDefinition } from '@meadow/contract';

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
