import type { JsonObject } from '@meadow/celery';
import type { ChannelModel } from 'amqplib';
import type { BrokerError } from '../errors.ts';
import { onChannel } from './amqp-channel.ts';
import { numberAt, textAt } from './management.ts';
import type { QueueFact, QueueFigures, QueueRates } from '@meadow/contract';
import { unknownFigures } from './port.ts';
import { isDelayed } from './queue-names.ts';
import { QueueRefusal } from './refusal.ts';

const KINDS = ['classic', 'quorum', 'stream'] as const;
const NO_PRIORITIES = 'RabbitMQ does not tell messages by priority';
const NO_IDS = 'RabbitMQ does not show a message without handing it out';

/** What the management API tells of a queue. */
export function managedFigures(name: string, queue: JsonObject | undefined): QueueFigures {
  if (queue === undefined) return unknownFigures(name, 'management', false, 'there is no such queue');
  const [type, ready] = [textAt(queue, 'type'), numberAt(queue, 'messages_ready')];
  const rate = (what: string): number | null => numberAt(queue, 'message_stats', `${what}_details`, 'rate');
  const rates: QueueRates = {
    published: rate('publish'),
    delivered: rate('deliver_get'),
    acknowledged: rate('ack'),
    redelivered: rate('redeliver'),
  };
  const known = {
    ...{ ready, unacked: numberAt(queue, 'messages_unacknowledged'), consumers: numberAt(queue, 'consumers') },
    ...{ bytes: numberAt(queue, 'message_bytes_ready'), nextSentAt: numberAt(queue, 'head_message_timestamp') },
    rates: Object.values(rates).every((value) => value === null) ? null : rates,
  };
  const unknown: Partial<Record<QueueFact, string>> = { byPriority: NO_PRIORITIES, nextId: NO_IDS };
  for (const [fact, value] of Object.entries(known) as [keyof typeof known, unknown][]) {
    if (value === null) unknown[fact] = 'the management api does not tell it now';
  }
  if (known.nextSentAt === null && ready !== null) {
    unknown.nextSentAt = ready === 0 ? 'no message waits' : "Celery's messages do not say when they were sent";
  }
  if (known.rates === null) unknown.rates = 'nothing has gone through it since the broker counts';
  return {
    ...{
      name,
      kind: KINDS.find((kind) => kind === type) ?? 'unknown',
      source: 'management',
    },
    ...{ exists: true, delayed: isDelayed(name), byPriority: null, nextId: null, ...known, unknown },
  };
}

/** What AMQP itself tells: ready messages and consumers. */
export async function declaredFigures(model: ChannelModel, name: string, degraded: BrokerError): Promise<QueueFigures> {
  const why = `only the management api tells: ${degraded.message}`;
  try {
    const { messageCount, consumerCount } = await onChannel(model, name, (channel) => channel.checkQueue(name));
    const { unknown, ...figures } = unknownFigures(name, 'amqp', true, why);
    const { ready: _, consumers: __, ...others } = unknown;
    return {
      ...figures,
      ready: messageCount,
      consumers: consumerCount,
      unknown: { ...others, byPriority: NO_PRIORITIES },
    };
  } catch (error) {
    if (!(error instanceof QueueRefusal)) throw error;
    return unknownFigures(name, 'amqp', false, 'there is no such queue');
  }
}
