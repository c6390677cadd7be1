import type { InspectionPart, QueueRow } from '@meadow/contract';

/** A queue of Redis for tests: empty, looked at at 1000. */
export function queueRow(changes: Partial<QueueRow> = {}): QueueRow {
  return {
    ...{ cluster: 'prod', queue: 'celery', first_seen_at: 0, last_seen_at: 1_000, sampled_at: 1_000 },
    ...{ kind: 'list', source: 'redis', ready: 0, unacked: 0, consumers: null, bytes: null },
    ...{ oldest_age_seconds: null, published_per_second: null, delivered_per_second: null, by_priority: null },
    ...changes,
  };
}

/** What a worker says of the queues it takes from. */
export function takesFrom(worker: string, at: number | null, ...queues: readonly string[]): InspectionPart {
  const value = at === null ? null : queues.map((name) => ({ name, exchange: { name, type: 'direct' } }));
  return { kind: 'inspection', of: 'active_queues', worker, at, value, omitted: 0, error: null };
}
