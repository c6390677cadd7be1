import { openBus, watchClusters } from '../src/index.ts';
import { clusterDefinition, type ClusterDefinition } from '@meadow/contract';
import { startNats, waitFor } from '@meadow/testkit';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Notes which clusters are watched and deleted. */
function noting(log: string[]): Parameters<typeof watchClusters>[1] {
  return {
    watch: async ({ name }, ends) => {
      log.push(`${name} begins`);
      await new Promise((resolve) => ends.addEventListener('abort', resolve, { once: true }));
      log.push(`${name} stops`);
    },
    onClusters: () => undefined,
    onDeleted: (name) => log.push(`${name} deleted`),
    onRetry: () => undefined,
  };
}

test('a cluster that is deleted and defined again is watched anew after the end of what was before', async () => {
  await using nats = await startNats();
  await using bus = await openBus({ url: nats.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  const bucket = await bus.bucket<ClusterDefinition>('test_clusters', (value) => clusterDefinition.parse(value));
  const define = (name: string) => bucket.put(name, clusterDefinition.parse({ name, broker: 'redis://h' }));
  const log: string[] = [];
  const noted = noting(log);
  const drained = Promise.withResolvers<undefined>();
  const stop = new AbortController();
  const watching = watchClusters(
    bucket,
    {
      ...noted,
      watch: async (definition, ends) => {
        await noted.watch(definition, ends);
        await drained.promise;
        log.push(`${definition.name} ended`);
      },
      onClusters: (names) => log.push(`clusters ${names.join()}`),
      onRetry: (error) => log.push(String(error)),
    },
    stop.signal,
  );
  await define('a');
  await expect.poll(() => log).toContain('a begins');
  await bucket.delete('a');
  await expect.poll(() => log).toContain('a stops');
  await define('a');
  await define('b');
  await expect.poll(() => log).toContain('b begins');
  expect(log.filter((line) => line === 'a begins')).toHaveLength(1);
  drained.resolve(undefined);
  await expect
    .poll(() => log.filter((line) => line.startsWith('a ')))
    .toEqual(['a begins', 'a stops', 'a ended', 'a begins']);
  stop.abort();
  await watching;
  expect(log.filter((line) => line === 'a ended')).toHaveLength(2);
  expect(log).not.toContain('a deleted');
}, 30_000);

test('clusters that NATS lost are watched all the while, put back, and followed as before', async () => {
  const storeDir = mkdtempSync(join(tmpdir(), 'meadow-clusters-'));
  await using nats = await startNats({ storeDir });
  await using bus = await openBus({ url: nats.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  const bucket = await bus.bucket<ClusterDefinition>('test_lost', (value) => clusterDefinition.parse(value));
  const define = (name: string) => bucket.put(name, clusterDefinition.parse({ name, broker: 'redis://h' }));
  const log: string[] = [];
  const stop = new AbortController();
  const watching = watchClusters(bucket, noting(log), stop.signal);
  for (const name of ['a', 'b', 'c']) await define(name);
  await expect.poll(() => log).toEqual(['a begins', 'b begins', 'c begins']);
  await nats.kill9();
  rmSync(storeDir, { recursive: true });
  await nats.restart();
  const names = async (): Promise<string> => (await bucket.all()).map(({ key }) => key).sort().join(); // prettier-ignore
  await waitFor(async () => (await names().catch(String)) === 'a,b,c', { what: 'the clusters', deadlineMs: 15_000 });
  await bucket.delete('b');
  await define('d');
  await expect.poll(() => log.slice(3)).toEqual(['b stops', 'b deleted', 'd begins']);
  stop.abort();
  await watching;
  rmSync(storeDir, { recursive: true, force: true });
}, 40_000);
