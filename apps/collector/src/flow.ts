import type { BrokerCost, BufferStatus, HopStatus, ServiceFacts } from '@meadow/contract';
import type { Loss } from './loss.ts';

export interface ClusterFlowOptions {
  readonly loss: Loss;
  /** Whether the broker is heard. */
  readonly connected: () => boolean;
  /** How many rounds are on their way to NATS, of how many. */
  readonly rounds: () => { readonly used: number; readonly bound: number };
}

/** What flows through the collector for one cluster: rates, lag and the fill of its buffer, for reports and metrics. */
export class ClusterFlow {
  readonly #cluster: string;
  readonly #options: ClusterFlowOptions;
  #messages = 0;
  #bytes = 0;
  #events = 0;
  #taken = 0;
  #settled = 0;
  #settledAt = performance.now();
  /** The longest of this interval between two reports and of the one before: most bursts have nothing to wait for. */
  #ackSeconds: number | null = null;
  #ackBefore = 0;
  #lagSeconds: number | null = null;
  #before = { at: performance.now(), messages: 0, bytes: 0, events: 0 };
  #rates: Pick<BrokerCost, 'messages_per_second' | 'bytes_per_second' | 'events_per_second'> = NO_RATES;

  constructor(cluster: string, options: ClusterFlowOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** A burst was taken. @returns what to call when it is on disk in NATS */
  took(burst: {
    readonly messages: number;
    readonly bytes: number;
    readonly events: number;
    readonly lagSeconds: number | null;
  }): () => void {
    const began = performance.now();
    this.#messages += burst.messages;
    this.#bytes += burst.bytes;
    this.#events += burst.events;
    this.#lagSeconds = burst.lagSeconds ?? this.#lagSeconds;
    if (this.#taken === this.#settled) this.#settledAt = began;
    this.#taken++;
    return () => {
      this.#settled++;
      this.#settledAt = performance.now();
      this.#ackSeconds = Math.max(this.#ackSeconds ?? 0, (this.#settledAt - began) / 1000);
    };
  }

  hops(): HopStatus[] {
    const cluster = this.#cluster;
    const waiting = this.#taken - this.#settled;
    // while nothing is settled, what waits grows older
    const stuckSeconds = waiting === 0 ? 0 : (performance.now() - this.#settledAt) / 1000;
    const ack =
      this.#ackSeconds === null && waiting === 0
        ? null
        : Math.max(this.#ackSeconds ?? 0, this.#ackBefore, stuckSeconds);
    return [
      { hop: 'broker-collector', cluster, lag_seconds: this.#lagSeconds, waiting: null },
      { hop: 'collector-nats', cluster, lag_seconds: ack, waiting },
    ];
  }

  buffer(): BufferStatus {
    return { name: 'rounds on their way to NATS', cluster: this.#cluster, unit: 'items', ...this.#options.rounds() };
  }

  /** Rates are those of the last whole interval between two calls of this. */
  cost(): BrokerCost {
    const now = performance.now();
    const seconds = (now - this.#before.at) / 1000;
    if (seconds >= 1) {
      this.#rates = {
        messages_per_second: (this.#messages - this.#before.messages) / seconds,
        bytes_per_second: (this.#bytes - this.#before.bytes) / seconds,
        events_per_second: (this.#events - this.#before.events) / seconds,
      };
      this.#ackBefore = this.#ackSeconds ?? 0;
      this.#ackSeconds &&= 0;
      this.#before = { at: now, messages: this.#messages, bytes: this.#bytes, events: this.#events };
    }
    const { workers, missedHeartbeats, clockHoles } = this.#options.loss.figures();
    return {
      cluster: this.#cluster,
      ...this.#rates,
      subscriptions: this.#options.connected() ? 1 : 0,
      workers,
      missed_heartbeats: missedHeartbeats,
      clock_holes: clockHoles,
    };
  }
}

const NO_RATES = { messages_per_second: null, bytes_per_second: null, events_per_second: null };

/** The flows of all clusters that this collector watches. */
export class Flows {
  readonly #flows = new Set<ClusterFlow>();

  /** Disposing takes it out again. */
  add(flow: ClusterFlow): Disposable {
    this.#flows.add(flow);
    return { [Symbol.dispose]: () => void this.#flows.delete(flow) };
  }

  /** For `/metrics`. */
  read(): Pick<ServiceFacts, 'hops' | 'buffers'> {
    const flows = [...this.#flows];
    return { hops: flows.flatMap((flow) => flow.hops()), buffers: flows.map((flow) => flow.buffer()) };
  }

  /** For the report, once an interval. */
  facts(missing: string | null): ServiceFacts {
    return { missing, ...this.read(), brokers: [...this.#flows].map((flow) => flow.cost()), stored_until: null };
  }
}
