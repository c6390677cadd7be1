import type { TaskListRow } from '@meadow/contract';

/** A finished task for tests; name what matters. */
export function sampleRow(facts: Partial<TaskListRow> = {}): TaskListRow {
  return {
    cluster: 'prod',
    task_id: 't1',
    name: 'shop.tasks.charge',
    state: 'SUCCESS',
    queue: 'celery',
    worker: 'w1@host',
    root_id: '',
    parent_id: '',
    args: '(1,)',
    kwargs: '{}',
    result: 'None',
    exception: '',
    retries: 0,
    attempts: 1,
    sent_at: 1,
    received_at: 1,
    started_at: 1,
    finished_at: 2,
    updated_at: 2,
    first_seen_at: 1,
    wait_seconds: 0,
    runtime_seconds: 1,
    progress: '',
    ...facts,
  };
}
