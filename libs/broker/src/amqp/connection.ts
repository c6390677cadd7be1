import { connect, type ChannelModel, type SocketOptions } from 'amqplib';
import { withDeadline } from '../deadline.ts';
import type { BrokerError } from '../errors.ts';
import { timeoutError } from '../network-error.ts';
import { tlsOptions } from '../tls-options.ts';
import type { AmqpTarget } from '../url.ts';
import { amqpError } from './errors.ts';

export interface AmqpConnectOptions {
  readonly cluster: string;
  /** Shown in RabbitMQ's list of connections. */
  readonly clientName: string;
  readonly timeoutMs: number;
  /** A peer that says nothing for so long is given up. At least 2 s, as AMQP counts heartbeats in seconds. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

export interface AmqpConnection {
  readonly model: ChannelModel;
  /** Resolves, never rejects, when the connection is gone: why. */
  readonly lost: Promise<BrokerError>;
  /** Orderly close, bounded by a second; never throws. */
  close(): Promise<void>;
}

const CLOSE_DEADLINE_MS = 1000;

/**
 * Opens one connection, without any retry of its own.
 * @throws BrokerError
 */
export async function connectAmqp(target: AmqpTarget, options: AmqpConnectOptions): Promise<AmqpConnection> {
  const facts = { cluster: options.cluster, endpoint: target.endpoint };
  try {
    const tls = target.tls === null ? {} : await tlsOptions(target.tls, facts);
    const dial = new AbortController();
    const socket: SocketOptions & { readonly signal: AbortSignal } = {
      ...tls,
      // Destroys the socket while it connects or shakes hands.
      signal: dial.signal,
      // Of inactivity, up to the end of the handshake: makes amqplib destroy a socket that hangs.
      timeout: options.timeoutMs,
      noDelay: true,
      keepAlive: true,
      keepAliveDelay: 10_000,
      clientProperties: { connection_name: options.clientName },
    };
    const opening = connect(
      {
        protocol: target.tls === null ? 'amqp' : 'amqps',
        hostname: target.host,
        port: target.port,
        username: target.username,
        password: target.password,
        // amqplib decodes it once more.
        vhost: encodeURIComponent(target.vhost),
        // A peer is dead after two intervals without a byte.
        heartbeat: Math.max(1, Math.round(options.silenceMs / 2000)),
      },
      socket,
    );
    // Should it open just as it is given up, the socket's end is no news to anybody.
    opening.then(
      (model) => model.on('error', () => undefined),
      () => undefined,
    );
    const model = await withDeadline(opening, {
      ms: options.timeoutMs,
      signal: options.signal,
      giveUp: () => dial.abort(),
      onTimeout: () => timeoutError(facts),
    });
    return watch(model, target, options.cluster);
  } catch (error) {
    throw amqpError(error, target, options.cluster);
  }
}

function watch(model: ChannelModel, target: AmqpTarget, cluster: string): AmqpConnection {
  const { promise: lost, resolve } = Promise.withResolvers<BrokerError>();
  let reason: unknown = null;
  let gone = false;
  model.on('error', (error) => {
    reason = error;
  });
  model.once('close', (error) => {
    gone = true;
    resolve(amqpError(error ?? reason, target, cluster));
  });
  return {
    model,
    lost,
    async close() {
      if (gone) return;
      const closing = model.close().catch(() => undefined);
      const timer = setTimeout(() => resolve(timeoutError({ cluster, endpoint: target.endpoint })), CLOSE_DEADLINE_MS);
      await Promise.race([closing, lost]);
      clearTimeout(timer);
    },
  };
}
