import type { CeleryDecodeErrorCode, TaskHeaders } from '@meadow/celery';
import type { QueueSample } from './queue-sample.ts';

/** What is told of a queue now. Null is never 0: `unknown` says why it is not known. */
export interface QueueFigures {
  readonly name: string;
  readonly kind: QueueSample['kind'];
  readonly source: QueueSample['source'];
  /** Null on Redis for an empty queue, which is no key there. */
  readonly exists: boolean | null;
  /** One of Celery's queues for delayed delivery: neither read nor changed here. */
  readonly delayed: boolean;
  /** Messages that wait, of all priorities. */
  readonly ready: number | null;
  /** Redis: messages that wait, by priority step. Null on RabbitMQ, which does not tell. */
  readonly byPriority: readonly PriorityFigures[] | null;
  /** Messages that workers hold: being run, reserved, or waiting there for their time. */
  readonly unacked: number | null;
  readonly consumers: number | null;
  /** Of the messages that wait. Redis: memory of the lists, estimated from some of their messages. */
  readonly bytes: number | null;
  /** Task id of the message that is next. */
  readonly nextId: string | null;
  /** Unix seconds at which that message was sent, by its publisher's word. Celery itself does not say. */
  readonly nextSentAt: number | null;
  /** Per second, as the broker measures it. */
  readonly rates: QueueRates | null;
  /** By field: why it is null. */
  readonly unknown: Readonly<Partial<Record<QueueFact, string>>>;
}

export type QueueFact = Exclude<keyof QueueFigures, 'name' | 'kind' | 'source' | 'delayed' | 'unknown'>;

export interface PriorityFigures {
  readonly step: number;
  readonly ready: number;
  /** False for a step that is none of the definition's `priority_steps`: perhaps no worker takes these messages. */
  readonly served: boolean;
}

export interface QueueRates {
  readonly published: number | null;
  readonly delivered: number | null;
  readonly acknowledged: number | null;
  readonly redelivered: number | null;
}

export interface Peek {
  /** In the order in which workers get them. Fewer than asked for where they are too long or come too slowly: ask on from there. */
  readonly messages: readonly WaitingMessage[];
  /** Messages that waited when it was looked. */
  readonly ready: number;
  /**
   * RabbitMQ: to read is to take and put back. The messages are marked as redelivered, may change their order, and a quorum
   * queue counts it as a delivery, of which it allows so many before it drops the message.
   */
  readonly requeues: boolean;
}

/** A message that waits, as far as it can be read. Texts are cut, as anybody may have written them. */
export interface WaitingMessage {
  /** Among all that wait in the queue; 0 is next. */
  readonly position: number;
  /** Names this message to `remove`. Null on RabbitMQ. */
  readonly handle: string | null;
  /** Redis: of the envelope. RabbitMQ: of the body. */
  readonly bytes: number;
  /** As the message says; on Redis 0 is served first, on RabbitMQ last. */
  readonly priority: number | null;
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly compression: string | null;
  /** Handed out before: to a worker that is gone, or to somebody who looked. */
  readonly redelivered: boolean;
  /** How often a quorum queue has handed it out before; null for other queues. */
  readonly deliveries: number | null;
  /** Unix seconds, by its publisher's word. Celery itself does not say. */
  readonly sentAt: number | null;
  /** Null when not even these can be read. */
  readonly task: TaskHeaders | null;
  readonly args: ShownText | null;
  readonly kwargs: ShownText | null;
  /** Why the arguments, or all of it, are not told; null when they are. */
  readonly problem: { readonly code: CeleryDecodeErrorCode | 'QUEUE_PEEK_BOUND'; readonly says: string } | null;
}

/** JSON as Python writes it. */
export interface ShownText {
  readonly text: string;
  readonly cut: boolean;
}
