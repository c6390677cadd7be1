import type { Bus, StoredBatch } from '@meadow/bus';
import { liveTasksSubject, liveWorkersSubject, type LiveTasks, type LiveWorkers } from '@meadow/contract';
import type { Store } from '@meadow/store';
import { Batch, type Memory, type Past } from './batch.ts';
import { openPast, recall } from './past.ts';
import { IDLE_TASK_BYTES } from './task-memory.ts';
import type { Telemetry } from './telemetry.ts';
import type { Writer } from './writer.ts';

export interface PipelineOptions {
  readonly bus: Bus;
  readonly store: Store;
  readonly poolOf: (cluster: string, worker: string) => string;
  readonly writer: Writer;
  readonly telemetry: Telemetry;
  /** The partitions to be written: up to where each is in the store. */
  readonly positions: ReadonlyMap<number, number>;
  /** Ends the work in order. */
  readonly until: AbortSignal;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

/** A batch is written this long after its first message, or earlier when it is full. Live rows go out before. */
const BATCH_WAIT_MS = 800;
/**
 * One that holds this much by then waits longer: a pair of inserts costs the store 70 ms of CPU whatever their size, for the
 * parts of seven tables.
 */
const BUSY_EVENTS = 40_000;
const BUSY_WAIT_MS = 2_000;
/**
 * Where nothing comes, an empty batch tells how far the stream is read, and that the batch before is whole: what lies before
 * can be freed, and the store need not remember that batch's token any more.
 */
const IDLE_BATCH_MS = 5_000;
/** How often changed rows are sent to whoever looks on. */
const LIVE_INTERVAL_MS = 100;
const LIVE_ROWS = 500;
/** Where nobody looks on, one row is offered this often, to find out whether somebody does: 500 of them take 5 ms. */
const UNWATCHED_MS = 500;
const FORGET_INTERVAL_MS = 10_000;

/**
 * Events stream → store for a fixed set of partitions, one batch being gathered while the one before it is written. The
 * whole stream is read, so that one position covers all partitions; messages of others are skipped unread.
 *
 * gathering → resolving (the past of unknown tasks is looked up; nothing is added meanwhile) → writing → written.
 * Other partitions are other memories: they take a new pipeline, which reads back what it needs.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #memory: Memory;
  readonly #past: Past;
  readonly #positions: Map<number, number>;
  /** Everything up to here is in the store, in the batch that is being written or in the one that is gathered. */
  #seen: number;
  /** The last batch that was begun reached this far, and whether it held anything. */
  #begun: { readonly to: number; readonly empty: boolean };
  #batch: Batch;
  #batchBegan = performance.now();
  #resolving: Promise<void> = Promise.resolve();
  #writing: Promise<void> = Promise.resolve();
  /** Whether a tick's flush waits for the store: one is enough, however long that takes. */
  #flushWaits = false;
  #lastLive = 0;
  #isWatched = false;
  #unwatchedUntil = 0;
  #lastForgot = 0;

  private constructor(options: PipelineOptions, memory: Memory) {
    this.#options = options;
    this.#memory = memory;
    this.#past = openPast({ ...options, onRetry: options.telemetry.waiting });
    this.#positions = new Map(options.positions);
    this.#seen = Math.min(...options.positions.values());
    this.#begun = { to: this.#seen, empty: true };
    this.#batch = new Batch(1, memory);
  }

  /**
   * Works until `until` is aborted; everything that was read is in the store then.
   * @returns by partition, up to where it is in the store
   * @throws when `signal` is aborted, or what a new start may mend; then the writer's last intent may be unfinished
   */
  static async run(options: PipelineOptions): Promise<ReadonlyMap<number, number>> {
    const { store, poolOf, positions, signal, telemetry } = options;
    const partitions = new Set(positions.keys());
    const memory = await recall(partitions, { store, signal, poolOf, onRetry: telemetry.waiting });
    const pipeline = new Pipeline(options, memory);
    await pipeline.#pump();
    await pipeline.#flush();
    // an empty one, which says that the one before is whole
    await pipeline.#flush();
    await pipeline.#writing;
    return pipeline.#positions;
  }

