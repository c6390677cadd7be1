import { BurstQueue } from '../burst-queue.ts';
import type {
  AdapterOptions,
  Burst,
  BrokerStatus,
  EventSource,
  EventSourceDefinition,
  RedisDelivery,
} from '../event-source.ts';
import { keepConnected, type Session } from '../keep-connected.ts';
import { timeoutError } from '../network-error.ts';
import type { BrokerError } from '../errors.ts';
import type { Broker, RedisTarget } from '../url.ts';
import { eventPatterns } from './channels.ts';
import { connectRedis, currentMaster, type RedisConnection } from './connection.ts';
import { redisError } from './errors.ts';

type RedisBroker = Extract<Broker, { kind: 'redis' }>;

/** Looks at a connection so many times within the silence it may keep. */
const LOOKS = 3;
/** Seconds over which the message rate is smoothed. */
const RATE_WINDOW_SECONDS = 60;

/** Event source over Redis pub/sub: lossy by nature, so every span without a live subscription is told as a gap. */
export function openRedisEvents(
  broker: RedisBroker,
  definition: EventSourceDefinition,
  options: AdapterOptions,
): EventSource {
  return new RedisEvents(broker, definition, options);
}

class RedisEvents implements EventSource {
  readonly transport = 'redis';
  readonly endpoint: string;
  readonly bursts: AsyncIterable<Burst, void, void>;
  readonly #definition: EventSourceDefinition;
  readonly #options: AdapterOptions;
  readonly #queue: BurstQueue<RedisDelivery>;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  readonly #done: Promise<void>;
  #status: BrokerStatus = { state: 'connecting', sinceMs: Date.now(), error: null };
  /** The last moment up to which nothing was missed; null before the first subscription. */
  #heardAtMs: number | null = null;
  #subscribed = false;
  #messages = 0;
  #messagesPerSecond: number | null = null;

  constructor(broker: RedisBroker, definition: EventSourceDefinition, options: AdapterOptions) {
    const { limits } = options;
    this.endpoint = broker.targets[0].endpoint;
    this.#definition = definition;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#end.signal]);
    this.#queue = new BurstQueue(
      { messages: limits.waitingMessages, bytes: limits.waitingBytes, burst: limits.burstMessages },
      (overflow) =>
        options.onGap({ reason: 'overflow', ...overflow, recentMessagesPerSecond: this.#messagesPerSecond }),
    );
    this.bursts = this.#takeBursts();
    this.#done = keepConnected<RedisTarget>({
      targets: broker.targets,
      open: (target, signal) => this.#open(target, signal),
      toError: (error, target) => redisError(error, target, definition.name),
      onStatus: (status) => {
        this.#status = status;
        options.onStatus(status);
      },
      signal: this.#signal,
      minBackoffMs: options.timing.minBackoffMs,
      maxBackoffMs: options.timing.maxBackoffMs,
    }).then(() => {
      if (!this.#subscribed) this.#tellGap(Date.now());
      this.#queue.flush();
    });
  }

  get status(): BrokerStatus {
    return this.#status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#done;
  }

  async *#takeBursts(): AsyncGenerator<Burst, void, void> {
    for (;;) {
      const deliveries = await this.#queue.take(this.#signal);
      if (deliveries.length === 0) return;
      yield { deliveries, settle };
    }
  }

  async #open(target: RedisTarget, signal: AbortSignal): Promise<Session> {
    const { cluster, clientName, timing } = this.#options;
    const connection = await connectRedis(target, { cluster, clientName, timeoutMs: timing.connectTimeoutMs, signal });
    try {
      await this.#subscribe(connection, target);
    } catch (error) {
      connection.client.disconnect();
      throw error;
    }
    const atMs = Date.now();
    this.#tellGap(atMs);
    this.#heardAtMs = atMs;
    this.#subscribed = true;
    const watch = this.#watch(connection, target, signal);
    const lost = Promise.race([connection.lost, watch.lost]).then((error) => {
      // Our own closing is no gap of the broker's.
      if (!signal.aborted) this.#subscribed = false;
      return error;
    });
    return {
      lost,
      close: async () => {
        watch.stop();
        connection.client.disconnect();
        await connection.lost;
      },
    };
  }

  async #subscribe({ client, lost }: RedisConnection, target: RedisTarget): Promise<void> {
    const queue = this.#queue;
    client.on('pmessageBuffer', (_pattern: string, channel: Buffer | string, payload: Buffer) => {
      const receivedAtMs = Date.now();
      this.#messages += 1;
      this.#heardAtMs = receivedAtMs;
      queue.push({ kind: 'redis', channel: channel.toString(), payload, receivedAtMs, redelivered: false });
    });
    const patterns = eventPatterns({
      db: target.db,
      eventExchange: this.#definition.eventExchange,
      transportOptions: this.#definition.transportOptions,
      behindSentinel: target.address.kind === 'sentinel',
    });
    const { timing, cluster } = this.#options;
    const timer = setTimeout(() => client.disconnect(), timing.connectTimeoutMs);
    try {
      await Promise.race([
        client.psubscribe(...patterns),
        lost.then((error) => {
          throw error;
        }),
      ]);
    } catch (error) {
      throw redisError(error, target, cluster);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Pings a quiet connection, gives up a silent one, and leaves a server that is no longer the sentinels' master. */
  #watch(
    { client, server }: RedisConnection,
    target: RedisTarget,
    signal: AbortSignal,
  ): { lost: Promise<BrokerError>; stop(): void } {
    const { cluster, clientName, timing } = this.#options;
    const { promise: lost, resolve } = Promise.withResolvers<BrokerError>();
    const everyMs = timing.silenceMs / LOOKS;
    let unanswered = 0;
    let messagesBefore = this.#messages;
    const timer = setInterval(() => {
      this.#measureRate(this.#messages - messagesBefore, everyMs / 1000);
      // Counted in looks, not in time: a process that was itself held up must not blame the broker.
      unanswered = this.#messages === messagesBefore ? unanswered + 1 : 1;
      messagesBefore = this.#messages;
      if (unanswered > LOOKS) return resolve(timeoutError({ cluster, endpoint: target.endpoint }));
      client.ping().then(
        () => {
          unanswered = 0;
          this.#heardAtMs = Date.now();
        },
        () => undefined, // the connection is gone, which `lost` tells
      );
      if (target.address.kind !== 'sentinel' || server === null) return;
      const ask = { cluster, clientName, timeoutMs: everyMs, signal };
      currentMaster(target, ask).then(
        (master) => {
          if (master.host !== server.host || master.port !== server.port) {
            resolve(redisError(new Error('failover'), target, cluster));
          }
        },
        () => undefined, // sentinels that cannot be asked say nothing about the master
      );
    }, everyMs);
    return { lost, stop: () => clearInterval(timer) };
  }

  #measureRate(messages: number, seconds: number): void {
    const now = messages / seconds;
    const weight = Math.min(1, seconds / RATE_WINDOW_SECONDS);
    this.#messagesPerSecond =
      this.#messagesPerSecond === null ? now : this.#messagesPerSecond + (now - this.#messagesPerSecond) * weight;
  }

  #tellGap(toMs: number): void {
    if (this.#heardAtMs === null) return;
    this.#options.onGap({
      reason: 'disconnected',
      fromMs: this.#heardAtMs,
      toMs,
      lost: null,
      recentMessagesPerSecond: this.#messagesPerSecond,
    });
  }
}

/** Pub/sub has nothing to acknowledge. */
function settle(): void {
  // nothing is kept by the broker
}
