import type { ClusterDefinition } from '@meadow/contract';
import type { Channel, ChannelModel } from 'amqplib';
import { setTimeout as delay } from 'node:timers/promises';
import { connectAmqp } from '../amqp/connection.ts';
import { amqpError, isAccessRefused, isNotFound } from '../amqp/errors.ts';
import { declareQueue, eventQueueName } from '../amqp/topology.ts';
import type { AmqpTarget } from '../url.ts';
import type { Checklist } from './checklist.ts';
import type { How } from './redis.ts';

/** Quorum queues with delivery limits, and all that Celery 5 asks for. */
const OLDEST_RABBITMQ = [3, 8] as const;

/** @throws BrokerError when the broker cannot be reached */
export async function examineAmqp(
  target: AmqpTarget,
  definition: ClusterDefinition,
  how: How,
  list: Checklist,
): Promise<void> {
  const began = performance.now();
  const { name } = definition;
  const { signal, timeoutMs } = how;
  const connection = await connectAmqp(target, {
    ...{ cluster: name, clientName: 'meadow doctor', timeoutMs, silenceMs: 15_000, signal },
  });
  try {
    list.pass('definition', 'ok');
    list.pass('reachable', `${target.endpoint}, ${Math.round(performance.now() - began)} ms to log in`);
    list.pass('credentials', `user ${target.username}`);
    list.pass('place', `virtual host ${target.vhost}`);
    const { model } = connection;
    examineVersion(model, list);
    await examineExchange(model, definition, list);
    await examineQueue(model, definition, list);
    await listen(model, target, definition, how, list);
    list.unknown(
      'reply-queues',
      'only the management API tells them',
      "rabbitmqctl list_queues name consumers | grep 'reply.celery.pidbox'",
    );
    list.pass('priority-steps', "priorities are RabbitMQ's own (x-max-priority)");
  } catch (error) {
    throw amqpError(error, target, name);
  } finally {
    await connection.close();
  }
}

function examineVersion(model: ChannelModel, list: Checklist): void {
  const { version, product } = model.connection.serverProperties;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldMajor, oldMinor] = OLDEST_RABBITMQ;
  const says = `${product} ${version}`;
  if (product !== 'RabbitMQ')
    list.unknown('version', says, 'it is not RabbitMQ: what Meadow promises was not tried with it');
  else if (major < oldMajor || (major === oldMajor && minor < oldMinor)) {
    list.warn('version', says, `use RabbitMQ ${OLDEST_RABBITMQ.join('.')} or newer`);
  } else list.pass('version', says);
}

async function examineExchange(
  model: ChannelModel,
  { eventExchange }: ClusterDefinition,
  list: Checklist,
): Promise<void> {
  const failure = await attempt(model, (channel) => channel.checkExchange(eventExchange));
  if (failure === null) list.pass('event-exchange', eventExchange);
  else if (isNotFound(failure)) {
    list.warn(
      'event-exchange',
      `${eventExchange} does not exist: no worker has ever sent an event to this virtual host`,
      'start a worker with -E; check the virtual host, and eventExchange where the application sets event_exchange',
    );
  } else list.unknown('event-exchange', 'this user may not look');
}

async function examineQueue(
  model: ChannelModel,
  { name, eventQueue }: ClusterDefinition,
  list: Checklist,
): Promise<void> {
  const queue = eventQueueName(name);
  let waiting = 0;
  const failure = await attempt(model, async (channel) => {
    waiting = (await channel.checkQueue(queue)).messageCount;
  });
  if (failure === null) {
    // what is there is not changed by it, only told
    const { bounds } = await declareQueue(model, queue, eventQueue, true);
    const says = `${queue}: ${waiting} of ${bounds?.maxLength ?? 'an unknown number of'} messages wait`;
    if (bounds === null) list.unknown('event-queue', `${says}: its bounds are not told to this user`);
    else if (bounds.maxLength !== eventQueue.maxLength || bounds.maxBytes !== eventQueue.maxBytes) {
      list.warn(
        'event-queue',
        `${says}: its bounds are not those of eventQueue, which RabbitMQ changes for no queue that exists`,
        `when few wait: rabbitmqctl delete_queue ${queue}; the collector makes it anew at once, what waits is lost`,
      );
    } else if (waiting > bounds.maxLength / 2) {
      list.warn(
        'event-queue',
        `${says}: past the bound the oldest are dropped`,
        'start a collector, or raise eventQueue.maxLength',
      );
    } else list.pass('event-queue', says);
  } else if (isNotFound(failure)) list.unknown('event-queue', `${queue} does not exist yet: a collector makes it`);
  else list.unknown('event-queue', 'this user may not look');
}

/** Tries what a collector needs, on a queue of its own that is gone with the connection. */
async function listen(
  model: ChannelModel,
  target: AmqpTarget,
  { name, eventExchange }: ClusterDefinition,
  { hearing, listenMs, signal }: How,
  list: Checklist,
): Promise<void> {
  const failure = await attempt(model, async (channel) => {
    const { queue } = await channel.assertQueue(`meadow.doctor.${name}.${Math.random().toString(36).slice(2, 10)}`, {
      ...{ exclusive: true, autoDelete: true, durable: false },
      arguments: { 'x-max-length': 10_000 },
    });
    await channel.bindQueue(queue, eventExchange, '#');
    await channel.consume(queue, (message) => message !== null && hearing?.amqp(message), { noAck: true });
    if (hearing !== null) await delay(listenMs, undefined, { signal });
    await channel.deleteQueue(queue);
  });
  if (failure === null) return list.pass('permissions', 'may declare, bind and read its own queues');
  signal.throwIfAborted();
  // the exchange that is missing was told above
  if (isNotFound(failure)) return list.unknown('permissions', `not tried: ${eventExchange} does not exist`);
  const { message, remedy } = amqpError(failure, target, name);
  if (isAccessRefused(failure)) list.fail('permissions', message, remedy);
  else list.unknown('permissions', message, remedy);
}

/** Runs one operation on a channel of its own. @returns why it failed; null when it did not */
async function attempt(model: ChannelModel, operation: (channel: Channel) => Promise<unknown>): Promise<unknown> {
  const channel = await model.createChannel();
  let reason: unknown = null;
  channel.on('error', (error) => {
    reason = error;
  });
  try {
    await operation(channel);
    await channel.close();
    return null;
  } catch (error) {
    return reason ?? error;
  }
}
