import { emptyTask, factsOf, foldMany, MAX_FACTS, type Task, type TaskFact } from '@meadow/celery';
import { encodeTaskEvents, TaskEventReader } from '@meadow/contract';
import type { RowBinary, StoredTaskEvent } from '@meadow/store';
import { appendEvent, factAt, isWalked } from './rows.ts';
import type { TaskMemory } from './task-memory.ts';

/** What a batch's messages are copied into, and where its events and tasks lie there. */
interface Arena {
  buffer: Buffer;
  /** How much of it was ever written to: the rest takes no memory. */
  touched: number;
  /** Reads what is in `buffer`. */
  readonly reader: TaskEventReader;
  /** By event: where its frame begins. */
  frames: Int32Array<ArrayBuffer>;
  /** By event: the event of the same task before it, or `NONE`. */
  earlier: Int32Array<ArrayBuffer>;
  /** `TASK_WIDTH` numbers for each task. */
  tasks: Int32Array<ArrayBuffer>;
}

/** A batch is hardly ever larger. */
const ARENA_BYTES = 48_000_000;
/** Once a burst is over, an arena that was written to this much further than half as far again as it is now is given up. */
const SPARE_BYTES = 3_000_000;
/** One is gathered, one written, and of one more the tasks linger. */
const KEPT_ARENAS = 3;
/** In place of an event, a task, a record. */
export const NONE = -1;

/** Of a task with so many facts those are dropped that the fold does without: it may be looked at ten times a second. */
const MANY_FACTS = 64;

/**
 * Memory for messages that wait. They are copied into it, because memory of their own would be freed only by the rare
 * collections of what is old: three times as much resident at 20,000 events/s.
 */
export class MessageMemory {
  readonly #free: Arena[] = [];

  take(): Arena {
    return (
      this.#free.pop() ?? {
        buffer: Buffer.allocUnsafeSlow(ARENA_BYTES),
        touched: 0,
        reader: new TaskEventReader(),
        frames: new Int32Array(16_384),
        earlier: new Int32Array(16_384),
        tasks: new Int32Array(16_384),
      }
    );
  }

  /** Takes one back: what lies in it is written over from now on. @param used bytes that a batch took of it */
  give(arena: Arena, used: number): void {
    arena.touched = Math.max(arena.touched, used);
    const fits = arena.buffer.length === ARENA_BYTES && arena.touched <= used * 1.5 + SPARE_BYTES;
    if (fits && this.#free.length < KEPT_ARENAS) this.#free.push(arena);
  }
}

/** Numbers of a task in an arena. */
const TASK_WIDTH = 7;
const HANDLE = 0;
/** Its last event in the list; earlier ones are linked to it. */
const LAST = 1;
/** The event up to which they are in its past as well: those are kept for their rows alone. */
const FOLDED = 2;
/** Where that past lies: what was known of it before, frame after frame. */
const PAST_BEGIN = 3;
const PAST_END = 4;
/** Facts that are known, and those that the fold was found to need. */
const COUNT = 5;
const NEEDED = 6;

/**
 * The task events of a batch and their tasks: where each lies in the batch's memory. Nothing is taken out of the messages
 * before somebody asks for it, so that an event costs its bytes and a few numbers until then: what is made late and dropped
 * at once costs the garbage collector nothing. What was known of a task before is copied in as the bytes of its events, and
 * folded again with those that came: that takes less than to keep it as objects would.
 */
export class EventList {
  /** Of the batch. */
  readonly number: number;
  readonly #known: TaskMemory;
  readonly #memory: MessageMemory;
  #arena: Arena | null = null;
  #used = 0;
  /** Where the message that is being added begins. */
  #message = 0;
  #events = 0;
  #tasks = 0;
  /** Tasks with more facts than the fold keeps: as they stood with what is in their past, which is empty then. */
  readonly #long = new Map<number, Task>();
  #chain = new Int32Array(16);

  constructor(number: number, known: TaskMemory, memory: MessageMemory) {
    this.number = number;
    this.#known = known;
    this.#memory = memory;
    known.lists.set(number, this);
  }

  /** Events. */
  get length(): number {
    return this.#events;
  }

  /** What its messages, and what is known of its tasks, take. */
  get bytes(): number {
    return this.#used;
  }

  /** Tasks: their places are counted from 0. */
  get tasks(): number {
    return this.#tasks;
  }

  /** What is added from now on lies in this message. @returns the copy of it that stays */
  beginMessage(message: Uint8Array): Buffer {
    const begin = this.#reserve(message.length);
    this.#held.buffer.set(message, begin);
    this.#message = begin;
    return this.#held.buffer.subarray(begin, this.#used);
  }

