import { amqpPublication, type EncodedTask, type JsonValue } from '@meadow/celery';
import type { ChannelModel, ConfirmChannel, Message } from 'amqplib';
import { connectAmqp } from '../amqp/connection.ts';
import { amqpError, isAccessRefused, isNotFound, isPreconditionFailed } from '../amqp/errors.ts';
import type { AmqpTarget } from '../url.ts';
import { TaskSendError, unknownOutcome, type SendErrorCode, type SendFailureFacts } from './errors.ts';
import type { Outlet, OutletOptions } from './sender.ts';

/** A peer that says nothing for so long is given up. */
const SILENCE_MS = 15_000;

/**
 * Publishes with `mandatory` and confirms: a task counts as sent when RabbitMQ has it in a queue. What it refuses costs a
 * channel, so that a task through an exchange, which may be missing, has one of its own; all others share one.
 * @throws BrokerError
 */
export async function openAmqpOutlet(target: AmqpTarget, options: OutletOptions): Promise<Outlet> {
  const { definition, clientName, connectTimeoutMs: timeoutMs, signal } = options;
  const facts = { cluster: definition.name, endpoint: target.endpoint };
  const connection = await connectAmqp(target, { ...facts, clientName, timeoutMs, silenceMs: SILENCE_MS, signal });
  const { model } = connection;
  /** All that are open. */
  const channels = new Set<TaskChannel>();
  let shared: Promise<TaskChannel> | null = null;
  let isBlocked = false;
  // told to whoever publishes, and only then
  model.on('blocked', () => {
    isBlocked = true;
    for (const channel of channels) channel.settleAll({ kind: 'blocked' });
  });
  model.on('unblocked', () => {
    isBlocked = false;
  });

  async function openChannel(): Promise<TaskChannel> {
    const channel = await openTaskChannel(model);
    channels.add(channel);
    void channel.closed.then(() => channels.delete(channel));
    return channel;
  }

  function sharedChannel(): Promise<TaskChannel> {
    if (shared !== null) return shared;
    const opening = openChannel();
    const forget = (): void => {
      shared = null;
    };
    opening.then(({ closed }) => closed.then(forget), forget);
    shared = opening;
    return opening;
  }

  return {
    lost: connection.lost,
    async send(task) {
      const told = { ...facts, taskId: task.id };
      if (isBlocked) {
        const remedy = 'free memory or disk of RabbitMQ, and send again';
        throw new TaskSendError('SEND_BLOCKED', told, 'RabbitMQ is short of memory or disk and takes nothing', remedy);
      }
      const isShared = task.exchange === '';
      try {
        const channel = await (isShared ? sharedChannel() : openChannel());
        try {
          judge(await channel.publish(task), task, told);
        } finally {
          if (!isShared) channel.close();
        }
      } catch (error) {
        // nothing has left before the channel is open and the message is made
        throw error instanceof TaskSendError ? error : amqpError(error, target, definition.name);
      }
      return { taskId: task.id, queues: isShared ? [task.routingKey] : null };
    },
    close: () => connection.close(),
  };
}

interface TaskChannel {
  /** Resolves, never rejects, when the channel has ended. */
  readonly closed: Promise<undefined>;
  /** Throws before anything has left. */
  publish(task: EncodedTask): Promise<Outcome>;
  /** Ends the waiting for all that have left. */
  settleAll(outcome: Outcome): void;
  /** Lets it end; never throws. */
  close(): void;
}

type Outcome =
  | { readonly kind: 'taken' }
  /** No queue is there for it. */
  | { readonly kind: 'returned' }
  /** A queue is there, and did not take it. */
  | { readonly kind: 'refused' }
  /** RabbitMQ is short of memory or disk: it has the message, or will take it later. */
  | { readonly kind: 'blocked' }
  /** The channel ended before it was confirmed; `alone`: and there was no other message that it may have ended for. */
  | { readonly kind: 'ended'; readonly reason: unknown; readonly alone: boolean };

async function openTaskChannel(model: ChannelModel): Promise<TaskChannel> {
  const channel: ConfirmChannel = await model.createConfirmChannel();
  const { promise: closed, resolve } = Promise.withResolvers<undefined>();
  /** Of those that have left: what ends the waiting. */
  const underWay = new Set<(outcome: Outcome) => void>();
  /** Of those that have left, what came back: by task. It does so before it is confirmed. */
  const returned = new Set<string>();
  const settleAll = (outcome: Outcome): void => underWay.forEach((settle) => settle(outcome));
  let reason: unknown = null;
  channel.on('error', (error) => {
    reason = error;
  });
  channel.once('close', () => {
    settleAll({ kind: 'ended', reason, alone: underWay.size === 1 });
    resolve(undefined);
  });
  channel.on('return', (message: Message) => {
    returned.add(String(message.properties.correlationId));
  });
  return {
    closed,
    settleAll,
    publish(task) {
      const { content, properties } = amqpPublication(task);
      const { promise, resolve: settle } = Promise.withResolvers<Outcome>();
      const confirmed = (error: unknown): void => {
        // a channel that ends says no to all of them too, just before it tells that it has ended
        if (error) setImmediate(() => settle({ kind: 'refused' }));
        else settle({ kind: returned.delete(task.id) ? 'returned' : 'taken' });
      };
      const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
      const headers = fieldOf(properties.headers);
      channel.publish(task.exchange, task.routingKey, bytes, { ...properties, headers, mandatory: true }, confirmed);
      underWay.add(settle);
      return promise.finally(() => underWay.delete(settle));
    },
    close() {
      channel.close().catch(() => undefined);
    },
  };
}

/** Names the type of what amqplib would take for an integer that it then cannot write: doubles far from zero. */
function fieldOf(value: JsonValue): unknown {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return { '!': 'double', value };
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(fieldOf);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fieldOf(item)]));
}

/** @throws TaskSendError */
function judge(outcome: Outcome, { exchange, routingKey }: EncodedTask, told: SendFailureFacts): void {
  const where = exchange === '' ? `the queue "${routingKey}"` : `the exchange "${exchange}"`;
  const refuse = (code: SendErrorCode, problem: string, remedy: string, cause?: unknown) =>
    new TaskSendError(code, told, problem, remedy, cause);
  switch (outcome.kind) {
    case 'taken':
      return;
    case 'returned': {
      const problem =
        exchange === '' ? `${where} is not there` : `no queue is bound to ${where} for the key "${routingKey}"`;
      throw refuse('SEND_UNROUTABLE', problem, 'start a worker that declares it, or check the name');
    }
    case 'refused':
      throw refuse('SEND_REFUSED', `${where} did not take it`, 'it is full, or has lost its leader: see its length');
    case 'blocked':
      throw unknownOutcome(told, 'RabbitMQ is short of memory or disk, and takes it once there is room');
    case 'ended': {
      const { reason } = outcome;
      if (isNotFound(reason)) {
        const remedy = 'start a worker that declares it, or name a queue';
        throw refuse('SEND_EXCHANGE_MISSING', `${where} is not there`, remedy, reason);
      }
      if (isAccessRefused(reason)) {
        const remedy = 'grant it the permission to write';
        throw refuse('SEND_REFUSED', `this user may not write to ${where} (403)`, remedy, reason);
      }
      if (isPreconditionFailed(reason) && outcome.alone) {
        const remedy = "read the broker's log for the reason";
        throw refuse('SEND_REFUSED', 'RabbitMQ does not take the message (406)', remedy, reason);
      }
      throw unknownOutcome(told, 'the connection was lost before it was confirmed', reason);
    }
    default:
      outcome satisfies never;
  }
}
