import { withDeadline } from './deadline.ts';
import type { BrokerFacts } from './errors.ts';
import type { BrokerStatus } from './event-source.ts';
import { keepConnected, type KeepConnectedOptions, type Session } from './keep-connected.ts';
import { timeoutError } from './network-error.ts';

export type HoldOptions<Target, Link extends Session> = Omit<
  KeepConnectedOptions<Target>,
  'open' | 'minBackoffMs' | 'maxBackoffMs'
> & {
  readonly open: (target: Target, signal: AbortSignal) => Promise<Link>;
  readonly facts: BrokerFacts;
  /** So long a connection that is being made is waited for. */
  readonly timeoutMs: number;
};

/** One connection, kept for ever, and lent to whoever has something to ask. */
export class HeldConnection<Target, Link extends Session> implements AsyncDisposable {
  readonly #facts: BrokerFacts;
  readonly #timeoutMs: number;
  readonly #end = new AbortController();
  readonly #done: Promise<void>;
  #status: BrokerStatus = { state: 'connecting', sinceMs: Date.now(), error: null };
  #current: Link | null = null;
  #changed = Promise.withResolvers<undefined>();
  /** Aborted at the end. */
  readonly signal: AbortSignal;

  constructor(options: HoldOptions<Target, Link>) {
    this.#facts = options.facts;
    this.#timeoutMs = options.timeoutMs;
    this.signal = AbortSignal.any([options.signal, this.#end.signal]);
    this.#done = keepConnected<Target>({
      ...options,
      signal: this.signal,
      open: async (target, signal) => {
        const link = await options.open(target, signal);
        this.#current = link;
        return link;
      },
      onStatus: (status) => {
        this.#status = status;
        if (status.state !== 'connected') this.#current = null;
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

  /** Null while there is none. */
  get current(): Link | null {
    return this.#current;
  }

  /**
   * The connection as it stands. One that is being made is waited for; one whose making has failed is not.
   * @throws BrokerError when there is none
   */
  async link(signal?: AbortSignal): Promise<Link> {
    const ends = signal === undefined ? this.signal : AbortSignal.any([signal, this.signal]);
    const untilMs = performance.now() + this.#timeoutMs;
    for (;;) {
      ends.throwIfAborted();
      if (this.#current !== null) return this.#current;
      if (this.#status.state === 'failed') throw this.#status.error;
      await withDeadline(this.#changed.promise, {
        ms: Math.max(1, untilMs - performance.now()),
        signal: ends,
        giveUp: () => undefined,
        onTimeout: () => this.#status.error ?? timeoutError(this.#facts),
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#done;
  }
}
