import type { ErrorRule } from '@meadow/contract';
import { z } from 'zod';
import { seconds } from '../../columns.ts';
import type { Store } from '../../store.ts';
import { bucketsOf } from '../buckets.ts';
import { ask, type AskOptions, type TimeRange } from '../options.ts';
import { categoryOf } from './category.ts';
import { errorGroupRow, groupColumns, type ErrorGroupRow } from './error-groups.ts';
import { failuresIn, filled } from './source.ts';

export interface ErrorGroupInput extends TimeRange {
  readonly cluster: string;
  readonly fingerprint: string;
  readonly rules: readonly ErrorRule[];
  /** Width of a point of the trend, whole seconds; widened to an hour where the span is long. */
  readonly bucketSeconds: number;
}

const affectedRow = z.object({
  kind: z.enum(['name', 'queue', 'worker']),
  value: z.string(),
  failures: z.number(),
});

const sampleRow = z.object({
  task_id: z.string(),
  /** of the failure, Unix seconds */
  at: z.number(),
  kind: z.string(),
  name: z.string(),
  queue: z.string(),
  worker: z.string(),
  message: z.string(),
  ran_seconds: z.number().nullable(),
  /** of the task now; '' when it is not kept any more */
  state: z.string(),
});
export type ErrorSample = z.output<typeof sampleRow>;

const changeRow = z.object({
  at: z.number(),
  by: z.string(),
  status: z.string().nullable(),
  assignee: z.string().nullable(),
  note: z.string().nullable(),
});
export type ErrorChange = z.output<typeof changeRow>;

const sumRow = z.object({
  failures: z.number(),
  retried: z.number(),
  lost: z.number(),
});

const ranRow = z.object({ runs: z.number(), mean: z.number().nullable(), max: z.number().nullable() });

export interface ErrorGroupDetail extends ErrorGroupRow {
  /** In the span. */
  readonly failures: number;
  readonly retried: number;
  readonly lost: number;
  /** Failures by bucket of `bucket_seconds` from `from` on, zero where none happened. */
  readonly trend: readonly number[];
  readonly from: number;
  readonly bucket_seconds: number;
  /** Most failures in the span first, at most 20 of each. */
  readonly names: readonly Affected[];
  readonly queues: readonly Affected[];
  readonly workers: readonly Affected[];
  /** How long runs had taken when they failed, seconds, of those in the span whose start is known. */
  readonly ran: { readonly runs: number; readonly mean: number | null; readonly max: number | null };
  /** Its newest tasks, each with its newest failure in the group, at most 50, whatever the span. */
  readonly samples: readonly ErrorSample[];
  /** Of the newest failure; '' when it is not kept any more. */
  readonly traceback: string;
  /** What its workers run, e.g. `py-celery 5.2.6`. */
  readonly versions: readonly string[];
  /** What people said, newest first, at most 50. */
  readonly changes: readonly ErrorChange[];
}

export interface Affected {
  readonly value: string;
  readonly failures: number;
}

