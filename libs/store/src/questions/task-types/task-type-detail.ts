import { z } from 'zod';
import type { Store } from '../../store.ts';
import { bucketsOf, countedWidth } from '../buckets.ts';
import { ask, type AskOptions, type TimeRange } from '../options.ts';
import { countsOf } from '../trends/scope.ts';
import type { TaskTypeName } from './scope.ts';

export interface TaskTypeDetailInput extends TimeRange, TaskTypeName {
  /** Width of a point of the series, whole minutes. */
  readonly bucketSeconds: number;
}

const pointRow = z.object({
  /** Unix seconds. */
  at: z.number(),
  ...{ received: z.number(), succeeded: z.number(), failed: z.number(), retried: z.number() },
  /** Mean of the runtimes measured, seconds; null where there are none. */
  runtime: z.number().nullable(),
  wait: z.number().nullable(),
});
export type TaskTypePoint = z.output<typeof pointRow>;

const partRow = z.object({ value: z.string(), ended: z.number(), failed: z.number() });
/** What a queue or a worker had of it. */
export type TaskTypePart = z.output<typeof partRow>;

const failureRow = z.object({ exception_type: z.string(), failed: z.number(), last_at: z.number() });
export type TaskTypeFailure = z.output<typeof failureRow>;

export interface TaskTypeDetail {
  readonly bucket_seconds: number;
  /** A point for every bucket, also where nothing happened. */
  readonly series: readonly TaskTypePoint[];
  /** Most first, at most 20 each. */
  readonly queues: readonly TaskTypePart[];
  readonly workers: readonly TaskTypePart[];
  readonly failures: readonly TaskTypeFailure[];
}

/** A task by its name over a span of time: how much, where, and what went wrong. @throws StoreError */
export async function taskTypeDetail(
  store: Store,
  input: TaskTypeDetailInput,
  options: AskOptions = {},
): Promise<TaskTypeDetail> {
  const { from, to, bucket } = bucketsOf(input, input.bucketSeconds, countedWidth(input));
  const params = { cluster: input.cluster, name: input.name, from, to };
  const within = (column: 'minute' | 'hour'): string => `r.cluster = {cluster:String} AND r.name = {name:String}
         AND r.${column} >= toDateTime({from:UInt32}, 'UTC') AND r.${column} < toDateTime({to:UInt32}, 'UTC')`;
  const { table, time } = countsOf({ task: input.name }, { bucket });
  const part = (column: 'queue' | 'worker'): Promise<TaskTypePart[]> =>
    ask(
      store,
      `task type ${column}s`,
      partRow,
      `SELECT r.${column} AS value, sum(r.succeeded + r.failed + r.revoked + r.rejected) AS ended, sum(r.failed) AS failed
       FROM ${store.database}.task_rollup AS r
       WHERE ${within('minute')} AND r.${column} != ''
       GROUP BY value
       HAVING ended > 0
       ORDER BY ended DESC, value
       LIMIT 20`,
      params,
      options,
    );
  const [points, queues, workers, failures] = await Promise.all([
    ask(
      store,
      'task type series',
      pointRow,
      `SELECT intDiv(toUInt32(r.${time}), {bucket:UInt32}) * {bucket:UInt32} AS at, sum(r.received) AS received,
              sum(r.succeeded) AS succeeded, sum(r.failed) AS failed, sum(r.retried) AS retried,
              if(sum(r.runtime_count) = 0, NULL, sum(r.runtime_sum) / sum(r.runtime_count)) AS runtime,
              if(sum(r.wait_count) = 0, NULL, sum(r.wait_sum) / sum(r.wait_count)) AS wait
       FROM ${store.database}.${table} AS r
       WHERE ${within(time)}
       GROUP BY at
       ORDER BY at`,
      { ...params, bucket },
      options,
    ),
    part('queue'),
    part('worker'),
    ask(
      store,
      'task type failures',
      failureRow,
      `SELECT r.exception_type AS exception_type, sum(r.failed) AS failed, toUInt32(max(r.minute)) AS last_at
       FROM ${store.database}.failure_rollup AS r
       WHERE ${within('minute')}
       GROUP BY exception_type
       ORDER BY failed DESC, exception_type
       LIMIT 20`,
      params,
      options,
    ),
  ]);
  const known = new Map(points.map((point) => [point.at, point]));
  const series = Array.from({ length: (to - from) / bucket }, (_, index) => {
    const at = from + index * bucket;
    return known.get(at) ?? { at, received: 0, succeeded: 0, failed: 0, retried: 0, runtime: null, wait: null };
  });
  return { bucket_seconds: bucket, series, queues, workers, failures };
}
