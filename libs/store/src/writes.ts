import type { GapRecord, PoisonRecord } from '@meadow/contract';
import type { TaskWriteRow, WorkerWriteRow } from './rows.ts';
import type { Store } from './store.ts';

/** What every write takes. */
export interface WriteOptions {
  /**
   * Makes the write repeatable: a second one with the same token changes nothing, in the table or in any rollup, as
   * long as fewer than 10,000 other writes to the table came between. The same token must always mean the same rows.
   */
  readonly token: string;
  readonly signal?: AbortSignal | undefined;
  /** @default 60_000 */
  readonly timeoutMs?: number | undefined;
}

/** Newline-delimited JSON, passed to ClickHouse byte for byte. Chunks may end anywhere; each line ends in `\n`. */
export type Lines = Buffer | readonly Buffer[];

/** Writes lines of `TaskEventLine`. @throws StoreError */
export async function insertTaskEvents(store: Store, options: WriteOptions & { readonly lines: Lines }): Promise<void> {
  await store.insert('task_events_in', options.lines, options);
}

/** Writes the newest versions of tasks: rows, or lines of `TaskWriteRow` made by `taskWriteLine`. @throws StoreError */
export async function insertTasks(
  store: Store,
  options: WriteOptions & ({ readonly rows: readonly TaskWriteRow[] } | { readonly lines: Lines }),
): Promise<void> {
  await store.insert(
    'tasks_in',
    'lines' in options ? options.lines : toLines(options.rows.map(taskWriteLine)),
    options,
  );
}

/** Writes lines of `WorkerSampleLine`. @throws StoreError */
export async function insertWorkerSamples(
  store: Store,
  options: WriteOptions & { readonly lines: Lines },
): Promise<void> {
  await store.insert('worker_samples_in', options.lines, options);
}

/** Writes the newest facts of workers. @throws StoreError */
export async function insertWorkers(
  store: Store,
  options: WriteOptions & { readonly rows: readonly WorkerWriteRow[] },
): Promise<void> {
  await store.insert('workers_in', toLines(options.rows.map((row) => JSON.stringify(row))), options);
}

/** Writes undecodable messages. @throws StoreError */
export async function insertPoison(
  store: Store,
  options: WriteOptions & ({ readonly rows: readonly PoisonRecord[] } | { readonly lines: Lines }),
): Promise<void> {
  const lines = 'lines' in options ? options.lines : toLines(options.rows.map((row) => JSON.stringify(row)));
  await store.insert('poison_in', lines, options);
}

/** Writes spans in which events may be missing. @throws StoreError */
export async function insertGaps(
  store: Store,
  options: WriteOptions & ({ readonly rows: readonly GapRecord[] } | { readonly lines: Lines }),
): Promise<void> {
  const lines = 'lines' in options ? options.lines : toLines(options.rows.map((row) => JSON.stringify(row)));
  await store.insert('ingest_gaps_in', lines, options);
}

/** One line of `tasks_raw`, without the newline. `attempt_log` is a JSON text in the table. */
export function taskWriteLine(row: TaskWriteRow): string {
  return JSON.stringify({ ...row, attempt_log: row.attempt_log.length === 0 ? '' : JSON.stringify(row.attempt_log) });
}

function toLines(lines: readonly string[]): Buffer {
  return Buffer.from(lines.length === 0 ? '' : lines.join('\n') + '\n');
}
