import { emptyTask, factsOf, foldMany, type Task, type TaskFact } from '@meadow/celery';
import { NONE, type EventList } from './event-list.ts';
import { isFinal } from './rows.ts';

const TASK_BYTES = 600;
const FACT_BYTES = 700;
/** A task with more events than this in a batch is folded at once: it may be looked at ten times a second. */
const MAX_WAITING = 64;

/**
 * A task that is held in memory. The events of the batch that touched it last stay where they lie in the batch's list and
 * are folded when somebody looks. Of a task that begins and ends within a batch nothing else is ever kept.
 */
export class Known {
  /** What it is without the events that wait. */
  #task: Task;
  #list: EventList | null = null;
  /** The place of the last of them in the list. */
  #last = NONE;
  #waiting = 0;
  readonly id: string;
  /** Unix seconds at which the pipeline first heard of it: part of its row's key, so it never changes. */
  readonly firstSeenAt: number;
  /** Rough size in bytes. */
  size = TASK_BYTES;
  /** The batch that touched it last; what the open or the running batch touched is not given up. */
  touched: number;
  /** The batch among whose rows it is, and the round of live rows: so that it is there once. */
  listedBy = 0;
  shownIn = 0;
  /** What its events' rows are joined on, as its own row was made last. */
  name = '';
  queue = '';
  rootId = '';
  exceptionType = '';
  waitSeconds: number | null = null;
  /** Whether nothing more was expected of it then. */
  final = false;
  /** Whether it told its end itself: one that was given up for lost may go on. */
  ended = false;

  constructor(id: string, past: readonly TaskFact[], firstSeenAt: number, batch: number) {
    this.id = id;
    this.#task = past.length === 0 ? emptyTask(id) : foldMany(emptyTask(id), past);
    this.firstSeenAt = firstSeenAt;
    this.touched = batch;
  }

  /** The task as it stands, made anew each time. */
  read(): Task {
    if (this.#list === null || this.#last === NONE) return this.#task;
    return foldMany(this.#task, this.#list.factsOf(this.id, this.#last));
  }

  /** As `read`, and notes what the rows of its events need to know. */
  note(): Task {
    const task = this.read();
    this.name = task.name ?? '';
    this.queue = task.queue ?? '';
    this.rootId = task.rootId ?? '';
    this.exceptionType = task.exceptionType ?? '';
    this.waitSeconds = task.waitSeconds;
    this.final = isFinal(task);
    this.ended = this.final && task.endSource !== 'derived';
    return task;
  }

  /** Whether the list holds events of it that no other place does. */
  waitsIn(list: EventList): boolean {
    return this.#list === list;
  }

  add(list: EventList, place: number): void {
    if (this.#list !== list || this.#waiting === MAX_WAITING) this.settle();
    this.#list = list;
    list.setTask(place, this, this.#last);
    this.#last = place;
    this.#waiting++;
  }

  /** Takes what it needs out of the list. */
  settle(): void {
    if (this.#list === null) return;
    this.#task = this.read();
    this.#list = null;
    this.#last = NONE;
    this.#waiting = 0;
    this.size = sizeOf(this.#task);
  }
}

export interface TaskMemoryOptions {
  /** @default 32 MB */
  readonly maxBytes?: number;
}

/** What one cluster's tasks may take unless told otherwise. */
export const TASK_MEMORY_BYTES = 32_000_000;

/**
 * Tasks of one cluster by id, newest used last, bounded in bytes. Those that ended go first (`release`): most of what is held is open.
 * What is given up is remembered in filters, so that an unknown id tells whether the store may hold its past (look it up)
 * or the task is new (do not).
 */
export class TaskMemory {
  readonly #known = new Map<string, Known>();
  readonly #maxBytes: number;
  /** What was given up while more was expected of it. Apart from those that ended, which would push it out within minutes. */
  readonly #open = new IdFilter();
  readonly #ended = new IdFilter();
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

  /** Whether the store may know more of this id than memory does. Never wrong when it says no; wrong in 2 % of yes. */
  mayBeStored(id: string): boolean {
    return this.#open.has(id) || this.#ended.has(id);
  }

  /** Notes that the store knows of this id: it was written before this process began. */
  noteStored(id: string): void {
    this.#open.add(id);
  }

  /** Starts to hold a task: a new one, or one with the past that the store gave back. */
  hold(id: string, past: readonly TaskFact[], firstSeenAt: number, batch: number): Known {
    const known = new Known(id, past, firstSeenAt, batch);
    this.#known.set(id, known);
    this.#bytes += known.size;
    return known;
  }

  /** Adds an event that lies in the list of the batch. */
  apply(known: Known, list: EventList, place: number, batch: number): void {
    if (known.touched !== batch) {
      // a Map keeps the order of insertion: setting anew moves the task to the young end
      this.#known.delete(known.id);
      this.#known.set(known.id, known);
      known.touched = batch;
    }
    this.#bytes -= known.size;
    known.add(list, place);
    this.#bytes += known.size;
  }

  /** Makes the list free to be forgotten: a task of it that nothing later touched is given up when it ended. */
  release(known: Known, list: EventList): void {
    if (!known.waitsIn(list) || this.#known.get(known.id) !== known) return;
    if (known.final) return void this.#giveUp(known);
    this.#bytes -= known.size;
    known.settle();
    this.#bytes += known.size;
  }

  /**
   * Where the bound is not kept, gives up what was used longest ago. What batch `firstOpenBatch` or a later one touched
   * stays.
   */
  shrink(firstOpenBatch: number): void {
    for (const known of this.#known.values()) {
      if (this.#bytes <= this.#maxBytes || known.touched >= firstOpenBatch) return;
      this.#giveUp(known);
    }
  }

  #giveUp(known: Known): void {
    this.#known.delete(known.id);
    this.#bytes -= known.size;
    (known.ended ? this.#ended : this.#open).add(known.id);
  }
}

function sizeOf(task: Task): number {
  let bytes = TASK_BYTES;
  for (const { args, kwargs, result, traceback, exception } of factsOf(task)) {
    bytes += FACT_BYTES + length(args) + length(kwargs) + length(result) + length(traceback) + length(exception);
  }
  return bytes;
}

const length = (text: string | null | undefined): number => text?.length ?? 0;

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
