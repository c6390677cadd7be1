import type { ClusterDefinition } from '@meadow/contract';
import { BurstQueue } from '../burst-queue.ts';
import { payloadOf, type BrokerStatus, type RedisDelivery } from '../event-source.ts';
import { keepConnected, type Session } from '../keep-connected.ts';
import { timeoutError } from '../network-error.ts';
import { connectRedis, type RedisConnection } from '../redis/connection.ts';
import { escapeGlob } from '../redis/channels.ts';
import { redisError } from '../redis/errors.ts';
import { slabOf } from '../redis/slab.ts';
import type { RedisTarget } from '../url.ts';
import type { ResultBackend } from './backend.ts';
import { inTime, lookupResults, type ResultDelivery } from './lookup.ts';

export interface ResultSourceOptions {
  readonly cluster: ClusterDefinition['name'];
  /** Ends the source: connections close, the iterator returns. */
  readonly signal: AbortSignal;
  readonly clientName: string;
  /** Called on each change, synchronously. Must not throw. */
  readonly onStatus: (status: BrokerStatus) => void;
  /** Results that were dropped because they were not taken in time. */
  readonly onDropped: (count: number) => void;
}

/** The results of one cluster. */
export interface ResultSource extends AsyncDisposable {
  /**
   * What workers write, as they write it, across reconnects; ends when the source does. One consumer. While it does not
   * take, up to 20,000 results or 64 MiB wait, then the oldest are dropped. What is written while there is no connection is
   * not told: `lookup` finds it.
   */
  readonly bursts: AsyncIterable<readonly ResultDelivery[], void, void>;
  /**
   * What the backend holds now of these tasks; ids it knows nothing of are left out. Opens a connection of its own, which
   * lives as long as the call. @throws BrokerError
   */
  lookup(taskIds: readonly string[], signal: AbortSignal): Promise<readonly ResultDelivery[]>;
}

const WAITING = { messages: 20_000, bytes: 64 * 1024 * 1024, burst: 500 };
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that does not answer a ping for so long is given up. */
const SILENCE_MS = 15_000;

/** Starts to listen to a cluster's results and returns at once, connected or not: a backend that is down is tried for ever. */
export function openResultSource(
  backend: Extract<ResultBackend, { kind: 'redis' }>,
  options: ResultSourceOptions,
): ResultSource {
  return new RedisResults(backend, options);
}

class RedisResults implements ResultSource {
  readonly bursts: AsyncIterable<readonly ResultDelivery[], void, void>;
  readonly #backend: Extract<ResultBackend, { kind: 'redis' }>;
  readonly #options: ResultSourceOptions;
  readonly #queue: BurstQueue<RedisDelivery>;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  readonly #done: Promise<void>;

  constructor(backend: Extract<ResultBackend, { kind: 'redis' }>, options: ResultSourceOptions) {
    this.#backend = backend;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#end.signal]);
    this.#queue = new BurstQueue(WAITING, ({ lost }) => options.onDropped(lost));
    this.bursts = this.#takeBursts();
    this.#done = keepConnected<RedisTarget>({
      targets: backend.targets,
      open: (target, signal) => this.#open(target, signal),
      toError: (error, target) => redisError(error, target, options.cluster),
      onStatus: options.onStatus,
      signal: this.#signal,
      minBackoffMs: 500,
      maxBackoffMs: 15_000,
    }).then(() => this.#queue.flush());
  }

  lookup(taskIds: readonly string[], signal: AbortSignal): Promise<readonly ResultDelivery[]> {
    const { cluster, clientName } = this.#options;
    const ends = AbortSignal.any([signal, this.#signal]);
    return lookupResults(this.#backend, taskIds, { cluster, clientName, signal: ends });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#done;
  }

  async *#takeBursts(): AsyncGenerator<readonly ResultDelivery[], void, void> {
    const { length } = this.#backend.keyPrefix;
    for (;;) {
      const deliveries = await this.#queue.take(this.#signal);
      if (deliveries.length === 0) return;
      yield deliveries.map((delivery) => ({
        taskId: delivery.channel.slice(length),
        payload: payloadOf(delivery),
        receivedAtMs: delivery.receivedAtMs,
      }));
    }
  }

  #connect(target: RedisTarget, signal: AbortSignal): Promise<RedisConnection> {
    const { cluster, clientName } = this.#options;
    return connectRedis(target, { cluster, clientName, timeoutMs: CONNECT_TIMEOUT_MS, signal });
  }

  async #open(target: RedisTarget, signal: AbortSignal): Promise<Session> {
    const facts = { cluster: this.#options.cluster, endpoint: target.endpoint };
    const connection = await this.#connect(target, signal);
    const { client, lost } = connection;
    client.on('pmessageBuffer', (_pattern: string, channel: Buffer | string, payload: Buffer) => {
      const place = { slab: slabOf(payload), begin: 0, end: payload.length };
      const told = { channel: channel.toString(), receivedAtMs: Date.now(), redelivered: false } as const;
      this.#queue.push({ kind: 'redis', ...place, ...told });
    });
    try {
      const subscribed = client.psubscribe(`${escapeGlob(this.#backend.keyPrefix)}*`);
      const failed = lost.then((error) => {
        throw error;
      });
      await inTime(Promise.race([subscribed, failed]), client, facts, signal);
    } catch (error) {
      client.disconnect();
      throw redisError(error, target, this.#options.cluster);
    }
    const { promise: silent, resolve } = Promise.withResolvers<'silent'>();
    let answered = true;
    const timer = setInterval(() => {
      if (!answered) return resolve('silent');
      answered = false;
      client.ping().then(
        () => (answered = true),
        () => undefined, // the connection is gone, which `lost` tells
      );
    }, SILENCE_MS / 2);
    return {
      lost: Promise.race([lost, silent.then(() => timeoutError(facts))]),
      close: async () => {
        clearInterval(timer);
        client.disconnect();
        await lost;
      },
    };
  }
}
