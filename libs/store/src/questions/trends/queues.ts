import { z } from 'zod';
import type { Store } from '../../store.ts';
import { ask, type AskOptions } from '../options.ts';
import {
  canReadEvents,
  countedSpan,
  eventsOf,
  paramsOf,
  pointsOf,
  type TrendInput,
  type TrendSource,
} from './scope.ts';

/** A queue over the span. Seconds; null where nothing was measured or nobody looked. */
export interface QueueTrendLine {
  readonly cluster: string;
  readonly queue: string;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  /** From being runnable to being started. */
  readonly wait_avg: number | null;
  readonly wait_max: number | null;
  /** Exact; null also where `percentiles` says that there are none. */
  readonly wait_p95: number | null;
  /** What its tasks spent waiting, all together, and what they spent running. */
  readonly wait_seconds: number;
  readonly busy_seconds: number;
  /** Messages that waited: mean, and the most at a time. */
  readonly ready_avg: number | null;
  readonly ready_max: number | null;
  /** The oldest that was seen to wait. */
  readonly oldest_age_seconds: number | null;
  /** Mean wait, a number for each bucket of the span; null where nothing was started. */
  readonly wait: readonly (number | null)[];
}

export interface QueueTrends {
  /** Width of a number in `wait`. */
  readonly bucket_seconds: number;
  readonly percentiles: TrendSource | null;
  /** The slowest first, by mean wait; at most 500. */
  readonly queues: readonly QueueTrendLine[];
}

const MOST_QUEUES = 500;

const countRow = z.object({
  ...{ cluster: z.string(), queue: z.string(), started: z.number(), succeeded: z.number(), failed: z.number() },
  ...{ wait_count: z.number(), wait_seconds: z.number(), wait_max: z.number(), busy_seconds: z.number() },
  wait: z.array(z.number().nullable()),
});
const depthRow = z.object({
  ...{ cluster: z.string(), queue: z.string(), ready_avg: z.number().nullable(), ready_max: z.number().nullable() },
  oldest_age_seconds: z.number().nullable(),
});
const percentileRow = z.object({ cluster: z.string(), queue: z.string(), wait_p95: z.number().nullable() });

/** How long tasks waited in each queue, and how deep it was. @throws StoreError */
export async function queueTrends(store: Store, input: TrendInput, options: AskOptions = {}): Promise<QueueTrends> {
  const span = countedSpan(input);
  const points = (span.to - span.from) / span.bucket;
  const params = { ...paramsOf(input, span), bucket: span.bucket };
  const percentiles = (await canReadEvents(store, input, span, options)) ? 'events' : null;
  const [counts, depths, measured] = await Promise.all([
    ask(
      store,
      'trend queues',
      countRow,
      `SELECT r.cluster AS cluster, r.queue AS queue, sum(r.started) AS started, sum(r.succeeded) AS succeeded,
              sum(r.failed) AS failed, sum(r.wait_count) AS wait_count, sum(r.wait_sum) AS wait_seconds,
              max(r.wait_max) AS wait_max, sum(r.runtime_sum) AS busy_seconds,
              arrayMap((seconds, tasks) -> if(tasks = 0, NULL, seconds / tasks),
                       sumResample(0, ${points}, 1)(r.wait_sum, r.point),
                       sumResample(0, ${points}, 1)(r.wait_count, r.point)) AS wait
       FROM ${pointsOf(store, input, span, ['cluster', 'queue'])} AS r
       WHERE r.queue != ''
       GROUP BY cluster, queue
       ORDER BY wait_seconds / greatest(wait_count, 1) DESC, cluster, queue
       LIMIT ${MOST_QUEUES}`,
      params,
      options,
    ),
    ask(
      store,
      'trend depths',
      depthRow,
      `SELECT s.cluster AS cluster, s.queue AS queue, avg(s.ready) AS ready_avg, max(s.ready) AS ready_max,
              max(s.oldest_age_seconds) AS oldest_age_seconds
       FROM ${store.database}.queue_samples AS s FINAL
       WHERE s.at >= toDateTime64({from:UInt32}, 6, 'UTC') AND s.at < toDateTime64({to:UInt32}, 6, 'UTC')
         ${input.cluster === undefined ? '' : 'AND s.cluster = {cluster:String}'}
         ${input.queue === undefined ? '' : 'AND s.queue = {queue:String}'}
       GROUP BY cluster, queue`,
      params,
      options,
    ),
    percentiles === null
      ? []
      : ask(
          store,
          'trend queue percentiles',
          percentileRow,
          `SELECT cluster, queue, quantileExactOrNullIf(0.95)(assumeNotNull(wait_seconds),
                    type = 'task-started' AND wait_seconds IS NOT NULL) AS wait_p95
           FROM ${eventsOf(store, input, ['cluster', 'queue', 'type', 'wait_seconds'])}
           GROUP BY cluster, queue`,
          params,
          options,
        ),
  ]);
  const deep = new Map(depths.map((row) => [keyOf(row), row]));
  const p95 = new Map(measured.map((row) => [keyOf(row), row.wait_p95]));
  return {
    bucket_seconds: span.bucket,
    percentiles,
    queues: counts.map(({ wait_count, wait_max, ...row }) => {
      const { ready_avg = null, ready_max = null, oldest_age_seconds = null } = deep.get(keyOf(row)) ?? {};
      return {
        ...row,
        wait_avg: wait_count === 0 ? null : row.wait_seconds / wait_count,
        wait_max: wait_count === 0 ? null : wait_max,
        wait_p95: p95.get(keyOf(row)) ?? null,
        ...{ ready_avg, ready_max, oldest_age_seconds },
      };
    }),
  };
}

const keyOf = ({ cluster, queue }: { readonly cluster: string; readonly queue: string }): string =>
  `${cluster}\0${queue}`;
