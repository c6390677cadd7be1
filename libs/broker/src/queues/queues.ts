import type { BrokerStatus } from '../event-source.ts';
import { parseBrokerUrl } from '../url.ts';
import { openAmqpQueues } from './amqp-queues.ts';
import type { Peek } from '@meadow/contract';
import type {
  AdapterOptions,
  KnownQueues,
  Move,
  MoveOptions,
  PeekOptions,
  QueueAdapter,
  Queues,
  QueuesDefinition,
  QueuesLook,
  QueuesOptions,
  ServerLook,
} from './port.ts';
import { checkQueueName } from './queue-names.ts';
import { openRedisQueues } from './redis-queues.ts';
import { QueueRefusal } from './refusal.ts';

const MOST_NAMES = 10_000;
const MOST_PEEKED = 100;
const FARTHEST_PEEK = 10_000;

/**
 * Opens the queues of a cluster and returns at once, connected or not: a broker that is down is tried for ever, and each
 * operation fails with a `BrokerError` in time. Throws `BrokerConfigError` when the definition can never work.
 */
export function openQueues(definition: QueuesDefinition, options: QueuesOptions): Queues {
  const broker = parseBrokerUrl(definition);
  const adapter: AdapterOptions = {
    ...{ onStatus: () => undefined, clientName: 'meadow-queues', timeoutMs: 10_000 },
    ...options,
  };
  return new CheckedQueues(
    broker.kind === 'redis'
      ? openRedisQueues(broker, definition, adapter)
      : openAmqpQueues(broker, definition, adapter),
  );
}

/** Refuses what must not be done before an adapter hears of it. */
class CheckedQueues implements Queues {
  readonly transport: 'redis' | 'amqp';
  readonly #adapter: QueueAdapter;

  constructor(adapter: QueueAdapter) {
    this.transport = adapter.transport;
    this.#adapter = adapter;
  }

  get status(): BrokerStatus {
    return this.#adapter.status;
  }

  names(signal?: AbortSignal): Promise<KnownQueues> {
    return this.#adapter.names(signal);
  }

  async figures(names: readonly string[], signal?: AbortSignal): Promise<QueuesLook> {
    if (names.length > MOST_NAMES) throw new RangeError(`figures of ${names.length} queues: ask for ${MOST_NAMES}`);
    if (names.length === 0) return { queues: [], degraded: null };
    return this.#adapter.figures(names, signal);
  }

  async peek(name: string, { offset = 0, limit = 20, signal }: PeekOptions = {}): Promise<Peek> {
    checkQueueName(name);
    return this.#adapter.peek(name, {
      offset: bounded(offset, 0, FARTHEST_PEEK),
      limit: bounded(limit, 1, MOST_PEEKED),
      signal,
    });
  }

  async purge(name: string, signal?: AbortSignal): Promise<number> {
    checkQueueName(name);
    return this.#adapter.purge(name, signal);
  }

  async remove(name: string, handle: string, signal?: AbortSignal): Promise<boolean> {
    checkQueueName(name);
    return this.#adapter.remove(name, handle, signal);
  }

  async move(from: string, to: string, options: MoveOptions = {}): Promise<Move> {
    checkQueueName(from);
    checkQueueName(to);
    if (from === to) throw new QueueRefusal('QUEUE_SAME', to, 'the messages are there already', 'name another queue');
    const { limit = Number.MAX_SAFE_INTEGER, onProgress = () => undefined, signal } = options;
    return this.#adapter.move(from, to, {
      ...{ limit: bounded(limit, 1, Number.MAX_SAFE_INTEGER), onProgress },
      ...(signal === undefined ? {} : { signal }),
    });
  }

  facts(signal?: AbortSignal): Promise<ServerLook> {
    return this.#adapter.facts(signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#adapter[Symbol.asyncDispose]());
  }
}

function bounded(value: number, least: number, most: number): number {
  if (!Number.isInteger(value)) throw new RangeError(`${value} is no whole number`);
  return Math.min(most, Math.max(least, value));
}
