import type { WorkerLine } from '@meadow/api';
import { workerKey } from './worker-feed.ts';

/** Workers that were chosen, by their keys. */
export type Selection = ReadonlySet<string>;

/** How much of some workers is chosen. */
export function chosenOf(workers: readonly WorkerLine[], selection: Selection): 'none' | 'some' | 'all' {
  const count = workers.filter((worker) => selection.has(workerKey(worker))).length;
  return count === 0 ? 'none' : count === workers.length ? 'all' : 'some';
}

/** Chooses all of them, or none where all are chosen already. */
export function toggled(workers: readonly WorkerLine[], selection: Selection): Selection {
  const next = new Set(selection);
  const off = chosenOf(workers, selection) === 'all';
  for (const worker of workers) {
    if (off) next.delete(workerKey(worker));
    else next.add(workerKey(worker));
  }
  return next;
}
