import { workerRow, type WorkerRow } from '@meadow/contract';
import { z } from 'zod';
import { seconds } from '../columns.ts';
import type { Store } from '../store.ts';
import { ask, type AskOptions } from './options.ts';

export interface WorkerListInput {
  readonly cluster?: string | undefined;
  /** Unix seconds, the reader's clock: decides who is lost. */
  readonly now: number;
  /** Workers silent for longer are left out. @default 7 * 86_400 */
  readonly silentSeconds?: number | undefined;
}

export interface WorkerListRow extends WorkerRow {
  /** Tasks that ended on it in the last hour, by how. */
  readonly succeeded_last_hour: number;
  readonly failed_last_hour: number;
}

const workerListRow = workerRow.extend({ succeeded_last_hour: z.number(), failed_last_hour: z.number() });

/**
 * Of `workers AS w`, by the reader's clock {now:Float64} and when a collector heard it: the worker's own clock may be
 * wrong. Three missed beats: one lost message is not a lost worker.
 */
export const workerState = `multiIf(
    w.offline, 'offline',
    {now:Float64} - ${seconds('coalesce(w.last_heard_at, w.last_heartbeat_at, w.updated_at)')} > greatest(3 * ifNull(w.freq, 0), 30), 'lost',
    'online')`;

/**
 * Workers in order of cluster and name, at most 5000. A worker is lost when it was silent for max(3 × freq, 30 s)
 * without a goodbye. A worker that runs tasks and never sent a heartbeat (`--without-heartbeat`) is told as `quiet` for an
 * hour after its last task: nothing more can be known of it. @throws StoreError
 */
export async function workerList(
  store: Store,
  input: WorkerListInput,
  options: AskOptions = {},
): Promise<WorkerListRow[]> {
  const params = {
    cluster: input.cluster ?? '',
    now: input.now,
    hourAgo: Math.max(0, Math.floor(input.now / 60) * 60 - 3600),
    heardSince: Math.max(0, input.now - (input.silentSeconds ?? 7 * 86_400)),
  };
  const told = (): Promise<WorkerListRow[]> =>
    ask(
      store,
      'worker list',
      workerListRow,
      `SELECT w.cluster AS cluster, w.worker AS worker, w.pool AS pool, ${workerState} AS state, w.pid AS pid,
            ${seconds('w.started_at')} AS started_at, ${seconds('w.last_heartbeat_at')} AS last_heartbeat_at,
            ${seconds('w.last_heard_at')} AS last_heard_at, w.clock_offset_seconds AS clock_offset_seconds,
            w.active AS active, w.processed AS processed, w.loadavg AS loadavg, w.freq AS freq,
            w.sw_ident AS sw_ident, w.sw_ver AS sw_ver, w.sw_sys AS sw_sys,
            h.succeeded AS succeeded_last_hour, h.failed AS failed_last_hour
     FROM (SELECT * FROM ${store.database}.workers FINAL) AS w
     LEFT JOIN (
         SELECT r.cluster AS cluster, r.worker AS worker, sum(r.succeeded) AS succeeded, sum(r.failed) AS failed
         FROM ${store.database}.task_rollup AS r
         WHERE ({cluster:String} = '' OR r.cluster = {cluster:String})
           AND r.minute >= toDateTime({hourAgo:UInt32}, 'UTC')
         GROUP BY cluster, worker
     ) AS h ON h.cluster = w.cluster AND h.worker = w.worker
     WHERE ({cluster:String} = '' OR w.cluster = {cluster:String})
       AND w.updated_at >= toDateTime64({heardSince:Float64}, 6, 'UTC')
     ORDER BY cluster, worker
     LIMIT 5000`,
      params,
      options,
    );
  const quiet = (): Promise<WorkerListRow[]> =>
    ask(
      store,
      'workers without heartbeats',
      workerListRow,
      // who sent tasks is no worker: it runs none
      `SELECT r.cluster AS cluster, r.worker AS worker, '' AS pool, 'quiet' AS state, NULL AS pid, NULL AS started_at,
            NULL AS last_heartbeat_at, toFloat64(max(r.minute)) AS last_heard_at, NULL AS clock_offset_seconds,
            NULL AS active, NULL AS processed, emptyArrayFloat64() AS loadavg, NULL AS freq, '' AS sw_ident, '' AS sw_ver,
            '' AS sw_sys, sum(r.succeeded) AS succeeded_last_hour, sum(r.failed) AS failed_last_hour
     FROM ${store.database}.task_rollup AS r
     WHERE ({cluster:String} = '' OR r.cluster = {cluster:String})
       AND r.minute >= toDateTime({hourAgo:UInt32}, 'UTC')
       AND (r.cluster, r.worker) NOT IN (SELECT cluster, worker FROM ${store.database}.workers)
     GROUP BY cluster, worker
     HAVING sum(r.received) + sum(r.started) > 0
     ORDER BY cluster, worker
     LIMIT 1000`,
      params,
      options,
    );
  return (await Promise.all([told(), quiet()])).flat();
}
