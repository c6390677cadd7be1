import type { QueueRates } from './queue.ts';
import type { QueueSample } from './queue-sample.ts';

/** A broker as its page shows it. Null and not in `unknown` means that there is none: no limit, no replica. */
export interface ServerFacts {
  readonly kind: 'redis' | 'amqp';
  readonly source: QueueSample['source'];
  readonly product: string | null;
  readonly version: string | null;
  /** Of the node that runs for the shortest time. */
  readonly uptimeSeconds: number | null;
  readonly connections: number | null;
  /** Redis: connections that wait for a message. */
  readonly waiting: number | null;
  readonly channels: number | null;
  readonly consumers: number | null;
  readonly queues: number | null;
  /** Of all queues of this database or virtual host. */
  readonly unacked: number | null;
  /** Redis: Unix seconds at which a worker took the message that has been held for the longest time. */
  readonly unackedSince: number | null;
  readonly memoryUsedBytes: number | null;
  readonly memoryLimitBytes: number | null;
  readonly diskFreeBytes: number | null;
  readonly diskLimitBytes: number | null;
  /** Per second. Redis knows operations, RabbitMQ messages. */
  readonly operations: number | null;
  readonly rates: QueueRates | null;
  readonly role: string | null;
  readonly replicas: number | null;
  /** Redis: what it does when its memory is full. */
  readonly evictionPolicy: string | null;
  /** Redis: since it was started. */
  readonly evictedKeys: number | null;
  readonly rejectedConnections: number | null;
  /** RabbitMQ. */
  readonly nodes: readonly ServerNode[] | null;
  readonly alarms: readonly ServerAlarm[] | null;
  /** By field: why it is null. */
  readonly unknown: Readonly<Partial<Record<ServerFact, string>>>;
}

export type ServerFact = Exclude<keyof ServerFacts, 'kind' | 'source' | 'unknown'>;

export interface ServerNode {
  readonly name: string;
  readonly running: boolean;
  readonly uptimeSeconds: number | null;
  readonly memoryUsedBytes: number | null;
  readonly memoryLimitBytes: number | null;
  readonly diskFreeBytes: number | null;
  readonly diskLimitBytes: number | null;
  readonly fileDescriptors: number | null;
  readonly fileDescriptorLimit: number | null;
}

/** Something that stops or endangers messages now. */
export interface ServerAlarm {
  readonly alarm:
    'memory' | 'disk' | 'partition' | 'node-down' | 'eviction' | 'connections' | 'replica' | 'persistence';
  /** One line. */
  readonly says: string;
}
