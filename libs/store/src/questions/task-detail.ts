import { attemptRow, taskRow, type TaskRow } from '@meadow/contract';
import { z } from 'zod';
import { taskColumns } from '../columns.ts';
import type { Store } from '../store.ts';
import { ask, type AskOptions } from './options.ts';

/** Attempts as they are stored: one JSON text, '' for none. */
export const attemptLog = z.string().transform((text, context) => {
  try {
    return z.array(attemptRow).parse(text === '' ? [] : JSON.parse(text));
  } catch (error) {
    context.addIssue(`attempt_log is not an array of attempts: ${String(error)}`);
    return z.NEVER;
  }
});
const storedTaskRow = taskRow.extend({ attempt_log: attemptLog });

export interface TaskDetailInput {
  readonly taskId: string;
  /** Looked for in every cluster when left out. */
  readonly cluster?: string | undefined;
}

/** The tasks of that id: none, one, or one for each cluster that knows it (at most 50). @throws StoreError */
export async function taskDetail(store: Store, input: TaskDetailInput, options: AskOptions = {}): Promise<TaskRow[]> {
  return ask(
    store,
    'task detail',
    storedTaskRow,
    // picking the newest version here, instead of FINAL, lets the filter on task_id skip nearly every granule
    `SELECT ${taskColumns}
     FROM ${store.database}.tasks_raw AS t
     WHERE t.task_id = {taskId:String} AND ({cluster:String} = '' OR t.cluster = {cluster:String})
     ORDER BY t.cluster, t.version DESC
     LIMIT 1 BY t.cluster
     LIMIT 50`,
    { taskId: input.taskId, cluster: input.cluster ?? '' },
    options,
  );
}
