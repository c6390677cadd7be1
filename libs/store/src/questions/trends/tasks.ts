import { z } from 'zod';
import type { Store } from '../../store.ts';
import { DAY, HOUR, type Buckets } from '../buckets.ts';
import { ask, type AskOptions } from '../options.ts';
import {
  canReadEvents,
  countedSpan,
  eventsOf,
  paramsOf,
  pointsOf,
  timesWhere,
  type TrendInput,
  type TrendSource,
} from './scope.ts';

/** One task of the span, by name, all clusters of the scope together. */
export interface TaskTrendLine {
  readonly name: string;
  readonly received: number;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly retried: number;
  /** Seconds of execution of those that succeeded. */
  readonly busy_seconds: number;
  /** Seconds; null where nothing was measured. */
  readonly runtime_avg: number | null;
  readonly runtime_max: number | null;
  readonly wait_avg: number | null;
  readonly wait_max: number | null;
  /** Exact of events, to 3 % of sketches; null also where they are not to be had, see `percentiles`. */
  readonly runtime_p50: number | null;
  readonly runtime_p95: number | null;
  readonly runtime_p99: number | null;
  readonly wait_p95: number | null;
  /** Ended, a number for each bucket of the span. */
  readonly ended: readonly number[];
}

export interface TaskTrends {
  /** Width of a number in `ended`. */
  readonly bucket_seconds: number;
  /** What percentiles were made of: `rollup` is of whole hours; null: the scope has no sketches, and too many events. */
  readonly percentiles: TrendSource | null;
  /** Most first by what ended; at most 500. */
  readonly tasks: readonly TaskTrendLine[];
  /** Tasks that are left out because there are more. */
  readonly omitted: number;
}

const MOST_TASKS = 500;

const measure = z.number().nullable();
const countRow = z.object({
  name: z.string(),
  ...{ received: z.number(), started: z.number(), succeeded: z.number(), failed: z.number(), retried: z.number() },
  ...{ busy_seconds: z.number(), runtime_count: z.number(), runtime_max: z.number() },
  ...{ wait_count: z.number(), wait_sum: z.number(), wait_max: z.number() },
  ended: z.array(z.number()),
  names: z.number(),
});
const percentilesRow = z.object({ name: z.string(), runtime: z.array(measure), wait: z.array(measure) });

/** Which tasks were run, how long they took, and how they ended. @throws StoreError */
export async function taskTrends(store: Store, input: TrendInput, options: AskOptions = {}): Promise<TaskTrends> {
  const span = countedSpan(input);
  const params = { ...paramsOf(input, span), bucket: span.bucket };
  const percentiles = await percentilesOf(store, input, span, options);
  const [rows, measured] = await Promise.all([
    ask(
      store,
      'trend tasks',
      countRow,
      `SELECT r.name AS name, sum(r.received) AS received, sum(r.started) AS started, sum(r.succeeded) AS succeeded,
              sum(r.failed) AS failed, sum(r.retried) AS retried, sum(r.runtime_sum) AS busy_seconds,
              sum(r.runtime_count) AS runtime_count, max(r.runtime_max) AS runtime_max, sum(r.wait_count) AS wait_count,
              sum(r.wait_sum) AS wait_sum, max(r.wait_max) AS wait_max,
              sumResample(0, ${(span.to - span.from) / span.bucket}, 1)(
                r.succeeded + r.failed + r.revoked + r.rejected, r.point) AS ended,
              count() OVER () AS names
       FROM ${pointsOf(store, input, span, ['name'])} AS r
       GROUP BY name
       ORDER BY succeeded + failed DESC, received DESC, name
       LIMIT ${MOST_TASKS}`,
      params,
      options,
    ),
    percentiles === null
      ? []
      : ask(store, 'trend task percentiles', percentilesRow, percentiles.sql, percentiles.params, options),
  ]);
  const of = new Map(measured.map((row) => [row.name, row]));
  return {
    bucket_seconds: span.bucket,
    percentiles: percentiles?.source ?? null,
    tasks: rows.map(({ runtime_count, wait_count, wait_sum, names: _, ...row }) => {
      const { runtime = [], wait = [] } = of.get(row.name) ?? {};
      return {
        ...row,
        runtime_avg: runtime_count === 0 ? null : row.busy_seconds / runtime_count,
        runtime_max: runtime_count === 0 ? null : row.runtime_max,
        wait_avg: wait_count === 0 ? null : wait_sum / wait_count,
        wait_max: wait_count === 0 ? null : row.wait_max,
        runtime_p50: runtime[0] ?? null,
        runtime_p95: runtime[1] ?? null,
        runtime_p99: runtime[2] ?? null,
        wait_p95: wait[1] ?? null,
      };
    }),
    omitted: Math.max(0, (rows[0]?.names ?? 0) - rows.length),
  };
}

const LEVELS = '0.5, 0.95, 0.99';

/** How to ask for percentiles by task; null where that cannot be answered. */
async function percentilesOf(
  store: Store,
  input: TrendInput,
  span: Buckets,
  options: AskOptions,
): Promise<{ source: TrendSource; sql: string; params: Readonly<Record<string, unknown>> } | null> {
  const { cluster, task, queue, worker, pool } = input;
  const kept = queue === undefined && worker === undefined && pool === undefined;
  const whole = span.from % HOUR === 0 && span.to % HOUR === 0;
  if (!(kept && whole) && (await canReadEvents(store, input, span, options))) {
    const sql = `SELECT name, quantilesExactIf(${LEVELS})(assumeNotNull(ran), ran IS NOT NULL) AS runtime,
         quantilesExactIf(${LEVELS})(assumeNotNull(waited), kind = 'task-started' AND waited IS NOT NULL) AS wait
       FROM (SELECT name, type AS kind, runtime AS ran, wait_seconds AS waited
             FROM ${eventsOf(store, input, ['name', 'type', 'runtime', 'wait_seconds'])})
       GROUP BY name`;
    return { source: 'events', sql, params: paramsOf(input, span) };
  }
  if (!kept) return null;
  const from = Math.floor(span.from / HOUR) * HOUR;
  const to = Math.ceil(span.to / HOUR) * HOUR;
  // whole days, and the hours before and after them
  const firstDay = Math.min(Math.ceil(from / DAY) * DAY, to);
  const lastDay = Math.max(Math.floor(to / DAY) * DAY, firstDay);
  const where = (time: 'hour' | 'day'): string => timesWhere(store, { cluster, task }, time);
  const sql = `SELECT name, quantilesDDMerge(0.01, ${LEVELS})(ran) AS runtime, quantilesDDMerge(0.01, ${LEVELS})(waited) AS wait
     FROM (
       SELECT r.name AS name, r.runtime AS ran, r.wait AS waited FROM ${store.database}.name_duration_rollup AS r
       WHERE ${where('hour')}
         AND (r.hour < toDateTime({firstDay:UInt32}, 'UTC') OR r.hour >= toDateTime({lastDay:UInt32}, 'UTC'))
       UNION ALL
       SELECT r.name AS name, r.runtime AS ran, r.wait AS waited FROM ${store.database}.name_day_duration_rollup AS r
       WHERE ${where('day')}
         AND r.day >= toDate(toDateTime({firstDay:UInt32}, 'UTC')) AND r.day < toDate(toDateTime({lastDay:UInt32}, 'UTC')))
     GROUP BY name`;
  return { source: 'rollup', sql, params: { ...paramsOf({ cluster, task }, { from, to }), firstDay, lastDay } };
}
