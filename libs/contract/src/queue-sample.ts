import { z } from 'zod';
import { clusterName } from './cluster.ts';
import { jsonLine } from './json-line.ts';

const count = z.number().int().nonnegative();
const measure = z.number().nonnegative().nullable();

/** What is told of a queue at one time; null = its source does not know. */
const figures = {
  /** Messages that wait. */
  ready: count.nullable(),
  /** Messages that workers hold and have not acknowledged. */
  unacked: count.nullable(),
  consumers: count.nullable(),
  /** Of the messages that wait. */
  bytes: count.nullable(),
  /** Since the message that is next was sent. */
  oldest_age_seconds: measure,
  published_per_second: measure,
  delivered_per_second: measure,
  /** Messages that wait, by priority as Celery or RabbitMQ counts it. Empty is not known, as null. */
  by_priority: z.record(z.string().regex(/^\d{1,3}$/), count).nullable(),
} as const;

/** One look at one queue. Keys are column names of `queue_samples`. */
export const queueSample = z.strictObject({
  cluster: clusterName,
  queue: z.string().min(1),
  /** Unix seconds, UTC, by the clock of who looked. With cluster and queue the sample's key: repeats count once. */
  at: z.number(),
  /** A list of Redis, or a queue of one of RabbitMQ's types. */
  kind: z.enum(['list', 'classic', 'quorum', 'stream', 'unknown']),
  /** Who told: Redis, RabbitMQ's own protocol, which knows ready messages and consumers, or its management API. */
  source: z.enum(['redis', 'amqp', 'management']),
  ...figures,
});
export type QueueSample = z.output<typeof queueSample>;

/** A sample as a JSON line, newline included. */
export const queueSampleLine = (sample: QueueSample): string => jsonLine(sample);

/** A queue as it was seen last. One that is known by its tasks alone has no figures, and '' for kind and source. */
export const queueRow = z.object({
  cluster: z.string(),
  queue: z.string(),
  /** When it was first heard of, as far as that is kept; Unix seconds, as are the next. */
  first_seen_at: z.number(),
  /** Of its newest sample or of the newest minute with an event of a task of it. */
  last_seen_at: z.number(),
  /** Of its figures; null when it was never looked at. */
  sampled_at: z.number().nullable(),
  kind: z.string(),
  source: z.string(),
  ...figures,
});
export type QueueRow = z.output<typeof queueRow>;
