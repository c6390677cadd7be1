import { taskEventRow, type TaskEventRow } from '@meadow/contract';
import { seconds } from '../columns.ts';
import type { Store } from '../store.ts';
import { ask, limitOf, type AskOptions } from './options.ts';

const FACTS = [
  'event_id',
  'type',
  'worker',
  'pid',
  'clock',
  'retries',
  'queue',
  'runtime',
  'exception',
  'traceback',
  'result',
  'extra',
  'end_reason',
];

export interface TaskEventsInput {
  readonly cluster: string;
  readonly taskId: string;
  /** 1 to 5000. @default 1000 */
  readonly limit?: number | undefined;
}

/** The timeline of a task, oldest first; at the limit the newest are kept. @throws StoreError */
export async function taskEvents(
  store: Store,
  input: TaskEventsInput,
  options: AskOptions = {},
): Promise<TaskEventRow[]> {
  const rows = await ask(
    store,
    'task events',
    taskEventRow,
    `SELECT ${FACTS.map((name) => `e.${name} AS ${name}`).join(', ')},
            ${seconds('e.timestamp')} AS timestamp, ${seconds('e.collected_at')} AS collected_at
     FROM ${store.database}.task_events AS e
     WHERE e.cluster = {cluster:String} AND e.task_id = {taskId:String}
     ORDER BY e.timestamp DESC, e.clock DESC, e.event_id DESC
     LIMIT 1 BY e.timestamp, e.event_id
     LIMIT {limit:UInt32}`,
    { cluster: input.cluster, taskId: input.taskId, limit: limitOf(input.limit, 1000, 5000) },
    options,
  );
  return rows.reverse();
}
