import { setTimeout as delay } from 'node:timers/promises';
import { withDeadline } from '../deadline.ts';
import { BrokerError, type BrokerFacts } from '../errors.ts';
import { HeldConnection, type HoldOptions } from '../held-connection.ts';
import type { Session } from '../keep-connected.ts';
import { timeoutError } from '../network-error.ts';
import { QueueRefusal } from './refusal.ts';

/** A session that can be given up at once. */
export interface Held extends Session {
  /** Ends it without a goodbye, as one that does not answer hears none. */
  drop(): void;
  /** Says in our words what went wrong on it. */
  toError(error: unknown): BrokerError;
}

/** A connection that is lost may take so long to say why. */
const LOST_GRACE_MS = 200;

/** A held connection on which every answer has a deadline, the same as for the connection itself. */
export class QueueConnection<Target, Link extends Held> extends HeldConnection<Target, Link> {
  readonly #facts: BrokerFacts;
  readonly #timeoutMs: number;
  /** Given up because an answer did not come: whoever else waited on it waited for the same. */
  readonly #dropped = new WeakSet<Link>();

  constructor(options: HoldOptions<Target, Link>) {
    super(options);
    this.#facts = options.facts;
    this.#timeoutMs = options.timeoutMs;
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
        signal: signal === undefined ? this.signal : AbortSignal.any([signal, this.signal]),
        giveUp: () => undefined,
        onTimeout: () => {
          this.#dropped.add(link);
          link.drop();
          return timeoutError(this.#facts);
        },
      });
    } catch (error) {
      if (error instanceof QueueRefusal || error instanceof BrokerError) throw error;
      if (signal?.aborted === true || this.signal.aborted) throw error;
      // a fault of ours is none of the broker's
      if (error instanceof TypeError || error instanceof RangeError) throw error;
      if (this.#dropped.has(link)) throw timeoutError(this.#facts);
      const told = link.toError(error);
      // who was cut off knows less of the reason than the connection does
      throw told.code === 'BROKER_CLOSED' ? await Promise.race([link.lost, delay(LOST_GRACE_MS, told)]) : told;
    }
  }
}
