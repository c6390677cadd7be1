import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import { connect, errors, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { setTimeout as delay } from 'node:timers/promises';
import { Bucket } from './bucket.ts';
import { busError } from './errors.ts';
import { EventStream } from './event-stream.ts';
import { Requests } from './requests.ts';
import { Returns } from './returns.ts';

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

/** Messages that a slow subscriber has waiting at least before it loses the oldest, at most twice as many; live views coalesce anyway. */
const SUBSCRIBER_BOUND = 10_000;
/** The server tells at once that nobody listens. */
const OFFER_DEADLINE_MS = 1_000;

const REMAKE_WAIT_MS = 1_000;
/** So long JetStream has for an answer. */
const ANSWER_MS = 5_000;

/**
 * A connection to NATS. Once open it reconnects for ever; calls made meanwhile fail with BUS_UNAVAILABLE in time. What it
 * was asked to make is made again where NATS comes back without its storage, and who reads or watches it is told.
 */
export class Bus implements AsyncDisposable {
  readonly #connection: NatsConnection;
  readonly #kvm: Kvm;
  readonly #onNotice: (notice: BusNotice) => void;
  #connected = true;
  #manager: JetStreamManager | null = null;
  /** Makes each bucket that was opened. */
  readonly #buckets = new Map<string, () => Promise<KV>>();
  readonly #returns = new Returns();
  /** The events between collectors and aggregators. */
  readonly events: EventStream;
  readonly requests: Requests;

  constructor(connection: NatsConnection, onNotice: (notice: BusNotice) => void) {
    const js = jetstream(connection, { timeout: ANSWER_MS });
    this.#connection = connection;
    this.#onNotice = onNotice;
    this.#kvm = new Kvm(js);
    this.events = new EventStream(connection, js, this.#returns);
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
      const make = (): Promise<KV> => this.#kvm.create(name, { history: 1, ttl: options.ttlMs ?? 0 });
      const kv = await make();
      this.#buckets.set(name, make);
      const onInvalid = (key: string, error: unknown): void =>
        this.#onNotice({ kind: 'invalid-value', bucket: name, key, error });
      return new Bucket(kv, { keys: () => this.#keysOf(name), returns: this.#returns, parse, onInvalid });
    } catch (error) {
      throw busError(`open bucket ${name}`, error);
    }
  }

  /**
   * The keys of a bucket, deleted ones among them. Of one answer of the server: a listing by a consumer, as the client offers
   * it, takes its end from a count that goes wrong while others write, and then has none.
   */
  async #keysOf(bucket: string): Promise<string[]> {
    this.#manager ??= await jetstreamManager(this.#connection, { timeout: ANSWER_MS });
    const { state } = await this.#manager.streams.info(`KV_${bucket}`, { subjects_filter: '>' });
    return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(`$KV.${bucket}.`.length));
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

  /**
   * Messages of a subject (wildcards allowed) until `signal` is aborted. Of those that wait while nobody takes, the oldest
   * are dropped without a word from the bound on.
   */
  async *subscribe(subject: string, signal: AbortSignal): AsyncGenerator<BusMessage> {
    if (signal.aborted) return;
    const state: { waiting: Msg[]; failure: Error | null; ended: boolean } = {
      waiting: [],
      failure: null,
      ended: false,
    };
    let wake = (): void => undefined;
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) state.failure = error;
        else state.waiting.push(message);
        // in one go, so that a message dropped costs no more than one taken
        if (state.waiting.length >= 2 * SUBSCRIBER_BOUND) state.waiting.splice(0, SUBSCRIBER_BOUND);
        wake();
      },
    });
    const end = (): void => {
      state.ended = true;
      wake();
    };
    void subscription.closed.then(end, end);
    signal.addEventListener('abort', end, { once: true });
    try {
      while (!state.ended || (state.waiting.length > 0 && !signal.aborted)) {
        const { waiting } = state;
        state.waiting = [];
        for (const message of waiting) {
          if (signal.aborted) return;
          yield { subject: message.subject, data: message.data, json: () => message.json() };
        }
        if (state.failure !== null) break;
        if (state.waiting.length > 0 || state.ended) continue;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      if (state.failure !== null) throw state.failure;
    } finally {
      signal.removeEventListener('abort', end);
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
        void this.#remake();
      }
    }
  }

  async #remake(): Promise<void> {
    while (this.#connected && !this.#connection.isClosed()) {
      try {
        await this.events.remake();
        for (const make of this.#buckets.values()) await make();
        return await this.#returns.tell();
      } catch {
        // JetStream may need longer than the connection
        await delay(REMAKE_WAIT_MS, undefined, { ref: false });
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
      const servers = options.url.split(',').map((server) => server.trim());
      const connection = await connect({
        servers,
        ...credentials(servers),
        name: options.name,
        timeout: 5_000,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 500,
        pingInterval: 5_000,
        maxPingOut: 2,
        ignoreClusterUpdates: false,
        // a stack for each request costs 40 µs, and tells nothing that the error's message does not
        noAsyncTraces: true,
        // else two refusals in a row, as while a password is changed, end the connection for good
        ignoreAuthErrorAbort: true,
      });
      return new Bus(connection, onNotice);
    } catch (error) {
      onNotice({ kind: 'connecting', error: busError('connect', error).message, waitMs });
      await delay(waitMs, undefined, { signal: options.signal });
    }
  }
}

/** Those of the first server that has some, for all: nats.js reads none from a URL. */
function credentials(servers: readonly string[]): { user: string; pass: string } | Record<string, never> {
  const server = servers.find((each) => each.includes('@'));
  if (server === undefined) return {};
  const { username, password } = new URL(server.includes('://') ? server : `nats://${server}`);
  return { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
}
