import { z } from 'zod';
import type { Store } from '../../store.ts';
import { HOUR } from '../buckets.ts';
import { ask, type AskOptions } from '../options.ts';
import {
  bucketOf,
  canReadEvents,
  countedSpan,
  countsOf,
  eventsOf,
  paramsOf,
  spanOf,
  timesWhere,
  type TrendInput,
  type TrendSource,
} from './scope.ts';

/** How runtimes were spread over time: columns of time, rows that each reach to twice the seconds of the one before. */
export interface HeatMap {
  /** Width of a column, as used. */
  readonly bucket_seconds: number;
  /**
   * `events`: every count is exact. `rollup`: made of sketches, right to half a percent of its column, and to 3 % in where
   * a row begins. null: the scope has no sketches, and too many events to read them all.
   */
  readonly source: TrendSource | null;
  /** Begin and end of all columns, Unix seconds. */
  readonly from: number;
  readonly to: number;
  /** Cells that are not empty: `at` as a column begins, `row` = floor(log2(seconds)). */
  readonly cells: readonly { readonly at: number; readonly row: number; readonly tasks: number }[];
}

/** About a microsecond, and about two years: nothing is outside. */
const LEAST_ROW = -20;
const MOST_ROW = 26;
/** Evenly spread percentiles, each of which stands for as many tasks. */
const PARTS = 200;
const LEVELS = Array.from({ length: PARTS }, (_, part) => (part + 0.5) / PARTS).join(', ');

const cellRow = z.object({ at: z.number(), row: z.number(), tasks: z.number() });

/** How long tasks that succeeded ran, over time. @throws StoreError */
export async function runtimeHeatMap(store: Store, input: TrendInput, options: AskOptions = {}): Promise<HeatMap> {
  const asked = countedSpan(input);
  const { task, queue, worker, pool } = input;
  const readable = await canReadEvents(store, input, asked, options);
  const kept = queue === undefined && worker === undefined && pool === undefined;
  const source: TrendSource | null = readable ? 'events' : kept ? 'rollup' : null;
  const span =
    source === 'rollup' && (task !== undefined || asked.to - asked.from > 86_400) ? spanOf(input, HOUR) : asked;
  const { bucket, from, to } = span;
  if (source === null) return { bucket_seconds: bucket, source, from, to, cells: [] };
  const row = (seconds: string): string =>
    `greatest(${LEAST_ROW}, least(${MOST_ROW}, toInt8(floor(log2(greatest(${seconds}, 1e-6))))))`;
  const cells = await ask(
    store,
    'trend heat map',
    cellRow,
    source === 'events'
      ? `SELECT ${bucketOf('happened_at')}, ${row('assumeNotNull(runtime)')} AS row, count() AS tasks
         FROM ${eventsOf(store, input, ['runtime'])}
         WHERE runtime IS NOT NULL
         GROUP BY at, row
         ORDER BY at, row`
      : heatOfSketches(store, input, bucket, row),
    { ...paramsOf(input, span), bucket },
    options,
  );
  return { bucket_seconds: bucket, source, from, to, cells };
}

function heatOfSketches(store: Store, input: TrendInput, bucket: number, row: (seconds: string) => string): string {
  const { cluster, task } = input;
  const [table, column] =
    task !== undefined
      ? (['name_duration_rollup', 'hour'] as const)
      : bucket % HOUR === 0
        ? (['hour_duration_rollup', 'hour'] as const)
        : (['duration_rollup', 'minute'] as const);
  const counts = countsOf({ task }, { bucket });
  const db = store.database;
  return `SELECT s.at AS at, ${row('seconds')} AS row, toUInt64(round(count() * any(c.counted) / ${PARTS})) AS tasks
    FROM (SELECT ${bucketOf(`toUInt32(r.${column})`)}, quantilesDDMerge(0.01, ${LEVELS})(r.runtime) AS quantiles
          FROM ${db}.${table} AS r WHERE ${timesWhere(store, { cluster, task }, column)} GROUP BY at) AS s
    INNER JOIN (SELECT ${bucketOf(`toUInt32(r.${counts.time})`)}, sum(r.runtime_count) AS counted
          FROM ${db}.${counts.table} AS r WHERE ${timesWhere(store, { cluster, task }, counts.time)} GROUP BY at) AS c ON c.at = s.at
    ARRAY JOIN s.quantiles AS seconds
    WHERE c.counted > 0
    GROUP BY at, row
    ORDER BY at, row`;
}
