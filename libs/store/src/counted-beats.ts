import { seconds } from './columns.ts';
import type { TaskHolder } from './open-tasks.ts';
import type { Store } from './store.ts';

/** What one heartbeat of a process counted. */
export interface CountedBeat {
  /** Unix seconds, by the worker's clock. */
  readonly at: number;
  /** Tasks that it was running. */
  readonly active: number;
  /** Tasks that were heard to start before it and to end after it: those of them that it was surely running. */
  readonly ended: number;
}

/**
 * A worker takes a task off its list a moment before it tells the end, and a heartbeat may come between where a pool of
 * greenlets or threads acknowledges late. What starts or ends so close to a heartbeat is not counted. Seconds.
 */
const MARGIN = 0.25;
const ENDS = `'task-succeeded', 'task-failed', 'task-retried'`;

/**
 * The heartbeats of one process from `from` to `to`, by the collector's clock, that came while it ran tasks whose start and
 * end were both heard in that span. Reads all events of its cluster in that span. @throws StoreError
 */
export async function countedBeats(
  store: Store,
  input: {
    readonly holder: Pick<TaskHolder, 'cluster' | 'worker' | 'pid'>;
    readonly from: number;
    readonly to: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<CountedBeat[]> {
  const { holder, from, to, signal } = input;
  const own = (table: string): string => `${store.database}.${table} AS e
    WHERE e.cluster = {cluster:String} AND e.worker = {worker:String} AND e.pid = {pid:UInt32}
      AND e.collected_at >= toDateTime64({from:Float64}, 6, 'UTC')
      AND e.collected_at <= toDateTime64({to:Float64}, 6, 'UTC')`;
  return store.query<CountedBeat>(
    'counted heartbeats',
    `SELECT at, active, countIf(span.1 < at - ${MARGIN} AND span.2 > at + ${MARGIN}) AS ended
     FROM (
         SELECT ${seconds('e.timestamp')} AS at, assumeNotNull(e.active) AS active
         FROM ${own('worker_samples')} AND e.type = 'worker-heartbeat' AND e.active IS NOT NULL
     ) AS beats
     CROSS JOIN (
         -- a start, and the first end after it; none where the task was started again before that
         SELECT arrayJoin(arrayFilter(
             s -> s.2 > s.1 AND NOT arrayExists(other -> other > s.1 AND other < s.2, starts),
             arrayMap(start -> (start, arrayMin(arrayFilter(end -> end > start, ends))), starts)
         )) AS span
         FROM (
             SELECT groupArrayIf(${seconds('e.timestamp')}, e.type = 'task-started') AS starts,
                    groupArrayIf(${seconds('e.timestamp')}, e.type IN (${ENDS})) AS ends
             FROM ${own('task_events')} AND e.type IN ('task-started', ${ENDS})
             GROUP BY e.task_id
             HAVING notEmpty(starts) AND notEmpty(ends)
         )
     ) AS spans
     GROUP BY at, active
     ORDER BY at`,
    { ...holder, from, to },
    { timeoutMs: 30_000, signal },
  );
}
