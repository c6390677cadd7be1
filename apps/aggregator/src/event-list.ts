import type { RetentionPolicy, TaskEventReader } from '@meadow/contract';
import type { RowBinary } from '@meadow/store';
import { appendEvent } from './rows.ts';
import type { Known } from './task-memory.ts';

interface Message {
  readonly cluster: string;
  readonly data: Buffer;
  /** The place of its first event in the list. */
  readonly first: number;
}

const CHUNK_BYTES = 1024 * 1024;
/** Memory that stays for the next messages; what a burst needed beyond it is given back. */
const KEPT_CHUNKS = 32;

/**
 * Memory for messages that wait. They are copied into it, because memory of their own would be freed only by the rare
 * collections of what is old: three times as much resident at 20,000 events/s.
 */
export class MessageMemory {
  readonly #free: Buffer[] = [];

  /** @returns a chunk with room for this much */
  take(bytes: number): Buffer {
    return (
      (bytes <= CHUNK_BYTES ? this.#free.pop() : undefined) ?? Buffer.allocUnsafeSlow(Math.max(bytes, CHUNK_BYTES))
    );
  }

  /** Takes chunks back: what lies in them is written over from now on. */
  give(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) {
      if (chunk.length === CHUNK_BYTES && this.#free.length < KEPT_CHUNKS) this.#free.push(chunk);
    }
  }
}

/**
 * The task events of a batch: where each lies in the message it came with, and its task. Nothing is taken out of the
 * messages before the rows are made, so that an event costs its bytes and a reference until then.
 */
export class EventList {
  readonly #memory: MessageMemory;
  readonly #messages: Message[] = [];
  readonly #chunks: Buffer[] = [];
  /** How far the last chunk is used. */
  #used = 0;
  #frames = new Uint32Array(4096);
  readonly #tasks: (Known | null)[] = [];

  constructor(memory: MessageMemory) {
    this.#memory = memory;
  }

  get length(): number {
    return this.#tasks.length;
  }

  /** What is added from now on lies in this message. @returns the copy of it that stays until `appendTo` */
  beginMessage(cluster: string, message: Uint8Array): Buffer {
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || this.#used + message.length > chunk.length) {
      chunk = this.#memory.take(message.length);
      this.#chunks.push(chunk);
      this.#used = 0;
    }
    const data = chunk.subarray(this.#used, this.#used + message.length);
    data.set(message);
    this.#used += message.length;
    this.#messages.push({ cluster, data, first: this.length });
    return data;
  }

  /** @param frame where it begins in the message @returns its place */
  add(frame: number, task: Known | null): number {
    const place = this.length;
    if (place === this.#frames.length) {
      const larger = new Uint32Array(place * 2);
      larger.set(this.#frames);
      this.#frames = larger;
    }
    this.#frames[place] = frame;
    this.#tasks.push(task);
    return place;
  }

  setTask(place: number, task: Known): void {
    this.#tasks[place] = task;
  }

  /** Appends a row for each event, in order, with what its task knows now. Once: the messages are forgotten. */
  appendTo(rows: RowBinary, reader: TaskEventReader, retentionOf: (cluster: string) => RetentionPolicy): void {
    for (const [index, { cluster, data, first }] of this.#messages.entries()) {
      const end = this.#messages[index + 1]?.first ?? this.length;
      const keepDays = retentionOf(cluster).events;
      reader.begin(data);
      for (let place = first; place < end; place++) {
        reader.seek(this.#frames[place] ?? 0);
        reader.next();
        appendEvent(rows, reader, cluster, this.#tasks[place]?.task ?? null, keepDays);
      }
    }
    this.#memory.give(this.#chunks);
    this.#chunks.length = 0;
  }

  /** The cluster of an event. */
  clusterOf(place: number): string {
    return this.#messages.findLast(({ first }) => first <= place)?.cluster ?? '';
  }
}
