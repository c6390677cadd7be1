import { seconds } from './columns.ts';
import type { Store } from './store.ts';

/** What the search for tasks that will not end any more asks. Times are Unix seconds. */
interface OpenTasksOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A worker's process that has open tasks, as they tell; each is one that may have ended since, see `openTasksOf`. */
export interface TaskHolder {
  readonly cluster: string;
  readonly worker: string;
  /** 0 = not known. */
  readonly pid: number;
  /** Newest event of any of these tasks, by the worker's clock. */
  readonly updated_at: number;
  /** Grows when anything changes among them. */
  readonly version: number;
}

/** What one process of a worker was heard to say within a span of the collector's time. */
export interface WorkerProcess {
  readonly cluster: string;
  readonly worker: string;
  readonly pid: number;
  /** Its newest word, by the collector's clock and by its own. */
  readonly heard_at: number;
  readonly last_at: number;
  /** Whether that was a goodbye. */
  readonly said_goodbye: boolean;
  /** From then on, by its own clock, several heartbeats over seconds counted no running task, up to the newest; 0 = none. */
  readonly idle_since: number;
}

/** The last that is known of a worker, however long ago. */
export interface WorkerFacts {
  readonly cluster: string;
  readonly worker: string;
  readonly pid: number;
  readonly offline: boolean;
  readonly updated_at: number;
  readonly started_at: number | null;
  readonly freq: number | null;
}

export interface OpenTask {
  readonly task_id: string;
  /** Time of its newest event. */
  readonly updated_at: number;
}

/** An idle worker must have said so this often, over so long. */
const IDLE_BEATS = 3;
const IDLE_SECONDS = 8;
/** The most holders looked at: their names and counts are what a sweep keeps in memory. */
const HOLDERS = 20_000;

/**
 * Versions of rows, without FINAL, which would read every task there is: the index on `is_final` leaves the few granules
 * that hold an open version. Those whose task has ended since are found out in `openTasksOf`.
 */
const HELD = `NOT t.is_final AND t.worker != '' AND t.state != 'PENDING'
  AND (t.state != 'RETRY' OR t.retried_at IS NULL OR ifNull(t.retried_at < t.started_at, false))`;

/**
 * Who has open tasks. PENDING and RETRY are nobody's: their message waits in a queue. But for a RETRY that did not ask for one:
 * its worker ended it, as on a cold shutdown, and only a message that is not acknowledged before its end is delivered again.
 * @throws StoreError
 */
export async function taskHolders(
  store: Store,
  input: OpenTasksOptions & { readonly clusters: readonly string[] },
): Promise<TaskHolder[]> {
  return store.query<TaskHolder>(
    'task holders',
    `SELECT t.cluster AS cluster, t.worker AS worker, ifNull(t.pid, 0) AS pid,
            ${seconds('max(t.updated_at)')} AS updated_at, max(t.version) AS version
     FROM ${store.database}.tasks_raw AS t
     WHERE t.cluster IN {clusters:Array(String)} AND ${HELD}
     GROUP BY cluster, worker, pid
     LIMIT ${HOLDERS}`,
    { clusters: input.clusters },
    { timeoutMs: 30_000, ...input },
  );
}

/** What the workers with open tasks said from `from` to `to`, by the collector's clock. @throws StoreError */
export async function workerProcesses(
  store: Store,
  input: OpenTasksOptions & { readonly clusters: readonly string[]; readonly from: number; readonly to: number },
): Promise<WorkerProcess[]> {
  return store.query<WorkerProcess>(
    'worker processes',
    `SELECT cluster, worker, pid, heard_at, last_at, said_goodbye,
            arrayReverseSort(arrayFilter(at -> at > busy_at, idle_at)) AS idle,
            arrayMax(arrayFilter((at, beat) -> beat >= ${IDLE_BEATS} AND idle[1] - at >= ${IDLE_SECONDS},
                                 idle, arrayEnumerate(idle))) AS idle_since
     FROM (
         SELECT s.cluster AS cluster, s.worker AS worker, ifNull(s.pid, 0) AS pid,
                ${seconds('max(s.collected_at)')} AS heard_at, ${seconds('max(s.timestamp)')} AS last_at,
                toBool(argMax(s.type, s.timestamp) = 'worker-offline') AS said_goodbye,
                ${seconds('maxIf(s.timestamp, s.active > 0)')} AS busy_at,
                groupArrayIf(${seconds('s.timestamp')}, s.active = 0) AS idle_at
         FROM ${store.database}.worker_samples AS s
         WHERE s.collected_at >= toDateTime64({from:Float64}, 6, 'UTC')
           AND s.collected_at <= toDateTime64({to:Float64}, 6, 'UTC')
           AND (s.cluster, s.worker) IN (${holding(store)})
         GROUP BY cluster, worker, pid
     )`,
    { clusters: input.clusters, from: input.from, to: input.to },
    { timeoutMs: 30_000, ...input },
  );
}

/** The workers with open tasks. One that never sent a heartbeat is not among them. @throws StoreError */
export async function workerFacts(
  store: Store,
  input: OpenTasksOptions & { readonly clusters: readonly string[] },
): Promise<WorkerFacts[]> {
  return store.query<WorkerFacts>(
    'worker facts',
    `SELECT w.cluster AS cluster, w.worker AS worker, ifNull(w.pid, 0) AS pid, w.offline AS offline,
            ${seconds('w.updated_at')} AS updated_at, ${seconds('w.started_at')} AS started_at, w.freq AS freq
     FROM ${store.database}.workers AS w FINAL
     WHERE (w.cluster, w.worker) IN (${holding(store)})`,
    { clusters: input.clusters },
    { timeoutMs: 30_000, ...input },
  );
}

/**
 * Open tasks of one process, those unheard of for longest first, as they stand now.
 * @param input.started only tasks that were started
 * @param input.before only tasks without any event from then on, by the worker's clock
 * @throws StoreError
 */
export async function openTasksOf(
  store: Store,
  input: OpenTasksOptions & {
    readonly holder: Pick<TaskHolder, 'cluster' | 'worker' | 'pid'>;
    readonly started: boolean;
    readonly before: number;
    readonly limit: number;
  },
): Promise<OpenTask[]> {
  const key = 't.cluster, toStartOfHour(t.first_seen_at), t.task_id';
  const wanted = `t.cluster = {cluster:String} AND t.worker = {worker:String} AND ifNull(t.pid, 0) = {pid:UInt32}
    AND ${HELD} AND t.updated_at < toDateTime64({before:Float64}, 6, 'UTC')
    AND (NOT {started:Bool} OR t.started_at IS NOT NULL)`;
  return store.query<OpenTask>(
    'open tasks of a worker',
    `SELECT t.task_id AS task_id, ${seconds('t.updated_at')} AS updated_at
     FROM (
         SELECT cluster, worker, pid, task_id, state, retried_at, started_at, updated_at, is_final
         FROM ${store.database}.tasks_raw AS t
         WHERE (${key}) IN (SELECT ${key} FROM ${store.database}.tasks_raw AS t WHERE ${wanted})
         ORDER BY t.version DESC
         LIMIT 1 BY t.task_id
     ) AS t
     WHERE ${wanted}
     ORDER BY t.updated_at, t.task_id
     LIMIT {limit:UInt32}`,
    { ...input.holder, started: input.started, before: input.before, limit: input.limit },
    { timeoutMs: 30_000, ...input },
  );
}

function holding(store: Store): string {
  return `SELECT DISTINCT t.cluster, t.worker FROM ${store.database}.tasks_raw AS t
    WHERE t.cluster IN {clusters:Array(String)} AND ${HELD}`;
}
