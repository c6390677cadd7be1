import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { BurstQueue, type Overflow } from '../burst-queue.ts';
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
import { connectRedis, currentMaster, type RedisConnection, type SocketReader } from './connection.ts';
import { redisError } from './errors.ts';
import { PatternMessages } from './pattern-messages.ts';
import { letGo } from './slab.ts';

type RedisBroker = Extract<Broker, { kind: 'redis' }>;

/** Looks at a connection so many times within the silence it may keep. */
const LOOKS = 3;
/** Seconds over which the message rate is smoothed. */
const RATE_WINDOW_SECONDS = 10;
const PROBE_MS = 1_000;
/** How often a queue that stands by forgets what is too old. */
const FORGET_MS = 5_000;

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
  /** The last moment up to which nothing was missed; null when there was none. */
  #heardAtMs: number | null = null;
  /** When the subscription that stands, or stood last, began; null before the first. */
  #listeningSinceMs: number | null = null;
  #live: boolean;
  #client: Redis | null = null;
  #subscribed = false;
  #messages = 0;
  #messagesPerSecond: number | null = null;

  constructor(broker: RedisBroker, definition: EventSourceDefinition, options: AdapterOptions) {
    const { limits } = options;
    this.endpoint = broker.targets[0].endpoint;
    this.#definition = definition;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#end.signal]);
    this.#live = !options.standby;
    this.#queue = new BurstQueue(
      { messages: limits.waitingMessages, bytes: limits.waitingBytes, burst: limits.burstMessages },
      (overflow) => this.#tellOverflow(overflow),
      options.standby ? limits.standbyMs : null,
    );
    this.bursts = this.#takeBursts();
    if (options.standby) {
      const forgetting = setInterval(() => {
        if (this.#live || this.#signal.aborted) clearInterval(forgetting);
        else this.#queue.forget(Date.now());
      }, FORGET_MS).unref();
    }
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
      if (!this.#subscribed) this.#tellInterruption(Date.now());
      this.#queue.flush();
    });
  }

  get status(): BrokerStatus {
    return this.#status;
  }

  async probe(): Promise<number | null> {
    this.#queue.flush();
    await Promise.race([this.#ping(), delay(PROBE_MS, undefined, { ref: false })]);
    return this.#heardAtMs;
  }

  get ready(): boolean {
    return this.#subscribed;
  }

  goLive(heardUntilMs: number | null): void {
    if (this.#live) return;
    this.#live = true;
    const forgotten = this.#queue.goLive(Date.now());
    if (heardUntilMs === null) {
      // nobody else handed it out
      if (forgotten !== null) this.#tellOverflow(forgotten);
      return;
    }
    if (this.#listeningSinceMs !== null) {
      const keptSinceMs = Math.max(this.#listeningSinceMs, forgotten?.toMs ?? 0);
      if (keptSinceMs > heardUntilMs) this.#tellGap('collector-down', heardUntilMs, keptSinceMs);
    }
    this.#heardAtMs = Math.max(this.#heardAtMs ?? 0, heardUntilMs);
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
      for (const { slab } of deliveries) letGo(slab);
    }
  }

  async #open(target: RedisTarget, signal: AbortSignal): Promise<Session> {
    const { cluster, clientName, timing } = this.#options;
    const connection = await connectRedis(target, {
      ...{ cluster, clientName, timeoutMs: timing.connectTimeoutMs, signal },
      reader: (toClient) => this.#reader(toClient),
    });
    try {
      await this.#subscribe(connection, target);
    } catch (error) {
      connection.client.disconnect();
      throw error;
    }
    const atMs = Date.now();
    this.#tellInterruption(atMs);
    this.#heardAtMs = atMs;
    this.#listeningSinceMs = atMs;
    this.#client = connection.client;
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

  #reader(toClient: (reply: Buffer) => void): SocketReader {
    const queue = this.#queue;
    let receivedAtMs = 0;
    const messages = new PatternMessages((channel, slab, begin, end) => {
      this.#messages += 1;
      slab.users++;
      queue.push({ kind: 'redis', channel, slab, begin, end, receivedAtMs, redelivered: false });
    }, toClient);
    return {
      room: () => messages.room(),
      took: (bytes) => {
        receivedAtMs = Date.now();
        const before = this.#messages;
        messages.took(bytes);
        // the first messages come with the answer to the subscription, before the span until it has been told as a gap
        if (this.#subscribed && this.#messages > before) this.#heardAtMs = receivedAtMs;
      },
    };
  }

  async #subscribe({ client, lost }: RedisConnection, target: RedisTarget): Promise<void> {
    const patterns = eventPatterns({
      db: target.db,
      exchange: this.#definition.eventExchange,
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
    { server }: RedisConnection,
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
      void this.#ping().then((answered) => {
        if (answered) unanswered = 0;
      });
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

  /** Never rejects: where the connection is gone, `lost` tells. */
  async #ping(): Promise<boolean> {
    try {
      await this.#client?.ping();
    } catch {
      return false;
    }
    if (!this.#subscribed) return false;
    this.#heardAtMs = Date.now();
    return true;
  }

  #measureRate(messages: number, seconds: number): void {
    const now = messages / seconds;
    const weight = Math.min(1, seconds / RATE_WINDOW_SECONDS);
    this.#messagesPerSecond =
      this.#messagesPerSecond === null ? now : this.#messagesPerSecond + (now - this.#messagesPerSecond) * weight;
  }

  /** While standing by, an interruption is no gap: another listens. */
  #tellInterruption(toMs: number): void {
    if (!this.#live || this.#heardAtMs === null) return;
    this.#tellGap(this.#listeningSinceMs === null ? 'collector-down' : 'disconnected', this.#heardAtMs, toMs);
  }

  #tellOverflow(overflow: Overflow): void {
    const recentMessagesPerSecond = this.#messagesPerSecond;
    this.#options.onGap({ reason: 'overflow', ...overflow, recentMessagesPerSecond, kept: 0 });
  }

  #tellGap(reason: 'collector-down' | 'disconnected', fromMs: number, toMs: number): void {
    const recentMessagesPerSecond = this.#messagesPerSecond;
    this.#options.onGap({ reason, fromMs, toMs, lost: null, recentMessagesPerSecond, kept: 0 });
  }
}

/** Pub/sub has nothing to acknowledge. */
function settle(): void {
  // nothing is kept by the broker
}
