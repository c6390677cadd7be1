import { z } from 'zod';
import { seconds } from '../../columns.ts';
import type { Store } from '../../store.ts';
import { ask, limitOf, type AskOptions } from '../options.ts';
import type { TaskTypeName } from './scope.ts';

export interface TaskTypeRunsInput extends TaskTypeName {
  /** First seen from this time on, Unix seconds. */
  readonly from: number;
  /** The newest so many, 1 to 2000. @default 500 */
  readonly limit?: number | undefined;
}

const run = z.object({
  /** When it was sent; where that is not known, received. Unix seconds. */
  at: z.number(),
  /** Node name of who sent it; '' when it is not known. */
  client: z.string(),
});
export type TaskTypeRun = z.output<typeof run>;

/** When a task was run, but for what other tasks sent: newest first. @throws StoreError */
export async function taskTypeRuns(
  store: Store,
  input: TaskTypeRunsInput,
  options: AskOptions = {},
): Promise<TaskTypeRun[]> {
  return ask(
    store,
    'task type runs',
    run,
    // of several versions of a task the first that knows: times and sender do not change once they are known
    `SELECT min(${seconds('coalesce(t.sent_at, t.received_at, t.first_seen_at)')}) AS at, max(t.client) AS client
     FROM ${store.database}.tasks_raw AS t
     WHERE t.cluster = {cluster:String} AND t.name = {name:String} AND t.parent_id = ''
       AND t.first_seen_at >= toDateTime64({from:Float64}, 6, 'UTC')
     GROUP BY t.task_id
     ORDER BY at DESC
     LIMIT {limit:UInt32}`,
    { cluster: input.cluster, name: input.name, from: input.from, limit: limitOf(input.limit, 500, 2_000) },
    options,
  );
}
