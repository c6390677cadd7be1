import { amqpEnvelope } from '@meadow/celery';
import type { Channel, ChannelModel } from 'amqplib';
import { connectAmqp, type AmqpConnection } from '../amqp/connection.ts';
import { amqpError } from '../amqp/errors.ts';
import { withDeadline } from '../deadline.ts';
import type { BrokerError } from '../errors.ts';
import { timeoutError } from '../network-error.ts';
import type { AmqpTarget } from '../url.ts';
import type { Mailbox, MailboxOptions } from './channel.ts';

/** A peer that says nothing for so long is given up. */
const SILENCE_MS = 15_000;

/**
 * Answers come into a queue that the server names, of this connection alone, and gone with it: nothing can be left behind.
 * Workers reach it through the exchange '' by its name.
 * @throws BrokerError
 */
export async function openAmqpMailbox(target: AmqpTarget, options: MailboxOptions): Promise<Mailbox> {
  const { definition, clientName, connectTimeoutMs: timeoutMs, signal } = options;
  const { name: cluster } = definition;
  const connection = await connectAmqp(target, { cluster, clientName, timeoutMs, silenceMs: SILENCE_MS, signal });
  try {
    return await withDeadline(listen(connection, target, options), {
      ms: timeoutMs,
      signal,
      giveUp: () => void connection.close(),
      onTimeout: () => timeoutError({ cluster, endpoint: target.endpoint }),
    });
  } catch (error) {
    await connection.close();
    throw amqpError(error, target, cluster);
  }
}

async function listen(
  connection: AmqpConnection,
  target: AmqpTarget,
  { definition, onMessage }: MailboxOptions,
): Promise<Mailbox> {
  const { name: cluster } = definition;
  const exchange = `${definition.controlExchange}.pidbox`;
  const channel = await connection.model.createConfirmChannel();
  const failed = Promise.withResolvers<BrokerError>();
  let reason: unknown = null;
  channel.on('error', (error) => {
    reason = error;
  });
  channel.once('close', () => {
    if (reason === null) void connection.lost.then(failed.resolve);
    else failed.resolve(amqpError(reason, target, cluster));
  });
  const { queue: replyTo } = await channel.assertQueue('', { exclusive: true, autoDelete: true, durable: false });
  await channel.consume(
    replyTo,
    (message) => {
      if (message === null) failed.resolve(amqpError(new Error('consumer cancelled'), target, cluster));
      else onMessage(() => amqpEnvelope(message));
    },
    { noAck: true },
  );
  /** Of the requests under way, those that came back as no queue is bound: by their message ids. */
  const unheard = new Set<string>();
  let published = 0;
  channel.on('return', (message: { properties: { messageId?: unknown } }) => {
    unheard.add(String(message.properties.messageId));
  });
  return {
    replyTo,
    lost: Promise.race([failed.promise, connection.lost]),
    async publish(body) {
      try {
        // to an exchange that is not there the server answers with the end of the channel; the first worker declares it
        if (!(await exists(connection.model, exchange))) return 0;
        const messageId = String(++published);
        await confirmed(channel, exchange, Buffer.from(body), messageId);
        return unheard.delete(messageId) ? 0 : null;
      } catch (error) {
        throw amqpError(error, target, cluster);
      }
    },
    attend: () => undefined,
    close: () => connection.close(),
  };
}

/** Asks on a channel of its own, which a no ends. */
async function exists(model: ChannelModel, exchange: string): Promise<boolean> {
  const channel = await model.createChannel();
  let isMissing = false;
  channel.on('error', (error: { code?: unknown }) => {
    isMissing = error.code === 404;
  });
  try {
    await channel.checkExchange(exchange);
    await channel.close();
    return true;
  } catch (error) {
    if (isMissing || (error as { code?: unknown }).code === 404) return false;
    throw error;
  }
}

type ConfirmChannel = Awaited<ReturnType<ChannelModel['createConfirmChannel']>>;

/** Resolves when the server has it; one that no queue took has come back before. */
function confirmed(channel: ConfirmChannel, exchange: string, body: Buffer, messageId: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const properties = { contentType: 'application/json', contentEncoding: 'utf-8', deliveryMode: 2, messageId };
    const done = (error: unknown): void => (error === null ? resolve() : reject(error as Error));
    (channel as Channel & ConfirmChannel).publish(
      exchange,
      '',
      body,
      { ...properties, headers: {}, mandatory: true },
      done,
    );
  });
}
