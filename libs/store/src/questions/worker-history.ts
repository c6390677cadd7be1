import { z } from 'zod';
import { seconds } from '../columns.ts';
import type { Store } from '../store.ts';
import { ask, type AskOptions, type TimeRange } from './options.ts';

export interface WorkerHistoryInput extends TimeRange {
  readonly cluster: string;
  readonly worker: string;
  readonly bucketSeconds: number;
}

const life = z.object({
  pid: z.number().nullable(),
  /** Its own clock; null when its hello was not heard. */
  started_at: z.number().nullable(),
  /** The collector's clock. */
  last_heard_at: z.number(),
  said_goodbye: z.boolean(),
  /** Tasks accepted in this life; null when it never said. */
  processed: z.number().nullable(),
});
/** One process of a worker's name. */
export type WorkerLife = z.output<typeof life>;

const sample = z.object({
  at: z.number(),
  /** Most at a time. */
  active: z.number().nullable(),
  /** Mean of its machine's load over a minute. */
  load: z.number().nullable(),
  /** Tasks accepted within the bucket, by the worker's own count. */
  processed: z.number(),
});
export type WorkerSample = z.output<typeof sample>;

/** The lives of a worker's name in a span, newest first, at most 100, and what its heartbeats said. @throws StoreError */
export async function workerHistory(
  store: Store,
  { cluster, worker, from, to, bucketSeconds }: WorkerHistoryInput,
  options: AskOptions = {},
): Promise<{ lives: WorkerLife[]; series: WorkerSample[] }> {
  const params = { cluster, worker, from, to, bucket: bucketSeconds };
  const where = `s.cluster = {cluster:String} AND s.worker = {worker:String}
       AND s.timestamp >= toDateTime64({from:Float64}, 6, 'UTC') AND s.timestamp < toDateTime64({to:Float64}, 6, 'UTC')`;
  const [lives, series] = await Promise.all([
    ask(
      store,
      'worker lives',
      life,
      // in containers every process has the same pid, so a hello begins a life too
      `SELECT pid, if(online_at = 0, NULL, online_at) AS started_at, max(heard_at) AS last_heard_at,
              (argMax(type, at) = 'worker-offline')::Bool AS said_goodbye, max(processed) AS processed,
              maxIf(at, type = 'worker-online') AS online_at
       FROM (
           SELECT s.pid AS pid, s.type AS type, s.processed AS processed, ${seconds('s.timestamp')} AS at,
                  ${seconds('s.collected_at')} AS heard_at,
                  countIf(s.type = 'worker-online') OVER (ORDER BY s.timestamp) AS life
           FROM ${store.database}.worker_samples AS s
           WHERE ${where}
       )
       GROUP BY pid, life
       ORDER BY last_heard_at DESC
       LIMIT 100`,
      params,
      options,
    ),
    ask(
      store,
      'worker samples',
      sample,
      // a count that fell belongs to another process, which began at 0
      `SELECT intDiv(toUnixTimestamp(timestamp), {bucket:UInt32}) * {bucket:UInt32} AS at,
              max(active) AS active, avg(loadavg[1]) AS load, sum(grown) AS processed
       FROM (
           SELECT s.timestamp AS timestamp, s.active AS active, s.loadavg AS loadavg, s.processed AS count,
                  lagInFrame(s.processed, 1, s.processed) OVER (PARTITION BY s.pid ORDER BY s.timestamp) AS before,
                  toUInt64(if(count > before, count - before, 0)) AS grown
           FROM ${store.database}.worker_samples AS s
           WHERE ${where} AND s.processed IS NOT NULL
       )
       GROUP BY at
       ORDER BY at`,
      params,
      options,
    ),
  ]);
  return { lives, series };
}