  /**
   * @param frame where it begins in the message
   * @param task the place of its task, or `NONE`
   * @returns the place of the event
   */
  add(frame: number, task: number): number {
    const event = this.#events++;
    const arena = this.#held;
    if (event === arena.frames.length) {
      arena.frames = grown(arena.frames);
      arena.earlier = grown(arena.earlier);
    }
    arena.frames[event] = this.#message + frame;
    arena.earlier[event] = NONE;
    if (task !== NONE) {
      const { tasks } = arena;
      const at = task * TASK_WIDTH;
      arena.earlier[event] = tasks[at + LAST] ?? NONE;
      tasks[at + LAST] = event;
      tasks[at + COUNT] = (tasks[at + COUNT] ?? 0) + 1;
    }
    return event;
  }

  /** The place of a task in this list: from now on it lies here, with all that is known of it. */
  take(handle: number): number {
    const known = this.#known.placeIn(this.number, handle);
    if (known !== NONE) return known;
    const place = this.#tasks++;
    const arena = this.#held;
    const at = place * TASK_WIDTH;
    if (at + TASK_WIDTH > arena.tasks.length) arena.tasks = grown(arena.tasks);
    arena.tasks.fill(0, at, at + TASK_WIDTH);
    arena.tasks[at + HANDLE] = handle;
    arena.tasks[at + LAST] = NONE;
    arena.tasks[at + FOLDED] = NONE;
    const before = this.#known.listOf(handle);
    if (before !== null) this.#takeFrom(before, this.#known.placeIn(before.number, handle), place);
    else {
      const idle = this.#known.idleAt(handle);
      if (idle !== null) this.#setPast(place, idle.data, idle.begin, idle.end);
    }
    this.#known.place(handle, this.number, place);
    return place;
  }

  #takeFrom(before: EventList, there: number, task: number): void {
    const bytes = before.factBytes(there);
    const begin = this.#reserve(bytes);
    before.copyFacts(there, this.#held.buffer, begin);
    this.#setPastAt(task, begin, bytes);
    const long = before.#long.get(there);
    if (long !== undefined) this.#long.set(task, long);
  }

  /** Sets what the store knows of a task of which only this list has events, none of which was read yet. */
  setPast(place: number, events: readonly StoredTaskEvent[]): void {
    const bytes = encodeTaskEvents(events);
    this.#setPast(place, bytes, 0, bytes.length);
  }

  handleOf(task: number): number {
    return this.#numberOf(task, HANDLE);
  }

