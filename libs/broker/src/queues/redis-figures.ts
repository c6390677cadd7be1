import { CeleryDecodeError, decodeRedisEnvelope, taskHeaders } from '@meadow/celery';
import type { Redis } from 'ioredis';
import { sentAt } from './message.ts';
import type { QueueFigures } from '@meadow/contract';
import { unknownFigures } from './port.ts';
import { isDelayed, isTaskQueue } from './queue-names.ts';
import type { PriorityKey, QueueKeys } from './redis-keys.ts';
import { errorWord, isReplyError } from './redis-reply.ts';
import { lookAtNext, type ListedMessage } from './redis-scripts.ts';
import type { Unacked } from './redis-unacked.ts';

/** A longer message is not sent here only for its id. */
const MOST_NEXT_BYTES = 64 * 1024;

/** Figures of some queues, in few questions. */
export async function redisFigures(
  client: Redis,
  keys: QueueKeys,
  names: readonly string[],
  unacked: Unacked,
): Promise<QueueFigures[]> {
  const lists = names.map((name) => (isTaskQueue(name) ? keys.lists(name) : []));
  const lengths = await lengthsOf(client, lists);
  const holding = lists.map((ofQueue, queue) => ofQueue.filter((_, at) => (lengths[queue]?.[at] ?? 0) > 0));
  const filled = holding.flatMap((ofQueue, queue) => (ofQueue.length > 0 ? [queue] : []));
  const next = await lookAtNext(
    client,
    filled.map((queue) => (holding[queue] ?? []).map(({ key }) => key)),
    MOST_NEXT_BYTES,
  );
  const memory = await memoryOf(client, holding);
  return names.map((name, queue) => {
    const counted = lengths[queue];
    if (counted === undefined || counted.length === 0) {
      return unknownFigures(name, 'redis', null, 'no queue of tasks can have this name');
    }
    if (counted.includes(null)) return unknownFigures(name, 'redis', false, 'what lies under this name is no list');
    const byPriority = (lists[queue] ?? [])
      .map(({ step, served }, at) => ({ step, served, ready: counted[at] ?? 0 }))
      .filter(({ served, ready }) => served || ready > 0);
    const first = next[filled.indexOf(queue)];
    return figuresOf(name, byPriority, memory[queue] ?? null, first, unacked);
  });
}

/** By queue and list; null where the key holds something else. */
async function lengthsOf(client: Redis, lists: readonly (readonly PriorityKey[])[]): Promise<(number | null)[][]> {
  const pipeline = client.pipeline();
  for (const { key } of lists.flat()) pipeline.llen(key);
  const answers = (await pipeline.exec()) ?? [];
  let at = 0;
  return lists.map((ofQueue) =>
    ofQueue.map(() => {
      const [error, length] = answers[at++] ?? [null, null];
      if (error === null) return Number(length);
      if (isReplyError(error) && errorWord(error) === 'WRONGTYPE') return null;
      throw error;
    }),
  );
}

/** Bytes by queue; null where Redis does not tell. */
async function memoryOf(client: Redis, lists: readonly (readonly PriorityKey[])[]): Promise<(number | null)[]> {
  const pipeline = client.pipeline();
  for (const { key } of lists.flat()) pipeline.memory('USAGE', key);
  const answers = (await pipeline.exec()) ?? [];
  let at = 0;
  return lists.map((ofQueue) => {
    const bytes = ofQueue.map(() => {
      const [error, used] = answers[at++] ?? [null, null];
      return error === null ? Number(used ?? 0) : null;
    });
    return bytes.reduce<number | null>((sum, used) => (sum === null || used === null ? null : sum + used), 0);
  });
}

function figuresOf(
  name: string,
  byPriority: NonNullable<QueueFigures['byPriority']>,
  bytes: number | null,
  next: ListedMessage | null | undefined,
  unacked: Unacked,
): QueueFigures {
  const ready = byPriority.reduce((sum, each) => sum + each.ready, 0);
  const held = unacked.of(name);
  const seen = next?.payload ? told(next.payload) : { id: null, sentAt: null };
  const noNext = ready === 0 ? 'no message waits' : 'the message that is next does not tell';
  return {
    ...{ name, kind: 'list', source: 'redis', exists: ready > 0 ? true : null, delayed: isDelayed(name) },
    ...{ ready, byPriority, unacked: held.count, consumers: null, bytes, rates: null },
    ...{ nextId: seen.id, nextSentAt: seen.sentAt },
    unknown: {
      consumers: 'redis does not tell who waits for a list',
      rates: 'redis does not count what goes through a list',
      ...(ready > 0 ? {} : { exists: 'an empty list is no key in redis' }),
      ...(held.count === null ? { unacked: held.reason } : {}),
      ...(bytes === null ? { bytes: 'redis does not tell this user the memory of a key' } : {}),
      ...(seen.id === null ? { nextId: noNext } : {}),
      ...(seen.sentAt === null
        ? { nextSentAt: ready === 0 ? noNext : "Celery's messages do not say when they were sent" }
        : {}),
    },
  };
}

function told(payload: Buffer): { readonly id: string | null; readonly sentAt: number | null } {
  try {
    const envelope = decodeRedisEnvelope(payload);
    const id = taskHeaders(envelope)?.id ?? envelope.properties['correlation_id'];
    return { id: typeof id === 'string' && id !== '' ? id.slice(0, 255) : null, sentAt: sentAt(envelope) };
  } catch (error) {
    if (!(error instanceof CeleryDecodeError)) throw error;
    return { id: null, sentAt: null };
  }
}
