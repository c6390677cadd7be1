import { IllegalOperationError, type Channel, type ConsumeMessage } from 'amqplib';
import { BurstQueue } from '../burst-queue.ts';
import { withDeadline } from '../deadline.ts';
import type { BrokerError } from '../errors.ts';
import type {
  AdapterOptions,
  AmqpDelivery,
  BrokerStatus,
  Burst,
  EventGap,
  EventSource,
  EventSourceDefinition,
} from '../event-source.ts';
import { keepConnected, type Session } from '../keep-connected.ts';
import { timeoutError } from '../network-error.ts';
import type { AmqpTarget, Broker } from '../url.ts';
import { connectAmqp, type AmqpConnection } from './connection.ts';
import { amqpError } from './errors.ts';
import { declareEventQueue, type QueueBounds } from './topology.ts';

type AmqpBroker = Extract<Broker, { kind: 'amqp' }>;

interface TaggedDelivery extends AmqpDelivery {
  readonly deliveryTag: number;
}

/** After an abort, so long may the consumer still settle before the connection is closed. */
const SETTLE_GRACE_MS = 5000;
const CLOSE_DEADLINE_MS = 1000;
/** How often the length of our queue is compared with its bounds. */
const LENGTH_CHECK_MS = 10_000;
/** So full a queue is taken to be at its bound in bytes, as its size is estimated from the messages delivered. */
const FULL = 0.95;

/**
 * Event source over a durable, bounded queue of ours. A delivery is the broker's until its burst is settled: when this
 * process or the connection ends before, it is delivered again.
 */
export function openAmqpEvents(
  broker: AmqpBroker,
  definition: EventSourceDefinition,
  options: AdapterOptions,
): EventSource {
  return new AmqpEvents(broker, definition, options);
}

class AmqpEvents implements EventSource {
  readonly transport = 'amqp';
  readonly ready = true;
  readonly endpoint: string;
  readonly bursts: AsyncIterable<Burst, void, void>;
  readonly #definition: EventSourceDefinition;
  readonly #options: AdapterOptions;
  readonly #queue: BurstQueue<TaggedDelivery>;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  readonly #disposed = Promise.withResolvers<undefined>();
  readonly #done: Promise<void>;
  #status: BrokerStatus = { state: 'connecting', sinceMs: Date.now(), error: null };
  /** The channel that delivers now; null between connections, when nothing can be settled. */
  #channel: Channel | null = null;
  /** When the broker last proved that it was there. */
  #sureAtMs: number | null = null;
  /** Messages that waited in our queue then, and those delivered since; up to `unsettledMessages` of them twice. */
  #waitingThen = 0;
  #deliveredSince = 0;
  #bytesSince = 0;
  /** Size of a message, as last delivered; null before the first. */
  #averageBytes: number | null = null;
  /** What waited when nobody knew yet how big messages are. */
  #unjudged: { readonly waiting: number; readonly fromMs: number | null; readonly atMs: number } | null = null;
  #bounds: QueueBounds;
  /** Messages that came into our queue per second, while it was within its bound. */
  #messagesPerSecond: number | null = null;
  readonly #live = Promise.withResolvers<undefined>();

