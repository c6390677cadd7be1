import type { Channel, ChannelModel } from 'amqplib';
import { isAccessRefused, isNotFound, isPreconditionFailed } from './errors.ts';

/** Past either the broker drops the oldest messages of our queue. */
export interface QueueBounds {
  readonly maxLength: number;
  /** Of the messages' bodies. */
  readonly maxBytes: number;
}

export interface EventTopology extends QueueBounds {
  /** Name of the cluster, from which our names are made. */
  readonly cluster: string;
  /** Celery's event exchange. */
  readonly exchange: string;
}

export interface DeclaredQueue {
  readonly queue: string;
  /** As they are, which need not be what was asked for; null when that cannot be known. */
  readonly bounds: QueueBounds | null;
  /** Messages that wait in it now. */
  readonly waiting: number;
  /** Whether it had been there before. */
  readonly existed: boolean;
  /** Whether the broker has restarted since it was last declared; null when that cannot be known. */
  readonly brokerRestarted: boolean | null;
}

/** Name of our queue for a cluster's events. */
export const eventQueueName = (cluster: string): string => `meadow.events.${cluster}`;

/**
 * Makes sure that our queue exists and gets every event. It is durable, so the broker keeps events while nobody
 * listens, and bounded, so that it never harms the broker: past the bound the oldest are dropped.
 *
 * Celery publishes events as transient messages, which a durable queue loses when the broker restarts. To notice that,
 * a transient exchange is declared next to the queue: it is gone after a restart, the queue is not.
 */
export async function declareEventQueue(model: ChannelModel, topology: EventTopology): Promise<DeclaredQueue> {
  const queue = eventQueueName(topology.cluster);
  const marker = `meadow.boot.${topology.cluster}`;
  const existed = await attempt(model, (channel) => channel.checkQueue(queue), isNotFound);
  const marked = await attempt(model, (channel) => channel.checkExchange(marker), isNotFound);
  await declareExchange(model, topology.exchange);
  const { waiting, bounds } = await declareQueue(model, queue, topology, existed !== null);
  await attempt(
    model,
    (channel) => channel.bindQueue(queue, topology.exchange, '#'),
    (error) => isAccessRefused(error) && existed !== null,
  );
  const markable = await attempt(
    model,
    (channel) => channel.assertExchange(marker, 'fanout', { durable: false, autoDelete: false }),
    isAccessRefused,
  );
  return {
    queue,
    bounds,
    waiting: waiting ?? existed?.messageCount ?? 0,
    existed: existed !== null,
    brokerRestarted: markable === null ? null : existed !== null && marked === null,
  };
}

/** The broker names one bound that differs at a time. */
const MOST_DIFFERENCES = 2;

/**
 * Declares our queue. Declared before with another bound (406), or by an administrator for a user who may not (403), it is
 * taken as it is; its bounds then are what the broker says of them, which it says nowhere else.
 */
export async function declareQueue(
  model: ChannelModel,
  queue: string,
  asked: QueueBounds,
  existed: boolean,
): Promise<{ readonly bounds: QueueBounds | null; readonly waiting: number | null }> {
  let bounds: QueueBounds = { maxLength: asked.maxLength, maxBytes: asked.maxBytes };
  for (let differences = 0; ; differences++) {
    const arguments_ = {
      'x-queue-type': 'classic',
      'x-max-length': bounds.maxLength,
      'x-max-length-bytes': bounds.maxBytes,
      'x-overflow': 'drop-head',
    };
    let refusal: unknown = null;
    const declared = await attempt(
      model,
      (channel) => channel.assertQueue(queue, { durable: true, arguments: arguments_ }),
      (error) => {
        refusal = error;
        return isPreconditionFailed(error) || (isAccessRefused(error) && existed);
      },
    );
    if (declared !== null) return { bounds, waiting: declared.messageCount };
    const actual = differences < MOST_DIFFERENCES ? boundSaid(refusal) : null;
    if (actual === null) return { bounds: null, waiting: null };
    bounds = { ...bounds, ...actual };
  }
}

function boundSaid(refusal: unknown): Partial<QueueBounds> | null {
  const said = refusal instanceof Error ? refusal.message : '';
  const [, name, value] = /arg '(x-max-length(?:-bytes)?)' .* current is (?:the value )?'(\d+)'/.exec(said) ?? [];
  if (name === undefined) return null;
  return name === 'x-max-length' ? { maxLength: Number(value) } : { maxBytes: Number(value) };
}

/**
 * Declares the exchange as Celery does. Where it exists otherwise (406), or may not be declared by us (403), it is used
 * as it is; then it must exist.
 */
async function declareExchange(model: ChannelModel, exchange: string): Promise<void> {
  const declared = await attempt(
    model,
    (channel) => channel.assertExchange(exchange, 'topic', { durable: true, autoDelete: false }),
    (error) => isPreconditionFailed(error) || isAccessRefused(error),
  );
  if (declared === null)
    await attempt(
      model,
      (channel) => channel.checkExchange(exchange),
      () => false,
    );
}

/**
 * Runs one operation on a channel of its own, as the broker closes the channel of one that fails. Null when it failed
 * in an `expected` way.
 */
async function attempt<T>(
  model: ChannelModel,
  operation: (channel: Channel) => Promise<T>,
  expected: (error: unknown) => boolean,
): Promise<T | null> {
  const channel = await model.createChannel();
  // The broker's reason arrives as an event, while the operation's own error may be a mere "channel closed".
  let reason: unknown = null;
  channel.on('error', (error) => {
    reason = error;
  });
  try {
    const result = await operation(channel);
    await channel.close();
    return result;
  } catch (error) {
    const cause = reason ?? error;
    if (expected(cause)) return null;
    throw cause;
  }
}
