import type { ClusterDefinition, Peek, QueueFigures, ServerFacts } from '@meadow/contract';
import type { BrokerError } from '../errors.ts';
import type { BrokerStatus } from '../event-source.ts';
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

/** A broker as its page shows it. */
export interface ServerLook extends ServerFacts {
  /** As in `QueuesLook`. */
  readonly degraded: BrokerError | null;
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
  facts(signal?: AbortSignal): Promise<ServerLook>;
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
