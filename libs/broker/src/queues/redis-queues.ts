import { decodeRedisEnvelope } from '@meadow/celery';
import type { Redis } from 'ioredis';
import { BrokerError } from '../errors.ts';
import type { BrokerStatus } from '../event-source.ts';
import { connectRedis } from '../redis/connection.ts';
import { redisError } from '../redis/errors.ts';
import type { Broker, RedisTarget } from '../url.ts';
import { MessageReader, unreadMessage } from './message.ts';
import type { Peek, QueueFigures } from '@meadow/contract';
import type {
  AdapterOptions,
  KnownQueues,
  Move,
  QueueAdapter,
  QueuesDefinition,
  QueuesLook,
  ServerLook,
} from './port.ts';
import { QueueConnection, type Held } from './queue-connection.ts';
import { redisFigures } from './redis-figures.ts';
import { queueKeys, type PriorityKey, type QueueKeys } from './redis-keys.ts';
import { KnownLists } from './redis-known.ts';
import { moveLists } from './redis-move.ts';
import { errorWord, isReplyError } from './redis-reply.ts';
import {
  lengthsOfLists,
  look,
  purgeLists,
  removeFromList,
  type ListedMessage,
  type MessagePlace,
} from './redis-scripts.ts';
import { redisFacts } from './redis-server.ts';
import { countUnacked, type Unacked } from './redis-unacked.ts';
import { QueueRefusal } from './refusal.ts';

type RedisBroker = Extract<Broker, { kind: 'redis' }>;

interface Link extends Held {
  readonly client: Redis;
  readonly known: KnownLists;
}

/** Queues whose figures are asked for at a time. */
const SLICE = 200;
/** A longer message is not sent here only to be looked at. */
const MOST_PEEKED_BYTES = 1024 * 1024;
const PEEK_BYTES = 8 * 1024 * 1024;

/** Queues that are kombu's lists in Redis. */
export function openRedisQueues(
  broker: RedisBroker,
  definition: QueuesDefinition,
  options: AdapterOptions,
): QueueAdapter {
  return new RedisQueues(broker, definition, options);
}

class RedisQueues implements QueueAdapter {
  readonly transport = 'redis';
  readonly #keys: QueueKeys;
  readonly #held: QueueConnection<RedisTarget, Link>;

