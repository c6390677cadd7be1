import {
  amqpEnvelope,
  CeleryDecodeError,
  decodeEvents,
  decodeRedisEnvelope,
  extraOf,
  isTaskEvent,
  isWorkerEvent,
  PLAIN_NUMBER,
  PlainEvents,
  type CeleryEvent,
  type Envelope,
  type WorkerEvent,
} from '@meadow/celery';
import { payloadOf, type BrokerDelivery } from '@meadow/broker';
import { partitionOf, poisonLine } from '@meadow/contract';
import { Heartbeats } from './heartbeats.ts';
import type { Loss } from './loss.ts';
import { PlainRows } from './plain-rows.ts';
import type { Publisher } from './publisher.ts';
import { customEvent, taskEvent, workerLine, type RowContext } from './row.ts';

/** Of an undecodable message at most this much is kept. Bytes. */
const POISON_BYTES = 65_536;
/** Up to a megabyte of scratch memory, which holds nothing between two messages: one serves all clusters. */
const PLAIN = new PlainEvents();
/** Gossip between workers: of no interest to anybody else. */
const GOSSIP = new Set(['worker-elect', 'worker-elect-ack']);

/** What one delivery came to. */
export interface Taken {
  readonly events: number;
  readonly rejected: readonly string[];
  /** Sender's time of the newest event, Unix seconds; 0 when there was none. */
  readonly newest: number;
}

interface Failure {
  readonly delivery: BrokerDelivery;
  /** Null when it was no envelope. */
  readonly envelope: Envelope | null;
  readonly error: unknown;
  readonly collectedAt: number;
  readonly bodiless?: boolean;
}

const isPlain = (delivery: BrokerDelivery): boolean =>
  delivery.kind === 'redis' ? PLAIN.readRedis(delivery.slab, delivery.begin, delivery.end) : PLAIN.readAmqp(delivery);

/** Turns what the broker delivers into rows of batches: decode, thin heartbeats, mask, encode. Never throws. */
export class Intake {
  readonly #context: RowContext;
  readonly #publisher: Publisher;
  readonly #loss: Loss;
  readonly #heartbeats = new Heartbeats();
  readonly #plainRows: PlainRows;

  constructor(context: RowContext, publisher: Publisher, loss: Loss) {
    this.#context = context;
    this.#publisher = publisher;
    this.#loss = loss;
    this.#plainRows = new PlainRows(context, publisher, PLAIN);
  }

  /** @param collectedAt Unix seconds */
  take(delivery: BrokerDelivery, collectedAt: number): Taken {
    if (isPlain(delivery)) {
      return this.#takePlain(collectedAt);
    }
    let envelope: Envelope | null = null;
    try {
      envelope = delivery.kind === 'redis' ? decodeRedisEnvelope(payloadOf(delivery)) : amqpEnvelope(delivery);
    } catch (error) {
      return { events: 0, rejected: [this.#bury({ delivery, envelope: null, error, collectedAt })], newest: 0 };
    }
    const { events, failures } = decodeEvents(envelope);
    let newest = 0;
    for (const event of events) {
      this.#add(event, collectedAt);
      if (event.timestamp > newest) newest = event.timestamp;
    }
    const rejected =
      failures.length === 0
        ? NONE
        : failures.map((error, index) => this.#bury({ delivery, envelope, error, collectedAt, bodiless: index > 0 }));
    return { events: events.length, rejected, newest };
  }

  #takePlain(collectedAt: number): Taken {
    const plain = PLAIN;
    const { count } = plain;
    let newest = 0;
    for (let event = 0; event < count; event++) {
      const clock = plain.number(event, PLAIN_NUMBER.clock);
      if (!Number.isNaN(clock)) this.#loss.heard(plain.hostname(event), plain.number(event, PLAIN_NUMBER.pid), clock);
      this.#plainRows.add(event, collectedAt);
      newest = Math.max(newest, plain.number(event, PLAIN_NUMBER.timestamp));
    }
    return { events: count, rejected: NONE, newest };
  }

  #add(event: CeleryEvent, collectedAt: number): void {
    if (isWorkerEvent(event)) this.#loss.beat(event);
    // every event, whatever becomes of it: a clock value that is never told here counts as an event not heard
    this.#loss.heard(event.hostname, event.pid, event.clock);
    if (isTaskEvent(event)) {
      const row = taskEvent(this.#context, event, extraOf(event), collectedAt);
      this.#publisher.addTask(partitionOf(event.uuid), (rows) => rows.append(row));
    } else if (isWorkerEvent(event)) {
      this.#addWorker(event, collectedAt);
    } else if (!GOSSIP.has(event.type)) {
      const row = customEvent(this.#context, event, extraOf(event), collectedAt);
      this.#publisher.addTask(0, (rows) => rows.append(row));
    }
  }

  #addWorker(event: WorkerEvent, collectedAt: number): void {
    const extra = extraOf(event);
    if (event.type === 'worker-heartbeat' && this.#heartbeats.add({ event, extra, collectedAt })) return;
    // a heartbeat from before a goodbye must not arrive after it
    this.#heartbeats.drop(event.hostname);
    this.#publisher.add('worker', workerLine(this.#context, event, extra, collectedAt));
  }

  /** Passes on the newest heartbeat of each worker that sent one since the last call. */
  releaseHeartbeats(): void {
    for (const { event, extra, collectedAt } of this.#heartbeats.take()) {
      this.#publisher.add('worker', workerLine(this.#context, event, extra, collectedAt));
    }
  }

  /**
   * Keeps what cannot be decoded, with the reason. A message that fails in many ways is kept with the first.
   * @returns the reason's code
   */
  #bury({ delivery, envelope, error, collectedAt, bodiless = false }: Failure): string {
    const { cluster, mask } = this.#context;
    const reason = error instanceof CeleryDecodeError ? error.code : 'COLLECTOR_FAILED';
    const raw = envelope?.body ?? (delivery.kind === 'redis' ? payloadOf(delivery) : delivery.content);
    // bytes that are no text cannot be masked, a pickle's strings may be secrets, and kombu's envelope may hold its body as
    // base64: of those only the size is kept
    const unreadable = bodiless || (envelope === null && delivery.kind === 'redis');
    const text = unreadable ? '' : Buffer.from(raw.subarray(0, POISON_BYTES)).toString('utf8');
    const isText = !text.includes('\ufffd') && !text.includes('\0');
    const line = poisonLine({
      cluster,
      collected_at: collectedAt,
      reason,
      detail: mask(error instanceof Error ? error.message : String(error)),
      content_type: envelope?.contentType ?? '',
      routing_key: (delivery.kind === 'redis' ? delivery.channel : delivery.routingKey).slice(0, 255),
      size: raw.length,
      body: isText ? mask(text) : '',
    });
    this.#publisher.add('poison', line);
    return reason;
  }
}

const NONE: readonly string[] = [];
