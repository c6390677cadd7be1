import { amqpEnvelope, type JsonObject } from '@meadow/celery';
import type { Channel, ChannelModel, GetMessage } from 'amqplib';
import { connectAmqp } from '../amqp/connection.ts';
import { amqpError } from '../amqp/errors.ts';
import { BrokerError } from '../errors.ts';
import type { BrokerStatus } from '../event-source.ts';
import type { AmqpTarget, Broker } from '../url.ts';
import { onChannel, suited } from './amqp-channel.ts';
import { declaredFigures, managedFigures } from './amqp-figures.ts';
import { moveMessages } from './amqp-move.ts';
import { amqpFacts } from './amqp-server.ts';
import { Management, textAt, valueAt } from './management.ts';
import { MessageReader, sentAt } from './message.ts';
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
import { isTaskQueue } from './queue-names.ts';
import { QueueRefusal } from './refusal.ts';

type AmqpBroker = Extract<Broker, { kind: 'amqp' }>;

interface Link extends Held {
  readonly model: ChannelModel;
  readonly target: AmqpTarget;
}

const SILENCE_MS = 15_000;
const MOST_NAMES = 10_000;
/** Messages that are taken and put back at a time, those passed over included, and their bytes. */
const FARTHEST_PEEK = 200;
const PEEK_BYTES = 16 * 1024 * 1024;
/** Each message is a question of its own: over a long way not many are taken. */
const PEEK_MS = 3_000;
/** A longer message is told without its arguments. */
const MOST_PEEKED_BYTES = 1024 * 1024;

/** Queues of RabbitMQ: figures from its management API where that answers, everything else by AMQP. */
export function openAmqpQueues(
  broker: AmqpBroker,
  definition: QueuesDefinition,
  options: AdapterOptions,
): QueueAdapter {
  return new AmqpQueues(broker, definition, options);
}

class AmqpQueues implements QueueAdapter {
  readonly transport = 'amqp';
  readonly #held: QueueConnection<AmqpTarget, Link>;
  readonly #management: Management;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;

