import { setTimeout as delay } from 'node:timers/promises';
import { withDeadline } from '../deadline.ts';
import { BrokerError, type BrokerFacts } from '../errors.ts';
import type { BrokerStatus } from '../event-source.ts';
import { keepConnected, type KeepConnectedOptions, type Session } from '../keep-connected.ts';
import { timeoutError } from '../network-error.ts';
import { QueueRefusal } from './refusal.ts';

/** A session that can be given up at once. */
export interface Held extends Session {
  /** Ends it without a goodbye, as one that does not answer hears none. */
  drop(): void;
  /** Says in our words what went wrong on it. */
  toError(error: unknown): BrokerError;
}

type HoldOptions<Target, Link extends Held> = Omit<
  KeepConnectedOptions<Target>,
  'open' | 'minBackoffMs' | 'maxBackoffMs'
> & {
  readonly open: (target: Target, signal: AbortSignal) => Promise<Link>;
  readonly facts: BrokerFacts;
  /** For an answer, and for the connection where it is being made. */
  readonly timeoutMs: number;
};

/** A connection that is lost may take so long to say why. */
const LOST_GRACE_MS = 200;

/** One connection, kept for ever, and lent to whoever has something to ask. */
export class HeldConnection<Target, Link extends Held> implements AsyncDisposable {
  readonly #facts: BrokerFacts;
  readonly #timeoutMs: number;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  readonly #done: Promise<void>;
  #status: BrokerStatus = { state: 'connecting', sinceMs: Date.now(), error: null };
  #link: Link | null = null;
  /** Given up because an answer did not come: whoever else waited on it waited for the same. */
  readonly #dropped = new WeakSet<Link>();
  #changed = Promise.withResolvers<undefined>();

  constructor(options: HoldOptions<Target, Link>) {
    this.#facts = options.facts;
    this.#timeoutMs = options.timeoutMs;
    this.#signal = AbortSignal.any([options.signal, this.#end.signal]);
    this.#done = keepConnected<Target>({
      ...options,
      signal: this.#signal,
      open: async (target, signal) => {
        const link = await options.open(target, signal);
        this.#link = link;
        return link;
      },
      onStatus: (status) => {
        this.#status = status;
        if (status.state !== 'connected') this.#link = null;
        this.#changed.resolve(undefined);
        this.#changed = Promise.withResolvers();
        options.onStatus(status);
      },
      minBackoffMs: 500,
      maxBackoffMs: 15_000,
    });
  }

  get status(): BrokerStatus {
    return this.#status;
  }

  /**
   * The connection as it stands. One that is being made is waited for; one whose making has failed is not.
   * @throws BrokerError when there is none
   */
  async link(signal?: AbortSignal): Promise<Link> {
    const ends = signal === undefined ? this.#signal : AbortSignal.any([signal, this.#signal]);
    const untilMs = performance.now() + this.#timeoutMs;
    for (;;) {
      ends.throwIfAborted();
      if (this.#link !== null) return this.#link;
      if (this.#status.state === 'failed') throw this.#status.error;
      await withDeadline(this.#changed.promise, {
        ms: Math.max(1, untilMs - performance.now()),
        signal: ends,
        giveUp: () => undefined,
        onTimeout: () => this.#status.error ?? timeoutError(this.#facts),
      });
    }
  }

  /**
   * Does one piece of work on the connection. A broker that does not answer in time loses it.
   * @throws BrokerError, QueueRefusal, or the signal's reason
   */
  async use<T>(work: (link: Link) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const link = await this.link(signal);
    return this.answered(link, work(link), signal);
  }

  /** Waits for an answer on a connection that is lent. @throws as `use` */
  async answered<T>(link: Link, answer: Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await withDeadline(answer, {
        ms: this.#timeoutMs,
        signal: signal === undefined ? this.#signal : AbortSignal.any([signal, this.#signal]),
        giveUp: () => undefined,
        onTimeout: () => {
          this.#dropped.add(link);
          link.drop();
          return timeoutError(this.#facts);
        },
      });
    } catch (error) {
      if (error instanceof QueueRefusal || error instanceof BrokerError) throw error;
      if (signal?.aborted === true || this.#signal.aborted) throw error;
      // a fault of ours is none of the broker's
      if (error instanceof TypeError || error instanceof RangeError) throw error;
      if (this.#dropped.has(link)) throw timeoutError(this.#facts);
      const told = link.toError(error);
      // who was cut off knows less of the reason than the connection does
      throw told.code === 'BROKER_CLOSED' ? await Promise.race([link.lost, delay(LOST_GRACE_MS, told)]) : told;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#done;
  }
}
