import { z } from 'zod';
import type { Store } from '../store.ts';
import { bucketsOf, countedWidth, HOUR } from './buckets.ts';
import { ask, limitOf, type AskOptions, type TimeRange } from './options.ts';
import { countsOf } from './trends/scope.ts';

export interface OverviewInput extends TimeRange {
  /** All clusters when left out. */
  readonly cluster?: string | undefined;
  /** Width of a point of the series: whole minutes; widened where there would be more than 2000 points. */
  readonly bucketSeconds: number;
  /** How many failing tasks to name. @default 10 */
  readonly top?: number | undefined;
}

/** Task events by what they say. */
export interface EventCounts {
  readonly sent: number;
  readonly received: number;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly retried: number;
  readonly revoked: number;
  readonly rejected: number;
}

/** A point of a series: the events from `at` (Unix seconds) to `at + bucketSeconds`. */
export interface SeriesPoint extends EventCounts {
  readonly at: number;
}

/** Seconds; percentiles lie between 1 % below and 3 % above; null when nothing was measured. */
export interface Durations {
  readonly count: number;
  readonly mean: number | null;
  readonly max: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface FailingTask {
  readonly cluster: string;
  readonly name: string;
  readonly exception_type: string;
  readonly failed: number;
}

export interface Overview {
  /** Width of a point, as used. */
  readonly bucket_seconds: number;
  /** Tasks first seen in the range, by the state they are in now. */
  readonly states: Readonly<Record<string, number>>;
  /** Events in the range. */
  readonly counts: EventCounts;
  /** One point for every bucket of the range, also where nothing happened. */
  readonly series: readonly SeriesPoint[];
  readonly runtime: Durations;
  readonly wait: Durations;
  /** Most failures first, by task and exception class. */
  readonly failing: readonly FailingTask[];
}

const MAX_POINTS = 2000;

const stateRow = z.object({ state: z.string(), tasks: z.number() });
const failingRow = z.object({ cluster: z.string(), name: z.string(), exception_type: z.string(), failed: z.number() });
const pointRow = z.object({
  at: z.number(),
  ...{ sent: z.number(), received: z.number(), started: z.number(), succeeded: z.number() },
  ...{ failed: z.number(), retried: z.number(), revoked: z.number(), rejected: z.number() },
  ...{ runtime_count: z.number(), runtime_sum: z.number(), runtime_max: z.number() },
  ...{ wait_count: z.number(), wait_sum: z.number(), wait_max: z.number() },
});
// ClickHouse has nan for the percentiles of nothing, which JSON carries as null
const percentile = z.number().nullable();
const percentilesRow = z.object({ runtime: z.array(percentile), wait: z.array(percentile) });

/**
 * What happened in a span of time, in one answer. All but `states` is of whole buckets: the range is widened to them.
 * @throws StoreError
 */
export async function overview(store: Store, input: OverviewInput, options: AskOptions = {}): Promise<Overview> {
  const { bucket, from, to } = bucketsOf(input, input.bucketSeconds, countedWidth(input), MAX_POINTS);
  const { table, time } = countsOf({}, { bucket });
  const [sketches, sketchTime] = bucket % HOUR === 0 ? ['hour_duration_rollup', 'hour'] : ['duration_rollup', 'minute'];
  const params = { cluster: input.cluster ?? '', from, to, bucket };
  const within = (column: string): string => `({cluster:String} = '' OR r.cluster = {cluster:String})
       AND r.${column} >= toDateTime({from:UInt32}, 'UTC') AND r.${column} < toDateTime({to:UInt32}, 'UTC')`;
  const db = store.database;
  const [states, points, percentiles, failing] = await Promise.all([
    ask(
      store,
      'overview states',
      stateRow,
      `SELECT t.state AS state, count() AS tasks
       FROM ${db}.tasks_raw AS t FINAL
       WHERE ({cluster:String} = '' OR t.cluster = {cluster:String})
         AND t.first_seen_at >= toDateTime64({exactFrom:Float64}, 6, 'UTC')
         AND t.first_seen_at < toDateTime64({exactTo:Float64}, 6, 'UTC')
       GROUP BY state
       ORDER BY state
       LIMIT 1000`,
      { cluster: params.cluster, exactFrom: input.from, exactTo: input.to },
      options,
    ),
    ask(
      store,
      'overview series',
      pointRow,
      `SELECT intDiv(toUInt32(r.${time}), {bucket:UInt32}) * {bucket:UInt32} AS at,
              sum(r.sent) AS sent, sum(r.received) AS received, sum(r.started) AS started, sum(r.succeeded) AS succeeded,
              sum(r.failed) AS failed, sum(r.retried) AS retried, sum(r.revoked) AS revoked, sum(r.rejected) AS rejected,
              sum(r.runtime_count) AS runtime_count, sum(r.runtime_sum) AS runtime_sum, max(r.runtime_max) AS runtime_max,
              sum(r.wait_count) AS wait_count, sum(r.wait_sum) AS wait_sum, max(r.wait_max) AS wait_max
       FROM ${db}.${table} AS r
       WHERE ${within(time)}
       GROUP BY at
       ORDER BY at`,
      params,
      options,
    ),
    ask(
      store,
      'overview percentiles',
      percentilesRow,
      `SELECT quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(r.runtime) AS runtime,
              quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(r.wait) AS wait
       FROM ${db}.${sketches} AS r
       WHERE ${within(sketchTime)}`,
      { cluster: params.cluster, from, to },
      options,
    ),
    ask(
      store,
      'overview failing',
      failingRow,
      `SELECT r.cluster AS cluster, r.name AS name, r.exception_type AS exception_type, sum(r.failed) AS failed
       FROM ${db}.failure_rollup AS r
       WHERE ${within('minute')}
       GROUP BY cluster, name, exception_type
       ORDER BY failed DESC, cluster, name, exception_type
       LIMIT {top:UInt32}`,
      { cluster: params.cluster, from, to, top: limitOf(input.top, 10, 500) },
      options,
    ),
  ]);
  const spread = percentiles[0];
  return {
    bucket_seconds: bucket,
    states: Object.fromEntries(states.map((row) => [row.state, row.tasks])),
    counts: points.reduce(addCounts, NO_EVENTS),
    series: fill(points, from, to, bucket),
    runtime: durations('runtime', points, spread?.runtime ?? []),
    wait: durations('wait', points, spread?.wait ?? []),
    failing,
  };
}

type Point = z.output<typeof pointRow>;

const NO_EVENTS: EventCounts = {
  ...{ sent: 0, received: 0, started: 0, succeeded: 0 },
  ...{ failed: 0, retried: 0, revoked: 0, rejected: 0 },
};

function addCounts(left: EventCounts, right: EventCounts): EventCounts {
  return {
    sent: left.sent + right.sent,
    received: left.received + right.received,
    started: left.started + right.started,
    succeeded: left.succeeded + right.succeeded,
    failed: left.failed + right.failed,
    retried: left.retried + right.retried,
    revoked: left.revoked + right.revoked,
    rejected: left.rejected + right.rejected,
  };
}

function fill(points: readonly Point[], from: number, to: number, bucket: number): SeriesPoint[] {
  const known = new Map(points.map((point) => [point.at, point]));
  return Array.from({ length: (to - from) / bucket }, (_, index) => {
    const at = from + index * bucket;
    return { at, ...addCounts(NO_EVENTS, known.get(at) ?? NO_EVENTS) };
  });
}

function durations(kind: 'runtime' | 'wait', points: readonly Point[], sketch: readonly (number | null)[]): Durations {
  const count = points.reduce((sum, point) => sum + point[`${kind}_count`], 0);
  if (count === 0) return { count, mean: null, max: null, p50: null, p95: null, p99: null };
  return {
    count,
    mean: points.reduce((sum, point) => sum + point[`${kind}_sum`], 0) / count,
    max: points.reduce((most, point) => Math.max(most, point[`${kind}_max`]), 0),
    p50: sketch[0] ?? null,
    p95: sketch[1] ?? null,
    p99: sketch[2] ?? null,
  };
}
