import { z } from 'zod';
import { seconds } from '../columns.ts';
import type { Store } from '../store.ts';
import { ask, type AskOptions } from './options.ts';
import { workerState } from './worker-list.ts';

export interface ClusterSummary {
  readonly cluster: string;
  /** Task events a minute, mean of the last 5 whole minutes. */
  readonly events_per_minute: number;
  /** Tasks finished a minute, as above. */
  readonly tasks_per_minute: number;
  /** Tasks being run, as the workers that are online say in their heartbeats. */
  readonly running: number;
  /** Tasks failed in the last hour, by whole minutes. */
  readonly failed_last_hour: number;
  readonly workers_online: number;
  readonly workers_total: number;
  /** Unix seconds: of the newest heartbeat, or the begin of the newest minute with a task event. */
  readonly last_event_at: number;
}

const eventsRow = z.object({
  cluster: z.string(),
  events: z.number(),
  finished: z.number(),
  failed: z.number(),
  last_at: z.number(),
});
const workersRow = z.object({
  cluster: z.string(),
  running: z.number(),
  online: z.number(),
  total: z.number(),
  last_at: z.number(),
});

/**
 * How each cluster heard of in the last week is doing; in order of name.
 * @param input.now Unix seconds, the reader's clock
 * @throws StoreError
 */
export async function clusterSummaries(
  store: Store,
  input: { readonly now: number },
  options: AskOptions = {},
): Promise<ClusterSummary[]> {
  const minute = Math.floor(input.now / 60) * 60;
  const weekAgo = Math.max(0, minute - 7 * 86_400);
  const [events, workers] = await Promise.all([
    ask(
      store,
      'cluster events',
      eventsRow,
      `SELECT r.cluster AS cluster,
              sumIf(r.events, r.minute >= toDateTime({fiveAgo:UInt32}, 'UTC') AND r.minute < toDateTime({minute:UInt32}, 'UTC')) AS events,
              sumIf(r.succeeded + r.failed + r.revoked + r.rejected,
                    r.minute >= toDateTime({fiveAgo:UInt32}, 'UTC') AND r.minute < toDateTime({minute:UInt32}, 'UTC')) AS finished,
              sumIf(r.failed, r.minute >= toDateTime({hourAgo:UInt32}, 'UTC')) AS failed,
              toUInt32(max(r.minute)) AS last_at
       FROM ${store.database}.task_rollup AS r
       WHERE r.minute >= toDateTime({weekAgo:UInt32}, 'UTC')
       GROUP BY cluster
       LIMIT 10000`,
      { minute, fiveAgo: Math.max(0, minute - 300), hourAgo: Math.max(0, minute - 3600), weekAgo },
      options,
    ),
    ask(
      store,
      'cluster workers',
      workersRow,
      `SELECT w.cluster AS cluster,
              sumIf(ifNull(w.active, 0), ${workerState} = 'online') AS running,
              countIf(${workerState} = 'online') AS online,
              count() AS total,
              max(${seconds('w.updated_at')}) AS last_at
       FROM ${store.database}.workers AS w FINAL
       WHERE w.updated_at >= toDateTime64({weekAgo:Float64}, 6, 'UTC')
       GROUP BY cluster
       LIMIT 10000`,
      { now: input.now, weekAgo },
      options,
    ),
  ]);
  const eventsOf = new Map(events.map((row) => [row.cluster, row]));
  const workersOf = new Map(workers.map((row) => [row.cluster, row]));
  return [...new Set([...eventsOf.keys(), ...workersOf.keys()])].sort().map((cluster) => {
    const heard = eventsOf.get(cluster);
    const present = workersOf.get(cluster);
    return {
      cluster,
      events_per_minute: (heard?.events ?? 0) / 5,
      tasks_per_minute: (heard?.finished ?? 0) / 5,
      running: present?.running ?? 0,
      failed_last_hour: heard?.failed ?? 0,
      workers_online: present?.online ?? 0,
      workers_total: present?.total ?? 0,
      last_event_at: Math.max(heard?.last_at ?? 0, present?.last_at ?? 0),
    };
  });
}
