import type { SeenField } from '@meadow/contract';
import { z } from 'zod';
import type { Store } from '../../store.ts';
import { ask, limitOf, type AskOptions } from '../options.ts';

export interface SeenValuesInput {
  readonly cluster?: string | undefined;
  readonly field: SeenField;
  /** Values that have it somewhere, ignoring case; '' for all. */
  readonly part: string;
  /** Of tasks first seen from then on, Unix seconds. */
  readonly from: number;
  /** 1 to 500. @default 50 */
  readonly limit?: number | undefined;
}

/** A value that tasks had lately. */
export interface SeenValue {
  readonly value: string;
  /** Tasks that had it, where a count of them is kept. */
  readonly count: number | null;
}

const row = z.object({ value: z.string(), count: z.number().nullable() });

/**
 * Values of a field, to choose from: those that begin with the part first, then the most frequent. From tables that are small
 * where there are some, from one column of the tasks otherwise; of keyword arguments, the keys of the newest 20,000 tasks.
 * @throws StoreError
 */
export async function seenValues(
  store: Store,
  { cluster, field, part, from, limit }: SeenValuesInput,
  options: AskOptions = {},
): Promise<SeenValue[]> {
  return ask(
    store,
    'seen values',
    row,
    `SELECT value, if(known = 0, NULL, known) AS count
     FROM (
         SELECT value, sum(known) AS known, sum(weight) AS weight
         FROM (${SOURCES[field](store.database)})
         WHERE value != '' AND positionCaseInsensitiveUTF8(value, {part:String}) > 0
         GROUP BY value
     )
     ORDER BY startsWith(lowerUTF8(value), lowerUTF8({part:String})) DESC, weight DESC, value
     LIMIT {limit:UInt32}`,
    { cluster: cluster ?? '', part, from: Math.floor(from), limit: limitOf(limit, 50, 500) },
    options,
  );
}

const OF_CLUSTER = "({cluster:String} = '' OR cluster = {cluster:String})";

/** Rows of tasks are versions, so that how many there are is a weight and no count. */
const ofTasks =
  (column: string) =>
  (database: string): string =>
    `SELECT toString(${column}) AS value, 0 AS known, count() AS weight FROM ${database}.tasks_raw
   WHERE first_seen_at >= toDateTime({from:Int64}, 'UTC') AND ${OF_CLUSTER} GROUP BY value`;

const ofWorkers =
  (column: string) =>
  (database: string): string =>
    `SELECT toString(${column}) AS value, 0 AS known, count() AS weight FROM ${database}.workers FINAL
   WHERE ${OF_CLUSTER} GROUP BY value`;

const both =
  (...sources: readonly ((database: string) => string)[]) =>
  (database: string): string =>
    sources.map((source) => source(database)).join(' UNION ALL ');

const SOURCES: Readonly<Record<SeenField, (database: string) => string>> = {
  name: ofTasks('name'),
  queue: both(
    ofTasks('queue'),
    (database) =>
      `SELECT queue AS value, 0 AS known, 0 AS weight FROM ${database}.queues_raw WHERE ${OF_CLUSTER} GROUP BY value`,
  ),
  worker: both(ofTasks('worker'), ofWorkers('worker')),
  client: ofTasks('client'),
  pool: ofWorkers('pool'),
  exception: (database) =>
    `SELECT toString(exception_type) AS value, sum(failed) AS known, known AS weight FROM ${database}.failure_rollup
     WHERE minute >= toDateTime({from:Int64}, 'UTC') AND ${OF_CLUSTER} GROUP BY value`,
  kwargs: (database) =>
    `SELECT arrayJoin(extractAll(kwargs, '[{ ]\\'(\\\\w+)\\': ')) AS value, 0 AS known, count() AS weight
     FROM (
         SELECT kwargs FROM ${database}.tasks_raw
         WHERE first_seen_at >= toDateTime({from:Int64}, 'UTC') AND ${OF_CLUSTER} AND kwargs NOT IN ('', '{}')
         ORDER BY first_seen_at DESC
         LIMIT 20000
     )
     GROUP BY value`,
};
