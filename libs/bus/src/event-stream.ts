import {
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamClient,
  type JetStreamManager,
} from '@nats-io/jetstream';
import { headers, nanos, type NatsConnection } from '@nats-io/transport-node';
import {
  BATCH_FORMAT_VERSION,
  BATCH_HEADERS,
  EVENTS_STREAM,
  EVENTS_SUBJECTS,
  parseBatchSubject,
  type BatchKind,
} from '@meadow/contract';
import { BusError, busError, isTooBig } from './errors.ts';
import { pack, PACKING, unpack } from './packing.ts';
import type { Returns } from './returns.ts';
import { bytesWithoutReserve, bytesWithReserve, StreamRoom } from './stream-room.ts';

/** A message of the events stream: rows of task events (`TaskEventReader`), or JSON lines of any other kind. */
export interface StoredBatch {
  /** Position in the stream: grows by one a message, never reused while the stream lives. */
  readonly seq: number;
  /** `unknown`: of a later release, or of somebody else. */
  readonly kind: BatchKind | 'unknown';
  readonly cluster: string;
  readonly partition: number;
  readonly count: number;
  /** Holds until the next batch is asked for. */
  readonly data: Uint8Array;
  /** When NATS took it, Unix seconds by the clock of NATS. */
  readonly publishedAt: number;
  /** Messages that this reader has yet to read after it. */
  readonly pending: number;
}

export interface StreamState {
  /** Tells a stream from one that was made anew after its data was lost: positions of the two do not compare. */
  readonly createdAt: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly messages: number;
  readonly bytes: number;
  /** Past this nothing is published. */
  readonly maxBytes: number;
  /** When NATS took the oldest message, Unix seconds; null when there is none. What came before it is stored. */
  readonly firstAt: number | null;
}

export interface StreamBounds {
  /**
   * Past this nothing is published, so that collectors hold back. Where NATS has less room, which it takes to be
   * three quarters of its disk, half of it, or a quarter and so on, is taken. @default 8 GB
   */
  readonly maxBytes?: number;
  /** @default 3 days */
  readonly maxAgeSeconds?: number;
}

const MAX_BYTES = 8_000_000_000;
/** A stream smaller than this would be full within a second. */
const LEAST_BYTES = 50_000_000;
/** How long a publish may wait for NATS to have the batch on disk. */
const PUBLISH_DEADLINE_MS = 5_000;
/**
 * What a reader fetches ahead: the memory bound of reading, at half a megabyte a message. Not a bound in bytes: with one,
 * nats.js 3.4 asks for as many bytes as it has just taken, the server counts more to a message than the client does, and
 * the reader stands still until two heartbeats are missed, 2 s, again and again.
 */
const READ_AHEAD_MESSAGES = 64;

/**
 * The stream between collectors and aggregators. Nothing is acknowledged by readers: each keeps its own position, and
 * `purgeThrough` frees what all have written to the store.
 */
export class EventStream {
  readonly #connection: NatsConnection;
  readonly #js: JetStreamClient;
  readonly #returns: Returns;
  readonly #room = new StreamRoom(() => this.state());
  #manager: JetStreamManager | null = null;
  /** What was asked for; null when this process never did. */
  #ensured: StreamBounds | null = null;

  constructor(connection: NatsConnection, js: JetStreamClient, returns: Returns) {
    this.#connection = connection;
    this.#js = js;
    this.#returns = returns;
  }

  /** Creates the stream where it is missing; an existing one keeps its bounds. Any replica may call it at any time. */
  async ensure(bounds: StreamBounds = {}): Promise<void> {
    this.#ensured = bounds;
    const manager = await this.#jsm();
    try {
      await manager.streams.info(EVENTS_STREAM);
      return;
    } catch (error) {
      if (!(error instanceof JetStreamApiError)) throw busError('look up the events stream', error);
    }
    let maxBytes = bounds.maxBytes ?? MAX_BYTES;
    for (;;) {
      try {
        await manager.streams.add({
          name: EVENTS_STREAM,
          subjects: [EVENTS_SUBJECTS],
          storage: StorageType.File,
          retention: RetentionPolicy.Limits,
          // a full stream refuses: what is stored is never thrown away for what is new
          discard: DiscardPolicy.New,
          max_bytes: bytesWithReserve(maxBytes),
          max_age: nanos((bounds.maxAgeSeconds ?? 3 * 86_400) * 1000),
          duplicate_window: nanos(120_000),
        });
        return;
      } catch (error) {
        maxBytes /= 2;
        if (!isTooBig(error) || maxBytes < LEAST_BYTES) throw busError('create the events stream', error);
      }
    }
  }

