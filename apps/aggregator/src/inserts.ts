import { poisonLine, type RetentionPolicy } from '@meadow/contract';
import { BusError } from '@meadow/bus';
import { retry } from '@meadow/runtime';
import {
  insertAudit,
  insertGaps,
  insertPoison,
  insertQueueSamples,
  insertTaskEvents,
  insertTasks,
  insertWorkers,
  insertWorkerSamples,
  StoreError,
  type Store,
  type WorkerWriteRow,
} from '@meadow/store';
import type { ClusterRows, Writes } from './batch.ts';
import { tokenOf, type Intent } from './intent.ts';

export interface InsertOptions {
  readonly store: Store;
  readonly signal: AbortSignal;
  readonly retentionOf: (cluster: string) => RetentionPolicy;
  readonly poolOf: (cluster: string, worker: string) => string;
  readonly onRetry: (error: unknown, waitMs: number) => void;
  readonly onBuried: (lines: number, error: StoreError) => void;
  /** Asked before each try. @throws BusError BUS_CONFLICT when another may have written the batch, too long ago for its token */
  readonly mayWrite?: () => Promise<void>;
}

type Insert = (rows: readonly Buffer[], token: string) => Promise<void>;

/**
 * Writes the rows of a batch, each insert with the intent's token: a second time changes nothing. Tries until the store has them;
 * what it refuses for good is kept in `poison`.
 * @returns how many task rows were written
 */
export async function insertBatch(
  writes: Writes,
  workers: readonly WorkerWriteRow[],
  intent: Intent,
  options: InsertOptions,
): Promise<number> {
  const { store, signal } = options;
  const token = tokenOf(intent);
  const { taskEvents, tasks, workerSamples, poison, gaps, audit, queueSamples } = writes;
  const insert = (rows: ClusterRows, into: Insert): Promise<void> =>
    insertRows(rows, { from: 0, to: rows.count }, token, into, options);
  await Promise.all([
    insert(taskEvents, (encoded, part) => insertTaskEvents(store, { encoded, token: part, signal })),
    insert(tasks, (encoded, part) => insertTasks(store, { encoded, token: part, signal })),
    insert(asRows(workerSamples), (lines, part) => insertWorkerSamples(store, { lines, token: part, signal })),
    insert(asRows(poison), (lines, part) => insertPoison(store, { lines, token: part, signal })),
    insert(asRows(gaps), (lines, part) => insertGaps(store, { lines, token: part, signal })),
    insert(asRows(audit), (lines, part) => insertAudit(store, { lines, token: part, signal })),
    insert(asRows(queueSamples), (lines, part) => insertQueueSamples(store, { lines, token: part, signal })),
  ]);
  const workerLines = workers.map((row) => `${JSON.stringify(row)}\n`);
  await insert(asRows(workerLines), (lines, part) => insertWorkers(store, { lines, token: part, signal }));
  return tasks.count;
}

const NDJSON = 'application/x-ndjson';

/** JSON lines as rows; each names its cluster. */
function asRows(lines: readonly string[]): ClusterRows {
  return {
    count: lines.length,
    contentType: NDJSON,
    slice: (from, to) => [Buffer.from(lines.slice(from, to).join(''))],
    clusterOf: (index) => (JSON.parse(lines[index] ?? '{}') as { cluster?: string }).cluster ?? '',
  };
}

/** Inserts; where the store refuses for good, halves until the rows that it refuses are found, and buries those. */
async function insertRows(
  rows: ClusterRows,
  { from, to }: { readonly from: number; readonly to: number },
  token: string,
  insert: Insert,
  options: InsertOptions,
): Promise<void> {
  if (from === to) return;
  try {
    const tryOnce = async (): Promise<void> => {
      await options.mayWrite?.();
      await insert(rows.slice(from, to), token);
    };
    await persist(tryOnce, options);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (to - from === 1) return bury(rows, from, token, error, options);
    const middle = (from + to) >> 1;
    await insertRows(rows, { from, to: middle }, `${token}<`, insert, options);
    await insertRows(rows, { from: middle, to }, `${token}>`, insert, options);
  }
}

async function bury(
  rows: ClusterRows,
  index: number,
  token: string,
  error: StoreError,
  options: InsertOptions,
): Promise<void> {
  const { store, signal, onBuried } = options;
  onBuried(1, error);
  const { contentType } = rows;
  const bytes = Buffer.concat(rows.slice(index, index + 1));
  const body = contentType === NDJSON ? bytes.toString('utf8', 0, 65_536) : bytes.toString('base64', 0, 48 * 1024);
  const told = { cluster: rows.clusterOf(index), reason: error.code, detail: error.message, content_type: contentType };
  const lines = Buffer.from(poisonLine({ ...told, size: bytes.length, body }));
  await persist(() => insertPoison(store, { lines, token: `${token}!`, signal }), options);
}

/** A refusal that may be of the rows or not is taken to be of the rows after this time. */
const PATIENCE_MS = 60_000;

/** Tries until it is done, unless the store refuses for good. */
function persist(work: () => Promise<void>, { signal, onRetry }: InsertOptions): Promise<void> {
  const patientUntil = performance.now() + PATIENCE_MS;
  const retryable = (error: unknown): boolean => {
    if (!isRefusal(error)) return !isTakenOver(error);
    return !error.isOfRows && performance.now() < patientUntil;
  };
  return retry(work, { signal, onRetry, retryable, maxWaitMs: 5_000 });
}

const isTakenOver = (error: unknown): boolean => error instanceof BusError && error.code === 'BUS_CONFLICT';

/**
 * Whether the rows themselves are the trouble, or may be. A store that is down, denied or not migrated is waited for instead:
 * rows that are halved bear other tokens, so that a half which is stored would be stored again by a batch that is whole.
 */
function isRefusal(error: unknown): error is StoreError {
  return error instanceof StoreError && (error.code === 'STORE_REJECTED' || error.isOfRows);
}
