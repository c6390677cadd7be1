import { waitFor } from '@meadow/testkit';
import {
  bytesOf,
  openEventSource,
  payloadOf,
  slabOf,
  type BrokerDelivery,
  type BrokerStatus,
  type EventGap,
  type EventSource,
  type EventSourceDefinition,
  type EventSourceOptions,
} from '../src/index.ts';

export interface Listening extends AsyncDisposable {
  readonly source: EventSource;
  readonly statuses: BrokerStatus[];
  readonly gaps: EventGap[];
  readonly deliveries: BrokerDelivery[];
  /** Numbers of the test events received, in order. */
  numbers(): number[];
  /** Waits until the source's state is this. */
  reach(state: BrokerStatus['state'], deadlineMs?: number): Promise<void>;
  /** Waits for the first error. */
  failure(): Promise<NonNullable<BrokerStatus['error']>>;
  /** Waits until so many deliveries have come. */
  count(deliveries: number, deadlineMs?: number): Promise<void>;
  stop(): void;
}

export function definitionOf(broker: string, more: Partial<EventSourceDefinition> = {}): EventSourceDefinition {
  const eventQueue = { maxLength: 1_000_000, maxBytes: 1_000_000_000 };
  return { name: 'garden', broker, transportOptions: {}, eventExchange: 'celeryev', eventQueue, ...more };
}

/** Listens, takes every burst and settles it. */
export async function listen(
  definition: EventSourceDefinition,
  options: Partial<EventSourceOptions> & { readonly settle?: boolean } = {},
): Promise<Listening> {
  const stop = new AbortController();
  const statuses: BrokerStatus[] = [];
  const gaps: EventGap[] = [];
  const deliveries: BrokerDelivery[] = [];
  const source = await openEventSource(definition, {
    signal: stop.signal,
    onStatus: (status) => statuses.push(status),
    onGap: (gap) => gaps.push(gap),
    ...options,
    timing: { minBackoffMs: 50, maxBackoffMs: 500, silenceMs: 3000, connectTimeoutMs: 8000, ...options.timing },
  });
  const taking = (async () => {
    for await (const burst of source.bursts) {
      deliveries.push(...burst.deliveries.map(kept));
      if (options.settle !== false) burst.settle();
    }
  })();
  return {
    source,
    statuses,
    gaps,
    deliveries,
    numbers: () => deliveries.map(numberIn),
    stop: () => stop.abort(),
    async reach(state, deadlineMs = 15_000) {
      const what = () => `state ${state}, not ${source.status.state}: ${source.status.error?.message ?? ''}`;
      await waitFor(() => source.status.state === state, { what: `the state ${state}`, deadlineMs }).catch((cause) => {
        throw new Error(what(), { cause });
      });
    },
    failure: () => waitFor(() => source.status.error, { what: 'a failure' }),
    async count(wanted, deadlineMs = 15_000) {
      const what = `${wanted} deliveries`;
      await waitFor(() => deliveries.length >= wanted, { what, deadlineMs }).catch((cause: unknown) => {
        throw new Error(`${what}, got ${deliveries.length}`, { cause });
      });
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await taking;
      await source[Symbol.asyncDispose]();
    },
  };
}

/** A delivery from Redis holds only until the next burst. */
function kept(delivery: BrokerDelivery): BrokerDelivery {
  if (delivery.kind === 'amqp') return delivery;
  return { ...delivery, slab: slabOf(Buffer.from(payloadOf(delivery))), begin: 0, end: bytesOf(delivery) };
}

/** The number that a test's publisher put in a message. */
export function numberIn(delivery: BrokerDelivery): number {
  const text = delivery.kind === 'redis' ? payloadOf(delivery).toString() : delivery.content.toString();
  const envelope = JSON.parse(text) as { n?: number; body?: string };
  return envelope.n ?? (JSON.parse(Buffer.from(envelope.body ?? '', 'base64').toString()) as { n: number }).n;
}
