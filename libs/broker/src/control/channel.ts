import {
  decodeControlReply,
  encodeControlRequest,
  type ControlReply,
  type ControlRequest,
  type Envelope,
} from '@meadow/celery';
import type { ClusterDefinition } from '@meadow/contract';
import { randomUUID } from 'node:crypto';
import { amqpError } from '../amqp/errors.ts';
import { withDeadline } from '../deadline.ts';
import type { BrokerFacts } from '../errors.ts';
import type { BrokerStatus } from '../event-source.ts';
import { HeldConnection } from '../held-connection.ts';
import type { KeepConnectedOptions, Session } from '../keep-connected.ts';
import { timeoutError } from '../network-error.ts';
import { redisError } from '../redis/errors.ts';
import { parseBrokerUrl, type AmqpTarget, type RedisTarget } from '../url.ts';
import { openAmqpMailbox } from './amqp-mailbox.ts';
import { openRedisMailbox } from './redis-mailbox.ts';

export type ControlDefinition = Pick<
  ClusterDefinition,
  'name' | 'broker' | 'transportOptions' | 'controlExchange' | 'tls'
>;

export interface ControlChannelOptions {
  /** Ends the channel: what is being asked ends with what has been answered. */
  readonly signal: AbortSignal;
  /** Called on each change, synchronously. Must not throw. */
  readonly onStatus?: (status: BrokerStatus) => void;
  /** An answer that nobody waits for any more, or that cannot be read. Must not throw. */
  readonly onStrayReply?: (why: 'late' | 'unreadable') => void;
  /** Appears in the broker's own list of connections. @default 'meadow-control' */
  readonly clientName?: string;
}

export interface ControlAsk {
  readonly command: ControlRequest['command'];
  /** The workers that it is for, by name; null for all that hear it. */
  readonly destination: readonly string[] | null;
  /** Nothing more is waited for when all of these have answered. @default the destination */
  readonly awaited?: readonly string[];
  /** So long is waited for answers, milliseconds. With 0 none is asked for: `shutdown` is never answered. */
  readonly waitMs: number;
  /** Ends the waiting; what has been sent stays sent. */
  readonly signal?: AbortSignal;
  /** Each answer as it comes, and the message that it was read from, in which every number is as it was written. Must not throw. */
  readonly onReply?: OnReply;
}

type OnReply = (reply: ControlReply, message: Envelope) => void;

export interface ControlAnswers {
  /** In the order in which they came. Two of one name come from two workers that share it. */
  readonly replies: readonly ControlReply[];
  /** Redis: how many programs heard the request, whomever it was for; 0 means none. Null where the broker does not tell. */
  readonly heard: number | null;
  /**
   * `answered`: all that were awaited did. `deadline`: the others may answer later, or never. `stopped`: by the caller, or
   * the channel's end. `disconnected`: the connection was lost, and the answers with it.
   */
  readonly ended: 'answered' | 'deadline' | 'stopped' | 'disconnected';
}

/** Remote control of one cluster's workers, whatever its broker. Dispose it, or abort its signal, to end it. */
export interface ControlChannel extends AsyncDisposable {
  readonly transport: 'redis' | 'amqp';
  readonly status: BrokerStatus;
  /**
   * Sends a command and gathers the answers.
   * @throws z.ZodError for a command that is not as it should be: nothing has been sent
   * @throws BrokerError when there is no connection, or the broker does not take it in time
   */
  ask(ask: ControlAsk): Promise<ControlAnswers>;
}

/** One connection, as a channel uses it. */
export interface Mailbox extends Session {
  /** The list or queue into which workers put their answers. */
  readonly replyTo: string;
  /** @returns how many heard it; null when the broker does not tell */
  publish(body: Uint8Array): Promise<number | null>;
  /** Tells how many requests wait for answers. */
  attend(requests: number): void;
}

export interface MailboxOptions {
  readonly definition: ControlDefinition;
  readonly clientName: string;
  /** From the first packet until requests can be sent. */
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
  /** Given what reads the answer; it throws CeleryDecodeError. */
  readonly onMessage: (read: () => Envelope) => void;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** For a connection that is being made, and then for the broker to take a request. */
const SEND_TIMEOUT_MS = 5_000;
/** Answers that are kept of one request. */
const MOST_REPLIES = 20_000;

/**
 * Opens a channel and returns at once, connected or not: a broker that is down is tried for ever, and told by `onStatus`.
 * Throws `BrokerConfigError` when the definition can never work.
 */
export function openControlChannel(definition: ControlDefinition, options: ControlChannelOptions): ControlChannel {
  return new Channel(definition, options);
}

class Channel implements ControlChannel {
  readonly transport: 'redis' | 'amqp';
  readonly #facts: BrokerFacts;
  readonly #definition: ControlDefinition;
  readonly #options: ControlChannelOptions;
  readonly #held: HeldConnection<RedisTarget, Mailbox> | HeldConnection<AmqpTarget, Mailbox>;
  /** Requests that wait for answers, by ticket. */
  readonly #asked = new Map<string, Asked>();

