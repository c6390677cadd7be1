import { batchSubject, type BatchKind } from '@meadow/contract';
import type { EventStream } from '@meadow/bus';
import { BusError } from '@meadow/bus';
import { retry } from '@meadow/runtime';
import { setTimeout as delay } from 'node:timers/promises';

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
  readonly onLost: (events: number, error: BusError) => void;
}

/** A message on NATS stays well below the usual 1 MB limit of a server. Bytes. */
const MESSAGE_BYTES = 512_000;
/** A round is published when it holds this much, or this long after its first event. */
const ROUND_EVENTS = 4_000;
const ROUND_BYTES = 2_000_000;
const ROUND_WAIT_MS = 20;
/** Rounds on their way at a time. With the open one this bounds the memory of a cluster: about 10 MB of lines. */
const ROUNDS_IN_FLIGHT = 3;

interface Chunk {
  readonly kind: BatchKind;
  readonly partition: number;
  lines: string;
  count: number;
}

/**
 * Gathers lines into rounds and publishes each round's batches, one a kind and partition. Rounds settle in the order in
 * which they began, each only when all of its batches are on disk.
 *
 * open → publishing → published → settled. `room()` waits while three rounds are publishing: that is the back-pressure.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  #chunks = new Map<string, Chunk>();
  #full: Chunk[] = [];
  #events = 0;
  #characters = 0;
  #settles: Settle[] = [];
  #timer: NodeJS.Timeout | null = null;
  #round = 0;
  readonly #inFlight = new Set<Promise<void>>();
  #lastSettled: Promise<void> = Promise.resolve();

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Events accepted and not yet on disk in JetStream: part of the lag. */
  get roundsInFlight(): number {
    return this.#inFlight.size;
  }

  add(kind: BatchKind, partition: number, line: string): void {
    const key = kind === 'task' ? `task${partition}` : kind;
    let chunk = this.#chunks.get(key);
    if (chunk === undefined) {
      chunk = { kind, partition, lines: '', count: 0 };
      this.#chunks.set(key, chunk);
    }
    chunk.lines += line;
    chunk.count++;
    this.#events++;
    this.#characters += line.length;
    if (chunk.lines.length >= MESSAGE_BYTES) {
      this.#full.push(chunk);
      this.#chunks.delete(key);
    }
    this.#timer ??= setTimeout(() => this.flush(), ROUND_WAIT_MS);
  }

  /** Calls `settle` when everything added so far is on disk. */
  settleWhenPublished(settle: Settle): void {
    if (this.#events === 0) this.#lastSettled.then(settle, () => undefined);
    else this.#settles.push(settle);
  }

  /** Publishes the open round if it is big enough, and waits while too many are on their way. */
  async room(): Promise<void> {
    if (this.#events >= ROUND_EVENTS || this.#characters >= ROUND_BYTES) this.flush();
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
    const chunks = [...this.#full, ...this.#chunks.values()];
    const settles = this.#settles;
    this.#full = [];
    this.#chunks = new Map();
    this.#events = 0;
    this.#characters = 0;
    this.#settles = [];
    const round = this.#round++;
    const published = Promise.all(chunks.map((chunk, index) => this.#publish(chunk, `${round}.${index}`)));
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

  async #publish(chunk: Chunk, id: string): Promise<void> {
    const { cluster, collector, stream, signal, onPublished, onRetry, onLost } = this.#options;
    const data = Buffer.from(chunk.lines);
    const subject = batchSubject(chunk.kind, cluster, chunk.partition);
    const batch = { id: `${collector}.${cluster}.${id}`, count: chunk.count, collector };
    try {
      await retry(() => stream.publish(subject, data, batch), {
        signal,
        onRetry,
        retryable: (error) => !(error instanceof BusError && error.code === 'BUS_REJECTED'),
        maxWaitMs: 2_000,
      });
      onPublished(chunk.count, data.length);
    } catch (error) {
      // refused for good: one batch is lost, loudly, and the rest goes on
      if (error instanceof BusError && error.code === 'BUS_REJECTED') onLost(chunk.count, error);
      else throw error;
    }
  }
}
