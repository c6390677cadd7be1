import { isTaskQueue, type Queues } from '@meadow/broker';
import type { Bucket } from '@meadow/bus';
import { z } from 'zod';
import { activeQueuesIn } from './active-queues.ts';
import type { Inspections } from './inspections.ts';

/** Names of a cluster's queues. Kept in the bucket `meadow_queues` under `<cluster>`. */
export const keptQueues = z.object({
  /** Where they are, the password masked: the queues of another broker are others. */
  broker: z.string(),
  /** Each with the day on which it was seen last, in days since 1970. */
  queues: z.array(z.tuple([z.string().min(1), z.int()])),
});
export type KeptQueues = z.output<typeof keptQueues>;

/** New queues are looked for so often: Redis has to walk through its keys for it, and workers are asked. */
const ASK_MS = 60_000;
/** Of more, those that were heard of first. */
const MOST_QUEUES = 5_000;
/** So much is kept of them, the newest first: a message of NATS holds 1 MB. Characters of JSON. */
const MOST_KEPT = 250_000;
const DAY_SECONDS = 86_400;
const RETIRED_DAYS = 30;

export interface KnownQueuesOptions {
  readonly cluster: string;
  /** Where it is, the password masked. */
  readonly broker: string;
  readonly queues: Queues;
  readonly inspections: Inspections;
  readonly bucket: Bucket<KeptQueues>;
}

/**
 * The queues of a cluster by name, from its broker and from its workers. An empty queue of Redis is no key there, and a worker
 * that is gone names none: so names are kept, over restarts too, until one was seen by nobody for 30 days.
 */
export class KnownQueues {
  readonly #options: KnownQueuesOptions;
  /** With the day on which each was seen last. */
  readonly #seen = new Map<string, number>();
  #askedAtMs = -Infinity;
  /** As they are kept; null before they were read. */
  #kept: string | null = null;

  constructor(options: KnownQueuesOptions) {
    this.#options = options;
  }

  /** @throws BrokerError, BusError */
  async names(signal: AbortSignal): Promise<readonly string[]> {
    const { cluster, broker, queues, inspections, bucket } = this.#options;
    if (this.#kept === null) {
      const kept = (await bucket.get(cluster))?.value;
      for (const [name, day] of kept?.broker === broker ? kept.queues : []) this.#add(name, day);
      this.#kept = JSON.stringify(kept ?? {});
    }
    if (performance.now() - this.#askedAtMs >= ASK_MS) {
      for (const name of (await queues.names(signal)).names) this.saw(name);
      await inspections.refresh('active_queues', signal);
      this.#askedAtMs = performance.now();
    }
    for (const { value } of inspections.known('active_queues')) {
      for (const { name, isExclusive } of activeQueuesIn(value)) {
        // what looks like a secret is not told as it is
        if (!isExclusive && isTaskQueue(name) && !name.includes('***')) this.saw(name);
      }
    }
    for (const [name, day] of this.#seen) if (day < today() - RETIRED_DAYS) this.#seen.delete(name);
    return [...this.#seen.keys()];
  }

  /** It is there now. */
  saw(name: string): void {
    this.#add(name, today());
  }

  /** It is no longer there. */
  forget(name: string): void {
    this.#seen.delete(name);
  }

  /** Keeps the names for who looks after this cluster next, where they are others than before. @throws BusError */
  async keep(): Promise<void> {
    const newestFirst = [...this.#seen].toSorted(([, a], [, b]) => b - a);
    const queues: [string, number][] = [];
    let length = 0;
    for (const each of newestFirst) {
      length += JSON.stringify(each).length + 1;
      if (length > MOST_KEPT) break;
      queues.push(each);
    }
    const { cluster, broker, bucket } = this.#options;
    const text = JSON.stringify({ broker, queues });
    if (text === this.#kept) return;
    await bucket.put(cluster, { broker, queues });
    this.#kept = text;
  }

  #add(name: string, day: number): void {
    if (this.#seen.has(name) || this.#seen.size < MOST_QUEUES) this.#seen.set(name, day);
  }
}

const today = (): number => Math.floor(Date.now() / 1000 / DAY_SECONDS);
