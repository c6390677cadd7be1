import type { Task } from '@meadow/celery';
import { NONE, type EventList } from './event-list.ts';
import { IdFilter } from './id-filter.ts';
import { PastRing, type RingBytes } from './past-ring.ts';
import { TaskKey } from './task-key.ts';

export interface TaskMemoryOptions {
  /** What idle tasks may take. @default 8 MB */
  readonly idleBytes?: number;
}

/** What the events of idle tasks may take unless told otherwise. */
export const IDLE_TASK_BYTES = 8_000_000;

/** How far a task is known to be, when its row was made last. */
const OPEN = 0;
/** Given up for lost: nothing more is expected of it, but it may go on. */
const LOST = 1;
const ENDED = 2;

/**
 * The tasks of all clusters, each with a number of its own, its handle. A task lies with the batch that touched it last, in
 * that batch's `EventList`; one that has not ended is idle when that batch is settled, and its events are kept in a ring of
 * bounded size. What falls out of it, and what has ended, is given up and remembered in filters, so that an unknown id tells
 * whether the store may hold its past (look it up) or the task is new (do not).
 *
 * A task is a row of numbers and no object: tens of thousands begin and end within a second.
 */
export class TaskMemory {
  /** Batches that are not settled, by number: where tasks lie that are not idle. */
  readonly lists = new Map<number, EventList>();
  readonly #clusters = new Map<string, number>();
  readonly #key = new TaskKey();
  readonly #idle: PastRing;
  /** What was given up while more was expected of it. Apart from those that ended, which would push it out within minutes. */
  readonly #givenUpOpen = new IdFilter();
  readonly #givenUpEnded = new IdFilter();
  /** By hash: the first handle, whose row leads to the next. */
  #heads = new Int32Array(FIRST_ROWS).fill(NONE);
  #rows = new Int32Array(FIRST_ROWS * WIDTH);
  #firstSeen = new Float64Array(FIRST_ROWS);
  /** How far each is known to be. */
  #reached = new Uint8Array(FIRST_ROWS);
  /** Handles that were never used begin here; those that are free again are linked. */
  #unused = 0;
  #free = NONE;
  #size = 0;

