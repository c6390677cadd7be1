import type { ClusterDefinition } from '@meadow/contract';
import { openAmqpEvents } from './amqp/events.ts';
import type { QueueBounds } from './amqp/topology.ts';
import type { BrokerError } from './errors.ts';
import { openRedisEvents } from './redis/events.ts';
import type { Slab } from './redis/slab.ts';
import { parseBrokerUrl } from './url.ts';

/** A message from Redis pub/sub: kombu's whole JSON envelope, where the socket's reader put it. */
export interface RedisDelivery {
  readonly kind: 'redis';
  /** Channel as Redis names it, prefixes included. */
  readonly channel: string;
  /** The memory, and where in it the envelope lies. Holds until the next burst is asked for: it serves again then. */
  readonly slab: Slab;
  readonly begin: number;
  readonly end: number;
  /** Unix milliseconds at which this process got it. */
  readonly receivedAtMs: number;
  /** Always false: pub/sub tells each message once. */
  readonly redelivered: false;
}

/** The AMQP properties that say how to read `content`; undefined where the publisher set none. */
export interface AmqpDeliveryProperties {
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly headers: Readonly<Record<string, unknown>> | undefined;
}

export interface AmqpDelivery {
  readonly kind: 'amqp';
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: AmqpDeliveryProperties;
  readonly content: Buffer;
  readonly receivedAtMs: number;
  /** True when it may have been handed out before, here or to another collector. */
  readonly redelivered: boolean;
}

export type BrokerDelivery = RedisDelivery | AmqpDelivery;

/** The size of what a delivery carries. */
export const bytesOf = (delivery: BrokerDelivery): number =>
  delivery.kind === 'redis' ? delivery.end - delivery.begin : delivery.content.length;

/** What a delivery from Redis carries, without copying. */
export const payloadOf = ({ slab, begin, end }: RedisDelivery): Buffer => slab.bytes.subarray(begin, end);

/** What came in since the last look, oldest first, never empty. */
export interface Burst {
  readonly deliveries: readonly BrokerDelivery[];
  /**
   * Tells the broker that these deliveries, **and all of earlier bursts**, have had their durable effect: call it in
   * order. Cheap, never throws. Redis: does nothing. AMQP: one acknowledgement; nothing when the connection they came on
   * is gone, as the broker then hands them out again.
   */
  settle(): void;
}

export type BrokerStatus =
  /** First attempt, or the first one after a healthy connection was lost. `error` tells why it was. */
  | { readonly state: 'connecting'; readonly sinceMs: number; readonly error: BrokerError | null }
  | { readonly state: 'connected'; readonly sinceMs: number; readonly error: null }
  /** The last attempt failed; the next one follows by itself. `sinceMs` is when the first of them failed. */
  | { readonly state: 'failed'; readonly sinceMs: number; readonly error: BrokerError };

/**
 * A span in which messages were, or may have been, missed.
 * - `collector-down` (Redis): nobody listened since the last one who did ended; see `goLive`.
 * - `disconnected` (Redis): the connection was lost; pub/sub keeps nothing.
 * - `overflow` (Redis): the consumer was too slow and the oldest waiting messages were dropped here; `lost` is exact.
 * - `queue-overflow` (AMQP): our queue on the broker was at its bound, which drops the oldest.
 * - `broker-restarted` (AMQP): the broker restarted or lost our queue; Celery's events are transient, so those that
 *   waited in the queue are gone. What was delivered before is unharmed.
 */
export interface EventGap {
  readonly reason: 'collector-down' | 'disconnected' | 'overflow' | 'queue-overflow' | 'broker-restarted';
  /** Unix milliseconds of the last sure sign that nothing was missed; null when that was before this process. */
  readonly fromMs: number | null;
  readonly toMs: number;
  /** Messages (not events: one message holds up to 24) known to be missed; null when nobody can know. */
  readonly lost: number | null;
  /** Messages per second before, from which a loss may be estimated; null when unknown. */
  readonly recentMessagesPerSecond: number | null;
  /** Messages of this span that did not get lost: an estimate from the rate has to leave them out. */
  readonly kept: number;
}

export interface EventSourceLimits {
  /** AMQP: deliveries handed out and not yet settled. @default 2000 */
  readonly unsettledMessages: number;
  /** Redis: messages waiting to be taken; at the bound the oldest are dropped and told as a gap. @default 100_000 */
  readonly waitingMessages: number;
  /** Redis: bytes of their payloads. @default 64 MiB */
  readonly waitingBytes: number;
  /** Redis: what came in so long before is kept while standing by, within the two bounds above. @default 15_000 */
  readonly standbyMs: number;
  /** Deliveries of one burst. @default 1000 */
  readonly burstMessages: number;
}

