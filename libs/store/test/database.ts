import { randomUUID } from 'node:crypto';
import type { TaskRow } from '@meadow/contract';
import { inject } from 'vitest';
import { migrate, openStore, type Store, type TaskEventLine, type TaskWriteRow } from '../src/index.ts';

/** A store on a database that nothing else uses, not migrated yet. */
export function openFreshStore(): Store {
  return openStore({ url: inject('clickhouseUrl'), database: `t_${randomUUID().replaceAll('-', '').slice(0, 16)}` });
}

export async function openMigratedStore(): Promise<Store> {
  const store = openFreshStore();
  await migrate(store);
  return store;
}

/** Any statement, as a person at a console would run it. */
export async function sql<Row = Record<string, unknown>>(store: Store, statement: string): Promise<Row[]> {
  return store.query<Row>('test', statement.replaceAll('meadow.', `${store.database}.`), {}, {});
}

export const linesOf = (rows: readonly object[]): Buffer =>
  Buffer.from(rows.map((row) => JSON.stringify(row) + '\n').join(''));

let events = 0;

export function event(
  type: string,
  task_id: string,
  timestamp: number,
  more: Partial<TaskEventLine> = {},
): TaskEventLine {
  events += 1;
  return {
    cluster: 'prod',
    event_id: events.toString(16).padStart(16, '0'),
    type,
    timestamp,
    collected_at: timestamp + 0.02,
    worker: 'celery@w1',
    task_id,
    keep_until: Math.floor(Date.now() / 1000) + 86_400,
    ...more,
  };
}

export function task(task_id: string, first_seen_at: number, more: Partial<TaskWriteRow> = {}): TaskWriteRow {
  const row: TaskRow = {
    cluster: 'prod',
    task_id,
    name: 'app.add',
    state: 'RECEIVED',
    queue: 'celery',
    worker: 'celery@w1',
    client: '',
    root_id: task_id,
    parent_id: '',
    args: '(1, 2)',
    kwargs: '{}',
    result: '',
    exception: '',
    exception_type: '',
    traceback: '',
    fingerprint: '',
    retries: null,
    attempts: 1,
    sent_at: null,
    received_at: first_seen_at,
    started_at: null,
    retried_at: null,
    finished_at: null,
    updated_at: first_seen_at,
    first_seen_at,
    wait_seconds: null,
    runtime_seconds: null,
    progress: '',
    eta: '',
    expires: '',
    exchange: '',
    routing_key: '',
    terminated: false,
    signum: '',
    expired: false,
    cut: [],
    clock_skewed: false,
    attempt_log: [],
    end_source: '',
    end_reason: '',
    pid: null,
  };
  return { ...row, version: 1, keep_until: Math.floor(Date.now() / 1000) + 86_400, is_final: false, ...more };
}
