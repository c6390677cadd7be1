import type { TaskListRow } from '@meadow/contract';
import { whyNotTerminate } from '../control/abilities.ts';
import type { Stats } from '../control/stats.ts';

/** What can be done to a task. */
export type TaskAction = 'retry' | 'revoke' | 'terminate' | 'abort';

type Task = Pick<TaskListRow, 'state' | 'started_at' | 'finished_at' | 'worker'>;

const ENDED: Readonly<Record<string, string>> = {
  SUCCESS: 'It has succeeded.',
  FAILURE: 'It has failed.',
  REVOKED: 'It was revoked.',
  REJECTED: 'It was rejected.',
};

/** It runs, as far as is known: states of the application's own are those of tasks that do. */
function isRunning({ state, started_at, finished_at }: Task): boolean {
  const isWaiting = state === 'PENDING' || state === 'RECEIVED' || state === 'RETRY';
  return state === 'STARTED' || (!isWaiting && started_at !== null && finished_at === null);
}

/**
 * Why something cannot be done to a task, a sentence; null when nothing is known against it.
 * @param stats of the worker that has it; null when they are not known
 */
export function whyNotTask(action: TaskAction, task: Task, stats: Stats | null): string | null {
  const ended = ENDED[task.state] ?? null;
  switch (action) {
    case 'retry':
      return task.state === 'RETRY' ? 'Celery tries it again by itself.' : null;
    case 'revoke':
      if (ended !== null) return `${ended} Nothing is left to be revoked.`;
      return isRunning(task) ? 'It runs already, which a revoke does not stop: terminate it.' : null;
    case 'terminate':
      if (ended !== null) return ended;
      if (!isRunning(task)) return 'It does not run, as far as is known: revoke it.';
      return task.worker === '' ? 'No worker has said that it runs it.' : whyNotTerminate(stats);
    case 'abort':
      return ended;
    default:
      return action satisfies never;
  }
}
