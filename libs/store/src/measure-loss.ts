import { z } from 'zod';
import { ask, type AskOptions, type TimeRange } from './questions/options.ts';
import type { Store } from './store.ts';
import type { WriteOptions } from './writes.ts';

const lossRow = z.object({
  cluster: z.string(),
  workers: z.number(),
  expected: z.number(),
  heard: z.number(),
  unmeasured: z.number(),
});

/** What workers counted and what was heard of it, in one window of one cluster. */
export interface LossRow {
  readonly cluster: string;
  /** Unix seconds, whole. */
  readonly started_at: number;
  readonly ended_at: number;
  /** Worker processes that were measured. */
  readonly workers: number;
  /** Starts that they counted. */
  readonly expected: number;
  /** Starts heard of them; more than `expected` where the window before has too few. */
  readonly heard: number;
  /** Starts of workers whose task events are not heard at all: what of them was lost is not known. */
  readonly unmeasured: number;
}

/** A worker's heartbeat is compared with the one before, unless that lies further back than this. */
const LOOK_BACK_SECONDS = 3_600;
/** A worker of which no start was heard for this long is taken to have task events switched off. */
const SILENT_SECONDS = 600;

/**
 * Compares what workers counted with what was heard of them, for the heartbeats collected in a window. A row for each
 * cluster that has any worker to compare. Everything collected before `to` has to be stored already.
 *
 * Both are of one clock, the worker's: between two heartbeats of a process lie as many `task-started` events as its
 * `processed` grew. Of a process whose counter fell (a restart under the same pid) what it
 * counted is told as unmeasured.
 * @throws StoreError
 */
export async function measureLoss(store: Store, input: TimeRange, options: AskOptions = {}): Promise<LossRow[]> {
  const db = store.database;
  const rows = await ask(
    store,
    'measure loss',
    lossRow,
    `WITH
       recent AS (
         SELECT w.cluster AS cluster, w.worker AS worker, assumeNotNull(w.pid) AS pid, w.timestamp AS at,
                assumeNotNull(w.processed) AS processed
         FROM ${db}.worker_samples AS w
         WHERE w.collected_at >= toDateTime64({from:Float64}, 6, 'UTC')
           AND w.collected_at < toDateTime64({to:Float64}, 6, 'UTC') AND w.processed IS NOT NULL AND w.pid IS NOT NULL
       ),
       before AS (
         SELECT w.cluster AS cluster, w.worker AS worker, assumeNotNull(w.pid) AS pid,
                -- a worker's clock may have been set back since
                argMax(w.timestamp, w.collected_at) AS at, argMax(assumeNotNull(w.processed), w.collected_at) AS processed
         FROM ${db}.worker_samples AS w
         WHERE w.collected_at >= toDateTime64({from:Float64} - {lookBack:UInt32}, 6, 'UTC')
           AND w.collected_at < toDateTime64({from:Float64}, 6, 'UTC')
           AND w.processed IS NOT NULL AND w.pid IS NOT NULL
           AND (w.cluster, w.worker) IN (SELECT cluster, worker FROM recent)
         GROUP BY cluster, worker, pid
       ),
       runs AS (
         SELECT s.cluster AS cluster, s.worker AS worker, s.pid AS pid, min(s.at) AS from_at, max(s.at) AS to_at,
                arrayMap(sample -> sample.2, arraySort(groupArray((s.at, toInt64(s.processed))))) AS counts,
                arrayDifference(counts) AS steps, arrayMin(steps) AS least_step,
                arraySum(arrayFilter(step -> step > 0, steps)) AS started
         FROM (SELECT * FROM recent UNION ALL SELECT * FROM before) AS s
         WHERE (s.cluster, s.worker, s.pid) IN (SELECT cluster, worker, pid FROM recent)
         GROUP BY cluster, worker, pid
         HAVING count() > 1
       ),
       told AS (
         SELECT r.cluster AS cluster, r.worker AS worker, r.pid AS pid, countIf(e.timestamp > r.from_at) AS heard
         FROM ${db}.task_starts AS e
         INNER JOIN runs AS r ON e.cluster = r.cluster AND e.worker = r.worker AND e.pid = r.pid
         WHERE e.collected_at >= toDateTime64({from:Float64} - {lookBack:UInt32} - {silent:UInt32}, 6, 'UTC')
           AND e.timestamp > r.from_at - toIntervalSecond({silent:UInt32}) AND e.timestamp <= r.to_at
           -- says nothing new, but lets the table's key leave out most of it
           AND e.timestamp > (SELECT min(from_at) FROM runs) - toIntervalSecond({silent:UInt32})
           AND (e.cluster, e.worker) IN (SELECT cluster, worker FROM recent)
         GROUP BY cluster, worker, pid
       )
     SELECT m.cluster AS cluster, countIf(m.measured) AS workers,
            sumIf(m.started, m.measured) AS expected, sumIf(m.heard, m.measured) AS heard,
            sumIf(m.started, NOT m.measured) AS unmeasured
     FROM (
       SELECT r.cluster AS cluster, r.started AS started, t.heard AS heard,
              r.least_step >= 0 AND (t.cluster != '' OR r.started = 0) AS measured
       FROM runs AS r
       LEFT JOIN told AS t ON r.cluster = t.cluster AND r.worker = t.worker AND r.pid = t.pid
     ) AS m
     GROUP BY cluster
     ORDER BY cluster`,
    { from: input.from, to: input.to, lookBack: LOOK_BACK_SECONDS, silent: SILENT_SECONDS },
    options,
  );
  return rows.map((row) => ({ ...row, started_at: input.from, ended_at: input.to }));
}

/** Until when loss has been measured, Unix seconds; null when it never was. @throws StoreError */
export async function lossMeasuredUntil(store: Store, options: AskOptions = {}): Promise<number | null> {
  const rows = await ask(
    store,
    'loss measured until',
    z.object({ until: z.number().nullable() }),
    `SELECT toUInt32(maxOrNull(l.ended_at)) AS until FROM ${store.database}.ingest_loss AS l`,
    {},
    options,
  );
  return rows[0]?.until ?? null;
}

/** Writes windows; a window that is written again replaces itself. @throws StoreError */
export async function insertLoss(
  store: Store,
  options: WriteOptions & { readonly rows: readonly LossRow[] },
): Promise<void> {
  const lines = options.rows.map((row) => `${JSON.stringify({ ...row, lost: row.expected - row.heard })}\n`);
  await store.insert('ingest_loss', Buffer.from(lines.join('')), options);
}
