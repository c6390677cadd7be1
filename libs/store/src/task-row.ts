import { HEAD_COLUMNS, TAIL_COLUMNS } from '@meadow/contract';
import type { RowBinary } from './row-binary.ts';
import type { TaskWriteRow } from './rows.ts';

/** The columns of a row of `task_events_in`, in the order in which collector and aggregator write them. */
export const TASK_EVENT_COLUMNS: readonly string[] = [...HEAD_COLUMNS, ...TAIL_COLUMNS].map(([name]) => name);

/** The columns of a row of `tasks_in` with their types, in the order in which `appendTask` writes them. */
export const TASK_COLUMNS = [
  ['cluster', 'String'],
  ['task_id', 'String'],
  ['name', 'String'],
  ['state', 'String'],
  ['end_source', 'String'],
  ['end_reason', 'String'],
  ['queue', 'String'],
  ['worker', 'String'],
  ['pid', 'Nullable(UInt32)'],
  ['client', 'String'],
  ['root_id', 'String'],
  ['parent_id', 'String'],
  ['args', 'String'],
  ['kwargs', 'String'],
  ['result', 'String'],
  ['exception', 'String'],
  ['exception_type', 'String'],
  ['traceback', 'String'],
  ['fingerprint', 'String'],
  ['retries', 'Nullable(UInt32)'],
  ['attempts', 'UInt32'],
  ['sent_at', 'Nullable(Decimal64(6))'],
  ['received_at', 'Nullable(Decimal64(6))'],
  ['started_at', 'Nullable(Decimal64(6))'],
  ['retried_at', 'Nullable(Decimal64(6))'],
  ['finished_at', 'Nullable(Decimal64(6))'],
  ['updated_at', 'Decimal64(6)'],
  ['first_seen_at', 'Decimal64(6)'],
  ['wait_seconds', 'Nullable(Float64)'],
  ['runtime_seconds', 'Nullable(Float64)'],
  ['progress', 'String'],
  ['eta', 'String'],
  ['expires', 'String'],
  ['exchange', 'String'],
  ['routing_key', 'String'],
  ['terminated', 'Bool'],
  ['signum', 'String'],
  ['expired', 'Bool'],
  ['cut', 'Array(String)'],
  ['clock_skewed', 'Bool'],
  ['attempt_log', 'String'],
  ['is_final', 'Bool'],
  ['version', 'UInt64'],
  ['keep_until', 'UInt32'],
] as const satisfies readonly (readonly [keyof TaskWriteRow, string])[];

/** Appends a row for `insertTasks`. */
export function appendTask(rows: RowBinary, task: TaskWriteRow): void {
  rows.row();
  rows.text(task.cluster);
  rows.text(task.task_id);
  rows.text(task.name);
  rows.text(task.state);
  rows.text(task.end_source);
  rows.text(task.end_reason);
  rows.text(task.queue);
  rows.text(task.worker);
  rows.nullableUint32(task.pid);
  rows.text(task.client);
  rows.text(task.root_id);
  rows.text(task.parent_id);
  rows.text(task.args);
  rows.text(task.kwargs);
  rows.text(task.result);
  rows.text(task.exception);
  rows.text(task.exception_type);
  rows.text(task.traceback);
  rows.text(task.fingerprint);
  rows.nullableUint32(task.retries);
  rows.uint32(task.attempts);
  rows.nullableTime(task.sent_at);
  rows.nullableTime(task.received_at);
  rows.nullableTime(task.started_at);
  rows.nullableTime(task.retried_at);
  rows.nullableTime(task.finished_at);
  rows.time(task.updated_at);
  rows.time(task.first_seen_at);
  rows.nullableFloat64(task.wait_seconds);
  rows.nullableFloat64(task.runtime_seconds);
  rows.text(task.progress);
  rows.text(task.eta);
  rows.text(task.expires);
  rows.text(task.exchange);
  rows.text(task.routing_key);
  rows.bool(task.terminated);
  rows.text(task.signum);
  rows.bool(task.expired);
  rows.texts(task.cut);
  rows.bool(task.clock_skewed);
  rows.text(task.attempt_log.length === 0 ? '' : JSON.stringify(task.attempt_log));
  rows.bool(task.is_final);
  rows.uint64(task.version);
  rows.uint32(task.keep_until);
}
