import { z } from 'zod';
import type { Store } from '../../store.ts';
import { DAY, HOUR, type Buckets } from '../buckets.ts';
import { ask, type AskOptions } from '../options.ts';
import {
  bucketOf,
  canReadEvents,
  countedSpan,
  countsOf,
  eventsOf,
  filled,
  paramsOf,
  spanOf,
  timesWhere,
  type TrendInput,
  type TrendSource,
} from './scope.ts';

/**
 * Seconds; null where nothing was measured, or it is not known. Percentiles of events are exact, those of sketches lie
 * between 1 % below and 3 % above.
 */
export interface Spread {
  readonly count: number;
  readonly avg: number | null;
  readonly max: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface DurationPoint {
  readonly at: number;
  /** Of tasks that succeeded: Celery measures no other. */
  readonly runtime: Spread;
  /** From being runnable to being started. */
  readonly wait: Spread;
}

/** How long tasks run and wait, over time. Counts, averages and the longest are of every task. */
export interface DurationTrend {
  /** Width of a point, as used. */
  readonly bucket_seconds: number;
  /** What the percentiles were made of; null: the scope has no sketches, and too many events to read them all. */
  readonly percentiles: TrendSource | null;
  readonly total: Omit<DurationPoint, 'at'>;
  readonly series: readonly DurationPoint[];
}

const measure = z.number().nullable();
const figuresRow = z.object({
  at: z.number(),
  ...{ runtime_count: z.number(), runtime_sum: z.number(), runtime_max: z.number() },
  ...{ wait_count: z.number(), wait_sum: z.number(), wait_max: z.number() },
});
type Figures = z.output<typeof figuresRow>;

const percentilesRow = z.object({
  at: z.number(),
  runtime: z.array(measure),
  wait: z.array(measure),
  /** How many were looked at; 0 of sketches, which do not tell. */
  runtime_count: z.number(),
  wait_count: z.number(),
});
type Percentiles = z.output<typeof percentilesRow>;

/** Beyond this a task's sketches by the hour are too many for a second. */
const HOURLY_SECONDS = 10 * DAY;

/** How long tasks ran and waited. @throws StoreError */
export async function durationTrend(store: Store, input: TrendInput, options: AskOptions = {}): Promise<DurationTrend> {
  const { span, from, source } = await planOf(store, input, options);
  const params = { ...paramsOf(input, span), bucket: span.bucket };
  const { table, time } = countsOf(input, span);
  // counts first: an event that comes between the two makes no percentile of fewer than are counted
  const figures = await ask(
    store,
    'trend durations',
    figuresRow,
    `SELECT ${bucketOf(`toUInt32(r.${time})`)}, sum(r.runtime_count) AS runtime_count, sum(r.runtime_sum) AS runtime_sum,
            max(r.runtime_max) AS runtime_max, sum(r.wait_count) AS wait_count, sum(r.wait_sum) AS wait_sum,
            max(r.wait_max) AS wait_max
     FROM ${store.database}.${table} AS r
     WHERE ${timesWhere(store, input, time)}
     GROUP BY at`,
    params,
    options,
  );
  const percentiles =
    from === null
      ? []
      : await ask(
          store,
          'trend percentiles',
          percentilesRow,
          // 0 is no bucket of any span: all of it
          `SELECT at, ${from} GROUP BY GROUPING SETS ((at), ())`,
          params,
          options,
        );
  const of = new Map(percentiles.map((row) => [row.at, row]));
  const total: Figures = figures.reduce(
    (sum, point) => ({
      at: 0,
      runtime_count: sum.runtime_count + point.runtime_count,
      runtime_sum: sum.runtime_sum + point.runtime_sum,
      runtime_max: Math.max(sum.runtime_max, point.runtime_max),
      wait_count: sum.wait_count + point.wait_count,
      wait_sum: sum.wait_sum + point.wait_sum,
      wait_max: Math.max(sum.wait_max, point.wait_max),
    }),
    NO_FIGURES,
  );
  return {
    bucket_seconds: span.bucket,
    percentiles: source,
    total: pointOf(total, of.get(0), source),
    series: filled(
      figures.map((point) => ({ at: point.at, ...pointOf(point, of.get(point.at), source) })),
      span,
      { runtime: NO_SPREAD, wait: NO_SPREAD },
    ),
  };
}

interface Plan {
  readonly span: Buckets;
  readonly source: TrendSource | null;
  /** What to select after `at`, up to `GROUP BY`; null where percentiles are not to be had. */
  readonly from: string | null;
}

/** Sketches are kept of everything by minute and hour, and of each task by hour and day; other scopes read events. */
async function planOf(store: Store, input: TrendInput, options: AskOptions): Promise<Plan> {
  const asked = countedSpan(input);
  const { task, queue, worker, pool } = input;
  if (task === undefined && queue === undefined && worker === undefined && pool === undefined) {
    const [table, time] =
      asked.bucket % HOUR === 0
        ? (['hour_duration_rollup', 'hour'] as const)
        : (['duration_rollup', 'minute'] as const);
    return { span: asked, source: 'rollup', from: sketches(store, table, time, timesWhere(store, input, time)) };
  }
  const readable = await canReadEvents(store, input, asked, options);
  if (readable && asked.bucket % HOUR !== 0) return { span: asked, source: 'events', from: every(store, input) };
  const names = worker === undefined && pool === undefined ? await namesOf(store, input, asked, options) : null;
  if (names !== null) {
    const daily = asked.to - asked.from > HOURLY_SECONDS;
    const span = spanOf(input, daily ? DAY : HOUR);
    const [table, time] = daily
      ? (['name_day_duration_rollup', 'day'] as const)
      : (['name_duration_rollup', 'hour'] as const);
    const where = timesWhere(store, { cluster: input.cluster }, time);
    return { span, source: 'rollup', from: sketches(store, table, time, `${where} AND r.name IN (${names})`) };
  }
  if (readable) return { span: asked, source: 'events', from: every(store, input) };
  return { span: asked, source: null, from: null };
}

/**
 * The tasks whose sketches together are those of the scope, as `IN` takes them: of a queue, where each of its tasks ran
 * in no other. null when there are none such.
 */
async function namesOf(
  store: Store,
  { cluster, task, queue }: TrendInput,
  span: Buckets,
  options: AskOptions,
): Promise<string | null> {
  if (queue === undefined) return '{task:String}';
  const own = `r.queue = {queue:String}`;
  const { table, time } = countsOf({ queue }, span);
  const where = timesWhere(store, { cluster, task }, time);
  const rows = await ask(
    store,
    'trend queue tasks',
    z.object({ alone: z.number() }),
    `SELECT min(others = 0) AS alone
     FROM (SELECT r.name AS name, sumIf(r.runtime_count + r.wait_count, ${own}) AS own,
                  sumIf(r.runtime_count + r.wait_count, NOT ${own}) AS others
           FROM ${store.database}.${table} AS r WHERE ${where} GROUP BY name HAVING own > 0)`,
    paramsOf({ cluster, task, queue }, span),
    options,
  );
  if (rows[0]?.alone !== 1) return null;
  return `SELECT r.name FROM ${store.database}.${table} AS r WHERE ${where} AND ${own} GROUP BY r.name`;
}

const LEVELS = '0.5, 0.9, 0.95, 0.99';

/** Which percentiles are told is for the reader to say: a sketch knows all of them. */
const sketches = (store: Store, table: string, column: string, where: string): string =>
  `quantilesDDMerge(0.01, ${LEVELS})(runtime) AS runtime, quantilesDDMerge(0.01, ${LEVELS})(wait) AS wait,
   0 AS runtime_count, 0 AS wait_count
   FROM (SELECT ${bucketOf(`toUInt32(toDateTime(r.${column}, 'UTC'))`)}, r.runtime AS runtime, r.wait AS wait
         FROM ${store.database}.${table} AS r WHERE ${where})`;

const every = (store: Store, input: TrendInput): string => {
  const waited = `kind = 'task-started' AND waited IS NOT NULL`;
  return `quantilesExactIf(${LEVELS})(assumeNotNull(ran), ran IS NOT NULL) AS runtime,
    quantilesExactIf(${LEVELS})(assumeNotNull(waited), ${waited}) AS wait,
    countIf(ran IS NOT NULL) AS runtime_count, countIf(${waited}) AS wait_count
    FROM (SELECT ${bucketOf('happened_at')}, type AS kind, runtime AS ran, wait_seconds AS waited
          FROM ${eventsOf(store, input, ['type', 'runtime', 'wait_seconds'])})`;
};

const NO_FIGURES: Figures = {
  at: 0,
  ...{ runtime_count: 0, runtime_sum: 0, runtime_max: 0, wait_count: 0, wait_sum: 0, wait_max: 0 },
};
const NO_SPREAD: Spread = { count: 0, avg: null, max: null, p50: null, p90: null, p95: null, p99: null };

const pointOf = (
  figures: Figures,
  percentiles: Percentiles | undefined,
  source: TrendSource | null,
): Omit<DurationPoint, 'at'> => ({
  runtime: spreadOf(figures, percentiles, 'runtime', source),
  wait: spreadOf(figures, percentiles, 'wait', source),
});

function spreadOf(
  figures: Figures,
  percentiles: Percentiles | undefined,
  kind: 'runtime' | 'wait',
  source: TrendSource | null,
): Spread {
  const count = figures[`${kind}_count`];
  if (count === 0) return NO_SPREAD;
  // events go sooner than what was counted of them: of a part of them there is no percentile
  const gone = source === 'events' && (percentiles?.[`${kind}_count`] ?? 0) < count;
  const [p50 = null, p90 = null, p95 = null, p99 = null] = gone ? [] : (percentiles?.[kind] ?? []);
  return { count, avg: figures[`${kind}_sum`] / count, max: figures[`${kind}_max`], p50, p90, p95, p99 };
}
