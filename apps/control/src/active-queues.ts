import { z } from 'zod';

/** A queue as a worker that takes from it knows it. */
export interface ActiveQueue {
  readonly name: string;
  /** Null for one of the queue's own name. */
  readonly exchange: string | null;
  readonly exchangeType: 'direct' | 'topic' | 'fanout' | 'headers';
  readonly routingKey: string | null;
  /** Declared with arguments, which no command can carry: a worker that does not know the queue would declare another. */
  readonly hasArguments: boolean;
  /** For one connection alone: nobody else can look at it. */
  readonly isExclusive: boolean;
  /** The broker deletes it, with what waits in it, when its last consumer leaves. */
  readonly isTransient: boolean;
  /** Seconds after which a queue that nobody uses is deleted; null when it is not. */
  readonly expiresSeconds: number | null;
}

const MOST_QUEUES = 1_000;

const told = z.object({
  name: z.string().min(1),
  exchange: z.object({ name: z.string(), type: z.string() }).nullish().catch(null),
  routing_key: z.string().nullish().catch(null),
  queue_arguments: z.record(z.string(), z.unknown()).nullish().catch(null),
  expires: z.number().nullish().catch(null),
  exclusive: z.boolean().nullish().catch(null),
  auto_delete: z.boolean().nullish().catch(null),
});
const exchangeType = z.enum(['direct', 'topic', 'fanout', 'headers']).catch('direct');
const milliseconds = z.number().positive().catch(0);

/** Reads a worker's answer to `active_queues`. What is no queue is passed over. */
export function activeQueuesIn(value: unknown): ActiveQueue[] {
  const items: readonly unknown[] = Array.isArray(value) ? value.slice(0, MOST_QUEUES) : [];
  return items.flatMap((item) => {
    const { success, data } = told.safeParse(item);
    if (!success) return [];
    const { name, exchange, routing_key, queue_arguments, expires, exclusive, auto_delete } = data;
    const expiresSeconds = expires ?? milliseconds.parse(queue_arguments?.['x-expires']) / 1000;
    return {
      name,
      exchange: exchange?.name || null,
      exchangeType: exchangeType.parse(exchange?.type),
      routingKey: routing_key || null,
      hasArguments: Object.keys(queue_arguments ?? {}).length > 0,
      isExclusive: exclusive === true,
      isTransient: exclusive === true || auto_delete === true,
      expiresSeconds: expiresSeconds > 0 ? expiresSeconds : null,
    };
  });
}
