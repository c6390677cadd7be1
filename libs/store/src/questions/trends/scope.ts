import { z } from 'zod';
import type { Store } from '../../store.ts';
import { bucketsOf, countedWidth, HOUR, type Buckets } from '../buckets.ts';
import { ask, type AskOptions, type TimeRange } from '../options.ts';

/** What a trend is of: everything, or what fits all that is named here. Names are exact. */
export interface TrendScope {
  readonly cluster?: string | undefined;
  readonly task?: string | undefined;
  readonly queue?: string | undefined;
  readonly worker?: string | undefined;
  /** Workers that are copies of each other, see `workers.pool`. */
  readonly pool?: string | undefined;
}

export interface TrendInput extends TimeRange, TrendScope {
  /** Width of a point, whole seconds; widened where there would be more than 1000 points. */
  readonly bucketSeconds: number;
}

/** What an answer was made of: counts kept by minute, or every single event. Both are exact. */
export type TrendSource = 'rollup' | 'events';

/** The span of a trend, widened to whole buckets of at least `least` seconds, of which the width is a multiple. */
export const spanOf = (input: TrendInput, least = 1): Buckets => bucketsOf(input, input.bucketSeconds, least);

/** The span of a question of counts. */
export const countedSpan = (input: TrendInput): Buckets => spanOf(input, countedWidth(input));

/** Where counts are kept: a table, and its column of time. */
export interface Counts {
  readonly table: string;
  readonly time: 'minute' | 'hour';
}

/**
 * The smallest rollup that knows the counts of a scope in these buckets, grouped `by` its columns. By the hour they are kept of
 * tasks and queues, and of workers, but not of both together.
 */
export function countsOf(
  { task, queue, worker, pool }: TrendScope,
  { bucket }: Pick<Buckets, 'bucket'>,
  by: readonly string[] = [],
): Counts {
  const ofTasks = task !== undefined || queue !== undefined || by.includes('name') || by.includes('queue');
  const ofWorkers = worker !== undefined || pool !== undefined || by.includes('worker');
  if (bucket % HOUR !== 0 || (ofTasks && ofWorkers)) return { table: 'task_rollup', time: 'minute' };
  return { table: ofWorkers ? 'worker_hour_rollup' : 'name_hour_rollup', time: 'hour' };
}

/** One point for every bucket; `blank` where nothing is known to have happened. */
export function filled<Point extends object>(
  rows: readonly ({ readonly at: number } & Point)[],
  span: Buckets,
  blank: Point,
): ({ readonly at: number } & Point)[] {
  const known = new Map(rows.map((row) => [row.at, row]));
  return Array.from({ length: (span.to - span.from) / span.bucket }, (_, index) => {
    const at = span.from + index * span.bucket;
    return known.get(at) ?? { at, ...blank };
  });
}

/** The bucket of a time in Unix seconds, as `at`; `{bucket:UInt32}` is its width. */
export const bucketOf = (time: string): string => `intDiv(${time}, {bucket:UInt32}) * {bucket:UInt32} AS at`;

/** The parameters of `timesWhere` and `eventsOf`. */
export const paramsOf = (scope: TrendScope, { from, to }: TimeRange): Readonly<Record<string, unknown>> => ({
  from,
  to,
  ...Object.fromEntries(
    (['cluster', 'task', 'queue', 'worker', 'pool'] as const).flatMap((name) =>
      scope[name] === undefined ? [] : [[name, scope[name]]],
    ),
  ),
});

/** Of any rollup `AS r` that has the columns which the scope names: its whole minutes, hours or days within the span. */
export const timesWhere = (store: Store, scope: TrendScope, time: 'minute' | 'hour' | 'day'): string =>
  [
    `r.${time} >= toDateTime({from:UInt32}, 'UTC') AND r.${time} < toDateTime({to:UInt32}, 'UTC')`,
    ...conditionsOf(store, scope, 'r'),
  ].join(' AND ');

const SUMS = [
  ...['received', 'started', 'succeeded', 'failed', 'retried', 'revoked', 'rejected'],
  ...['runtime_count', 'runtime_sum', 'wait_count', 'wait_sum'],
];

