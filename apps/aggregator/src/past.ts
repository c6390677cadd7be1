import { partitionOf } from '@meadow/contract';
import { retry } from '@meadow/runtime';
import {
  MAX_IDS,
  openTaskIds,
  recentAuditIds,
  recentEventIds,
  StoreError,
  taskEventsByIds,
  taskKeysByIds,
  workerList,
  type Store,
} from '@meadow/store';
import { Output, type Memory, type Past } from './batch.ts';
import { RecentIds } from './recent-ids.ts';
import { RECENT_RECORDS, RecentRecords } from './recent-records.ts';
import { TaskMemory } from './task-memory.ts';
import { WorkerMemory } from './worker-memory.ts';

/** Ids of the last events, by default a million: 20 s at 50,000 events/s, minutes at usual rates. */
const RECENT_IDS = 1 << 20;
/** What is read back at the start. */
const RELOAD_SECONDS = 600;
const RELOAD_IDS = RECENT_IDS;
/** No event of a task was collected earlier than this before the first that was heard of it. */
const COLLECTORS_DIFFER_SECONDS = 86_400;
const RELOAD_AUDIT_SECONDS = 86_400;
const OPEN_TASKS_SECONDS = 7 * 86_400;
/** Of each kind. */
const OPEN_TASKS = 500_000;

/** The partition whose owner also writes whatever is not of a task. */
const ASIDE_PARTITION = 0;

export interface PastOptions {
  readonly store: Store;
  readonly signal: AbortSignal;
  readonly onRetry: (error: unknown, waitMs: number) => void;
  /** Of a worker, by the rules of its cluster. */
  readonly poolOf: (cluster: string, worker: string) => string;
}

/** Answers from the store; asks until it answers. */
export function openPast(options: PastOptions): Past {
  const { store, signal } = options;
  return {
    events: (cluster, keys) =>
      inSlices(keys, (slice) => {
        const taskIds = slice.map(({ task_id }) => task_id);
        const since = Math.min(...slice.map(({ first_seen_at }) => first_seen_at)) - COLLECTORS_DIFFER_SECONDS;
        return persist(options, () => taskEventsByIds(store, { cluster, taskIds, since, signal }));
      }),
    keys: (cluster, ids) =>
      inSlices(ids, (taskIds) => persist(options, () => taskKeysByIds(store, { cluster, taskIds, signal }))),
  };
}

/**
 * What has to be remembered to go on with these partitions: the last events' ids, so that repeats are known; ids of tasks
 * whose past is in the store; workers, where they are among the work. Everything before has to be in the store.
 */
export async function recall(partitions: ReadonlySet<number>, options: PastOptions): Promise<Memory> {
  const { store, signal } = options;
  const [recent, open, workers, audit] = await Promise.all([
    persist(options, () => recentEventIds(store, { sinceSeconds: RELOAD_SECONDS, limit: RELOAD_IDS, signal })),
    persist(options, () => openTaskIds(store, { sinceSeconds: OPEN_TASKS_SECONDS, limit: OPEN_TASKS, signal })),
    recallWorkers(partitions, options),
    recallRecords(partitions, options),
  ]);
  const memory: Memory = {
    ...{ tasks: new TaskMemory(), workers, output: new Output() },
    ...{ recent: new RecentIds(RECENT_IDS), audit },
  };
  // oldest first, so that the youngest are the last to be forgotten
  for (let index = recent.length - 1; index >= 0; index--) memory.recent.add(recent[index] ?? '');
  for (const { cluster, task_id } of open) {
    if (partitions.has(partitionOf(task_id))) memory.tasks.noteStored(cluster, task_id);
  }
  return memory;
}

/** The workers as the store knows them, where they are among the work. */
export async function recallWorkers(partitions: ReadonlySet<number>, options: PastOptions): Promise<WorkerMemory> {
  const memory = new WorkerMemory(options.poolOf);
  if (!partitions.has(ASIDE_PARTITION)) return memory;
  const { store, signal } = options;
  const rows = await persist(options, () => workerList(store, { now: Date.now() / 1000 }, { signal }));
  for (const row of rows) memory.remember(row);
  return memory;
}

async function recallRecords(partitions: ReadonlySet<number>, options: PastOptions): Promise<RecentRecords> {
  const records = new RecentRecords();
  if (!partitions.has(ASIDE_PARTITION)) return records;
  const { store, signal } = options;
  const asked = { sinceSeconds: RELOAD_AUDIT_SECONDS, limit: RECENT_RECORDS, signal };
  for (const id of await persist(options, () => recentAuditIds(store, asked))) records.add(id);
  return records;
}

function persist<T>({ signal, onRetry }: PastOptions, work: () => Promise<T>): Promise<T> {
  return retry(work, {
    signal,
    onRetry,
    retryable: (error) => error instanceof StoreError && error.retryable,
  });
}

async function inSlices<Each, T>(
  ids: readonly Each[],
  ask: (slice: readonly Each[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const answers: T[] = [];
  for (let start = 0; start < ids.length; start += MAX_IDS) {
    for (const row of await ask(ids.slice(start, start + MAX_IDS))) answers.push(row);
  }
  return answers;
}
