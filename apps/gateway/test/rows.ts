import type { LiveTasks, TaskListRow } from '@meadow/contract';
import type { TaskEventLine, TaskWriteRow } from '@meadow/store';

export const listRow = (task_id: string, more: Partial<TaskListRow> = {}): TaskListRow => ({
  ...{ cluster: 'prod', task_id, name: 'shop.buy', state: 'STARTED', queue: 'celery', worker: 'celery@w1' },
  ...{ root_id: task_id, parent_id: '', args: '(1, 2)', kwargs: '{}', result: '', exception: '' },
  ...{ retries: 0, attempts: 1, sent_at: null, received_at: null, started_at: null, finished_at: null },
  ...{ updated_at: Date.now() / 1000, first_seen_at: Date.now() / 1000 },
  ...{ wait_seconds: null, runtime_seconds: null, progress: '' },
  ...more,
});

export const writeRow = (task_id: string, more: Partial<TaskWriteRow> = {}): TaskWriteRow => ({
  ...listRow(task_id),
  ...{
    client: '',
    exception_type: '',
    traceback: '',
    fingerprint: '',
    eta: '',
    expires: '',
    exchange: '',
    routing_key: '',
  },
  ...{ retried_at: null, terminated: false, signum: '', expired: false, cut: [], clock_skewed: false, attempt_log: [] },
  ...{ end_source: '', end_reason: '', pid: null },
  ...{ version: 1, keep_until: Math.floor(Date.now() / 1000) + 86_400, is_final: false },
  ...more,
});

let events = 0;

export const eventLine = (type: string, task_id: string, more: Partial<TaskEventLine> = {}): TaskEventLine => ({
  ...{ cluster: 'prod', event_id: (++events).toString(16).padStart(16, '0'), type, task_id, worker: 'celery@w1' },
  ...{ timestamp: Date.now() / 1000, collected_at: Date.now() / 1000 },
  ...more,
});

export const linesOf = (rows: readonly object[]): Buffer =>
  Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));

export const liveTasks = (cluster: string, rows: readonly TaskListRow[]): string =>
  JSON.stringify({ cluster, rows, omitted: 0, at: Date.now() / 1000 } satisfies LiveTasks);