  constructor(broker: RedisBroker, definition: QueuesDefinition, options: AdapterOptions) {
    const { name: cluster } = definition;
    const { clientName, timeoutMs, signal, onStatus } = options;
    this.#keys = queueKeys(definition.transportOptions);
    this.#held = new QueueConnection({
      ...{ targets: broker.targets, signal, onStatus, timeoutMs },
      facts: { cluster, endpoint: broker.targets[0].endpoint },
      toError: (error, target) => redisError(error, target, cluster),
      open: async (target, ends) => {
        const { client, lost } = await connectRedis(target, { cluster, clientName, timeoutMs, signal: ends });
        const link: Link = {
          ...{ client, lost, known: new KnownLists(this.#keys) },
          toError: (error) => queueError(error, target, cluster, this.#keys, client),
          drop: () => client.disconnect(),
          close: async () => {
            client.disconnect();
            await lost;
          },
        };
        return link;
      },
    });
  }

  get status(): BrokerStatus {
    return this.#held.status;
  }

  async names(signal?: AbortSignal): Promise<KnownQueues> {
    const { names, all } = await this.#held.use(({ client, known }) => known.look(client), signal);
    const incomplete = all ? null : 'the database holds many keys, of which not all have been looked at';
    return { names, incomplete };
  }

  async figures(names: readonly string[], signal?: AbortSignal): Promise<QueuesLook> {
    const link = await this.#held.link(signal);
    const unacked = await this.#held.answered(link, this.#unacked(link.client), signal);
    const queues: QueueFigures[] = [];
    for (let start = 0; start < names.length; start += SLICE) {
      const slice = names.slice(start, start + SLICE);
      queues.push(...(await this.#held.answered(link, redisFigures(link.client, this.#keys, slice, unacked), signal)));
    }
    return { queues, degraded: null };
  }

  async #unacked(client: Redis): Promise<Unacked> {
    try {
      return await countUnacked(client, this.#keys);
    } catch (error) {
      if (!isReplyError(error)) throw error;
      return { of: () => ({ count: null, reason: `redis refused to count them: ${errorWord(error)}` }) };
    }
  }

  async peek(name: string, asked: Parameters<QueueAdapter['peek']>[1]): Promise<Peek> {
    const lists = this.#keys.lists(name);
    const { offset, limit, signal } = asked;
    const { lengths, messages } = await this.#held.use(async ({ client }) => {
      const bounds = { offset, limit, mostBytes: MOST_PEEKED_BYTES, totalBytes: PEEK_BYTES };
      return this.#onLists(name, look(client, keysOf(lists), bounds));
    }, signal);
    const reader = new MessageReader();
    return {
      ready: lengths.reduce((sum, length) => sum + length, 0),
      requeues: false,
      messages: messages.map((message, index) => {
        const { payload, bytes } = message;
        const facts = { position: offset + index, bytes, handle: handleOf(message, lists) };
        if (payload === null) return unreadMessage(facts, `${bytes} bytes are too many to be shown`);
        return reader.read(facts, () => decodeRedisEnvelope(payload));
      }),
    };
  }

  purge(name: string, signal?: AbortSignal): Promise<number> {
    const keys = keysOf(this.#keys.lists(name));
    return this.#held.use(({ client }) => this.#onLists(name, purgeLists(client, keys)), signal);
  }

  remove(name: string, handle: string, signal?: AbortSignal): Promise<boolean> {
    const { step, ...place } = placeOf(name, handle);
    const key = this.#keys.lists(name).find((list) => list.step === step)?.key;
    if (key === undefined) throw invalidHandle(name);
    return this.#held.use(({ client }) => this.#onLists(name, removeFromList(client, key, place)), signal);
  }

  async move(from: string, to: string, options: Parameters<QueueAdapter['move']>[2]): Promise<Move> {
    const link = await this.#held.link(options.signal);
    const lists = { from: keysOf(this.#keys.lists(from)), to: keysOf(this.#keys.lists(to)), queue: to };
    // a key that holds something else is found before anything is moved
    await this.#held.answered(link, this.#onLists(to, lengthsOfLists(link.client, lists.to)));
    return moveLists(link.client, lists, options, (work) => this.#held.answered(link, this.#onLists(from, work)));
  }

  facts(signal?: AbortSignal): Promise<ServerLook> {
    return this.#held.use(({ client }) => redisFacts(client, this.#keys), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held[Symbol.asyncDispose]();
  }

  async #onLists<T>(name: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!isReplyError(error) || !/\bWRONGTYPE\b/.test(error.message)) throw error;
      const problem = 'a key of its name, or of one of its priorities, holds something else than a list';
      throw new QueueRefusal('QUEUE_KIND_UNSUITED', name, problem, 'check the name, and transportOptions', error);
    }
  }
}

const keysOf = (lists: readonly PriorityKey[]): string[] => lists.map(({ key }) => key);

/** `step-place-bytes-fingerprint`: enough to find the message again, and to be sure of it. */
function handleOf({ list, at, bytes, fingerprint }: ListedMessage, lists: readonly PriorityKey[]): string {
  return [lists[list]?.step ?? 0, at, bytes, fingerprint].join('-');
}

function placeOf(queue: string, handle: string): MessagePlace & { readonly step: number } {
  const parts = /^(\d{1,3})-(\d{1,10})-(\d{1,10})-([0-9a-f]{40})$/.exec(handle);
  if (parts === null) throw invalidHandle(queue);
  return { step: Number(parts[1]), at: Number(parts[2]), bytes: Number(parts[3]), fingerprint: parts[4] ?? '' };
}

const invalidHandle = (queue: string): QueueRefusal =>
  new QueueRefusal(
    'QUEUE_HANDLE_INVALID',
    queue,
    'the message is named by no handle',
    'give the handle that peek told',
  );

/** What a user may not do within a script has no code of its own in Redis. */
const REFUSED_IN_SCRIPT = /^(?:ERR )?(?:ACL failure in script|The user executing the script can't)/;

/** As for every connection to Redis, but with the rights that queues need; and a demoted master is left at once. */
function queueError(error: unknown, target: RedisTarget, cluster: string, keys: QueueKeys, client: Redis): BrokerError {
  if (isReplyError(error) && errorWord(error) === 'READONLY') client.disconnect();
  const told = redisError(error, target, cluster);
  const inScript = isReplyError(error) && REFUSED_IN_SCRIPT.test(error.message);
  if (told.code !== 'BROKER_PERMISSION_DENIED' && !inScript) return told;
  const user = target.username ?? 'default';
  const look = '+scan +sscan +hlen +hscan +zrange +type +llen +lindex +memory|usage +info +eval';
  const change = '+lpos +lpush +lrem +unlink';
  return new BrokerError(
    'BROKER_PERMISSION_DENIED',
    { cluster, endpoint: target.endpoint },
    `user ${user} may not do this (NOPERM)`,
    `run ACL SETUSER ${user} ~${keys.prefix}* ${look} and, to change queues, ${change}`,
    error,
  );
}
