import { decodeRedisEnvelope, encodeRedisEnvelope } from '@meadow/celery';
import { randomUUID } from 'node:crypto';
import { withDeadline } from '../deadline.ts';
import { timeoutError } from '../network-error.ts';
import { controlChannels } from '../redis/channels.ts';
import { connectRedis } from '../redis/connection.ts';
import { redisError } from '../redis/errors.ts';
import type { RedisTarget } from '../url.ts';
import type { Mailbox, MailboxOptions } from './channel.ts';

/** Workers make the list of answers by writing to it, and it then lives as long as it is let: seconds. */
const LIST_TTL_SECONDS = 300;
/** Keeps the list alive, and with it its end, while nobody has answered. */
const MARK = 'meadow';
/** Answers taken at a time; each may be hundreds of kilobytes. */
const AT_A_TIME = 200;
/** Between two looks while answers are waited for: first, and at most, milliseconds. */
const FIRST_LOOK_MS = 2;
const SLOWEST_LOOK_MS = 25;
/** Otherwise the list is looked at so often, which also proves the connection. */
const IDLE_LOOK_MS = 15_000;
const LOOK_TIMEOUT_MS = 10_000;

/**
 * Answers come into one list, which workers reach through the exchange '' by its name: no binding is left behind. The list
 * always ends in a mark of ours, so that it exists and has a time to live before anybody writes: an answer that comes after
 * our end goes with it. A blocking read would take the mark away, so the list is looked at while answers are waited for.
 * @throws BrokerError
 */
export async function openRedisMailbox(target: RedisTarget, options: MailboxOptions): Promise<Mailbox> {
  const { definition, clientName, connectTimeoutMs, signal, onMessage } = options;
  const { name: cluster, controlExchange, transportOptions } = definition;
  const { client, lost } = await connectRedis(target, { cluster, clientName, timeoutMs: connectTimeoutMs, signal });
  const behindSentinel = target.address.kind === 'sentinel';
  const channels = controlChannels({ db: target.db, exchange: controlExchange, transportOptions, behindSentinel });
  // ends as kombu's own reply queues do, by which lists of queues leave it out
  const replyTo = `meadow.${randomUUID()}.reply.${controlExchange}.pidbox`;
  const key = `${transportOptions.global_keyprefix ?? ''}${replyTo}`;
  const failed = Promise.withResolvers<ReturnType<typeof redisError>>();
  let timer: NodeJS.Timeout | null = null;
  let awaited = 0;
  let pauseMs = FIRST_LOOK_MS;
  let isLooking = false;
  let isClosed = false;

  const answered = <T>(work: Promise<T>): Promise<T> =>
    withDeadline(work, {
      ms: LOOK_TIMEOUT_MS,
      signal,
      giveUp: () => client.disconnect(),
      onTimeout: () => timeoutError({ cluster, endpoint: target.endpoint }),
    });
  /** Takes the newest answers off the list, which it leaves with its mark. @returns whether there may be more */
  const look = async (): Promise<boolean> => {
    const work = client
      .multi()
      .lrangeBuffer(key, 0, AT_A_TIME - 1)
      .ltrim(key, AT_A_TIME, -1)
      .rpush(key, MARK)
      .expire(key, LIST_TTL_SECONDS)
      .exec();
    const results = await answered(work);
    const [error, found] = results?.[0] ?? [];
    if (error) throw error;
    const answers = (found as Buffer[]).filter((answer) => !answer.equals(MARK_BYTES));
    // the newest lies first
    for (const answer of answers.reverse()) onMessage(() => decodeRedisEnvelope(answer));
    return answers.length >= AT_A_TIME - 1;
  };
  const lookAgain = (ms: number): void => {
    if (isClosed) return;
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(() => void lookNow(), ms);
  };
  const lookNow = async (): Promise<void> => {
    isLooking = true;
    try {
      while (await look());
      pauseMs = Math.min(SLOWEST_LOOK_MS, pauseMs * 1.5);
    } catch (error) {
      failed.resolve(redisError(error, target, cluster));
      client.disconnect();
      return;
    } finally {
      isLooking = false;
    }
    lookAgain(awaited > 0 ? pauseMs : IDLE_LOOK_MS);
  };
  try {
    await look();
  } catch (error) {
    client.disconnect();
    throw redisError(error, target, cluster);
  }
  lookAgain(IDLE_LOOK_MS);
  return {
    replyTo,
    lost: Promise.race([failed.promise, lost]),
    async publish(body) {
      const message = {
        ...{ body, contentType: 'application/json', contentEncoding: 'utf-8', headers: {}, properties: {} },
        ...{ exchange: `${controlExchange}.pidbox`, routingKey: '' },
      };
      try {
        const counts = await Promise.all(
          channels.map((channel) =>
            client.publish(channel, encodeRedisEnvelope({ ...message, deliveryTag: randomUUID() })),
          ),
        );
        return counts.reduce((sum, count) => sum + count, 0);
      } catch (error) {
        throw redisError(error, target, cluster);
      }
    },
    attend(requests) {
      const isNew = requests > awaited;
      awaited = requests;
      if (!isNew) return;
      pauseMs = FIRST_LOOK_MS;
      if (!isLooking) lookAgain(pauseMs);
    },
    async close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      client.disconnect();
      await lost;
    },
  };
}

const MARK_BYTES = Buffer.from(MARK);