  constructor(broker: AmqpBroker, definition: QueuesDefinition, options: AdapterOptions) {
    const { name: cluster } = definition;
    const { clientName, timeoutMs, signal, onStatus } = options;
    this.#signal = AbortSignal.any([signal, this.#end.signal]);
    this.#management = new Management(definition, broker.targets, timeoutMs);
    this.#held = new QueueConnection({
      ...{ targets: broker.targets, signal, onStatus, timeoutMs },
      facts: { cluster, endpoint: broker.targets[0].endpoint },
      toError: (error, target) => amqpError(error, target, cluster),
      open: async (target, ends) => {
        const connect = { cluster, clientName, timeoutMs, silenceMs: SILENCE_MS, signal: ends };
        const connection = await connectAmqp(target, connect);
        const link: Link = {
          ...{ model: connection.model, lost: connection.lost, target },
          toError: (error) => queueError(error, target, cluster),
          drop: () => void connection.close(),
          close: () => connection.close(),
        };
        return link;
      },
    });
  }

  get status(): BrokerStatus {
    return this.#held.status;
  }

  async names(signal?: AbortSignal): Promise<KnownQueues> {
    try {
      const queues = await this.#management.queues(this.#until(signal));
      const names = queues.flatMap((queue) => taskQueueIn(queue) ?? []).toSorted();
      const incomplete = names.length > MOST_NAMES ? `there are ${names.length} queues` : null;
      return { names: names.slice(0, MOST_NAMES), incomplete };
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return { names: [], incomplete: `only RabbitMQ's management API lists queues: ${error.message}` };
    }
  }

  async figures(names: readonly string[], signal?: AbortSignal): Promise<QueuesLook> {
    let degraded: BrokerError;
    try {
      const known = await this.#management.queues(this.#until(signal));
      const byName = new Map(known.map((queue) => [textAt(queue, 'name') ?? '', queue]));
      return { queues: names.map((name) => managedFigures(name, byName.get(name))), degraded: null };
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      degraded = error;
    }
    const link = await this.#held.link(signal);
    const queues: QueueFigures[] = [];
    for (const name of names)
      queues.push(await this.#held.answered(link, declaredFigures(link.model, name, degraded), signal));
    return { queues, degraded };
  }

  async peek(name: string, asked: Parameters<QueueAdapter['peek']>[1]): Promise<Peek> {
    const { offset, limit, signal } = asked;
    if (offset >= FARTHEST_PEEK) {
      const problem = `its first ${FARTHEST_PEEK} messages can be looked at, as all are taken and put back`;
      throw new QueueRefusal('QUEUE_UNSUPPORTED', name, problem, `ask for an offset below ${FARTHEST_PEEK}`);
    }
    const most = Math.min(FARTHEST_PEEK, offset + limit);
    const { taken, ready } = await this.#onQueue(
      name,
      (channel) => takeAndPutBack(channel, name, offset, most),
      signal,
    );
    const reader = new MessageReader();
    return {
      ...{ ready, requeues: true },
      messages: taken.map((message, index) => {
        const facts = { position: offset + index, bytes: message.content.length, handle: null };
        const tooLong = message.content.length > MOST_PEEKED_BYTES;
        const read = reader.read(facts, () => amqpEnvelope(tooLong ? { ...message, content: NO_BYTES } : message));
        const says = `${message.content.length} bytes are too many to be shown`;
        const told = { ...read, sentAt: read.sentAt ?? publishedAt(message) };
        return tooLong ? { ...told, problem: { code: 'QUEUE_PEEK_BOUND', says } } : told;
      }),
    };
  }

  purge(name: string, signal?: AbortSignal): Promise<number> {
    return this.#onQueue(name, async (channel) => (await channel.purgeQueue(name)).messageCount, signal);
  }

  remove(name: string): Promise<boolean> {
    const problem = 'RabbitMQ removes no single message that waits';
    const remedy = 'revoke the task by its id, or move the others away and purge';
    return Promise.reject(new QueueRefusal('QUEUE_UNSUPPORTED', name, problem, remedy));
  }

  async move(from: string, to: string, options: Parameters<QueueAdapter['move']>[2]): Promise<Move> {
    const link = await this.#held.link(options.signal);
    return moveMessages(link.model, { from, to, username: link.target.username }, options, async (work) => {
      return this.#held.answered(link, suited(from, work, link.lost));
    });
  }

  async facts(signal?: AbortSignal): Promise<ServerLook> {
    return amqpFacts(this.#management, this.#until(signal), async () => {
      const { model } = await this.#held.link(signal);
      return model.connection.serverProperties;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#held[Symbol.asyncDispose]();
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#signal : AbortSignal.any([signal, this.#signal]);
  }

  #onQueue<T>(name: string, work: (channel: Channel) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.#held.use((link) => suited(name, onChannel(link.model, name, work), link.lost), signal);
  }
}

const NO_BYTES = Buffer.alloc(0);

/** Takes messages and gives them back, so that the next consumer gets them as if nothing had been. */
async function takeAndPutBack(
  channel: Channel,
  queue: string,
  offset: number,
  most: number,
): Promise<{ readonly taken: readonly GetMessage[]; readonly ready: number }> {
  const { messageCount: ready } = await channel.checkQueue(queue);
  const taken: GetMessage[] = [];
  const untilMs = performance.now() + PEEK_MS;
  let bytes = 0;
  for (let count = 0; count < most && bytes < PEEK_BYTES && performance.now() < untilMs; count++) {
    const message = await channel.get(queue);
    if (message === false) break;
    bytes += message.content.length;
    if (count >= offset) taken.push(message);
  }
  channel.nackAll(true);
  return { taken, ready };
}

function publishedAt({ properties }: GetMessage): number | null {
  const timestamp: unknown = properties.timestamp;
  return typeof timestamp === 'number' ? sentAt({ headers: {}, properties: { timestamp } }) : null;
}

/** The name of a queue that may hold tasks; null for the others, those of one connection alone included. */
function taskQueueIn(queue: JsonObject): string | null {
  const name = textAt(queue, 'name');
  return name !== null && isTaskQueue(name) && valueAt(queue, ['exclusive']) !== true ? name : null;
}

/** As for every connection to RabbitMQ, but with the rights that queues need. */
function queueError(error: unknown, target: AmqpTarget, cluster: string): BrokerError {
  const told = amqpError(error, target, cluster);
  if (told.code !== 'BROKER_PERMISSION_DENIED') return told;
  const { username, vhost, endpoint } = target;
  const problem = `user "${username}" may not do this with these queues`;
  const remedy = `run rabbitmqctl set_permissions -p '${vhost}' '${username}' '^meadow\\.' '^(meadow\\.|amq\\.default$)' '.*'`;
  return new BrokerError('BROKER_PERMISSION_DENIED', { cluster, endpoint }, problem, remedy, error);
}
