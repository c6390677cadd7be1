import { z } from 'zod';
import type { Store } from '../../store.ts';
import { bucketsOf, countedWidth } from '../buckets.ts';
import { ask, type AskOptions, type TimeRange } from '../options.ts';
import { countsOf } from '../trends/scope.ts';
import { sketchesOf, sketchParams } from './scope.ts';

export interface TaskTypeListInput extends TimeRange {
  /** All clusters when left out. */
  readonly cluster?: string | undefined;
  /** Width of a number in `trend`, whole minutes. */
  readonly bucketSeconds: number;
}

const measure = z.number().nullable();
const countRow = z.object({
  cluster: z.string(),
  name: z.string(),
  ...{ sent: z.number(), received: z.number(), started: z.number(), succeeded: z.number(), failed: z.number() },
  ...{ retried: z.number(), revoked: z.number(), rejected: z.number() },
  ...{ runtime_count: z.number(), runtime_sum: z.number(), runtime_max: z.number() },
  ...{ wait_count: z.number(), wait_sum: z.number(), wait_max: z.number() },
  queues: z.array(z.string()),
  /** Begin of the newest minute in which anything was heard of it, Unix seconds. */
  last_at: z.number(),
  /** Ended in each bucket. */
  trend: z.array(z.number()),
});
const seenRow = z.object({ cluster: z.string(), name: z.string(), last_at: z.number() });
const spreadRow = z.object({
  ...{ cluster: z.string(), name: z.string() },
  ...{ runtime: z.array(measure), wait: z.array(measure) },
});

/** p50, p95, p99, right to 3 %, of the whole hours that the range touches; seconds, null where nothing was measured. */
type Spread = readonly [number | null, number | null, number | null];

export interface TaskTypeRow extends z.output<typeof countRow> {
  readonly runtime: Spread;
  readonly wait: Spread;
}

export interface TaskTypeList {
  readonly from: number;
  readonly to: number;
  readonly bucket_seconds: number;
  /** By cluster and name; those that were last seen before the range have zeros. At most 5000. */
  readonly types: readonly TaskTypeRow[];
}

const MOST_TYPES = 5_000;
/** Types that were not seen for longer are left out. */
const SEEN_SECONDS = 90 * 86_400;

/** Every task by its name that was seen in the last 90 days, and what became of it in a span of time. @throws StoreError */
export async function taskTypeList(
  store: Store,
  input: TaskTypeListInput,
  options: AskOptions = {},
): Promise<TaskTypeList> {
  const { from, to, bucket } = bucketsOf(input, input.bucketSeconds, countedWidth(input));
  const params = { cluster: input.cluster ?? '', from, to, bucket, limit: MOST_TYPES };
  const { table, time } = countsOf({}, { bucket }, ['name']);
  const ofCluster = `({cluster:String} = '' OR r.cluster = {cluster:String}) AND r.name != ''`;
  const db = store.database;
  const [counts, spreads, seen] = await Promise.all([
    ask(
      store,
      'task types',
      countRow,
      `SELECT r.cluster AS cluster, r.name AS name, sum(r.sent) AS sent, sum(r.received) AS received, sum(r.started) AS started,
              sum(r.succeeded) AS succeeded, sum(r.failed) AS failed, sum(r.retried) AS retried, sum(r.revoked) AS revoked,
              sum(r.rejected) AS rejected, sum(r.runtime_count) AS runtime_count, sum(r.runtime_sum) AS runtime_sum,
              max(r.runtime_max) AS runtime_max, sum(r.wait_count) AS wait_count, sum(r.wait_sum) AS wait_sum,
              max(r.wait_max) AS wait_max, arraySort(groupUniqArrayIf(20)(r.queue::String, r.queue != '')) AS queues,
              toUInt32(max(r.${time === 'hour' ? 'last_minute' : time})) AS last_at,
              sumResample(0, ${(to - from) / bucket}, 1)(r.succeeded + r.failed + r.revoked + r.rejected,
                intDiv(toUInt32(r.${time}) - {from:UInt32}, {bucket:UInt32})) AS trend
       FROM ${db}.${table} AS r
       WHERE ${ofCluster} AND r.${time} >= toDateTime({from:UInt32}, 'UTC') AND r.${time} < toDateTime({to:UInt32}, 'UTC')
       GROUP BY cluster, name
       ORDER BY cluster, name
       LIMIT {limit:UInt32}`,
      params,
      options,
    ),
    ask(
      store,
      'task type percentiles',
      spreadRow,
      `SELECT cluster, name, quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(ran) AS runtime,
              quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(waited) AS wait
       FROM (${sketchesOf(db, ofCluster)})
       GROUP BY cluster, name`,
      { cluster: params.cluster, ...sketchParams({ from, to }) },
      options,
    ),
    ask(
      store,
      'task types seen',
      seenRow,
      // the days of sketches are few and know who ever started; who only ever failed is among the failures
      `SELECT cluster, name, toUInt32(max(at)) AS last_at
       FROM (
           SELECT r.cluster AS cluster, r.name AS name, max(r.hour) AS at FROM ${db}.name_duration_rollup AS r
           WHERE ${ofCluster} AND r.hour >= toDateTime({since:UInt32}, 'UTC') GROUP BY cluster, name
           UNION ALL
           SELECT r.cluster AS cluster, r.name AS name, max(r.minute) AS at FROM ${db}.failure_rollup AS r
           WHERE ${ofCluster} AND r.minute >= toDateTime({since:UInt32}, 'UTC') GROUP BY cluster, name
       )
       GROUP BY cluster, name
       ORDER BY cluster, name
       LIMIT {limit:UInt32}`,
      { cluster: params.cluster, since: Math.max(0, to - SEEN_SECONDS), limit: MOST_TYPES },
      options,
    ),
  ]);
  const spreadOf = new Map(spreads.map((row) => [keyOf(row), row]));
  const found = new Set(counts.map(keyOf));
  const silent = seen
    .filter((row) => !found.has(keyOf(row)) && row.last_at < from)
    .map((row) => ({ ...NOTHING, ...row }));
  const types = [...counts, ...silent].map((row) => {
    const { runtime = [], wait = [] } = spreadOf.get(keyOf(row)) ?? {};
    return { ...row, runtime: spread(runtime), wait: spread(wait) };
  });
  types.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  return { from, to, bucket_seconds: bucket, types: types.slice(0, MOST_TYPES) };
}

const keyOf = ({ cluster, name }: { readonly cluster: string; readonly name: string }): string => `${cluster}\0${name}`;

const spread = (values: readonly (number | null)[]): Spread => [
  values[0] ?? null,
  values[1] ?? null,
  values[2] ?? null,
];

const NOTHING = {
  ...{ sent: 0, received: 0, started: 0, succeeded: 0, failed: 0, retried: 0, revoked: 0, rejected: 0 },
  ...{ runtime_count: 0, runtime_sum: 0, runtime_max: 0, wait_count: 0, wait_sum: 0, wait_max: 0 },
  ...{ queues: [], trend: [] },
};
