import { batchSubject, PARTITIONS, TaskEventWriter, type BatchKind } from '@meadow/contract';
import type { EventStream } from '@meadow/bus';
import { BusError } from '@meadow/bus';
import { retry } from '@meadow/runtime';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { tooLargeLine } from './too-large.ts';

/** Called when everything that a round held is on disk in JetStream. */
export type Settle = () => void;

export interface PublisherOptions {
  readonly cluster: string;
  readonly collector: string;
  readonly stream: EventStream;
  /** Ends all waiting: what is not published then stays with the broker, or is a gap. */
  readonly signal: AbortSignal;
  readonly onPublished: (events: number, bytes: number) => void;
  readonly onRetry: (error: unknown, waitMs: number) => void;
  /** An event that fits no message of NATS is kept aside in its stead. */
  readonly onTooLarge: () => void;
  readonly onLost: (events: number, error: BusError) => void;
}

/** A message on NATS is closed at this size, and what would pass the second begins the next. A server's limit is 1 MB. */
const MESSAGE_BYTES = 512_000;
const LONGEST_MESSAGE_BYTES = 900_000;
/** A round is published when it holds this much. */
const ROUND_EVENTS = 6_000;
const ROUND_BYTES = 2_000_000;
/** … or so long after its first event: few large messages cost less than many, so a busy cluster's rounds wait longer. */
const ROUND_WAIT_MS = 15;
const BUSY_WAIT_MS = 50;
const FLOOD_WAIT_MS = 100;
/** A round with so many events at its first look is a busy cluster's: 5,000 a second; in a flood, 20,000. */
const BUSY_EVENTS = 75;
const FLOOD_EVENTS = 300;
/** Rounds on their way at a time. With the open one this bounds the memory of a cluster: about 10 MB of rows. */
export const ROUNDS_IN_FLIGHT = 3;
/** Memory of published batches that is kept for the next, of whatever cluster. */
const SPARE_WRITERS = ROUNDS_IN_FLIGHT * PARTITIONS;
const spare: TaskEventWriter[] = [];

/** What one message will hold. */
interface Batch {
  readonly kind: BatchKind;
  readonly partition: number;
  readonly count: number;
  readonly data: Buffer;
  /** Whose memory `data` is. */
  readonly writer: TaskEventWriter | null;
}

interface Lines {
  text: string;
  bytes: number;
  count: number;
}

