import { z } from 'zod';
import { seconds } from '../../columns.ts';
import type { Store } from '../../store.ts';
import { ask, type AskOptions } from '../options.ts';

export interface TaskTypeTimesInput {
  /** All clusters when left out. */
  readonly cluster?: string | undefined;
  /** Unix seconds. */
  readonly now: number;
}

const row = z.object({ cluster: z.string(), name: z.string(), times: z.array(z.number()) });
/** When a task was run: Unix seconds, newest first. */
export type TaskTypeTimes = z.output<typeof row>;

const OFTEN_SECONDS = 2 * 3_600;
const SELDOM_SECONDS = 40 * 86_400;
/** More than one in four minutes over 40 days: its schedule shows in two hours. */
const MOST_SELDOM = SELDOM_SECONDS / 240;
const MOST_TIMES = 400;

/**
 * When tasks were run, for many at once: exactly over the last two hours, and for those that run seldom by the minute over 40
 * days. A task is among `often` when it ran at least six times in these two hours. @throws StoreError
 */
export async function taskTypeTimes(
  store: Store,
  input: TaskTypeTimesInput,
  options: AskOptions = {},
): Promise<{ readonly often: readonly TaskTypeTimes[]; readonly seldom: readonly TaskTypeTimes[] }> {
  const cluster = input.cluster ?? '';
  const [often, seldom] = await Promise.all([
    ask(
      store,
      'task type times',
      row,
      `SELECT cluster, name, arraySlice(arrayReverseSort(groupArray(${MOST_TIMES * 10})(at)), 1, ${MOST_TIMES}) AS times
       FROM (
           SELECT t.cluster AS cluster, t.name AS name,
                  min(${seconds('coalesce(t.sent_at, t.received_at, t.first_seen_at)')}) AS at
           FROM ${store.database}.tasks_raw AS t
           WHERE ({cluster:String} = '' OR t.cluster = {cluster:String}) AND t.name != '' AND t.parent_id = ''
             AND t.first_seen_at >= toDateTime64({since:Float64}, 6, 'UTC')
           GROUP BY cluster, name, t.task_id
       )
       GROUP BY cluster, name
       HAVING count() BETWEEN 6 AND ${MOST_TIMES * 10}
       ORDER BY cluster, name
       LIMIT 5000`,
      { cluster, since: input.now - OFTEN_SECONDS },
      options,
    ),
    ask(
      store,
      'task type minutes',
      row,
      `SELECT cluster, name, arraySlice(arrayReverseSort(groupArray(minute)), 1, ${MOST_TIMES}) AS times
       FROM (
           SELECT r.cluster AS cluster, r.name AS name, toUnixTimestamp(r.minute) AS minute
           FROM ${store.database}.task_rollup AS r
           WHERE ({cluster:String} = '' OR r.cluster = {cluster:String}) AND r.name != ''
             AND r.minute >= toDateTime({since:UInt32}, 'UTC')
           GROUP BY cluster, name, minute
           -- who sends tells when; of what nobody tells, who receives
           HAVING if(sum(r.sent) = 0, sum(r.received), sum(r.sent)) > 0
       )
       GROUP BY cluster, name
       HAVING count() <= ${MOST_SELDOM}
       ORDER BY cluster, name
       LIMIT 5000`,
      { cluster, since: Math.max(0, Math.floor(input.now) - SELDOM_SECONDS) },
      options,
    ),
  ]);
  return { often, seldom };
}
