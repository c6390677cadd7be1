/** Why an operation on a queue is not done, however often it is tried. Stable: documented and shown. */
export const QUEUE_REFUSAL_CODES = [
  /** Empty, too long, or with control characters. */
  'QUEUE_NAME_INVALID',
  /** A mailbox, an event receiver's queue or one of Meadow's own. */
  'QUEUE_NOT_FOR_TASKS',
  /** Where RabbitMQ keeps tasks until their time has come: reading or moving them would change when they run. */
  'QUEUE_DELAYED',
  'QUEUE_NOT_FOUND',
  /** The broker does not offer this for what is behind the name: a stream, a key that is no list. */
  'QUEUE_KIND_UNSUITED',
  /** The broker does not offer this for any queue. */
  'QUEUE_UNSUPPORTED',
  /** A queue with a bound refuses what is published to it. */
  'QUEUE_FULL',
  /** Messages were to be moved to where they are. */
  'QUEUE_SAME',
  'QUEUE_HANDLE_INVALID',
] as const;

export type QueueRefusalCode = (typeof QUEUE_REFUSAL_CODES)[number];

/** An operation that is not done because of what was asked, not because of the broker's state. One line with the remedy. */
export class QueueRefusal extends Error {
  override readonly name = 'QueueRefusal';
  readonly code: QueueRefusalCode;
  readonly queue: string;
  readonly remedy: string;

  constructor(code: QueueRefusalCode, queue: string, problem: string, remedy: string, cause?: unknown) {
    const shown = queue.length > 255 ? `${queue.slice(0, 255)}…` : queue;
    super(
      `queue ${JSON.stringify(shown)}: ${problem}; ${remedy}`.replace(/[\r\n]+/g, ' '),
      cause === undefined ? undefined : { cause },
    );
    this.code = code;
    this.queue = shown;
    this.remedy = remedy;
  }
}

export const notFound = (queue: string, cause?: unknown): QueueRefusal =>
  new QueueRefusal('QUEUE_NOT_FOUND', queue, 'it does not exist', 'check its name, and the virtual host', cause);