/**
 * Counts of the scope as `FROM` takes them, added up by these columns and `point`, the number of the bucket: what is put
 * into one array a row after that is of a few thousand rows instead of millions.
 */
export function pointsOf(store: Store, scope: TrendScope, span: Buckets, by: readonly string[]): string {
  const { table, time } = countsOf(scope, span, by);
  return `(SELECT ${by.map((column) => `r.${column} AS ${column}`).join(', ')},
           intDiv(toUInt32(r.${time}) - {from:UInt32}, {bucket:UInt32}) AS point,
           ${SUMS.map((column) => `sum(r.${column}) AS ${column}`).join(', ')},
           max(r.runtime_max) AS runtime_max, max(r.wait_max) AS wait_max
    FROM ${store.database}.${table} AS r
    WHERE ${timesWhere(store, scope, time)}
    GROUP BY ${by.join(', ')}, point)`;
}

function conditionsOf(store: Store, scope: TrendScope, table: string): string[] {
  return [
    ...(scope.cluster === undefined ? [] : [`${table}.cluster = {cluster:String}`]),
    ...(scope.task === undefined ? [] : [`${table}.name = {task:String}`]),
    ...(scope.queue === undefined ? [] : [`${table}.queue = {queue:String}`]),
    ...(scope.worker === undefined ? [] : [`${table}.worker = {worker:String}`]),
    ...(scope.pool === undefined ? [] : [inPool(store, table)]),
  ];
}

/** Whether a row is of a worker of the pool that is asked for. */
export const inPool = (store: Store, table: string): string =>
  `(${table}.cluster, ${table}.worker) IN (
     SELECT w.cluster, w.worker FROM ${store.database}.workers AS w FINAL WHERE w.pool = {pool:String})`;

/**
 * Celery's events of the scope as `FROM` takes them, with `happened_at` as rollups count it: the sender's clock, where that can be
 * believed. Columns are named because a table is read by them.
 */
export function eventsOf(store: Store, scope: TrendScope, columns: readonly string[]): string {
  const believed = 'e.timestamp BETWEEN e.collected_at - INTERVAL 30 DAY AND e.collected_at + INTERVAL 1 DAY';
  const within = (clock: string): string =>
    `e.${clock} >= toDateTime64({from:UInt32}, 6, 'UTC') AND e.${clock} < toDateTime64({to:UInt32}, 6, 'UTC')`;
  const select = (clock: string, where: string): string =>
    `SELECT toUnixTimestamp(e.${clock}) AS happened_at, ${columns.map((column) => `e.${column} AS ${column}`).join(', ')}
     FROM ${store.database}.task_events AS e
     WHERE ${[where, within(clock), "NOT startsWith(e.type, 'meadow-')", ...conditionsOf(store, scope, 'e')].join(' AND ')}`;
  // two parts, each of which finds its rows by an index
  const soon = "e.collected_at >= toDateTime64({from:UInt32}, 6, 'UTC') - INTERVAL 1 DAY";
  const late = "e.collected_at < toDateTime64({to:UInt32}, 6, 'UTC') + INTERVAL 30 DAY";
  return `(${select('timestamp', `${believed} AND ${soon} AND ${late}`)}
     UNION ALL ${select('collected_at', `NOT (${believed})`)})`;
}

/** Events that a question may read: about a second of one core. */
const MOST_EVENTS = 6_000_000;

const countRow = z.object({ events: z.number() });

/** Whether so few events lie in the span that all of them may be read. They are sorted by cluster and hour alone. */
export async function canReadEvents(
  store: Store,
  scope: TrendScope,
  range: TimeRange,
  options: AskOptions,
): Promise<boolean> {
  const { cluster } = scope;
  // the hours that the span touches
  const hours = { from: Math.floor(range.from / HOUR) * HOUR, to: Math.ceil(range.to) };
  const [row] = await ask(
    store,
    'trend size',
    countRow,
    `SELECT sum(r.events) AS events FROM ${store.database}.name_hour_rollup AS r WHERE ${timesWhere(store, { cluster }, 'hour')}`,
    paramsOf({ cluster }, hours),
    options,
  );
  return (row?.events ?? 0) <= MOST_EVENTS;
}