/**
 * Gathers rows and lines into rounds and publishes each round's batches, one a kind and partition. Rounds settle in the
 * order in which they began, each only when all of its batches are on disk.
 *
 * open → publishing → published → settled. `room()` waits while three rounds are publishing: that is the back-pressure.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  #tasks: (TaskEventWriter | null)[] = new Array<null>(PARTITIONS).fill(null);
  #lines = new Map<BatchKind, Lines>();
  #full: Batch[] = [];
  #events = 0;
  #bytes = 0;
  #settles: Settle[] = [];
  #timer: NodeJS.Timeout | null = null;
  /** Part of each message's id: a cluster that comes back to this collector begins with round 0 again. */
  readonly #run = randomUUID().slice(0, 8);
  #round = 0;
  readonly #inFlight = new Set<Promise<void>>();
  /** The last batch of each subject. */
  readonly #last = new Map<string, Promise<void>>();
  #lastSettled: Promise<void> = Promise.resolve();

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Events accepted and not yet on disk in JetStream: part of the lag. */
  get roundsInFlight(): number {
    return this.#inFlight.size;
  }

  /** Adds one event of a task, by whatever appends its row: it is called once more when the batch had no room. */
  addTask(partition: number, append: (rows: TaskEventWriter) => boolean): void {
    let rows = this.#rowsOf(partition);
    let before = rows.length;
    if (!append(rows)) {
      this.#close(partition, rows);
      rows = this.#rowsOf(partition);
      before = 0;
      append(rows);
    }
    this.#added(rows.length - before);
    if (rows.length >= MESSAGE_BYTES) this.#close(partition, rows);
  }

  /** Adds one JSON line, newline included. */
  add(kind: Exclude<BatchKind, 'task'>, line: string): void {
    const bytes = Buffer.byteLength(line);
    let lines = this.#lines.get(kind);
    if (lines !== undefined && lines.bytes + bytes > LONGEST_MESSAGE_BYTES) {
      this.#full.push(batchOf(kind, lines));
      lines = undefined;
    }
    lines ??= { text: '', bytes: 0, count: 0 };
    lines.text += line;
    lines.bytes += bytes;
    lines.count++;
    this.#added(bytes);
    if (lines.bytes < MESSAGE_BYTES) {
      this.#lines.set(kind, lines);
    } else {
      this.#full.push(batchOf(kind, lines));
      this.#lines.delete(kind);
    }
  }

  /** Calls `settle` when everything added so far is on disk. */
  settleWhenPublished(settle: Settle): void {
    if (this.#events === 0) this.#lastSettled.then(settle, () => undefined);
    else this.#settles.push(settle);
  }

  /** Publishes the open round if it is big enough, and waits while too many are on their way. */
  async room(): Promise<void> {
    if (this.#events >= ROUND_EVENTS || this.#bytes >= ROUND_BYTES) this.flush();
    while (this.#inFlight.size >= ROUNDS_IN_FLIGHT) await Promise.race(this.#inFlight);
  }

  /** Begins to publish what is gathered. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#events === 0) return;
    if (this.#inFlight.size >= ROUNDS_IN_FLIGHT) {
      this.#timer = setTimeout(() => this.flush(), ROUND_WAIT_MS);
      return;
    }
    this.#tasks.forEach((rows, partition) => {
      if (rows !== null) this.#close(partition, rows);
    });
    for (const [kind, lines] of this.#lines) this.#full.push(batchOf(kind, lines));
    this.#lines.clear();
    const batches = this.#full;
    const settles = this.#settles;
    this.#full = [];
    this.#events = 0;
    this.#bytes = 0;
    this.#settles = [];
    const round = this.#round++;
    const published = Promise.all(batches.map((batch, index) => this.#inOrder(batch, `${round}.${index}`)));
    const before = this.#lastSettled;
    const settled = (async () => {
      await published;
      await before;
      for (const settle of settles) settle();
    })();
    // a round that could not be published settles nothing, and neither does any after it: the broker keeps their events
    this.#lastSettled = settled;
    const tracked = settled.catch(() => undefined).finally(() => this.#inFlight.delete(tracked));
    this.#inFlight.add(tracked);
  }

  /** Publishes the rest and waits for it at most `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    const end = performance.now() + deadlineMs;
    do {
      this.flush();
      await Promise.race([
        Promise.all(this.#inFlight),
        delay(Math.max(1, end - performance.now()), undefined, { ref: false }),
      ]);
    } while ((this.#events > 0 || this.#inFlight.size > 0) && performance.now() < end);
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #rowsOf(partition: number): TaskEventWriter {
    return (this.#tasks[partition] ??=
      spare.pop() ?? new TaskEventWriter({ maxBytes: LONGEST_MESSAGE_BYTES, initialBytes: 16_384 }));
  }

  #close(partition: number, writer: TaskEventWriter): void {
    this.#full.push({ kind: 'task', partition, count: writer.count, data: writer.bytes(), writer });
    this.#tasks[partition] = null;
  }

  #added(bytes: number): void {
    this.#events++;
    this.#bytes += bytes;
    this.#timer ??= setTimeout(() => this.#look(), ROUND_WAIT_MS);
  }

  #look(): void {
    if (this.#events < BUSY_EVENTS) return this.flush();
    const waitMs = this.#events < FLOOD_EVENTS ? BUSY_WAIT_MS : FLOOD_WAIT_MS;
    this.#timer = setTimeout(() => this.flush(), waitMs - ROUND_WAIT_MS);
  }

  /** A batch that is tried again must not be overtaken by the next of its subject: tasks would start before they are sent. */
  #inOrder(batch: Batch, id: string): Promise<void> {
    const subject = batchSubject(batch.kind, this.#options.cluster, batch.partition);
    const before = this.#last.get(subject) ?? Promise.resolve();
    const published = before.then(() => this.#publish(subject, batch, id));
    this.#last.set(subject, published);
    return published;
  }

  async #publish(subject: string, batch: Batch, id: string): Promise<void> {
    const { cluster, collector, stream, signal, onPublished, onRetry, onTooLarge, onLost } = this.#options;
    const { count, data, writer } = batch;
    const about = { id: `${collector}.${cluster}.${this.#run}.${id}`, count, collector };
    try {
      await retry(() => stream.publish(subject, data, about), {
        signal,
        onRetry,
        retryable: (error) => !isForGood(error),
        maxWaitMs: 2_000,
      });
      onPublished(count, data.length);
    } catch (error) {
      if (!isForGood(error)) throw error;
      if (error.code === 'BUS_TOO_LARGE' && count > 1) {
        for (const [index, half] of halvesOf(batch).entries()) await this.#publish(subject, half, `${id}.${index}`);
      } else if (error.code === 'BUS_TOO_LARGE' && batch.kind !== 'poison') {
        const text = tooLargeLine(cluster, batch.kind, data, error.message);
        const aside = batchOf('poison', { text, bytes: 0, count });
        await this.#publish(batchSubject('poison', cluster, 0), aside, `${id}.cut`);
        onTooLarge();
      } else {
        // refused for good: one batch is lost, loudly, and the rest goes on
        onLost(count, error);
      }
    }
    if (writer !== null && spare.length < SPARE_WRITERS) {
      writer.reset();
      spare.push(writer);
    }
  }
}

const isForGood = (error: unknown): error is BusError =>
  error instanceof BusError && (error.code === 'BUS_REJECTED' || error.code === 'BUS_TOO_LARGE');

/** Of a batch of several events, in order. */
function halvesOf({ kind, partition, count, data }: Batch): Batch[] {
  const first = count >> 1;
  let at = 0;
  for (let passed = 0; passed < first; passed++) {
    at = kind === 'task' ? at + 4 + data.readUInt32LE(at) : data.indexOf(LINE_END, at) + 1;
  }
  return [
    { kind, partition, count: first, data: data.subarray(0, at), writer: null },
    { kind, partition, count: count - first, data: data.subarray(at), writer: null },
  ];
}

const LINE_END = 0x0a;

function batchOf(kind: BatchKind, { text, count }: Lines): Batch {
  return { kind, partition: 0, count, data: Buffer.from(text), writer: null };
}
