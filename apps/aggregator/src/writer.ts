import type { Bucket } from '@meadow/bus';
import type { RetentionPolicy } from '@meadow/contract';
import { retry } from '@meadow/runtime';
import {
  insertGaps,
  insertPoison,
  insertTaskEvents,
  insertTasks,
  insertWorkers,
  insertWorkerSamples,
  StoreError,
  taskWriteLine,
  type Store,
  type WorkerWriteRow,
} from '@meadow/store';
import type { Batch } from './batch.ts';

/** The batch that is being written, kept in NATS before the first row of it is: a crash repeats it exactly. */
export interface Intent {
  /** The stream's birth: positions of another stream mean nothing. */
  readonly stream: string;
  readonly from: number;
  readonly to: number;
  /** Ids of events in it that were dropped as repeats. */
  readonly dropped: readonly string[];
}

export interface WriterOptions {
  readonly store: Store;
  readonly intents: Bucket<Intent>;
  readonly stream: string;
  readonly signal: AbortSignal;
  readonly retentionOf: (cluster: string) => RetentionPolicy;
  readonly onRetry: (error: unknown, waitMs: number) => void;
  readonly onBuried: (lines: number, error: StoreError) => void;
}

type Insert = (lines: Buffer, token: string) => Promise<void>;

const INTENT_KEY = 'events';

/**
 * Writes batches exactly once. Order: intent → rows, each insert with a token made of the stream's birth and the positions →
 * the next batch's intent. A crash anywhere between repeats the last intent's batch with the same tokens, and the store
 * takes each of them once. The intent's revision fences: a second writer's intent makes this one fail.
 */
export class Writer {
  readonly #options: WriterOptions;
  #revision: number;

  private constructor(options: WriterOptions, revision: number) {
    this.#options = options;
    this.#revision = revision;
  }

  /** @returns the writer, and the batch that may have been cut short, which has to be written first. */
  static async open(options: WriterOptions): Promise<{ writer: Writer; unfinished: Intent | null }> {
    const entry = await options.intents.get(INTENT_KEY);
    if (entry === null) return { writer: new Writer(options, 0), unfinished: null };
    const unfinished = entry.value.stream === options.stream ? entry.value : null;
    return { writer: new Writer(options, entry.revision), unfinished };
  }

  /** @returns how many task rows were written. @throws BusError BUS_CONFLICT when another writer has taken over. */
  async write(batch: Batch, workers: readonly WorkerWriteRow[]): Promise<number> {
    const { stream, intents, retentionOf, store, signal } = this.#options;
    const intent: Intent = { stream, from: batch.fromSeq, to: batch.toSeq, dropped: batch.dropped };
    this.#revision =
      this.#revision === 0
        ? await intents.create(INTENT_KEY, intent)
        : await intents.update(INTENT_KEY, intent, this.#revision);

    const token = `${stream}/${batch.fromSeq}-${batch.toSeq}`;
    const { taskEvents, tasks, workerSamples, poison, gaps } = batch.writes(retentionOf);
    const taskLines = tasks.map((row) => `${taskWriteLine(row)}\n`);
    await Promise.all([
      this.#insert(taskEvents, token, (lines, part) => insertTaskEvents(store, { lines, token: part, signal })),
      this.#insert(taskLines, token, (lines, part) => insertTasks(store, { lines, token: part, signal })),
      this.#insert(workerSamples, token, (lines, part) => insertWorkerSamples(store, { lines, token: part, signal })),
      this.#insert(poison, token, (lines, part) => insertPoison(store, { lines, token: part, signal })),
      this.#insert(gaps, token, (lines, part) => insertGaps(store, { lines, token: part, signal })),
    ]);
    if (workers.length > 0) await this.#persist(() => insertWorkers(store, { rows: workers, token, signal }));
    return tasks.length;
  }

  /** Inserts; where the store refuses for good, halves until the lines that it refuses are found, and buries those. */
  async #insert(lines: readonly string[], token: string, insert: Insert): Promise<void> {
    if (lines.length === 0) return;
    try {
      await this.#persist(() => insert(Buffer.from(lines.join('')), token));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (lines.length === 1) return this.#bury(lines[0] ?? '', token, error);
      const middle = lines.length >> 1;
      await this.#insert(lines.slice(0, middle), `${token}<`, insert);
      await this.#insert(lines.slice(middle), `${token}>`, insert);
    }
  }

  async #bury(line: string, token: string, error: StoreError): Promise<void> {
    const { store, signal, onBuried } = this.#options;
    onBuried(1, error);
    const { cluster } = JSON.parse(line) as { cluster?: string };
    const row = {
      cluster: cluster ?? '',
      collected_at: Date.now() / 1000,
      reason: error.code,
      detail: error.message.slice(0, 500),
      content_type: 'application/x-ndjson',
      routing_key: '',
      size: line.length,
      body: line.slice(0, 65_536),
    };
    await this.#persist(() => insertPoison(store, { rows: [row], token: `${token}!`, signal }));
  }

  /** Tries until it is done, unless the store refuses for good. */
  #persist(work: () => Promise<void>): Promise<void> {
    const { signal, onRetry } = this.#options;
    return retry(work, { signal, onRetry, retryable: (error) => !isRefusal(error), maxWaitMs: 5_000 });
  }
}

/** Whether the rows themselves are the trouble. A store that is down, denied or not migrated is waited for instead. */
function isRefusal(error: unknown): error is StoreError {
  return error instanceof StoreError && (error.code === 'STORE_REJECTED' || error.code === 'STORE_BATCH_TOO_LARGE');
}
