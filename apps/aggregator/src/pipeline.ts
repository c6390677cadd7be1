import type { Bucket, Bus, StoredBatch } from '@meadow/bus';
import {
  liveTasksSubject,
  liveWorkersSubject,
  retentionPolicy,
  type LiveTasks,
  type LiveWorkers,
  type RetentionPolicy,
} from '@meadow/contract';
import { retry } from '@meadow/runtime';
import {
  openTaskIds,
  recentEventIds,
  taskEventsByIds,
  taskKeysByIds,
  MAX_IDS,
  StoreError,
  workerList,
  type Store,
} from '@meadow/store';
import { Batch, type Memory, type Past } from './batch.ts';
import { RecentIds } from './recent-ids.ts';
import { TaskMemory } from './task-memory.ts';
import type { Telemetry } from './telemetry.ts';
import { WorkerMemory } from './worker-memory.ts';
import { Writer, type Intent } from './writer.ts';

export interface PipelineOptions {
  readonly bus: Bus;
  readonly store: Store;
  readonly intents: Bucket<Intent>;
  readonly retentionOf: (cluster: string) => RetentionPolicy;
  readonly telemetry: Telemetry;
  readonly signal: AbortSignal;
}

/**
 * A batch is written this long after its first message, or earlier when it is full. Large batches are cheap for the store
 * (4 µs an event at 100,000, 6 at 30,000); nobody waits for them, since live rows go out before.
 */
const BATCH_WAIT_MS = 800;
/** How often changed rows are sent to whoever looks on. */
const LIVE_INTERVAL_MS = 100;
const LIVE_ROWS = 500;
const PURGE_INTERVAL_MS = 10_000;
/** Ids of the last events, by default a million: 20 s at 50,000 events/s, minutes at usual rates. */
const RECENT_IDS = 1 << 20;
/** What is read back at the start. */
const RELOAD_SECONDS = 600;
const RELOAD_IDS = 500_000;
const OPEN_TASKS_SECONDS = 7 * 86_400;
const OPEN_TASKS = 200_000;

export const DEFAULT_RETENTION: RetentionPolicy = retentionPolicy.parse({});

