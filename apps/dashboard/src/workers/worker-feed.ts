import type { WorkerLine } from '@meadow/api';
import type { WorkerRow } from '@meadow/contract';

function keyOf(row: Pick<WorkerRow, 'cluster' | 'worker'>): string {
  return `${row.cluster}\n${row.worker}`;
}

/** Names a worker across clusters. */
export const workerKey = keyOf;

/** Lays pushed facts over asked ones; of two the one with the newer heartbeat counts. New workers join the list. */
export function mergeWorkers(asked: readonly WorkerLine[], pushed: ReadonlyMap<string, WorkerRow>): WorkerLine[] {
  const merged = asked.map((line): WorkerLine => {
    const row = pushed.get(keyOf(line));
    return row === undefined || (row.last_heartbeat_at ?? 0) < (line.last_heartbeat_at ?? 0)
      ? line
      : { ...line, ...row };
  });
  const known = new Set(asked.map(keyOf));
  for (const [key, row] of pushed) {
    if (!known.has(key)) merged.push({ ...row, succeeded_last_hour: 0, failed_last_hour: 0 });
  }
  return merged.sort(byTrouble);
}

const ORDER = { lost: 0, online: 1, quiet: 2, offline: 3 } as const;

function byTrouble(a: WorkerLine, b: WorkerLine): number {
  return ORDER[a.state] - ORDER[b.state] || compare(a.cluster, b.cluster) || compare(a.worker, b.worker);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
