import { z } from 'zod';

/**
 * How Node is started for a service. Left to itself V8 lets 3 × 16 MB of garbage and more gather before it looks at it, which
 * keeps alive what was read from sockets too. The same stands in `infra/service.Dockerfile`.
 */
export const NODE_FLAGS = ['--max-semi-space-size=4'] as const;
/**
 * What services are started with: buffers of 128 KB and more are given back to the system when they are freed. Otherwise glibc
 * keeps them for the next, whatever that needs: 20 to 30 MB a service.
 */
export const SERVICE_ENV = {
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '262144',
  MALLOC_ARENA_MAX: '2',
} as const;

/** The stages between a broker and the store, in the order in which an event passes them. */
export const HOPS = ['broker-collector', 'collector-nats', 'nats-aggregator', 'aggregator-store'] as const;
export type Hop = (typeof HOPS)[number];

const figure = z.number().nullable().describe('null = not known');

const hopStatus = z.object({
  hop: z.enum(HOPS),
  /** '' where a hop is not told by cluster. */
  cluster: z.string(),
  /** Age of the oldest event that has not passed the hop, or the time that the newest took. */
  lag_seconds: figure,
  /** Messages that wait before it. */
  waiting: figure,
});

const bufferStatus = z.object({
  /** In words, e.g. `rounds on their way to NATS`. */
  name: z.string(),
  cluster: z.string(),
  used: z.number(),
  /** What happens at the bound is said where the buffer is; none ever grows past it. */
  bound: z.number(),
  unit: z.enum(['bytes', 'items']),
});

/** What watching a cluster costs its broker, and what was not heard of it. Rates are of the last report's interval. */
const brokerStatus = z.object({
  cluster: z.string(),
  messages_per_second: figure,
  bytes_per_second: figure,
  events_per_second: figure,
  /** Subscriptions or queues that this collector holds. */
  subscriptions: z.number(),
  /** Workers heard of within their last three heartbeats. */
  workers: z.number(),
  /** Heartbeats that should have come and did not: lost, or late because the worker was blocked. */
  missed_heartbeats: z.number(),
  /** At most so many events of workers with a steady clock were never heard; null when no clock is steady. */
  clock_holes: figure,
});

/** How one running copy of a service is doing. Kept in the bucket `meadow_services`, gone soon after it stops. */
export const serviceStatus = z.object({
  id: z.string(),
  service: z.string(),
  version: z.string(),
  host: z.string(),
  pid: z.number(),
  /** Unix seconds. */
  started_at: z.number(),
  reported_at: z.number(),
  /** What is missing for it to be of use; null when all is well. */
  missing: z.string().nullable(),
  /** Processor time over the last interval, in cores. */
  cpu: figure,
  rss_bytes: z.number(),
  /** 99th percentile of how late timers fired over the last interval. */
  loop_delay_seconds: figure,
  hops: z.array(hopStatus),
  buffers: z.array(bufferStatus),
  brokers: z.array(brokerStatus),
  /** Unix seconds at which the newest event that it stored was collected; null when it stores none. */
  stored_until: figure,
});

export type ServiceStatus = z.output<typeof serviceStatus>;
export type HopStatus = z.output<typeof hopStatus>;
export type BufferStatus = z.output<typeof bufferStatus>;
export type BrokerCost = z.output<typeof brokerStatus>;

/** What a service tells of its own work; the rest of `ServiceStatus` is the same for all. */
export type ServiceFacts = Pick<ServiceStatus, 'missing' | 'hops' | 'buffers' | 'brokers' | 'stored_until'>;