/**
 * Events stream → store, one batch being gathered while the one before it is written.
 *
 * gathering → resolving (the past of unknown tasks is looked up; nothing is added meanwhile) → writing → written.
 * Ends by the signal, or by an error that a new start may mend.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #memory: Memory = { tasks: new Map(), workers: new WorkerMemory(), recent: new RecentIds(RECENT_IDS) };
  readonly #past: Past;
  readonly #writer: Writer;
  #batch: Batch;
  #batchBegan = 0;
  #resolving: Promise<void> = Promise.resolve();
  #writing: Promise<void> = Promise.resolve();
  #lastPurge = 0;

  private constructor(options: PipelineOptions, writer: Writer, unfinished: Intent | null) {
    const { store, signal, telemetry } = options;
    const persist = <T>(work: () => Promise<T>): Promise<T> =>
      retry(work, {
        signal,
        onRetry: telemetry.waiting,
        retryable: (error) => error instanceof StoreError && error.retryable,
      });
    this.#options = options;
    this.#writer = writer;
    this.#batch = new Batch(1, this.#memory, unfinished === null ? null : new Set(unfinished.dropped));
    this.#past = {
      events: (cluster, ids) =>
        inSlices(ids, (taskIds) => persist(() => taskEventsByIds(store, { cluster, taskIds, signal }))),
      keys: (cluster, ids) =>
        inSlices(ids, (taskIds) => persist(() => taskKeysByIds(store, { cluster, taskIds, signal }))),
    };
  }

  static async run(options: PipelineOptions): Promise<void> {
    const { bus, store, intents, retentionOf, telemetry, signal } = options;
    const stream = await bus.events.state();
    const { writer, unfinished } = await Writer.open({
      store,
      intents,
      stream: stream.createdAt,
      signal,
      retentionOf,
      onRetry: telemetry.waiting,
      onBuried: telemetry.buried,
    });
    if (unfinished === null && (await intents.get('events')) !== null) telemetry.streamReplaced();
    const pipeline = new Pipeline(options, writer, unfinished);
    const loaded = await pipeline.#reload();
    const fromSeq = unfinished?.from ?? stream.firstSeq;
    telemetry.started({ fromSeq, lastSeq: stream.lastSeq, unfinished: unfinished !== null, ...loaded });
    await pipeline.#pump(fromSeq, unfinished?.to ?? 0);
  }

  async #reload(): Promise<{ openTasks: number; recentIds: number }> {
    const { store, signal } = this.#options;
    const [recent, open, workers] = await Promise.all([
      recentEventIds(store, { sinceSeconds: RELOAD_SECONDS, limit: RELOAD_IDS, signal }),
      openTaskIds(store, { sinceSeconds: OPEN_TASKS_SECONDS, limit: OPEN_TASKS, signal }),
      workerList(store, { now: Date.now() / 1000 }, { signal }),
    ]);
    // oldest first, so that the youngest are the last to be forgotten
    for (let index = recent.length - 1; index >= 0; index--) this.#memory.recent.add(recent[index] ?? '');
    for (const { cluster, task_id } of open) {
      let tasks = this.#memory.tasks.get(cluster);
      if (tasks === undefined) this.#memory.tasks.set(cluster, (tasks = new TaskMemory()));
      tasks.noteStored(task_id);
    }
    for (const worker of workers) this.#memory.workers.remember(worker);
    return { openTasks: open.length, recentIds: recent.length };
  }

  async #pump(fromSeq: number, replayTo: number): Promise<void> {
    const { bus, signal } = this.#options;
    const failed = new AbortController();
    const ended = AbortSignal.any([signal, failed.signal]);
    const tick = setInterval(() => {
      this.#onTick(replayTo).catch((error: unknown) => failed.abort(error));
    }, LIVE_INTERVAL_MS / 2);
    try {
      for await (const message of bus.events.read(fromSeq, ended)) await this.#take(message, replayTo);
      failed.signal.throwIfAborted();
      if (!signal.aborted) throw new Error('the events stream ended by itself');
      // a clean stop: what is being written is finished by its signal; the rest stays in NATS
      await this.#writing.catch(() => undefined);
    } finally {
      clearInterval(tick);
    }
  }

  async #take(message: StoredBatch, replayTo: number): Promise<void> {
    // the batch cut short by a crash is written with exactly the messages it had
    const replayEnds = this.#batch.number === 1 && replayTo > 0 && message.seq > replayTo;
    if (this.#batch.full || (replayEnds && !this.#batch.empty)) await this.#flush();
    await this.#resolving;
    if (this.#batch.empty) this.#batchBegan = performance.now();
    this.#batch.add(message);
  }

  #lastLive = 0;

  async #onTick(replayTo: number): Promise<void> {
    const now = performance.now();
    if (now - this.#lastLive >= LIVE_INTERVAL_MS) {
      this.#lastLive = now;
      this.#sendLive(this.#batch);
      this.#sendLiveWorkers();
    }
    const replaying = this.#batch.number === 1 && this.#batch.toSeq < replayTo;
    if (!this.#batch.empty && !replaying && now - this.#batchBegan >= BATCH_WAIT_MS) await this.#flush();
  }

  /** Hands the gathered batch to the writer as soon as the one before it is written. */
  async #flush(): Promise<void> {
    const batch = this.#batch;
    await this.#writing;
    // the tick and a full batch may have wanted the same
    if (batch !== this.#batch || batch.empty) return;
    this.#batch = new Batch(batch.number + 1, this.#memory);
    this.#resolving = batch.resolve(this.#past);
    const writing = this.#write(batch);
    this.#writing = writing;
    // a failure surfaces here or at the next flush; until then nobody may be waiting for it
    writing.catch(() => undefined);
    await this.#resolving;
  }

  async #write(batch: Batch): Promise<void> {
    await this.#resolving;
    this.#sendLive(batch);
    const began = performance.now();
    const workers = this.#memory.workers.takeWrites();
    const tasks = await this.#writer.write(batch, workers);
    let held = 0;
    let bytes = 0;
    for (const memory of this.#memory.tasks.values()) {
      memory.shrink(batch.number + 1);
      held += memory.size;
      bytes += memory.bytes;
    }
    const { telemetry } = this.#options;
    telemetry.memory({ tasks: held, bytes });
    telemetry.wrote({
      events: batch.events,
      tasks,
      dropped: batch.dropped.length,
      seconds: (performance.now() - began) / 1000,
      lagSeconds: batch.newestCollectedAt === 0 ? 0 : Math.max(0, Date.now() / 1000 - batch.newestCollectedAt),
    });
    if (began - this.#lastPurge > PURGE_INTERVAL_MS) {
      this.#lastPurge = began;
      this.#memory.workers.forget(Date.now() / 1000);
      // this batch stays: until the next intent is written a crash repeats it
      await this.#options.bus.events.purgeThrough(batch.fromSeq - 1).catch(() => undefined);
    }
  }

  #sendLive(batch: Batch): void {
    const at = Date.now() / 1000;
    for (const { cluster, rows, omitted } of batch.takeLive(LIVE_ROWS)) {
      this.#options.bus.publish(
        liveTasksSubject(cluster),
        JSON.stringify({ cluster, rows, omitted, at } satisfies LiveTasks),
      );
    }
  }

  #sendLiveWorkers(): void {
    const at = Date.now() / 1000;
    for (const { cluster, rows } of this.#memory.workers.takeLive(at)) {
      this.#options.bus.publish(
        liveWorkersSubject(cluster),
        JSON.stringify({ cluster, rows, at } satisfies LiveWorkers),
      );
    }
  }
}

async function inSlices<T>(
  ids: readonly string[],
  ask: (slice: readonly string[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const answers: T[] = [];
  for (let start = 0; start < ids.length; start += MAX_IDS) {
    for (const row of await ask(ids.slice(start, start + MAX_IDS))) answers.push(row);
  }
  return answers;
}
