import { encodeRedisEnvelope, type EncodedTask } from '@meadow/celery';
import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { closedError, timeoutError } from '../network-error.ts';
import { connectRedis } from '../redis/connection.ts';
import { redisError } from '../redis/errors.ts';
import type { RedisTarget } from '../url.ts';
import { TaskSendError, unknownOutcome } from './errors.ts';
import { redisRouting } from './redis-routing.ts';
import type { Outlet, OutletOptions } from './sender.ts';

/** A connection that does not answer a ping for so long is given up. */
const SILENCE_MS = 15_000;

/**
 * Pushes into kombu's lists, as its own publisher does. Through an exchange it looks up the bound queues itself, and gives
 * each a message of its own: workers know by its tag what they acknowledge.
 * @throws BrokerError
 */
export async function openRedisOutlet(target: RedisTarget, options: OutletOptions): Promise<Outlet> {
  const { definition, clientName, connectTimeoutMs: timeoutMs, signal } = options;
  const facts = { cluster: definition.name, endpoint: target.endpoint };
  const { client, lost } = await connectRedis(target, { cluster: facts.cluster, clientName, timeoutMs, signal });
  try {
    // who may not choose a database is in another one, where a task would lie for ever
    if (target.db !== 0) await client.select(target.db);
  } catch (error) {
    client.disconnect();
    throw redisError(error, target, facts.cluster);
  }
  const routing = redisRouting(definition.transportOptions);
  const silence = watchSilence(client);

  async function queuesFor({ exchange, routingKey, id }: EncodedTask): Promise<readonly string[]> {
    if (exchange === '') return [routingKey];
    const queues = routing.queuesFor(await client.smembers(routing.bindings(exchange)), routingKey);
    if (queues.length > 0) return queues;
    const problem = `no queue is bound to the exchange "${exchange}" for the key "${routingKey}": it would vanish`;
    const remedy = 'start the workers that declare it once, or name the queue';
    throw new TaskSendError('SEND_UNROUTABLE', { ...facts, taskId: id }, problem, remedy);
  }

  return {
    lost: Promise.race([lost, silence.broken.then(() => timeoutError(facts))]),
    async send(task) {
      const told = { ...facts, taskId: task.id };
      if (client.status !== 'ready') throw closedError(facts, target.tls !== null);
      let queues: readonly string[];
      try {
        queues = await queuesFor(task);
      } catch (error) {
        throw error instanceof TaskSendError ? error : redisError(error, target, facts.cluster);
      }
      const pushes = queues.map((queue) => [
        'lpush',
        routing.list(queue, task.priority ?? 0),
        encodeRedisEnvelope({ ...task, deliveryTag: randomUUID() }),
      ]);
      const answers = await client
        .pipeline(pushes)
        .exec()
        .catch((error: Error) => [[error] as const]);
      const errors = (answers ?? []).flatMap(([error]) => (error === null ? [] : [error]));
      if (answers !== null && errors.length === 0) return { taskId: task.id, queues };
      const [error] = errors;
      if (error?.name !== 'ReplyError')
        throw unknownOutcome(told, 'the connection was lost before it was answered', error);
      if (errors.length < queues.length)
        throw unknownOutcome(told, `some of ${queues.join(', ')} did not take it`, error);
      const [word = ''] = error.message.split(' ', 1);
      throw new TaskSendError('SEND_REFUSED', told, `redis answered ${word}`, remedyOf(word, target), error);
    },
    async close() {
      silence.stop();
      client.disconnect();
      await lost;
    },
  };
}

function remedyOf(word: string, target: RedisTarget): string {
  switch (word) {
    case 'WRONGTYPE':
      return 'a key of this name is no list, so no queue: check the name';
    case 'NOPERM':
      return `let the user ${target.username ?? 'default'} +lpush +smembers on the keys of queues and bindings`;
    case 'OOM':
      return 'it is out of memory: see what fills it, and send again';
    default:
      return 'wait while it loads or fails over, else read its log';
  }
}

/** Pings, since nothing else tells an idle connection from a dead one. */
function watchSilence(client: Redis): { readonly broken: Promise<undefined>; stop(): void } {
  const { promise: broken, resolve } = Promise.withResolvers<undefined>();
  let isAnswered = true;
  const timer = setInterval(() => {
    if (!isAnswered) return resolve(undefined);
    isAnswered = false;
    client.ping().then(
      () => (isAnswered = true),
      () => undefined, // the connection is gone, which `lost` tells
    );
  }, SILENCE_MS / 2);
  return { broken, stop: () => clearInterval(timer) };
}
