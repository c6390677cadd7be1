import type { Redis } from 'ioredis';
import { withDeadline } from '../deadline.ts';
import { timeoutError } from '../network-error.ts';
import { connectRedis } from '../redis/connection.ts';
import { redisError } from '../redis/errors.ts';
import type { ResultBackend } from './backend.ts';

/** A result as a worker wrote it: the bytes of its serializer. */
export interface ResultDelivery {
  readonly taskId: string;
  readonly payload: Buffer;
  readonly receivedAtMs: number;
}

export interface LookupOptions {
  readonly cluster: string;
  readonly clientName: string;
  readonly signal: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** For each answer. */
const ANSWER_TIMEOUT_MS = 10_000;
/** Results asked for at a time: a result may be megabytes. */
const SLICE = 100;

/**
 * What the backend holds now of these tasks; ids it knows nothing of are left out. Opens a connection of its own, which lives
 * as long as the call. @throws BrokerError
 */
export async function lookupResults(
  { targets, keyPrefix }: Extract<ResultBackend, { kind: 'redis' }>,
  taskIds: readonly string[],
  { cluster, clientName, signal }: LookupOptions,
): Promise<readonly ResultDelivery[]> {
  const [target] = targets;
  const { client } = await connectRedis(target, { cluster, clientName, timeoutMs: CONNECT_TIMEOUT_MS, signal });
  const found: ResultDelivery[] = [];
  try {
    for (let start = 0; start < taskIds.length; start += SLICE) {
      const ids = taskIds.slice(start, start + SLICE);
      const asked = client.mgetBuffer(ids.map((id) => keyPrefix + id));
      const values = await inTime(asked, client, { cluster, endpoint: target.endpoint }, signal);
      values.forEach((payload, index) => {
        const taskId = ids[index];
        if (payload !== null && taskId !== undefined) found.push({ taskId, payload, receivedAtMs: Date.now() });
      });
    }
    return found;
  } catch (error) {
    throw redisError(error, target, cluster);
  } finally {
    client.disconnect();
  }
}

/** A server that hangs after it let us in must not hold up whoever waits. */
export function inTime<T>(
  answer: Promise<T>,
  client: Redis,
  facts: { readonly cluster: string; readonly endpoint: string },
  signal: AbortSignal,
): Promise<T> {
  return withDeadline(answer, {
    ms: ANSWER_TIMEOUT_MS,
    signal,
    giveUp: () => client.disconnect(),
    onTimeout: () => timeoutError(facts),
  });
}