export interface EventSourceTiming {
  /** From the first packet to the subscription. @default 10_000 */
  readonly connectTimeoutMs: number;
  /** A connection that says nothing, not even an answer to our ping, for so long is given up. @default 15_000 */
  readonly silenceMs: number;
  /** Pause before the second attempt; doubles, with jitter. @default 500 */
  readonly minBackoffMs: number;
  /** @default 15_000 */
  readonly maxBackoffMs: number;
}

export interface EventSourceOptions {
  /** Ends the source: connections close, the iterator returns. */
  readonly signal: AbortSignal;
  /** Called on each change, synchronously, and once before `openEventSource` returns. Must not throw. */
  readonly onStatus?: (status: BrokerStatus) => void;
  /** Must not throw. */
  readonly onGap?: (gap: EventGap) => void;
  /**
   * AMQP: at each connection to a queue whose bounds are not those of the definition, as RabbitMQ changes none. Null where
   * they cannot be known, so that an overflow may go unnoticed. Must not throw.
   */
  readonly onOtherBounds?: (actual: QueueBounds | null) => void;
  /** Stand by until `goLive` is called: another source of the same cluster hands out its events. @default false */
  readonly standby?: boolean;
  /** Appears in the broker's own list of connections. @default 'meadow-collector' */
  readonly clientName?: string;
  readonly limits?: Partial<EventSourceLimits>;
  readonly timing?: Partial<EventSourceTiming>;
}

/** The events of one cluster, whatever its broker. Dispose it, or abort its signal, to end it. */
export interface EventSource extends AsyncDisposable {
  readonly transport: 'redis' | 'amqp';
  /** First address of the broker, password masked. */
  readonly endpoint: string;
  readonly status: BrokerStatus;
  /**
   * Asks the broker for a sign of life, for at most a second. Gaps known by now are told at once.
   * @returns Unix milliseconds up to which nothing was missed, and everything has come in; null before there was a sign.
   * AMQP: as it was last looked at, since the broker keeps what comes.
   */
  probe(): Promise<number | null>;
  /** Whether going live now misses nothing that is sent from now on. AMQP: always, as the broker keeps it. */
  readonly ready: boolean;
  /**
   * Ends standing by. Redis: has listened since it was opened and hands out first what it kept, undecoded, of the last
   * seconds; messages that were handed out by another source before come again. AMQP: connects only now, as a second
   * consumer would share the messages.
   * @param heardUntilMs Unix milliseconds up to which nothing was missed by others; what was missed between then and the
   * first message kept is told as a gap. Null when that is not known, and then nothing is told.
   */
  goLive(heardUntilMs: number | null): void;
  /**
   * Bursts of deliveries as they come, across reconnects; ends when the source does. One consumer. While it does not
   * take, AMQP stops at `unsettledMessages`, and Redis buffers up to its limits, then drops the oldest.
   */
  readonly bursts: AsyncIterable<Burst, void, void>;
}

const LIMITS: EventSourceLimits = {
  unsettledMessages: 2000,
  waitingMessages: 100_000,
  waitingBytes: 64 * 1024 * 1024,
  standbyMs: 15_000,
  burstMessages: 1000,
};

const TIMING: EventSourceTiming = {
  connectTimeoutMs: 10_000,
  silenceMs: 15_000,
  minBackoffMs: 500,
  maxBackoffMs: 15_000,
};

/** What an adapter gets: the caller's options with every default filled in. */
export interface AdapterOptions {
  readonly cluster: string;
  readonly signal: AbortSignal;
  readonly onStatus: (status: BrokerStatus) => void;
  readonly onGap: (gap: EventGap) => void;
  readonly onOtherBounds: (actual: QueueBounds | null) => void;
  readonly standby: boolean;
  readonly clientName: string;
  readonly limits: EventSourceLimits;
  readonly timing: EventSourceTiming;
}

export type EventSourceDefinition = Pick<
  ClusterDefinition,
  'name' | 'broker' | 'transportOptions' | 'eventExchange' | 'tls' | 'eventQueue'
>;

/**
 * Starts to listen to a cluster's events and returns at once, connected or not: a broker that is down is tried for ever,
 * with growing pauses, and told by `onStatus`. Throws `BrokerConfigError` when the definition can never work.
 */
export async function openEventSource(
  definition: EventSourceDefinition,
  options: EventSourceOptions,
): Promise<EventSource> {
  const broker = parseBrokerUrl(definition);
  const adapter: AdapterOptions = {
    cluster: definition.name,
    signal: options.signal,
    onStatus: options.onStatus ?? (() => undefined),
    onGap: options.onGap ?? (() => undefined),
    onOtherBounds: options.onOtherBounds ?? (() => undefined),
    standby: options.standby ?? false,
    clientName: options.clientName ?? 'meadow-collector',
    limits: { ...LIMITS, ...options.limits },
    timing: { ...TIMING, ...options.timing },
  };
  return broker.kind === 'amqp'
    ? openAmqpEvents(broker, definition, adapter)
    : openRedisEvents(broker, definition, adapter);
}
