import type { InspectionPart } from '@meadow/contract';
import { readQueues, type ActiveQueue } from '../worker/answers.ts';
import { STALE_SECONDS } from '../worker/worker-answers.ts';

/** A worker that takes tasks from a queue, by its own word. */
export interface Taker {
  readonly worker: string;
  /** When it said so, Unix seconds. */
  readonly at: number;
  readonly queue: ActiveQueue;
}

/** Who takes from the queues of a cluster. */
export interface Takers {
  /** By name of the queue, each in order of worker. */
  readonly of: ReadonlyMap<string, readonly Taker[]>;
  /** Workers had the time to answer: from a queue that is not in it nobody takes. */
  readonly complete: boolean;
}

/** Workers answer within this time, or not at all. Seconds. */
const PATIENCE_SECONDS = 6;

/**
 * Reads the answers of a cluster's workers to `active_queues`.
 * @param askedForSeconds since they were asked for the first time
 */
export function readTakers(parts: readonly InspectionPart[], askedForSeconds: number): Takers {
  const of = new Map<string, Taker[]>();
  for (const { worker, at, value } of parts.toSorted((a, b) => (a.worker < b.worker ? -1 : 1))) {
    if (at === null) continue;
    for (const queue of readQueues(value)) {
      const takers = of.get(queue.name);
      if (takers === undefined) of.set(queue.name, [{ worker, at, queue }]);
      else takers.push({ worker, at, queue });
    }
  }
  return { of, complete: askedForSeconds >= PATIENCE_SECONDS };
}

/** Whether it has not answered lately: it may be gone, or busy. @param now Unix seconds */
export function isSilent(taker: Pick<Taker, 'at'>, now: number): boolean {
  return now - taker.at > STALE_SECONDS.active_queues;
}
