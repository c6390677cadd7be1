import { z } from 'zod';
import type { Store } from '../../store.ts';
import { ask, type AskOptions } from '../options.ts';
import { countedSpan, inPool, paramsOf, pointsOf, type TrendInput } from './scope.ts';

/** A worker over the span. Null: it did not say. Memory is not among what Celery's workers tell. */
export interface WorkerTrendLine {
  readonly cluster: string;
  readonly worker: string;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly retried: number;
  /** Seconds of execution of those that succeeded, and tasks run at a time by it: by the seconds of the span. */
  readonly busy_seconds: number;
  readonly busy: number;
  /** Tasks that it said it runs: mean, and the most. */
  readonly active_avg: number | null;
  readonly active_max: number | null;
  /** Load of its machine over a minute: mean, and the most. */
  readonly load_avg: number | null;
  readonly load_max: number | null;
  /** Ended, a number for each bucket of the span. */
  readonly ended: readonly number[];
}

export interface WorkerTrends {
  /** Width of a number in `ended`. */
  readonly bucket_seconds: number;
  /** The busiest first; at most 500. */
  readonly workers: readonly WorkerTrendLine[];
}

const MOST_WORKERS = 500;

const countRow = z.object({
  ...{ cluster: z.string(), worker: z.string(), started: z.number(), succeeded: z.number(), failed: z.number() },
  ...{ retried: z.number(), busy_seconds: z.number(), ended: z.array(z.number()) },
});
const measure = z.number().nullable();
const sampleRow = z.object({
  ...{ cluster: z.string(), worker: z.string(), active_avg: measure, active_max: measure },
  ...{ load_avg: measure, load_max: measure },
});

/** What each worker did, and how loaded it was. Who only sends tasks is none. @throws StoreError */
export async function workerTrends(store: Store, input: TrendInput, options: AskOptions = {}): Promise<WorkerTrends> {
  const span = countedSpan(input);
  const params = { ...paramsOf(input, span), bucket: span.bucket };
  const samples = [
    "s.timestamp >= toDateTime64({from:UInt32}, 6, 'UTC') AND s.timestamp < toDateTime64({to:UInt32}, 6, 'UTC')",
    ...(input.cluster === undefined ? [] : ['s.cluster = {cluster:String}']),
    ...(input.worker === undefined ? [] : ['s.worker = {worker:String}']),
    ...(input.pool === undefined ? [] : [inPool(store, 's')]),
  ].join(' AND ');
  const [counts, said] = await Promise.all([
    ask(
      store,
      'trend workers',
      countRow,
      `SELECT r.cluster AS cluster, r.worker AS worker, sum(r.started) AS started, sum(r.succeeded) AS succeeded,
              sum(r.failed) AS failed, sum(r.retried) AS retried, sum(r.runtime_sum) AS busy_seconds,
              sumResample(0, ${(span.to - span.from) / span.bucket}, 1)(
                r.succeeded + r.failed + r.revoked + r.rejected, r.point) AS ended
       FROM ${pointsOf(store, input, span, ['cluster', 'worker'])} AS r
       GROUP BY cluster, worker
       HAVING sum(r.received) + started + succeeded + failed > 0
       ORDER BY busy_seconds DESC, started DESC, cluster, worker
       LIMIT ${MOST_WORKERS}`,
      params,
      options,
    ),
    ask(
      store,
      'trend worker samples',
      sampleRow,
      `SELECT s.cluster AS cluster, s.worker AS worker, avg(s.active) AS active_avg, max(s.active) AS active_max,
              avgOrNullIf(s.loadavg[1], notEmpty(s.loadavg)) AS load_avg,
              maxOrNullIf(s.loadavg[1], notEmpty(s.loadavg)) AS load_max
       FROM ${store.database}.worker_samples AS s
       WHERE ${samples}
       GROUP BY cluster, worker`,
      params,
      options,
    ),
  ]);
  const of = new Map(said.map((row) => [keyOf(row), row]));
  return {
    bucket_seconds: span.bucket,
    workers: counts.map((row) => {
      const { active_avg = null, active_max = null, load_avg = null, load_max = null } = of.get(keyOf(row)) ?? {};
      return { ...row, busy: row.busy_seconds / (span.to - span.from), active_avg, active_max, load_avg, load_max };
    }),
  };
}

const keyOf = ({ cluster, worker }: { readonly cluster: string; readonly worker: string }): string =>
  `${cluster}\0${worker}`;
