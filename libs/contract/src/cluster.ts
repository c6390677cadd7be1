import { z } from 'zod';

/** A cluster's name is a NATS subject token and a SQL value: short, lower case, no dots. */
export const clusterName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'use 1 to 63 of a-z, 0-9, "-" and "_", starting with a letter or digit');

const retentionDays = z.number().int().min(1).max(3650);

/**
 * How long tasks are kept, in days after their last event, by final state; `events` is for the raw events. A task that
 * never ended is kept for the shorter of the two.
 */
export const retentionPolicy = z.strictObject({
  /** @default 30 */
  success: retentionDays.default(30),
  /** FAILURE, REVOKED, REJECTED and every other end. @default 180 */
  failure: retentionDays.default(180),
  /** `task_events`, `worker_samples`. @default 14 */
  events: retentionDays.default(14),
});

/** What the collector hides before anything leaves it. Keys match as substrings, ignoring case. */
export const maskingPolicy = z.strictObject({
  /** @default true */
  enabled: z.boolean().default(true),
  /** Added to the built-in pass, pwd, secret, token, key, auth, dsn, credential. @default [] */
  extraKeys: z.array(z.string().min(2).max(64)).max(100).default([]),
  /** Keys that are shown although a rule matches, e.g. `primary_key`. Compared whole, ignoring case. @default [] */
  allowKeys: z.array(z.string().min(1).max(64)).max(100).default([]),
});

const tls = z.strictObject({
  /** PEM text or file path of the authority that signed the broker's certificate. */
  ca: z.string().optional(),
  cert: z.string().optional(),
  key: z.string().optional(),
  /** Whether the broker's certificate and host name are verified. @default true */
  verify: z.boolean().default(true),
});

/** kombu's `broker_transport_options`, as far as they decide where events and queues are found. */
export const transportOptions = z.looseObject({
  fanout_prefix: z.union([z.boolean(), z.string()]).optional(),
  fanout_patterns: z.boolean().optional(),
  global_keyprefix: z.string().optional(),
  master_name: z.string().optional(),
  sentinel_kwargs: z.record(z.string(), z.unknown()).optional(),
  /** Redis: a list for each, the lowest served first. @default [0, 3, 6, 9] */
  priority_steps: z.array(z.int().min(0).max(255)).min(1).max(256).optional(),
  /** Redis: between a queue's name and its step in a list's key. @default '\x06\x16' */
  sep: z.string().min(1).max(16).optional(),
  /** Redis: the hash of what workers hold. @default 'unacked' */
  unacked_key: z.string().min(1).max(255).optional(),
  /** Redis: when they took it. @default 'unacked_index' */
  unacked_index_key: z.string().min(1).max(255).optional(),
});

const poolRule = z.strictObject({
  match: z
    .string()
    .min(1)
    .max(200)
    .refine((match) => match.split('*').length <= 4, 'use at most three *'),
  pool: z.string().min(1).max(100),
});

/**
 * One Celery cluster to watch: everything that shares a broker URL (with its db or vhost).
 * Kept as JSON in the NATS key-value bucket `meadow_clusters` under its name.
 */
export const clusterDefinition = z.strictObject({
  name: clusterName,
  /** kombu's URL form, several joined by `;` for failover. May hold a password: never log it. */
  broker: z.string().min(1),
  transportOptions: transportOptions.default({}),
  /** Celery's `result_backend`, where workers write results. May hold a password: never log it. @default none is read */
  resultBackend: z.string().min(1).optional(),
  /** Celery's `result_backend_transport_options`: `global_keyprefix`, `master_name`, `sentinel_kwargs`. */
  resultTransportOptions: transportOptions.optional(),
  /** Celery's `event_exchange`. @default 'celeryev' */
  eventExchange: z.string().min(1).default('celeryev'),
  /** Celery's `control_exchange`. @default 'celery' */
  controlExchange: z.string().min(1).max(200).default('celery'),
  tls: tls.optional(),
  /**
   * RabbitMQ's management API, with a user of its own where it is not the broker's. May hold a password: never log it.
   * @default port 15672, with tls 15671, of the broker's host
   */
  management: z.url({ protocol: /^https?$/, error: 'write http://host:15672 or https://host:15671' }).optional(),
  /** Bound of our own queue on RabbitMQ, past which the oldest events are dropped by the broker. */
  eventQueue: z
    .strictObject({
      maxLength: z.number().int().min(1000).default(1_000_000),
      maxBytes: z.number().int().min(1_000_000).default(2_000_000_000),
    })
    .prefault({}),
  retention: retentionPolicy.prefault({}),
  /** Which workers are copies of each other, the first that fits counts; see `workerPool` for what holds without. @default [] */
  workerPools: z.array(poolRule).max(50).default([]),
  masking: maskingPolicy.prefault({}),
  /** `seed`: from a collector's file, environment or arguments, and gone when it is no longer there. @default 'user' */
  source: z.enum(['seed', 'user']).default('user'),
});

export type ClusterDefinition = z.output<typeof clusterDefinition>;
/** What a person writes: everything but name and broker has a default. */
export type ClusterDefinitionInput = z.input<typeof clusterDefinition>;
export type RetentionPolicy = z.output<typeof retentionPolicy>;
export type MaskingPolicy = z.output<typeof maskingPolicy>;

const resultsStatus = z.object({
  /** `unreadable`: Meadow has no way to read this kind of backend, or this one's contents; `detail` says why. */
  state: z.enum(['connecting', 'connected', 'failed', 'unreadable']),
  /** Where it is, the password masked. */
  endpoint: z.string(),
  /** One line with the remedy when failed, the reason when unreadable. Never holds a secret. */
  detail: z.string(),
  /** Results taken and results that could not be read, since the collector started. */
  taken: z.number(),
  rejected: z.number(),
});
export type ResultsStatus = z.output<typeof resultsStatus>;

/** How a collector stands with a cluster's broker, as it was last told. Kept in the bucket `meadow_status`. */
export const clusterStatus = z.object({
  cluster: clusterName,
  state: z.enum(['connecting', 'connected', 'failed']),
  /** Unix seconds since when this state holds. */
  since: z.number(),
  /** One line with the remedy, when failed. Never holds a secret. */
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** Broker endpoint with the password masked. */
  endpoint: z.string(),
  transport: z.enum(['redis', 'amqp', 'unknown']),
  /** Totals since the collector started. */
  events: z.number(),
  rejected: z.number(),
  gaps: z.number(),
  /** Unix seconds of the newest event heard; null when none was. */
  lastEventAt: z.number().nullable(),
  /** How the results of this cluster are read; null when no result backend is configured. */
  results: resultsStatus.nullable().optional(),
  /** Unix seconds of this report; a report older than 15 s is stale. */
  reportedAt: z.number(),
  /** The collector that watches the cluster and tells this. */
  collector: z.string(),
  /** The collector that listens too and takes over without a gap; null when there is none. */
  standby: z.string().nullable().optional(),
});
export type ClusterStatus = z.output<typeof clusterStatus>;

/** Up to when a cluster's events are known to be in the stream. Kept in the bucket `meadow_heard` for good. */
export const heardRecord = z.object({
  collector: z.string(),
  /** Unix seconds by that collector's clock: every event that came to it before is in the stream. */
  heardUntil: z.number(),
  /** Recent rate, from which the size of a gap is estimated; null before it was measured. */
  eventsPerSecond: z.number().nullable(),
});
export type HeardRecord = z.output<typeof heardRecord>;