  constructor({ idleBytes = IDLE_TASK_BYTES }: TaskMemoryOptions = {}) {
    this.#idle = new PastRing(idleBytes, (handle, at) => {
      if (this.#rows[handle * WIDTH + BATCH] === IDLE && this.#rows[handle * WIDTH + PLACE] === at)
        this.#giveUp(handle);
    });
  }

  /** Tasks held. */
  get size(): number {
    return this.#size;
  }

  /** Bytes that idle tasks take, or took before they were touched again. */
  get idleBytes(): number {
    return this.#idle.used;
  }

  /** The number of a cluster, from now on. */
  clusterNumber(name: string): number {
    let number = this.#clusters.get(name);
    if (number === undefined) this.#clusters.set(name, (number = this.#clusters.size));
    return number;
  }

  /** @param data the id's UTF-8 from `begin` to `end` @returns the task's handle, or `NONE` */
  find(cluster: number, data: Uint8Array, begin: number, end: number): number {
    const key = this.#key;
    const rows = this.#rows;
    key.read(data, begin, end);
    let handle = this.#heads[this.#slot(key.hash, cluster)] ?? NONE;
    while (handle !== NONE) {
      const row = handle * WIDTH;
      if (key.isAt(rows, row) && rows[row + CLUSTER] === cluster) break;
      handle = rows[row + NEXT] ?? NONE;
    }
    return handle;
  }

  /** Whether the store may know of the task that `find` did not find. Never wrong when it says no; wrong in 2 % of yes. */
  mayBeStored(cluster: number): boolean {
    return this.#givenUpOpen.has(this.#key, cluster) || this.#givenUpEnded.has(this.#key, cluster);
  }

  /** Notes that the store knows of this task: it was written before this process began. */
  noteStored(cluster: string, id: string): void {
    const bytes = Buffer.from(id);
    this.#key.read(bytes, 0, bytes.length);
    this.#givenUpOpen.add(this.#key, this.clusterNumber(cluster));
  }

  /** Starts to hold the task that `find` did not find. @param firstSeenAt see there */
  hold(cluster: number, firstSeenAt: number): number {
    if (this.#free === NONE && this.#unused === this.#firstSeen.length) this.#grow();
    const handle = this.#free === NONE ? this.#unused++ : this.#free;
    const row = handle * WIDTH;
    const rows = this.#rows;
    if (handle === this.#free) this.#free = rows[row + NEXT] ?? NONE;
    this.#key.writeTo(rows, row);
    rows[row + CLUSTER] = cluster;
    rows[row + BATCH] = IDLE;
    rows[row + PLACE] = NONE;
    this.#reached[handle] = OPEN;
    this.#link(handle, this.#key.hash);
    this.#firstSeen[handle] = firstSeenAt;
    this.#size++;
    return handle;
  }

  /** Unix seconds at which the pipeline first heard of it: part of its row's key, so it never changes once that is written. */
  firstSeenAt(handle: number): number {
    return this.#firstSeen[handle] ?? 0;
  }

  setFirstSeenAt(handle: number, seconds: number): void {
    this.#firstSeen[handle] = seconds;
  }

  /** The task's place in this batch, or `NONE` when it does not lie there. */
  placeIn(batch: number, handle: number): number {
    const row = handle * WIDTH;
    return this.#rows[row + BATCH] === batch ? (this.#rows[row + PLACE] ?? NONE) : NONE;
  }

  /** The batch where the task lies; null when it is idle, or new. */
  listOf(handle: number): EventList | null {
    return this.lists.get(this.#rows[handle * WIDTH + BATCH] ?? IDLE) ?? null;
  }

  /** What is known of an idle task; null for a new one. */
  idleAt(handle: number): RingBytes | null {
    const at = this.#rows[handle * WIDTH + PLACE] ?? NONE;
    return at === NONE ? null : this.#idle.at(at);
  }

  /** Says that the task lies with this batch from now on. */
  place(handle: number, batch: number, place: number): void {
    this.#rows[handle * WIDTH + BATCH] = batch;
    this.#rows[handle * WIDTH + PLACE] = place;
  }

  /** The task as it stands, wherever it lies, unless it is idle. */
  read(handle: number): Task {
    const row = handle * WIDTH;
    const list = this.lists.get(this.#rows[row + BATCH] ?? IDLE);
    if (list === undefined) throw new Error(`task ${handle} lies with no batch`);
    return list.read(this.#rows[row + PLACE] ?? NONE);
  }

  /** Notes how the task stands in its row: when its batch is settled, one that is final is given up. */
  noteReached(handle: number, isFinal: boolean, isLost: boolean): void {
    this.#reached[handle] = !isFinal ? OPEN : isLost ? LOST : ENDED;
  }

  /** Lets a task go from a batch that is settled: it ended, or it is idle. One that a later batch touched stays there. */
  release(handle: number, list: EventList, place: number): void {
    const row = handle * WIDTH;
    const rows = this.#rows;
    if (rows[row + BATCH] !== list.number) return;
    if (this.#reached[handle] !== OPEN) return this.#giveUp(handle);
    const bytes = list.factBytes(place);
    const at = list.isWhole(place) ? this.#idle.push(handle, bytes) : NONE;
    if (at === NONE) return this.#giveUp(handle);
    const { data, begin } = this.#idle.at(at);
    list.copyFacts(place, data, begin);
    rows[row + BATCH] = IDLE;
    rows[row + PLACE] = at;
  }

  #giveUp(handle: number): void {
    const row = handle * WIDTH;
    const rows = this.#rows;
    const key = this.#key;
    key.readFrom(rows, row);
    const cluster = rows[row + CLUSTER] ?? 0;
    (this.#reached[handle] === ENDED ? this.#givenUpEnded : this.#givenUpOpen).add(key, cluster);
    this.#unlink(handle, this.#slot(key.hash, cluster));
    rows[row + BATCH] = GONE;
    rows[row + NEXT] = this.#free;
    this.#free = handle;
    this.#size--;
  }

  #slot(hash: number, cluster: number): number {
    return (hash ^ Math.imul(cluster, 0x9e3779b1)) & (this.#heads.length - 1);
  }

  #link(handle: number, hash: number): void {
    const slot = this.#slot(hash, this.#rows[handle * WIDTH + CLUSTER] ?? 0);
    this.#rows[handle * WIDTH + NEXT] = this.#heads[slot] ?? NONE;
    this.#heads[slot] = handle;
  }

  #unlink(handle: number, slot: number): void {
    const rows = this.#rows;
    const next = rows[handle * WIDTH + NEXT] ?? NONE;
    let at = this.#heads[slot] ?? NONE;
    if (at === handle) {
      this.#heads[slot] = next;
      return;
    }
    while (rows[at * WIDTH + NEXT] !== handle) at = rows[at * WIDTH + NEXT] ?? NONE;
    rows[at * WIDTH + NEXT] = next;
  }

  /** Doubles; called when every handle is in use. */
  #grow(): void {
    const rows = new Int32Array(this.#rows.length * 2);
    rows.set(this.#rows);
    const firstSeen = new Float64Array(this.#firstSeen.length * 2);
    firstSeen.set(this.#firstSeen);
    const reached = new Uint8Array(this.#reached.length * 2);
    reached.set(this.#reached);
    this.#rows = rows;
    this.#firstSeen = firstSeen;
    this.#reached = reached;
    this.#heads = new Int32Array(firstSeen.length).fill(NONE);
    const key = new TaskKey();
    for (let handle = 0; handle < this.#unused; handle++) {
      key.readFrom(rows, handle * WIDTH);
      this.#link(handle, key.hash);
    }
  }
}

/** Rows at the start: a power of two, and so stays their number. */
const FIRST_ROWS = 1 << 15;
/** Numbers of a row, half a line of the processor's cache: four of the id, and behind them: */
const WIDTH = 8;
const CLUSTER = 4;
/** The next handle of the same hash; of a free row, the next that is free. */
const NEXT = 5;
/** The batch where the task lies, and its place there; or `IDLE` and its place in the ring. */
const BATCH = 6;
const PLACE = 7;
const IDLE = -1;
const GONE = -2;
