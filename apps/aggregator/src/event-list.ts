import type { TaskFact } from '@meadow/celery';
import { TaskEventReader, type RetentionPolicy } from '@meadow/contract';
import type { RowBinary } from '@meadow/store';
import { appendEvent, factAt } from './rows.ts';
import type { Known } from './task-memory.ts';

/** What a batch's messages are copied into, and where its events lie there. */
interface Arena {
  buffer: Buffer;
  /** Reads what is in `buffer`. */
  readonly reader: TaskEventReader;
  /** By place: where the event's frame begins. */
  frames: Int32Array<ArrayBuffer>;
  /** By place: the place of the event of the same task before it, or `NONE`. */
  earlier: Int32Array<ArrayBuffer>;
}

/** Pages of it that nothing is written to take no memory. A batch is hardly ever larger. */
const ARENA_BYTES = 22_000_000;
/** One is gathered, one written, and of one more the tasks linger. */
const KEPT_ARENAS = 3;
/** In place of an event. */
export const NONE = -1;

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
        reader: new TaskEventReader(),
        frames: new Int32Array(16_384),
        earlier: new Int32Array(16_384),
      }
    );
  }

  /** Takes one back: what lies in it is written over from now on. */
  give(arena: Arena): void {
    if (arena.buffer.length === ARENA_BYTES && this.#free.length < KEPT_ARENAS) this.#free.push(arena);
  }
}

/**
 * The task events of a batch: where each lies in the message it came with, and its task. Nothing is taken out of the
 * messages before somebody asks for it, so that an event costs its bytes and a few numbers until then: what is made late
 * and dropped at once costs the garbage collector nothing.
 */
export class EventList {
  readonly #memory: MessageMemory;
  #arena: Arena | null = null;
  #used = 0;
  /** The cluster of each message, and the place of its first event. */
  readonly #messages: { readonly cluster: string; readonly first: number }[] = [];
  /** Where the message that is being added begins. */
  #message = 0;
  readonly #tasks: (Known | null)[] = [];

  constructor(memory: MessageMemory) {
    this.#memory = memory;
  }

  get length(): number {
    return this.#tasks.length;
  }

  /** What is added from now on lies in this message. @returns the copy of it that stays */
  beginMessage(cluster: string, message: Uint8Array): Buffer {
    const arena = (this.#arena ??= this.#begin());
    const begin = this.#used;
    const end = begin + message.length;
    if (end > arena.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(end * 2);
      larger.set(arena.buffer.subarray(0, begin));
      arena.buffer = larger;
      arena.reader.begin(larger);
    }
    arena.buffer.set(message, begin);
    this.#used = end;
    this.#message = begin;
    this.#messages.push({ cluster, first: this.length });
    return arena.buffer.subarray(begin, end);
  }

  #begin(): Arena {
    const arena = this.#memory.take();
    arena.reader.begin(arena.buffer);
    return arena;
  }

  /** @param frame where it begins in the message @returns its place */
  add(frame: number, task: Known | null): number {
    const place = this.length;
    const arena = this.#held;
    if (place === arena.frames.length) {
      arena.frames = grown(arena.frames);
      arena.earlier = grown(arena.earlier);
    }
    arena.frames[place] = this.#message + frame;
    arena.earlier[place] = NONE;
    this.#tasks.push(task);
    return place;
  }

  /** @param earlier the task's event before this one in the list, or `NONE` */
  setTask(place: number, task: Known, earlier: number): void {
    this.#tasks[place] = task;
    this.#held.earlier[place] = earlier;
  }

  /** A task's events in the order in which they came, by the place of the last. */
  factsOf(taskId: string, last: number): TaskFact[] {
    const { reader, earlier } = this.#held;
    const facts: TaskFact[] = [];
    for (let place = last; place !== NONE; place = earlier[place] ?? NONE) {
      this.#seek(place);
      facts.push(factAt(reader, taskId));
    }
    return facts.reverse();
  }

  /** Appends a row for each event, in order, with what its task was found to be. */
  appendTo(rows: RowBinary, retentionOf: (cluster: string) => RetentionPolicy): void {
    for (const [index, { cluster, first }] of this.#messages.entries()) {
      const end = this.#messages[index + 1]?.first ?? this.length;
      const keepDays = retentionOf(cluster).events;
      const { reader } = this.#held;
      for (let place = first; place < end; place++) {
        this.#seek(place);
        appendEvent(rows, reader, cluster, this.#tasks[place] ?? null, keepDays);
      }
    }
  }

  /** The cluster of an event. */
  clusterOf(place: number): string {
    return this.#messages.findLast(({ first }) => first <= place)?.cluster ?? '';
  }

  /** Gives its memory to other batches: nothing of it may be asked for any more. */
  release(): void {
    if (this.#arena !== null) this.#memory.give(this.#arena);
    this.#arena = null;
  }

  get #held(): Arena {
    if (this.#arena === null) throw new Error('the messages of this batch are forgotten');
    return this.#arena;
  }

  #seek(place: number): void {
    const { reader, frames } = this.#held;
    reader.seek(frames[place] ?? 0);
    reader.next();
  }
}

function grown(numbers: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(numbers.length * 2);
  larger.set(numbers);
  return larger;
}
