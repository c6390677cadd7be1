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
import { busError } from './errors.ts';

/** A message of the events stream: newline-delimited JSON, one event a line. */
export interface StoredBatch {
  /** Position in the stream: grows by one a message, never reused while the stream lives. */
  readonly seq: number;
  readonly kind: BatchKind;
  readonly cluster: string;
  readonly partition: number;
  readonly count: number;
  readonly data: Uint8Array;
}

export interface StreamState {
  /** Tells a stream from one that was made anew after its data was lost: positions of the two do not compare. */
  readonly createdAt: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly messages: number;
  readonly bytes: number;
}

export interface StreamBounds {
  /** Past this the stream refuses new batches, so that collectors hold back. @default 8 GB */
  readonly maxBytes?: number;
  /** @default 3 days */
  readonly maxAgeSeconds?: number;
}

/** How long a publish may wait for NATS to have the batch on disk. */
const PUBLISH_DEADLINE_MS = 5_000;
/** What a reader fetches ahead: the memory bound of reading. */
const READ_AHEAD_BYTES = 8_000_000;

/**
 * The stream between collectors and aggregators. Nothing is acknowledged by readers: each keeps its own position, and
 * `purgeThrough` frees what all have written to the store.
 */
export class EventStream {
  readonly #connection: NatsConnection;
  readonly #js: JetStreamClient;
  #manager: JetStreamManager | null = null;

  constructor(connection: NatsConnection, js: JetStreamClient) {
    this.#connection = connection;
    this.#js = js;
  }

  /** Creates the stream where it is missing; an existing one keeps its bounds. Any replica may call it at any time. */
  async ensure(bounds: StreamBounds = {}): Promise<void> {
    const manager = await this.#jsm();
    try {
      await manager.streams.info(EVENTS_STREAM);
      return;
    } catch (error) {
      if (!(error instanceof JetStreamApiError)) throw busError('look up the events stream', error);
    }
    try {
      await manager.streams.add({
        name: EVENTS_STREAM,
        subjects: [EVENTS_SUBJECTS],
        storage: StorageType.File,
        retention: RetentionPolicy.Limits,
        // a full stream refuses: what is stored is never thrown away for what is new
        discard: DiscardPolicy.New,
        max_bytes: bounds.maxBytes ?? 8_000_000_000,
        max_age: nanos((bounds.maxAgeSeconds ?? 3 * 86_400) * 1000),
        duplicate_window: nanos(120_000),
      });
    } catch (error) {
      throw busError('create the events stream', error);
    }
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
    try {
      const ack = await this.#js.publish(subject, data, {
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
      const { created, state } = await manager.streams.info(EVENTS_STREAM);
      return {
        createdAt: created,
        firstSeq: state.first_seq,
        lastSeq: state.last_seq,
        messages: state.messages,
        bytes: state.bytes,
      };
    } catch (error) {
      throw busError('look up the events stream', error);
    }
  }

  /**
   * Every stored batch from `fromSeq` on, in order, as they come, until `signal` is aborted. Reads at most 8 MB ahead.
   * Resumes by itself after NATS was away; messages that are gone (purged, aged out) are passed over.
   */
  async *read(fromSeq: number, signal: AbortSignal): AsyncGenerator<StoredBatch> {
    signal.throwIfAborted();
    const consumer = await this.#js.consumers.get(EVENTS_STREAM, {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(1, fromSeq),
    });
    const messages = await consumer.consume({ max_bytes: READ_AHEAD_BYTES, expires: 10_000, idle_heartbeat: 1_000 });
    const stop = (): void => messages.stop();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const message of messages) {
        const subject = parseBatchSubject(message.subject);
        if (subject === null) continue;
        const count = Number(message.headers?.get(BATCH_HEADERS.count) ?? 0);
        yield { seq: message.seq, ...subject, count, data: message.data };
      }
    } catch (error) {
      if (!signal.aborted) throw busError('read the events stream', error);
    } finally {
      signal.removeEventListener('abort', stop);
      messages.stop();
      await consumer.delete().catch(() => undefined);
    }
  }

  /** Frees every message up to and with `seq`. */
  async purgeThrough(seq: number): Promise<void> {
    const manager = await this.#jsm();
    try {
      await manager.streams.purge(EVENTS_STREAM, { seq: seq + 1 });
    } catch (error) {
      throw busError('free written events', error);
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
