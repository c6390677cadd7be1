import type { ClusterDefinition } from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bucket } from './bucket.ts';
import { BusError } from './errors.ts';

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;

/** Starts watching a cluster; the returned promise ends when `signal` is aborted. It never rejects. */
type Watch = (definition: ClusterDefinition, signal: AbortSignal) => Promise<void>;

interface Watched {
  readonly definition: string;
  readonly stop: AbortController;
}

export interface WatchClustersOptions {
  readonly watch: Watch;
  /** Told the names of all clusters whenever they change, and not before all of those that are there are known. */
  readonly onClusters: (names: readonly string[]) => void;
  /** A cluster is gone for good, and no longer watched. Not told of one that was defined again meanwhile. */
  readonly onDeleted: (name: string) => void;
  /** The bucket cannot be followed: the clusters go on as they are. */
  readonly onRetry: (error: unknown, waitMs: number) => void;
}

/**
 * Watches every cluster that the bucket names, each in a loop of its own, until `signal` is aborted: a definition that is
 * added starts one, one that is changed restarts it, one that is deleted stops it. Clusters never wait for one another, and
 * no cluster is watched twice: what is defined again waits for the end of what was before. Definitions that NATS lost are
 * put back: they are known here still.
 */
export async function watchClusters(
  bucket: Bucket<ClusterDefinition>,
  { watch, onClusters, onDeleted, onRetry }: WatchClustersOptions,
  signal: AbortSignal,
): Promise<void> {
  const watched = new Map<string, Watched>();
  const ending = new Map<string, Promise<void>>();
  const start = (definition: ClusterDefinition): void => {
    const { name } = definition;
    const stop = new AbortController();
    const ends = AbortSignal.any([signal, stop.signal]);
    const before = ending.get(name) ?? Promise.resolve();
    const ended = before.then(() => (ends.aborted ? undefined : watch(definition, ends)));
    watched.set(name, { definition: JSON.stringify(definition), stop });
    ending.set(name, ended);
  };
  const remove = (name: string): void => {
    watched.get(name)?.stop.abort();
    watched.delete(name);
    void ending.get(name)?.then(() => {
      if (watched.has(name)) return;
      ending.delete(name);
      onDeleted(name);
    });
  };
  let lost = false;
  const putBack = async (): Promise<void> => {
    for (const [name, { definition }] of watched) {
      await bucket.create(name, JSON.parse(definition) as ClusterDefinition).catch((error: unknown) => {
        // another replica did
        if (!(error instanceof BusError && error.code === 'BUS_CONFLICT')) throw error;
      });
    }
    lost = false;
  };
  const follow = async (): Promise<void> => {
    if (lost) await putBack();
    const seen = new Set<string>();
    let complete = false;
    for await (const change of bucket.watch(signal)) {
      if (change.kind === 'put') {
        seen.add(change.key);
        const running = watched.get(change.key);
        if (running?.definition === JSON.stringify(change.value)) continue;
        running?.stop.abort();
        start(change.value);
      } else if (change.kind === 'deleted') {
        remove(change.key);
      } else {
        complete = true;
        // what was deleted while nobody followed
        for (const name of watched.keys()) if (!seen.has(name)) remove(name);
      }
      if (complete) onClusters([...watched.keys()]);
    }
    if (!signal.aborted) throw new Error('the watch of the clusters ended');
  };
  try {
    for (let waitMs = FIRST_WAIT_MS; !signal.aborted; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)) {
      try {
        await follow();
      } catch (error) {
        if (signal.aborted) return;
        lost ||= error instanceof BusError && error.code === 'BUS_REMADE';
        onRetry(error, waitMs);
        await delay(waitMs, undefined, { signal }).catch(() => undefined);
      }
    }
  } finally {
    for (const { stop } of watched.values()) stop.abort();
    await Promise.all(ending.values());
  }
}