  constructor(broker: AmqpBroker, definition: EventSourceDefinition, options: AdapterOptions) {
    this.endpoint = broker.targets[0].endpoint;
    this.#definition = definition;
    this.#options = options;
    this.#bounds = definition.eventQueue;
    this.#signal = AbortSignal.any([options.signal, this.#end.signal]);
    // The broker stops at the prefetch bound, so this queue never overflows.
    this.#queue = new BurstQueue(
      { messages: Infinity, bytes: Infinity, burst: options.limits.burstMessages },
      () => undefined,
    );
    this.bursts = this.#takeBursts();
    if (!options.standby) this.#live.resolve(undefined);
    this.#signal.addEventListener('abort', () => this.#live.resolve(undefined), { once: true });
    this.#done = this.#live.promise.then(() => this.#keepConnected(broker));
  }

  #keepConnected(broker: AmqpBroker): Promise<void> {
    const options = this.#options;
    return keepConnected<AmqpTarget>({
      targets: broker.targets,
      open: (target, signal) => this.#open(target, signal),
      toError: (error, target) => amqpError(error, target, options.cluster),
      onStatus: (status) => {
        this.#status = status;
        options.onStatus(status);
      },
      signal: this.#signal,
      minBackoffMs: options.timing.minBackoffMs,
      maxBackoffMs: options.timing.maxBackoffMs,
    });
  }

  get status(): BrokerStatus {
    return this.#status;
  }

  probe(): Promise<number | null> {
    return Promise.resolve(this.#sureAtMs);
  }

  goLive(heardUntilMs: number | null): void {
    this.#sureAtMs ??= heardUntilMs;
    this.#live.resolve(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    this.#disposed.resolve(undefined);
    await this.#done;
  }

  async *#takeBursts(): AsyncGenerator<Burst, void, void> {
    for (;;) {
      const deliveries = await this.#queue.take(this.#signal);
      const tag = deliveries.at(-1)?.deliveryTag;
      if (tag === undefined) return;
      const channel = this.#channel;
      yield { deliveries, settle: () => this.#settle(channel, tag) };
    }
  }

  #settle(channel: Channel | null, deliveryTag: number): void {
    if (channel === null || channel !== this.#channel) return;
    try {
      channel.ack({ fields: { deliveryTag } } as ConsumeMessage, true);
    } catch (error) {
      // The channel is closing and we have not heard yet: the broker will deliver again.
      if (!(error instanceof IllegalOperationError)) throw error;
    }
  }

  async #open(target: AmqpTarget, signal: AbortSignal): Promise<Session> {
    const { cluster, clientName, timing } = this.#options;
    const { connectTimeoutMs: timeoutMs, silenceMs } = timing;
    const connection = await connectAmqp(target, { cluster, clientName, timeoutMs, silenceMs, signal });
    try {
      return await withDeadline(this.#consume(connection, target), {
        ms: timeoutMs,
        signal,
        giveUp: () => void connection.close(),
        onTimeout: () => timeoutError({ cluster, endpoint: target.endpoint }),
      });
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async #consume(connection: AmqpConnection, target: AmqpTarget): Promise<Session> {
    const { cluster, limits } = this.#options;
    const { eventExchange: exchange, eventQueue } = this.#definition;
    const declared = await declareEventQueue(connection.model, { cluster, exchange, ...eventQueue });
    const channel = await connection.model.createChannel();
    const { promise: failed, resolve: fail } = Promise.withResolvers<BrokerError>();
    let reason: unknown = null;
    channel.on('error', (error) => {
      reason = error;
    });
    channel.once('close', () => {
      if (this.#channel === channel) {
        this.#channel = null;
        // Whatever waits here belongs to this channel, and will be delivered again.
        this.#queue.clear();
      }
      // The connection, when that is what went, tells why; a channel alone must tell by itself.
      if (reason !== null) fail(amqpError(reason, target, cluster));
      else void connection.lost.then(fail);
    });
    await channel.prefetch(limits.unsettledMessages);
    // The one before may not have told its end yet: what it left here cannot be settled on this one.
    this.#queue.clear();
    this.#channel = channel;
    const { bounds } = declared;
    this.#bounds = bounds ?? eventQueue;
    if (bounds?.maxLength !== eventQueue.maxLength || bounds.maxBytes !== eventQueue.maxBytes)
      this.#options.onOtherBounds(bounds);
    // before the first delivery, which would be counted as waiting and as delivered
    this.#tellGaps(declared, Date.now());
    await channel.consume(declared.queue, (message) => {
      if (message === null) return fail(amqpError(new Error('consumer cancelled'), target, cluster));
      if (this.#channel !== channel) return;
      this.#deliveredSince += 1;
      this.#bytesSince += message.content.length;
      this.#queue.push(delivery(message));
    });
    const timer = setInterval(() => {
      // also where this came too late to be anybody's session
      if (this.#channel === channel) void this.#checkLength(channel, declared.queue);
      else clearInterval(timer);
    }, LENGTH_CHECK_MS);
    return {
      lost: Promise.race([failed, connection.lost]),
      close: async () => {
        clearInterval(timer);
        if (this.#signal.aborted && this.#channel !== null) await this.#settleGrace(connection);
        // First the channel, so that what was settled last leaves before the connection's end does.
        if (this.#channel === channel) await closeChannel(channel, connection);
        await connection.close();
      },
    };
  }

  /** Leaves the consumer time to settle what it holds; disposal, which it calls last, ends the wait. */
  async #settleGrace(connection: AmqpConnection): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), SETTLE_GRACE_MS);
    await Promise.race([promise, this.#disposed.promise, connection.lost]);
    clearTimeout(timer);
  }

  #tellGaps(declared: Awaited<ReturnType<typeof declareEventQueue>>, atMs: number): void {
    const queueVanished = !declared.existed && this.#sureAtMs !== null;
    if (declared.brokerRestarted === true || queueVanished) this.#tellGap('broker-restarted', atMs, 0);
    this.#measure(declared.waiting, atMs);
  }

  async #checkLength(channel: Channel, queue: string): Promise<void> {
    try {
      const { messageCount } = await channel.checkQueue(queue);
      if (this.#channel === channel) this.#measure(messageCount, Date.now());
    } catch {
      // the channel is gone, which the session notices by itself
    }
  }

  /** Compares the length of our queue with its bounds: at either the broker drops the oldest. */
  #measure(waiting: number, atMs: number): void {
    const kept = Math.max(0, this.#deliveredSince + waiting - this.#waitingThen);
    if (this.#deliveredSince > 0) this.#averageBytes = this.#bytesSince / this.#deliveredSince;
    const before = this.#unjudged;
    this.#unjudged = null;
    if (before !== null && this.#isFull(before.waiting)) {
      this.#tellGap('queue-overflow', before.atMs, before.waiting, before.fromMs);
    }
    if (this.#isFull(waiting)) {
      this.#tellGap('queue-overflow', atMs, kept);
    } else {
      if (this.#averageBytes === null) this.#unjudged = { waiting, fromMs: this.#sureAtMs, atMs };
      if (this.#sureAtMs !== null && atMs > this.#sureAtMs)
        this.#messagesPerSecond = (kept * 1000) / (atMs - this.#sureAtMs);
    }
    this.#sureAtMs = atMs;
    this.#waitingThen = waiting;
    this.#deliveredSince = 0;
    this.#bytesSince = 0;
  }

  #isFull(waiting: number): boolean {
    const { maxLength, maxBytes } = this.#bounds;
    return waiting >= maxLength || waiting * (this.#averageBytes ?? 0) >= maxBytes * FULL;
  }

  #tellGap(reason: EventGap['reason'], toMs: number, kept: number, fromMs = this.#sureAtMs): void {
    const recentMessagesPerSecond = reason === 'queue-overflow' ? this.#messagesPerSecond : null;
    this.#options.onGap({ reason, fromMs, toMs, lost: null, recentMessagesPerSecond, kept });
  }
}

async function closeChannel(channel: Channel, connection: AmqpConnection): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), CLOSE_DEADLINE_MS);
  await Promise.race([channel.close().catch(() => undefined), connection.lost, promise]);
  clearTimeout(timer);
}

function delivery({ fields, properties, content }: ConsumeMessage): TaggedDelivery {
  const { exchange, routingKey, redelivered, deliveryTag } = fields;
  return {
    kind: 'amqp',
    exchange,
    routingKey,
    properties,
    content,
    receivedAtMs: Date.now(),
    redelivered,
    deliveryTag,
  };
}
