import { isCelerysOwn, isFinal } from './rows.ts';
import { emptyTask, foldMany, type Task, type TaskFact } from '@meadow/celery';

const FACT_BYTES = 700;
const ENDS = new Set<string>([
  ...['task-succeeded', 'task-failed', 'task-revoked', 'task-rejected', 'meadow-lost'],
  ...['meadow-result-SUCCESS', 'meadow-result-FAILURE', 'meadow-result-REVOKED'],
]);
/** An ended task is held for this many batches more, about a second: its last events may come in another order. */
const LINGER_BATCHES = 1;

/** A task that is held in memory. Its events are folded when somebody looks at it: once a batch rather than once an event. */
export class Known {
  #task: Task;
  #waiting: TaskFact[] = [];
  #custom = 0;
  /** Unix seconds at which the pipeline first heard of it: part of its row's key, so it never changes. */
  readonly firstSeenAt: number;
  /** Whether an event has come that ends a task, so that it is among those to be given up first. */
  ended = false;
  /** Rough size in bytes. */
  size = FACT_BYTES;
  /** The batch that touched it last; what the open or the running batch touched is not given up. */
  touched: number;
  /** The batch among whose rows it is, and the round of live rows: so that it is there once. */
  listedBy = 0;
  shownIn = 0;

  constructor(id: string, firstSeenAt: number, batch: number) {
    this.#task = emptyTask(id);
    this.firstSeenAt = firstSeenAt;
    this.touched = batch;
  }

  get task(): Task {
    if (this.#waiting.length > 0) {
      this.#task = foldMany(this.#task, this.#waiting);
      this.#waiting = [];
    }
    return this.#task;
  }

  get id(): string {
    return this.#task.id;
  }

  add(event: TaskFact): void {
    this.#waiting.push(event);
    // of custom events the fold keeps the first and the newest
    const kept = isCelerysOwn(event.type) || ++this.#custom <= 2;
    if (kept) this.size += sizeOf(event);
  }
}

export interface TaskMemoryOptions {
  /** @default 32 MB */
  readonly maxBytes?: number;
}

/** What one cluster's tasks may take unless told otherwise. */
export const TASK_MEMORY_BYTES = 32_000_000;

/**
 * Tasks of one cluster by id, newest used last, bounded in bytes. Those that ended go first: most of what is held is open.
 * What is given up is remembered in a filter, so that an unknown id tells whether the store may hold its past (look it up)
 * or the task is new (do not).
 */
export class TaskMemory {
  readonly #known = new Map<string, Known>();
  readonly #maxBytes: number;
  readonly #givenUp = new IdFilter();
  /** Ended tasks, the longest ended first. */
  #ended: Known[] = [];
  #bytes = 0;

  constructor(options: TaskMemoryOptions = {}) {
    this.#maxBytes = options.maxBytes ?? TASK_MEMORY_BYTES;
  }

  get size(): number {
    return this.#known.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(id: string): Known | undefined {
    return this.#known.get(id);
  }

  /** Whether the store may know more of this id than memory does. Never wrong when it says no; wrong in 1 % of yes. */
  mayBeStored(id: string): boolean {
    return this.#givenUp.has(id);
  }

  /** Notes that the store knows of this id: it was written before this process began. */
  noteStored(id: string): void {
    this.#givenUp.add(id);
  }

  /** Starts to hold a task: a new one, or one with the past that the store gave back. */
  hold(id: string, past: readonly TaskFact[], firstSeenAt: number, batch: number): Known {
    const known = new Known(id, firstSeenAt, batch);
    for (const event of past) known.add(event);
    this.#known.set(id, known);
    this.#bytes += known.size;
    return known;
  }

  apply(known: Known, event: TaskFact, batch: number): void {
    if (known.touched !== batch) {
      // a Map keeps the order of insertion: setting anew moves the task to the young end
      this.#known.delete(known.id);
      this.#known.set(known.id, known);
      known.touched = batch;
    }
    this.#bytes -= known.size;
    known.add(event);
    this.#bytes += known.size;
    if (!known.ended && ENDS.has(event.type)) {
      known.ended = true;
      this.#ended.push(known);
    }
  }

  /**
   * Gives up tasks that ended a while ago, and, where the bound is not kept, those that were used longest ago. What batch
   * `firstOpenBatch` or a later one touched stays.
   */
  shrink(firstOpenBatch: number): void {
    const lingering: Known[] = [];
    for (const known of this.#ended) {
      if (known.touched >= firstOpenBatch - LINGER_BATCHES) lingering.push(known);
      else if (isFinal(known.task)) this.#giveUp(known);
      else known.ended = false;
    }
    this.#ended = lingering;
    for (const known of this.#known.values()) {
      if (this.#bytes <= this.#maxBytes || known.touched >= firstOpenBatch) return;
      this.#giveUp(known);
    }
  }

  #giveUp(known: Known): void {
    const { id } = known;
    // the id may be held anew by now
    if (this.#known.get(id) !== known) return;
    this.#known.delete(id);
    this.#bytes -= known.size;
    this.#givenUp.add(id);
  }
}

function sizeOf(fact: TaskFact): number {
  const { args, kwargs, result, traceback, exception } = fact;
  return (
    FACT_BYTES +
    (args?.length ?? 0) +
    (kwargs?.length ?? 0) +
    (result?.length ?? 0) +
    (traceback?.length ?? 0) +
    (exception?.length ?? 0)
  );
}

/** Bits of one generation: with 4 hashes about 1 % false hits at 800,000 ids. */
const FILTER_BITS = 1 << 23;
const FILTER_IDS = 800_000;

/** A Bloom filter in two generations: 2 MB, remembers at least the last 800,000 ids. */
class IdFilter {
  #young = new Uint32Array(FILTER_BITS / 32);
  #old = new Uint32Array(FILTER_BITS / 32);
  #count = 0;

  add(id: string): void {
    if (this.#count >= FILTER_IDS) {
      const recycled = this.#old;
      this.#old = this.#young;
      this.#young = recycled.fill(0);
      this.#count = 0;
    }
    const [first, step] = hashes(id);
    for (let round = 0, bit = first; round < 4; round++, bit = (bit + step) >>> 0) {
      const at = bit & (FILTER_BITS - 1);
      this.#young[at >>> 5] = (this.#young[at >>> 5] ?? 0) | (1 << (at & 31));
    }
    this.#count++;
  }

  has(id: string): boolean {
    const [bit, step] = hashes(id);
    return covers(this.#young, bit, step) || covers(this.#old, bit, step);
  }
}

function covers(bits: Uint32Array, bit: number, step: number): boolean {
  for (let round = 0; round < 4; round++, bit = (bit + step) >>> 0) {
    const at = bit & (FILTER_BITS - 1);
    if (((bits[at >>> 5] ?? 0) & (1 << (at & 31))) === 0) return false;
  }
  return true;
}

function hashes(id: string): [number, number] {
  let first = 0x811c9dc5;
  let second = 0x9747b28c;
  for (let index = 0; index < id.length; index++) {
    const code = id.charCodeAt(index);
    first = Math.imul(first ^ code, 0x01000193);
    second = Math.imul(second ^ code, 0x5bd1e995) ^ (second >>> 13);
  }
  return [(first ^ (first >>> 15)) >>> 0, (second | 1) >>> 0];
}