  async #pump(): Promise<void> {
    const { bus, until, signal } = this.#options;
    const failed = new AbortController();
    const ended = AbortSignal.any([until, signal, failed.signal]);
    if (ended.aborted) return;
    const tick = setInterval(() => {
      this.#onTick().catch((error: unknown) => failed.abort(error));
    }, LIVE_INTERVAL_MS / 2);
    try {
      for await (const message of bus.events.read(this.#seen + 1, ended)) await this.#take(message);
    } finally {
      clearInterval(tick);
    }
    failed.signal.throwIfAborted();
    signal.throwIfAborted();
    if (!until.aborted) throw new Error('the events stream ended by itself');
  }

  async #take(message: StoredBatch): Promise<void> {
    const { seq, partition } = message;
    const { telemetry } = this.#options;
    telemetry.took(message);
    // positions have no holes: what is not there was too old for the stream, before it was written
    if (seq > this.#seen + 1) telemetry.missed(seq - this.#seen - 1);
    if (seq > (this.#options.positions.get(partition) ?? Infinity)) {
      if (this.#batch.full) await this.#flush();
      await this.#resolved();
      if (this.#batch.empty) this.#batchBegan = performance.now();
      this.#batch.add(message);
    }
    this.#seen = seq;
  }

  async #onTick(): Promise<void> {
    const now = performance.now();
    if (now - this.#lastLive >= LIVE_INTERVAL_MS) {
      this.#lastLive = now;
      this.#sendLive(this.#batch);
      this.#sendLiveWorkers();
    }
    const told = this.#batch.empty && this.#begun.empty && this.#begun.to === this.#seen;
    const busyMs = this.#batch.events < BUSY_EVENTS ? BATCH_WAIT_MS : BUSY_WAIT_MS;
    const waitMs = this.#batch.empty ? IDLE_BATCH_MS : busyMs;
    if (!told && !this.#flushWaits && now - this.#batchBegan >= waitMs) {
      this.#flushWaits = true;
      await this.#flush().finally(() => (this.#flushWaits = false));
    }
  }

  /** Returns when nothing is looked up: a flush may have begun to, while it waited for the one before. */
  async #resolved(): Promise<void> {
    for (let resolving: Promise<void> | null = null; resolving !== this.#resolving;) {
      resolving = this.#resolving;
      await resolving;
    }
  }

  /** Hands the gathered batch to the writer as soon as the one before it is written. */
  async #flush(): Promise<void> {
    const batch = this.#batch;
    await this.#writing;
    // the tick and a full batch may have wanted the same
    if (batch !== this.#batch) return;
    this.#batch = new Batch(batch.number + 1, this.#memory);
    this.#batchBegan = performance.now();
    this.#begun = { to: this.#seen, empty: batch.empty };
    this.#resolving = batch.resolve(this.#past);
    const writing = this.#write(batch, this.#seen);
    this.#writing = writing;
    // a failure surfaces here or at the next flush; until then nobody may be waiting for it
    writing.catch(() => undefined);
    await this.#resolving;
  }

  async #write(batch: Batch, to: number): Promise<void> {
    const { telemetry, writer } = this.#options;
    await this.#resolving;
    this.#sendLive(batch);
    const began = performance.now();
    const tasks = await writer.write(batch, this.#positions, to, this.#memory.workers.takeWrites());
    for (const [partition, done] of this.#positions) this.#positions.set(partition, Math.max(done, to));
    batch.settle();
    const { size, idleBytes } = this.#memory.tasks;
    telemetry.memory({ tasks: size, bytes: idleBytes, bound: IDLE_TASK_BYTES });
    telemetry.wrote({
      events: batch.events,
      tasks,
      dropped: batch.dropped.length,
      seconds: (performance.now() - began) / 1000,
      lagSeconds: batch.newestCollectedAt === 0 ? 0 : Math.max(0, Date.now() / 1000 - batch.newestCollectedAt),
      collectedUntil: batch.newestCollectedAt,
    });
    if (began - this.#lastForgot > FORGET_INTERVAL_MS) {
      this.#lastForgot = began;
      this.#memory.workers.forget(Date.now() / 1000);
    }
  }

  #sendLive(batch: Batch): void {
    if (performance.now() < this.#unwatchedUntil) return;
    const at = Date.now() / 1000;
    const offers = batch.takeLive(this.#isWatched ? LIVE_ROWS : 1).map(({ cluster, rows, omitted }) => {
      const message: LiveTasks = { cluster, rows, omitted, at };
      return this.#options.bus.offer(liveTasksSubject(cluster), JSON.stringify(message));
    });
    if (offers.length === 0) return;
    void Promise.all(offers).then((heard) => {
      this.#isWatched = heard.includes(true);
      if (!this.#isWatched) this.#unwatchedUntil = performance.now() + UNWATCHED_MS;
    });
  }

  #sendLiveWorkers(): void {
    const at = Date.now() / 1000;
    for (const { cluster, rows } of this.#memory.workers.takeLive(at)) {
      // thousands of workers do not fit one message
      for (let from = 0; from < rows.length; from += LIVE_ROWS) {
        const message: LiveWorkers = { cluster, rows: rows.slice(from, from + LIVE_ROWS), at };
        this.#options.bus.publish(liveWorkersSubject(cluster), JSON.stringify(message));
      }
    }
  }
}