  constructor(definition: ControlDefinition, options: ControlChannelOptions) {
    const broker = parseBrokerUrl(definition);
    this.transport = broker.kind;
    this.#facts = { cluster: definition.name, endpoint: broker.targets[0].endpoint };
    this.#definition = definition;
    this.#options = options;
    const { name } = definition;
    this.#held =
      broker.kind === 'redis'
        ? this.#hold<RedisTarget>(broker.targets, openRedisMailbox, (error, target) => redisError(error, target, name))
        : this.#hold<AmqpTarget>(broker.targets, openAmqpMailbox, (error, target) => amqpError(error, target, name));
    this.#held.signal.addEventListener('abort', () => this.#endAll('stopped'), { once: true });
  }

  get status(): BrokerStatus {
    return this.#held.status;
  }

  async ask({ command, destination, awaited, waitMs, signal, onReply }: ControlAsk): Promise<ControlAnswers> {
    const ticket = randomUUID();
    const isAnswered = waitMs > 0;
    const body = (replyTo: string): Uint8Array => {
      const reply = isAnswered ? { ticket, exchange: '', routingKey: replyTo } : null;
      return encodeControlRequest({ command, destination, reply });
    };
    // whatever is wrong with it is told before the connection is waited for
    body('checked');
    const untilMs = performance.now() + SEND_TIMEOUT_MS;
    const mailbox = await this.#held.link(signal);
    const asked = new Asked(awaited ?? destination, onReply);
    if (isAnswered) this.#asked.set(ticket, asked);
    mailbox.attend(this.#asked.size);
    try {
      const heard = await withDeadline(mailbox.publish(body(mailbox.replyTo)), {
        ms: Math.max(1, untilMs - performance.now()),
        giveUp: () => undefined,
        onTimeout: () => timeoutError(this.#facts),
      });
      asked.heard(heard);
      return isAnswered ? await asked.answers(waitMs, signal) : asked.soFar('deadline');
    } finally {
      this.#asked.delete(ticket);
      this.#held.current?.attend(this.#asked.size);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held[Symbol.asyncDispose]();
  }

  #hold<Target>(
    targets: readonly [Target, ...Target[]],
    open: (target: Target, options: MailboxOptions) => Promise<Mailbox>,
    toError: KeepConnectedOptions<Target>['toError'],
  ): HeldConnection<Target, Mailbox> {
    const { clientName = 'meadow-control', onStatus, signal: ends } = this.#options;
    return new HeldConnection({
      ...{ targets, facts: this.#facts, timeoutMs: SEND_TIMEOUT_MS, signal: ends },
      open: async (target, signal) => {
        const mailbox = await open(target, {
          ...{ definition: this.#definition, clientName, connectTimeoutMs: CONNECT_TIMEOUT_MS, signal },
          onMessage: (read) => this.#take(read),
        });
        mailbox.attend(this.#asked.size);
        return mailbox;
      },
      toError,
      onStatus: (status) => {
        // a list in Redis outlives the connection, but what comes into it meanwhile may be too late for anybody
        if (status.state !== 'connected') this.#endAll('disconnected');
        onStatus?.(status);
      },
    });
  }

  #take(read: () => Envelope): void {
    let message: Envelope;
    let reply: ControlReply;
    try {
      message = read();
      reply = decodeControlReply(message);
    } catch {
      this.#options.onStrayReply?.('unreadable');
      return;
    }
    const asked = this.#asked.get(reply.ticket ?? '');
    if (asked === undefined) this.#options.onStrayReply?.('late');
    else asked.take(reply, message);
  }

  #endAll(why: ControlAnswers['ended']): void {
    for (const asked of this.#asked.values()) asked.end(why);
  }
}

/** One request and what was answered so far. */
class Asked {
  readonly #replies: ControlReply[] = [];
  readonly #missing: Set<string> | null;
  readonly #onReply: OnReply | undefined;
  readonly #ended = Promise.withResolvers<ControlAnswers['ended']>();
  #heard: number | null = null;

  constructor(awaited: readonly string[] | null, onReply: OnReply | undefined) {
    this.#missing = awaited === null ? null : new Set(awaited);
    this.#onReply = onReply;
  }

  heard(count: number | null): void {
    this.#heard = count;
    this.#endIfComplete();
  }

  take(reply: ControlReply, message: Envelope): void {
    if (this.#replies.length === MOST_REPLIES) return;
    this.#replies.push(reply);
    this.#missing?.delete(reply.worker);
    this.#onReply?.(reply, message);
    this.#endIfComplete();
  }

  end(why: ControlAnswers['ended']): void {
    this.#ended.resolve(why);
  }

  soFar(ended: ControlAnswers['ended']): ControlAnswers {
    return { replies: this.#replies, heard: this.#heard, ended };
  }

  async answers(waitMs: number, signal: AbortSignal | undefined): Promise<ControlAnswers> {
    const timer = setTimeout(() => this.end('deadline'), waitMs);
    const stop = (): void => this.end('stopped');
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted === true) stop();
    try {
      return this.soFar(await this.#ended.promise);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  /** Nobody heard it, all that were named have answered, or, where none was named, as many as heard it. */
  #endIfComplete(): void {
    const heard = this.#heard;
    const all = this.#missing === null ? heard !== null && this.#replies.length >= heard : this.#missing.size === 0;
    if (all || heard === 0) this.end('answered');
  }
}
