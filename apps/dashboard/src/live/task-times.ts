import type { TaskListRow } from '@meadow/contract';

/** Seconds that a task ran: as its worker measured it, else between its events, as for failures. */
export function ranSeconds(row: Pick<TaskListRow, 'runtime_seconds' | 'started_at' | 'finished_at'>): number | null {
  if (row.runtime_seconds !== null) return row.runtime_seconds;
  if (row.started_at === null || row.finished_at === null || row.finished_at < row.started_at) return null;
  return row.finished_at - row.started_at;
}