  /** As `ensure`, where it was called before: for a NATS that came back without its storage. */
  async remake(): Promise<void> {
    if (this.#ensured !== null) await this.ensure(this.#ensured);
  }

  /**
   * Publishes one batch and returns when JetStream has it on disk.
   * @param options.id the same for every try of the same batch: JetStream keeps one of them (window of 2 minutes)
   */
  async publish(
    subject: string,
    data: Uint8Array,
    options: { readonly id: string; readonly count: number; readonly collector: string },
  ): Promise<{ seq: number; duplicate: boolean }> {
    const meta = headers();
    meta.set(BATCH_HEADERS.version, BATCH_FORMAT_VERSION);
    meta.set(BATCH_HEADERS.count, String(options.count));
    meta.set(BATCH_HEADERS.collector, options.collector);
    const packed = pack(data);
    if (packed !== null) meta.set(BATCH_HEADERS.packing, PACKING);
    await this.#hasRoom((packed ?? data).length);
    try {
      const ack = await this.#js.publish(subject, packed ?? data, {
        msgID: options.id,
        headers: meta,
        timeout: PUBLISH_DEADLINE_MS,
        retries: 0,
      });
      return { seq: ack.seq, duplicate: ack.duplicate };
    } catch (error) {
      throw busError(`publish ${options.count} events to ${subject}`, error);
    }
  }

  async state(): Promise<StreamState> {
    const manager = await this.#jsm();
    try {
      const { created, config, state } = await manager.streams.info(EVENTS_STREAM);
      return {
        createdAt: created,
        firstSeq: state.first_seq,
        lastSeq: state.last_seq,
        messages: state.messages,
        bytes: state.bytes,
        maxBytes: bytesWithoutReserve(config.max_bytes),
        firstAt: state.messages === 0 ? null : Date.parse(state.first_ts) / 1000,
      };
    } catch (error) {
      throw busError('look up the events stream', error);
    }
  }

  /**
   * Every stored batch from `fromSeq` on, in order, as they come, until `signal` is aborted. Reads at most 64 ahead.
   * Resumes by itself after NATS was away; messages that are gone (purged, aged out) are passed over.
   * @throws BusError BUS_REMADE when NATS came back without its storage: the stream was made anew, with other positions
   */
  async *read(fromSeq: number, signal: AbortSignal): AsyncGenerator<StoredBatch> {
    signal.throwIfAborted();
    const { createdAt } = await this.state();
    const consumer = await this.#js.consumers.get(EVENTS_STREAM, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(1, fromSeq),
    });
    const messages = await consumer.consume({
      max_messages: READ_AHEAD_MESSAGES,
      expires: 10_000,
      idle_heartbeat: 1_000,
    });
    const stop = (): void => messages.stop();
    signal.addEventListener('abort', stop, { once: true });
    // it may have been aborted while NATS was asked
    if (signal.aborted) stop();
    let remade = false;
    using _returns = this.#returns.add(async () => {
      // the consumer would tell nothing until the old position is passed
      remade ||= (await this.state()).createdAt !== createdAt;
      if (remade) stop();
    });
    try {
      for await (const message of messages) {
        const subject = parseBatchSubject(message.subject);
        if (subject === null) continue;
        const count = Number(message.headers?.get(BATCH_HEADERS.count) ?? 0);
        const { timestampNanos, pending } = message.info;
        const publishedAt = timestampNanos / 1e9;
        const isPacked = message.headers?.get(BATCH_HEADERS.packing) === PACKING;
        const data = isPacked ? unpack(message.data) : message.data;
        yield { seq: message.seq, ...subject, count, data, publishedAt, pending };
        // freed now: memory outside of its heap makes the engine collect all of that, again and again
        if (data.buffer !== message.data.buffer) (data.buffer as ArrayBuffer).transfer(0);
      }
      if (remade && !signal.aborted) throw new BusError('BUS_REMADE', 'read the events stream: it was made anew');
    } catch (error) {
      if (!signal.aborted) throw busError('read the events stream', error);
    } finally {
      signal.removeEventListener('abort', stop);
      messages.stop();
      await consumer.delete().catch(() => undefined);
    }
  }

  /** Frees every message up to and with `seq`; 0 frees none. */
  async purgeThrough(seq: number): Promise<void> {
    // nats-server 2.9 takes "all before the first" for "all"
    if (seq < 1) return;
    const manager = await this.#jsm();
    try {
      await manager.streams.purge(EVENTS_STREAM, { seq: seq + 1 });
    } catch (error) {
      throw busError('free written events', error);
    }
  }

  /** @throws BusError BUS_STREAM_FULL; where the stream does not tell, publishing finds out why */
  async #hasRoom(bytes: number): Promise<void> {
    try {
      await this.#room.take(bytes);
    } catch (error) {
      if (error instanceof BusError && error.code === 'BUS_STREAM_FULL') throw error;
    }
  }

  async #jsm(): Promise<JetStreamManager> {
    try {
      this.#manager ??= await jetstreamManager(this.#connection, { timeout: PUBLISH_DEADLINE_MS });
      return this.#manager;
    } catch (error) {
      throw busError('reach JetStream', error);
    }
  }
}