  /** The id of a task of which the list has events. */
  idOf(task: number): string {
    const { reader } = this.#held;
    reader.seek(this.#frameOf(this.#numberOf(task, LAST)));
    reader.next();
    return reader.taskId;
  }

  /** The task as it stands, made anew each time. */
  read(task: number): Task {
    this.#shorten(task);
    return this.#fold(task, this.#factsOf(task));
  }

  /** Whether the bytes of its facts are all that is known of a task. */
  isWhole(task: number): boolean {
    return !this.#long.has(task);
  }

  /** How many bytes of facts are known of a task, for `copyFacts`. */
  factBytes(task: number): number {
    this.#shorten(task);
    let bytes = this.#numberOf(task, PAST_END) - this.#numberOf(task, PAST_BEGIN);
    for (let index = this.#chainOf(task, false) - 1; index >= 0; index--)
      bytes += this.#lengthAt(this.#frameInChain(index));
    return bytes;
  }

  /** Copies them, in the order in which they came. */
  copyFacts(task: number, target: Buffer, at: number): void {
    const { buffer } = this.#held;
    at += buffer.copy(target, at, this.#numberOf(task, PAST_BEGIN), this.#numberOf(task, PAST_END));
    for (let index = this.#chainOf(task, false) - 1; index >= 0; index--) {
      const frame = this.#frameInChain(index);
      at += buffer.copy(target, at, frame, frame + this.#lengthAt(frame));
    }
  }

  /** Appends a row for each event of a task, in the order in which they came, with what the task was found to be. */
  appendRows(rows: RowBinary, task: number, found: Task, cluster: string, keepDays: number): void {
    for (let index = this.#chainOf(task, true) - 1; index >= 0; index--) {
      this.appendRow(rows, this.#chain[index] ?? NONE, found, cluster, keepDays);
    }
  }

  /** Appends the row of an event. @param found what its task was found to be; null for an event of no task */
  appendRow(rows: RowBinary, event: number, found: Task | null, cluster: string, keepDays: number): void {
    const { reader } = this.#held;
    const frame = this.#frameOf(event);
    reader.skim(frame);
    if (isWalked(reader.type, found)) {
      reader.seek(frame);
      reader.next();
    }
    appendEvent(rows, reader, cluster, found, keepDays);
  }

  /** Gives its memory to other batches: nothing of it may be asked for any more. */
  release(): void {
    for (let task = 0; task < this.#tasks; task++) this.#known.release(this.handleOf(task), this, task);
    this.#known.lists.delete(this.number);
    if (this.#arena !== null) this.#memory.give(this.#arena, this.#used);
    this.#arena = null;
  }

  #fold(task: number, facts: readonly TaskFact[]): Task {
    return foldMany(this.#long.get(task) ?? emptyTask(facts[0]?.uuid ?? this.idOf(task)), facts);
  }

  /** A task's facts in the order in which they came. @param frames gets where each lies */
  #factsOf(task: number, frames: number[] | null = null): TaskFact[] {
    const { reader } = this.#held;
    const facts: TaskFact[] = [];
    const end = this.#numberOf(task, PAST_END);
    let frame = this.#numberOf(task, PAST_BEGIN);
    let id = '';
    const read = (): void => {
      reader.seek(frame);
      reader.next();
      if (id === '') id = reader.taskId;
      facts.push(factAt(reader, id));
      frames?.push(frame);
    };
    for (; frame < end; frame = reader.frameEnd) read();
    for (let index = this.#chainOf(task, false) - 1; index >= 0; index--) {
      frame = this.#frameInChain(index);
      read();
    }
    return facts;
  }

  /**
   * Puts the events of a task in the list into `#chain`, newest first: down to the one behind `FOLDED`, or all.
   * @returns how many
   */
  #chainOf(task: number, all: boolean): number {
    const { earlier } = this.#held;
    const until = all ? NONE : this.#numberOf(task, FOLDED);
    let count = 0;
    for (let event = this.#numberOf(task, LAST); event !== until; event = earlier[event] ?? NONE) {
      if (count === this.#chain.length) this.#chain = grown(this.#chain);
      this.#chain[count++] = event;
    }
    return count;
  }

  /** Of a task of which much was heard, keeps only the facts that the fold needs. */
  #shorten(task: number): void {
    if (this.#numberOf(task, COUNT) - this.#numberOf(task, NEEDED) < MANY_FACTS) return;
    const frames: number[] = [];
    const facts = this.#factsOf(task, frames);
    const found = this.#fold(task, facts);
    const kept = new Set(factsOf(found));
    const isLong = kept.size >= MAX_FACTS;
    if (isLong) this.#long.set(task, found);
    const needed = isLong ? [] : frames.filter((_, index) => kept.has(facts[index] as TaskFact));
    const bytes = needed.reduce((sum, frame) => sum + this.#lengthAt(frame), 0);
    const begin = this.#reserve(bytes);
    const { buffer, tasks } = this.#held;
    let at = begin;
    for (const frame of needed) at += buffer.copy(buffer, at, frame, frame + this.#lengthAt(frame));
    tasks[task * TASK_WIDTH + COUNT] = 0;
    this.#setPastAt(task, begin, bytes);
    tasks[task * TASK_WIDTH + FOLDED] = this.#numberOf(task, LAST);
    tasks[task * TASK_WIDTH + NEEDED] = needed.length;
  }

  #setPast(task: number, data: Buffer, begin: number, end: number): void {
    const at = this.#reserve(end - begin);
    data.copy(this.#held.buffer, at, begin, end);
    this.#setPastAt(task, at, end - begin);
  }

  #setPastAt(task: number, begin: number, bytes: number): void {
    const { tasks } = this.#held;
    const end = begin + bytes;
    tasks[task * TASK_WIDTH + PAST_BEGIN] = begin;
    tasks[task * TASK_WIDTH + PAST_END] = end;
    let count = this.#numberOf(task, COUNT);
    for (let frame = begin; frame < end; frame += this.#lengthAt(frame)) count++;
    tasks[task * TASK_WIDTH + COUNT] = count;
  }

  #numberOf(task: number, which: number): number {
    return this.#held.tasks[task * TASK_WIDTH + which] ?? NONE;
  }

  #frameInChain(index: number): number {
    return this.#frameOf(this.#chain[index] ?? NONE);
  }

  #frameOf(event: number): number {
    return this.#held.frames[event] ?? 0;
  }

  /** Bytes of a frame. */
  #lengthAt(frame: number): number {
    const { buffer } = this.#held;
    return (
      4 +
      ((buffer[frame] ?? 0) |
        ((buffer[frame + 1] ?? 0) << 8) |
        ((buffer[frame + 2] ?? 0) << 16) |
        ((buffer[frame + 3] ?? 0) << 24))
    );
  }

  /** Takes so many bytes, up to `#used`. @returns where they begin */
  #reserve(bytes: number): number {
    const arena = (this.#arena ??= this.#begin());
    const begin = this.#used;
    this.#used += bytes;
    if (this.#used > arena.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(this.#used * 2);
      larger.set(arena.buffer.subarray(0, begin));
      arena.buffer = larger;
      arena.reader.begin(larger);
    }
    return begin;
  }

  #begin(): Arena {
    const arena = this.#memory.take();
    arena.reader.begin(arena.buffer);
    return arena;
  }

  get #held(): Arena {
    if (this.#arena === null) throw new Error('the messages of this batch are forgotten');
    return this.#arena;
  }
}

function grown(numbers: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(numbers.length * 2);
  larger.set(numbers);
  return larger;
}
