import type { Channel, ChannelModel } from 'amqplib';
import { setTimeout as delay } from 'node:timers/promises';
import { isNotFound } from '../amqp/errors.ts';
import type { BrokerError } from '../errors.ts';
import { notFound, QueueRefusal } from './refusal.ts';

/** Runs one operation on a channel of its own, which the broker closes when it fails. */
export async function onChannel<T>(
  model: ChannelModel,
  queue: string,
  work: (channel: Channel) => Promise<T>,
): Promise<T> {
  const channel = await model.createChannel();
  // the broker's reason arrives as an event, while the operation's own error may be a mere "channel closed"
  let reason: unknown = null;
  channel.on('error', (error) => {
    reason = error;
  });
  try {
    const result = await work(channel);
    await channel.close();
    return result;
  } catch (error) {
    await closeChannel(channel);
    const cause = reason ?? error;
    throw isNotFound(cause) ? notFound(queue, cause) : cause;
  }
}

/** Reply code of AMQP for what a queue of this type does not offer; RabbitMQ closes the whole connection with it. */
const NOT_IMPLEMENTED = 540;
/** The connection may tell so much later than the operation on it. */
const LOST_GRACE_MS = 200;

/**
 * Waits for an operation on a queue. What RabbitMQ does not offer for queues of its type ends the whole connection, and is
 * told as what it is.
 */
export async function suited<T>(queue: string, work: Promise<T>, lost: Promise<BrokerError>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const gone = error instanceof QueueRefusal ? null : await Promise.race([lost, delay(LOST_GRACE_MS, null)]);
    const cause = gone?.cause;
    if (!(cause instanceof Error && 'code' in cause && cause.code === NOT_IMPLEMENTED)) throw error;
    const problem = 'RabbitMQ does not offer this for a queue of its type, such as a stream';
    throw new QueueRefusal('QUEUE_KIND_UNSUITED', queue, problem, 'name a classic or quorum queue', cause);
  }
}

const CLOSE_DEADLINE_MS = 1_000;

/** What was taken on it and not acknowledged goes back. Never throws, and waits for a second at most. */
export async function closeChannel(channel: Channel): Promise<void> {
  try {
    await Promise.race([channel.close(), delay(CLOSE_DEADLINE_MS)]);
  } catch {
    // it is closed already
  }
}
