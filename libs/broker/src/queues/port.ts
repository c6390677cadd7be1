import type { ClusterDefinition, QueueSample } from '@meadow/contract';
import type { BrokerError } from '../errors.ts';
import type { BrokerStatus } from '../event-source.ts';
import type { WaitingMessage } from './message.ts';
import { isDelayed } from './queue-names.ts';
import type { QueueRefusal } from './refusal.ts';

export type QueuesDefinition = Pick<ClusterDefinition, 'name' | 'broker' | 'transportOptions' | 'tls' | 'management'>;

export interface QueuesOptions {
  /** Ends it: the connection closes, what is under way fails with the signal's reason. */
  readonly signal: AbortSignal;
  /** Called on each change, synchronously. Must not throw. */
  readonly onStatus?: (status: BrokerStatus) => void;
  /** Appears in the broker's own list of connections. @default 'meadow-queues' */
  readonly clientName?: string;
  /** For the connection, and for each answer. @default 10_000 */
  readonly timeoutMs?: number;
}

export interface KnownQueues {
  /** Sorted; those that hold no tasks (mailboxes, event receivers, Meadow's own) are left out. */
  readonly names: readonly string[];
  /** Why there may be more than these; null when there are not. */
  readonly incomplete: string | null;
}

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

export interface QueuesLook {
  /** One for each name that was asked for, in its order. */
  readonly queues: readonly QueueFigures[];
  /** What RabbitMQ's management API failed with, so that less is known; null when it did not, or there is none. */
  readonly degraded: BrokerError | null;
}

export interface PeekOptions {
  /** Messages to pass over, oldest first. At most 10,000 on Redis; on RabbitMQ 200 together with `limit`. @default 0 */
  readonly offset?: number;
  /** At most 100. @default 20 */
  readonly limit?: number;
  readonly signal?: AbortSignal;
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

export interface MoveOptions {
  /** @default all that wait when it begins */
  readonly limit?: number;
  /** Stops between two messages. */
  readonly signal?: AbortSignal;
  /** How many have been moved, now and then. Must not throw. */
  readonly onProgress?: (moved: number) => void;
}

export interface Move {
  readonly moved: number;
  /** Messages that stay where they are, as they could not be moved unchanged. */
  readonly left: number;
  /** Why the first of them stays; null when none does. */
  readonly leftBecause: string | null;
  readonly ended: 'all' | 'limit' | 'stopped' | 'failed';
  /** Null unless it failed. What was moved before stays moved; a batch whose answer was lost is not in `moved`. */
  readonly error: BrokerError | QueueRefusal | null;
  /**
   * RabbitMQ: so many messages at most may be in both queues after a failure, beside those moved. Always 0 on Redis, where a
   * message is moved or is not.
   */
  readonly doubled: number;
}

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
  /** As in `QueuesLook`. */
  readonly degraded: BrokerError | null;
}

export type ServerFact = Exclude<keyof ServerFacts, 'kind' | 'source' | 'unknown' | 'degraded'>;

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

/** The queues of one cluster, whatever its broker. Dispose it, or abort its signal, to end it. */
export interface Queues extends AsyncDisposable {
  readonly transport: 'redis' | 'amqp';
  readonly status: BrokerStatus;
  /**
   * Every queue of tasks that the broker knows. Redis: from the bindings that workers and publishers left and from the lists
   * there are, so many keys a call: the next call looks on where this one stopped. RabbitMQ: from its management API; without
   * it none.
   */
  names(signal?: AbortSignal): Promise<KnownQueues>;
  /** @param names at most 10,000 */
  figures(names: readonly string[], signal?: AbortSignal): Promise<QueuesLook>;
  /** What waits in a queue, decoded; nothing is taken out. */
  peek(name: string, options?: PeekOptions): Promise<Peek>;
  /** Removes all messages that wait; those that workers hold stay. @returns how many were removed */
  purge(name: string, signal?: AbortSignal): Promise<number>;
  /**
   * Removes one message that `peek` has shown. Redis only.
   * @returns false when it is no longer there
   */
  remove(name: string, handle: string, signal?: AbortSignal): Promise<boolean>;
  /**
   * Moves messages to another queue, the oldest first; their order and, on Redis, their priority stay. Redis: each at once,
   * and a queue that nobody knows is made. RabbitMQ: at least once, as a connection that breaks between the copy and the
   * removal leaves both; dead-letter headers are dropped, and a message's time to live begins anew.
   *
   * Throws what every operation does as long as nothing has been moved; after that the answer tells.
   */
  move(from: string, to: string, options?: MoveOptions): Promise<Move>;
  facts(signal?: AbortSignal): Promise<ServerFacts>;
}

/** What an adapter has to do; names have been checked. */
export type QueueAdapter = Omit<Queues, 'peek' | 'move'> & {
  peek(name: string, options: { offset: number; limit: number; signal: AbortSignal | undefined }): Promise<Peek>;
  move(
    from: string,
    to: string,
    options: Required<Omit<MoveOptions, 'signal'>> & Pick<MoveOptions, 'signal'>,
  ): Promise<Move>;
};

/** What an adapter gets: the caller's options with every default filled in. */
export type AdapterOptions = Required<QueuesOptions>;

/** Figures of a queue of which nothing is known, for one reason. */
export function unknownFigures(
  name: string,
  source: QueueFigures['source'],
  exists: boolean | null,
  reason: string,
): QueueFigures {
  const facts = ['ready', 'byPriority', 'unacked', 'consumers', 'bytes', 'nextId', 'nextSentAt', 'rates'] as const;
  return {
    ...{ name, kind: 'unknown', source, exists, delayed: isDelayed(name) },
    ...{ ready: null, byPriority: null, unacked: null, consumers: null, bytes: null },
    ...{ nextId: null, nextSentAt: null, rates: null },
    unknown: Object.fromEntries(
      [...facts, ...(exists === null ? ['exists' as const] : [])].map((fact) => [fact, reason]),
    ),
  };
}