/** A group with all that is known of it; null when there is none of that name. @throws StoreError */
export async function errorGroup(
  store: Store,
  { cluster, fingerprint, rules, from, to, bucketSeconds }: ErrorGroupInput,
  options: AskOptions = {},
): Promise<ErrorGroupDetail | null> {
  const db = store.database;
  const named = { cluster, fingerprint };
  const { sql: source, params, width } = failuresIn(db, { ...named, from, to });
  const buckets = bucketsOf({ from, to }, bucketSeconds, width);
  const category = categoryOf(rules, 'g.');
  const ofGroup = 'f.cluster = {cluster:String} AND f.fingerprint = {fingerprint:String}';
  const [groups, sums, trend, affected, ran, samples, tracebacks, versions, changes] = await Promise.all([
    ask(
      store,
      'error group',
      errorGroupRow,
      `SELECT ${groupColumns}, ${category.sql} AS category
       FROM ${db}.error_groups AS g
       WHERE g.cluster = {cluster:String} AND g.fingerprint = {fingerprint:String}`,
      { ...named, ...category.params },
      options,
    ),
    ask(
      store,
      'error group sums',
      sumRow,
      `SELECT sum(f.failures) AS failures, sum(f.retried) AS retried, sum(f.lost) AS lost FROM ${source} AS f`,
      params,
      options,
    ),
    ask(
      store,
      'error group trend',
      z.object({ bucket_at: z.number(), failures: z.number() }),
      `SELECT intDiv(f.at, {bucket:UInt32}) * {bucket:UInt32} AS bucket_at, sum(f.failures) AS failures
       FROM ${source} AS f
       GROUP BY bucket_at`,
      { ...params, bucket: buckets.bucket },
      options,
    ),
    ask(
      store,
      'error group affected',
      affectedRow,
      `SELECT tupleElement(told, 1) AS kind, tupleElement(told, 2) AS value, sum(f.failures) AS failures
       FROM ${source} AS f
       ARRAY JOIN [('name', f.name), ('queue', f.queue), ('worker', f.worker)] AS told
       GROUP BY kind, value
       ORDER BY kind, failures DESC, value
       LIMIT 20 BY kind`,
      params,
      options,
    ),
    ask(
      store,
      'error group runs',
      ranRow,
      `SELECT count(f.ran_seconds) AS runs, avg(f.ran_seconds) AS mean, max(f.ran_seconds) AS max
       FROM ${db}.failures AS f
       WHERE ${ofGroup} AND f.at >= toDateTime64({from:UInt32}, 6, 'UTC') AND f.at < toDateTime64({to:UInt32}, 6, 'UTC')`,
      params,
      options,
    ),
    newest(store, named, options),
    ask(
      store,
      'error group traceback',
      z.object({ traceback: z.string() }),
      `SELECT e.traceback AS traceback
       FROM ${db}.task_events AS e
       INNER JOIN (
         SELECT f.task_id AS task_id, f.event_id AS event_id
         FROM ${db}.failures AS f
         WHERE ${ofGroup}
         ORDER BY f.at DESC
         LIMIT 1
       ) AS n ON n.task_id = e.task_id AND n.event_id = e.event_id
       WHERE e.cluster = {cluster:String}
         AND e.task_id IN (SELECT f.task_id FROM ${db}.failures AS f WHERE ${ofGroup} ORDER BY f.at DESC LIMIT 1)
       LIMIT 1`,
      named,
      options,
    ),
    ask(
      store,
      'error group versions',
      z.object({ version: z.string() }),
      `SELECT DISTINCT trimBoth(concat(w.sw_ident, ' ', w.sw_ver)) AS version
       FROM ${db}.workers AS w FINAL
       WHERE w.cluster = {cluster:String} AND w.sw_ver != '' AND w.worker IN (SELECT f.worker FROM ${source} AS f)
       ORDER BY version
       LIMIT 20`,
      params,
      options,
    ),
    ask(
      store,
      'error group changes',
      changeRow,
      `SELECT ${seconds('f.at')} AS at, f.by AS by, f.status AS status, f.assignee AS assignee, f.note AS note
       FROM ${db}.error_changes AS f
       WHERE ${ofGroup}
       ORDER BY f.at DESC
       LIMIT 50`,
      named,
      options,
    ),
  ]);
  const group = groups[0];
  if (group === undefined) return null;
  const of = (kind: z.output<typeof affectedRow>['kind']): Affected[] =>
    affected.flatMap((row) => (row.kind === kind ? [{ value: row.value, failures: row.failures }] : []));
  return {
    ...group,
    ...(sums[0] ?? { failures: 0, retried: 0, lost: 0 }),
    trend: filled(
      buckets,
      trend.map((point) => [point.bucket_at, point.failures]),
    ),
    from: buckets.from,
    bucket_seconds: buckets.bucket,
    names: of('name'),
    queues: of('queue'),
    workers: of('worker'),
    ran: ran[0] ?? { runs: 0, mean: null, max: null },
    samples,
    traceback: tracebacks[0]?.traceback ?? '',
    versions: versions.map((row) => row.version),
    changes,
  };
}

async function newest(
  store: Store,
  named: Readonly<Record<'cluster' | 'fingerprint', string>>,
  options: AskOptions,
): Promise<ErrorSample[]> {
  const samples = await ask(
    store,
    'error group samples',
    sampleRow.omit({ state: true }),
    `SELECT f.task_id AS task_id, ${seconds('f.at')} AS at, f.kind AS kind, f.name AS name, f.queue AS queue,
            f.worker AS worker, f.message AS message, f.ran_seconds AS ran_seconds
     FROM ${store.database}.failures AS f
     WHERE f.cluster = {cluster:String} AND f.fingerprint = {fingerprint:String}
     ORDER BY f.at DESC
     LIMIT 1 BY f.task_id
     LIMIT 50`,
    named,
    options,
  );
  const states = await ask(
    store,
    'error group states',
    z.object({ task_id: z.string(), state: z.string() }),
    `SELECT t.task_id AS task_id, argMax(t.state, t.version) AS state
     FROM ${store.database}.tasks_raw AS t
     WHERE t.cluster = {cluster:String} AND t.task_id IN {taskIds:Array(String)}
     GROUP BY task_id`,
    { cluster: named.cluster, taskIds: samples.map((sample) => sample.task_id) },
    options,
  );
  const stateOf = new Map(states.map((row) => [row.task_id, row.state]));
  return samples.map((sample) => ({ ...sample, state: stateOf.get(sample.task_id) ?? '' }));
}
