import { z } from 'zod';
import type { Store } from '../../store.ts';
import { ask, type AskOptions } from '../options.ts';
import { bucketOf, countedSpan, countsOf, filled, inPool, paramsOf, timesWhere, type TrendInput } from './scope.ts';

/** A point from `at` (Unix seconds) on. */
export interface ConcurrencyPoint {
  readonly at: number;
  /**
   * Tasks run at a time, mean: seconds of execution by the seconds of the bucket. Of tasks that succeeded, counted where they
   * ended, so a bucket that is shorter than its tasks may have too many, and the one before too few; their sum is exact.
   */
  readonly busy: number;
  /** Tasks that wait at a time, mean: seconds of waiting by the seconds of the bucket, counted where the wait ended. */
  readonly waiting: number;
  /** What workers said that they run, mean over the bucket, all workers together; null where none said it. */
  readonly active: number | null;
  /** Workers that said something. */
  readonly workers: number;
}

export interface ConcurrencyTrend {
  /** Width of a point, as used. */
  readonly bucket_seconds: number;
  /** Seconds of execution and of waiting in all of the span. */
  readonly busy_seconds: number;
  readonly wait_seconds: number;
  /** Heartbeats tell of workers, not of tasks and queues: with such a scope `active` and `workers` are not known. */
  readonly told_by_workers: boolean;
  readonly series: readonly ConcurrencyPoint[];
}

const busyRow = z.object({ at: z.number(), busy_seconds: z.number(), wait_seconds: z.number() });
const activeRow = z.object({ at: z.number(), active: z.number().nullable(), workers: z.number() });

/** How many tasks ran and waited at a time. @throws StoreError */
export async function concurrencyTrend(
  store: Store,
  input: TrendInput,
  options: AskOptions = {},
): Promise<ConcurrencyTrend> {
  const span = countedSpan(input);
  const { table, time } = countsOf(input, span);
  const { cluster, task, queue, worker, pool } = input;
  const told_by_workers = task === undefined && queue === undefined;
  const where = [
    "s.timestamp >= toDateTime64({from:UInt32}, 6, 'UTC') AND s.timestamp < toDateTime64({to:UInt32}, 6, 'UTC')",
    ...(cluster === undefined ? [] : ['s.cluster = {cluster:String}']),
    ...(worker === undefined ? [] : ['s.worker = {worker:String}']),
    ...(pool === undefined ? [] : [inPool(store, 's')]),
  ].join(' AND ');
  const params = { ...paramsOf(input, span), bucket: span.bucket };
  const [busy, active] = await Promise.all([
    ask(
      store,
      'trend busy seconds',
      busyRow,
      `SELECT ${bucketOf(`toUInt32(r.${time})`)}, sum(r.runtime_sum) AS busy_seconds, sum(r.wait_sum) AS wait_seconds
       FROM ${store.database}.${table} AS r
       WHERE ${timesWhere(store, input, time)}
       GROUP BY at`,
      params,
      options,
    ),
    told_by_workers
      ? ask(
          store,
          'trend active tasks',
          activeRow,
          // of each worker the mean, as they do not all speak equally often
          `SELECT at, sum(mean) AS active, count() AS workers
           FROM (SELECT ${bucketOf('toUnixTimestamp(s.timestamp)')}, avg(s.active) AS mean
                 FROM ${store.database}.worker_samples AS s
                 WHERE ${where}
                 GROUP BY at, s.cluster, s.worker)
           GROUP BY at`,
          params,
          options,
        )
      : [],
  ]);
  const said = new Map(active.map((row) => [row.at, row]));
  const series = filled(busy, span, { busy_seconds: 0, wait_seconds: 0 }).map(({ at, busy_seconds, wait_seconds }) => ({
    at,
    busy: busy_seconds / span.bucket,
    waiting: wait_seconds / span.bucket,
    active: said.get(at)?.active ?? null,
    workers: said.get(at)?.workers ?? 0,
  }));
  const sum = (of: (row: z.output<typeof busyRow>) => number): number => busy.reduce((all, row) => all + of(row), 0);
  return {
    bucket_seconds: span.bucket,
    busy_seconds: sum((row) => row.busy_seconds),
    wait_seconds: sum((row) => row.wait_seconds),
    told_by_workers,
    series,
  };
}
