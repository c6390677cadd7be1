import { auditLine, queueSampleLine, type AuditRecord } from '@meadow/contract';
import type { GapRecord, PoisonRecord, QueueSample } from '@meadow/contract';
import { RowBinary } from './row-binary.ts';
import type { TaskWriteRow, WorkerWriteRow } from './rows.ts';
import type { Store } from './store.ts';
import { appendTask, TASK_COLUMNS, TASK_EVENT_COLUMNS } from './task-row.ts';

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

/** Rows as `RowBinary` makes them, passed to ClickHouse byte for byte. Chunks may end anywhere. */
export type EncodedRows = readonly Buffer[];

/** Writes encoded rows of `HEAD_COLUMNS` and `TAIL_COLUMNS`, or lines of `TaskEventLine`, which cost four times as much. @throws StoreError */
export async function insertTaskEvents(
  store: Store,
  options: WriteOptions & ({ readonly encoded: EncodedRows } | { readonly lines: Lines }),
): Promise<void> {
  if ('lines' in options) return store.insert('task_events_in', options.lines, options);
  await store.insert('task_events_in', options.encoded, { ...options, columns: TASK_EVENT_COLUMNS });
}

/** Writes the newest versions of tasks: rows, or what `appendTask` made of them. @throws StoreError */
export async function insertTasks(
  store: Store,
  options: WriteOptions & ({ readonly encoded: EncodedRows } | { readonly rows: readonly TaskWriteRow[] }),
): Promise<void> {
  const encoded = 'encoded' in options ? options.encoded : encodeTasks(options.rows);
  await store.insert('tasks_in', encoded, { ...options, columns: TASK_COLUMNS.map(([name]) => name) });
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
  options: WriteOptions & ({ readonly rows: readonly WorkerWriteRow[] } | { readonly lines: Lines }),
): Promise<void> {
  const lines = 'lines' in options ? options.lines : toLines(options.rows.map((row) => JSON.stringify(row)));
  await store.insert('workers_in', lines, options);
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

/** Writes audit records. @throws StoreError */
export async function insertAudit(
  store: Store,
  options: WriteOptions & ({ readonly rows: readonly AuditRecord[] } | { readonly lines: Lines }),
): Promise<void> {
  const lines = 'lines' in options ? options.lines : Buffer.from(options.rows.map(auditLine).join(''));
  await store.insert('audit_in', lines, options);
}

/** Writes samples of queues; `queues` follows. @throws StoreError */
export async function insertQueueSamples(
  store: Store,
  options: WriteOptions & ({ readonly rows: readonly QueueSample[] } | { readonly lines: Lines }),
): Promise<void> {
  const lines = 'lines' in options ? options.lines : Buffer.from(options.rows.map(queueSampleLine).join(''));
  await store.insert('queue_samples_in', lines, options);
}

function encodeTasks(tasks: readonly TaskWriteRow[]): EncodedRows {
  const rows = new RowBinary();
  for (const task of tasks) appendTask(rows, task);
  return rows.slice();
}

function toLines(lines: readonly string[]): Buffer {
  return Buffer.from(lines.length === 0 ? '' : lines.join('\n') + '\n');
}
