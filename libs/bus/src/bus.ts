import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect, errors, type NatsConnection } from '@nats-io/transport-node';
import { setTimeout as delay } from 'node:timers/promises';
import { Bucket } from './bucket.ts';
import { busError } from './errors.ts';
import { EventStream } from './event-stream.ts';
import { Requests } from './requests.ts';

export interface BusOptions {
  /** `nats://[user:password@]host:port`, several joined by `,`. */
  readonly url: string;
  /** Shown in NATS's own monitoring. */
  readonly name: string;
  /** Ends the first connecting; a bus that is open is ended by disposing it. */
  readonly signal: AbortSignal;
  /** Told each time that the connection is lost, found again, or a bucket holds a value that does not fit. */
  readonly onNotice?: (notice: BusNotice) => void;
}

export type BusNotice =
  | { readonly kind: 'connecting'; readonly error: string; readonly waitMs: number }
  | { readonly kind: 'disconnected' }
  | { readonly kind: 'reconnected' }
  | { readonly kind: 'invalid-value'; readonly bucket: string; readonly key: string; readonly error: unknown };

export interface BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  json(): unknown;
}

/** Messages that a slow subscriber may have waiting before it loses the oldest; live views coalesce anyway. */
const SUBSCRIBER_BOUND = 10_000;
/** The server tells at once that nobody listens. */
const OFFER_DEADLINE_MS = 1_000;

/** A connection to NATS. Once open it reconnects for ever; calls made meanwhile fail with BUS_UNAVAILABLE in time. */
export class Bus implements AsyncDisposable {
  readonly #connection: NatsConnection;
  readonly #kvm: Kvm;
  readonly #onNotice: (notice: BusNotice) => void;
  #connected = true;
  /** The events between collectors and aggregators. */
  readonly events: EventStream;
  readonly requests: Requests;

  constructor(connection: NatsConnection, onNotice: (notice: BusNotice) => void) {
    const js = jetstream(connection, { timeout: 5_000 });
    this.#connection = connection;
    this.#onNotice = onNotice;
    this.#kvm = new Kvm(js);
    this.events = new EventStream(connection, js);
    this.requests = new Requests(connection);
    void this.#follow();
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Opens a bucket, creating it where it is missing. `ttlMs` is used at creation only: 0 keeps values for good. */
  async bucket<T>(
    name: string,
    parse: (value: unknown) => T,
    options: { readonly ttlMs?: number } = {},
  ): Promise<Bucket<T>> {
    try {
      const kv = await this.#kvm.create(name, { history: 1, ttl: options.ttlMs ?? 0 });
      return new Bucket(kv, parse, (key, error) => this.#onNotice({ kind: 'invalid-value', bucket: name, key, error }));
    } catch (error) {
      throw busError(`open bucket ${name}`, error);
    }
  }

  /** Sends to whoever listens right now; nobody keeps it. Dropped without a word while NATS is away. */
  publish(subject: string, data: Uint8Array | string): void {
    if (this.#connected) this.#connection.publish(subject, data);
  }

  /** As `publish`. @returns whether anybody listened; true too where NATS does not tell in time. */
  async offer(subject: string, data: Uint8Array | string): Promise<boolean> {
    if (!this.#connected) return false;
    try {
      await this.#connection.request(subject, data, { timeout: OFFER_DEADLINE_MS });
    } catch (error) {
      // who listens does not answer: only the server does, where there is nobody
      if (error instanceof errors.RequestError && error.isNoResponders()) return false;
    }
    return true;
  }

  /** Messages of a subject (wildcards allowed) until `signal` is aborted. */
  async *subscribe(subject: string, signal: AbortSignal): AsyncGenerator<BusMessage> {
    if (signal.aborted) return;
    const subscription = this.#connection.subscribe(subject, {
      slow: SUBSCRIBER_BOUND,
    });
    const stop = (): void => subscription.unsubscribe();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const message of subscription) {
        yield { subject: message.subject, data: message.data, json: () => message.json() };
      }
    } finally {
      signal.removeEventListener('abort', stop);
      subscription.unsubscribe();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.race([this.#connection.drain(), delay(2_000, undefined, { ref: false })]).catch(() => undefined);
    await this.#connection.close();
  }

  async #follow(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === 'disconnect') {
        this.#connected = false;
        this.#onNotice({ kind: 'disconnected' });
      } else if (status.type === 'reconnect') {
        this.#connected = true;
        this.#onNotice({ kind: 'reconnected' });
      }
    }
  }
}

/** Connects to NATS, trying until it answers or `signal` is aborted. */
export async function openBus(options: BusOptions): Promise<Bus> {
  const onNotice = options.onNotice ?? (() => undefined);
  for (let waitMs = 200; ; waitMs = Math.min(waitMs * 2, 5_000)) {
    options.signal.throwIfAborted();
    try {
      const connection = await connect({
        servers: options.url.split(',').map((server) => server.trim()),
        name: options.name,
        timeout: 5_000,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 500,
        pingInterval: 5_000,
        maxPingOut: 2,
        ignoreClusterUpdates: false,
      });
      return new Bus(connection, onNotice);
    } catch (error) {
      onNotice({ kind: 'connecting', error: busError('connect', error).message, waitMs });
      await delay(waitMs, undefined, { signal: options.signal });
    }
  }
}
