import { CeleryDecodeError, decodeStoredResult } from '@meadow/celery';
import type { Redis } from 'ioredis';
import { withDeadline } from '../deadline.ts';
import { timeoutError } from '../network-error.ts';
import { connectRedis } from '../redis/connection.ts';
import { redisError } from '../redis/errors.ts';
import { parseResultBackend, type ResultDefinition } from '../results/backend.ts';

/** What became of one task. */
export type AbortOutcome =
  /** `before`: the state that was stored; null where nothing was, as of tasks that wait or run untracked. */
  | { readonly taskId: string; readonly kind: 'aborted'; readonly before: string | null }
  | { readonly taskId: string; readonly kind: 'refused'; readonly code: AbortRefusalCode; readonly reason: string };

/**
 * - `ABORT_NO_BACKEND`: the cluster has no result backend that Meadow can write to
 * - `ABORT_TASK_ENDED`: its result is stored, and stays
 * - `ABORT_RESULT_UNREADABLE`: what is stored is not in JSON, and what is written in JSON would not be read
 * - `ABORT_CONTENDED`: the task stores so often that nothing came between
 */
export type AbortRefusalCode = 'ABORT_NO_BACKEND' | 'ABORT_TASK_ENDED' | 'ABORT_RESULT_UNREADABLE' | 'ABORT_CONTENDED';

const CONNECT_TIMEOUT_MS = 10_000;
/** For each answer. */
const ANSWER_TIMEOUT_MS = 10_000;
/** A result that is no end may change between look and write; more often than this it hardly does. */
const MOST_TRIES = 5;
/** Celery's `result_expires`. A longer life that a key has is kept, as is one without end. */
const RESULT_SECONDS = 86_400;
/** States that Celery never leaves. */
const ENDS = new Set(['SUCCESS', 'FAILURE', 'REVOKED']);

/** Writes only over what was looked at, so that look and write are one. */
const WRITE = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
local left = redis.call('TTL', KEYS[1])
if left == -1 then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SETEX', KEYS[1], math.max(left, tonumber(ARGV[3])), ARGV[2])
end
redis.call('PUBLISH', KEYS[1], ARGV[2])
return 1`;

/**
 * Stores `ABORTED` for each task, as Celery's `AbortableAsyncResult.abort` does, but never over an end. A task that is not
 * made from `AbortableTask` does not look, and one that reports progress may write over it. Results are taken to be JSON
 * where none is stored yet.
 * @throws BrokerError when the backend does not answer; some may have been aborted then
 */
export async function abortTasks(
  definition: ResultDefinition,
  taskIds: readonly string[],
  { clientName, signal }: { readonly clientName: string; readonly signal: AbortSignal },
): Promise<readonly AbortOutcome[]> {
  const backend = parseResultBackend(definition);
  if (backend?.kind !== 'redis') {
    const reason = backend === null ? 'no result backend is configured for this cluster' : backend.reason;
    return taskIds.map((taskId) => ({ taskId, kind: 'refused', code: 'ABORT_NO_BACKEND', reason }));
  }
  const { name: cluster } = definition;
  const [target] = backend.targets;
  const { client } = await connectRedis(target, { cluster, clientName, timeoutMs: CONNECT_TIMEOUT_MS, signal });
  const answered = <T>(work: Promise<T>): Promise<T> =>
    withDeadline(work, {
      ms: ANSWER_TIMEOUT_MS,
      signal,
      giveUp: () => client.disconnect(),
      onTimeout: () => timeoutError({ cluster, endpoint: target.endpoint }),
    });
  try {
    // who may not choose a database is in another one
    if (target.db !== 0) await answered(client.select(target.db));
    const outcomes: AbortOutcome[] = [];
    for (const taskId of taskIds) outcomes.push(await abort(client, taskId, backend.keyPrefix + taskId, answered));
    return outcomes;
  } catch (error) {
    throw redisError(error, target, cluster);
  } finally {
    client.disconnect();
  }
}

type Answered = <T>(work: Promise<T>) => Promise<T>;

async function abort(client: Redis, taskId: string, key: string, answered: Answered): Promise<AbortOutcome> {
  const refused = (code: AbortRefusalCode, reason: string) => ({ taskId, kind: 'refused', code, reason }) as const;
  const aborted = {
    status: 'ABORTED',
    result: null,
    traceback: null,
    children: null,
    date_done: null,
    task_id: taskId,
  };
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const stored = await answered(client.getBuffer(key));
    const before = stateIn(stored);
    if (before === undefined) return refused('ABORT_RESULT_UNREADABLE', 'what its backend holds of it is not JSON');
    if (before !== null && ENDS.has(before)) return refused('ABORT_TASK_ENDED', `it has ended: ${before}`);
    const values = [stored ?? '', JSON.stringify(aborted), RESULT_SECONDS];
    if ((await answered(client.eval(WRITE, 1, key, ...values))) === 1) return { taskId, kind: 'aborted', before };
  }
  return refused('ABORT_CONTENDED', `it stored something new ${MOST_TRIES} times meanwhile: try again`);
}

/** Null where nothing is stored, undefined where it cannot be read. */
function stateIn(stored: Buffer | null): string | null | undefined {
  if (stored === null || stored.length === 0) return null;
  try {
    return decodeStoredResult(stored).state;
  } catch (error) {
    if (error instanceof CeleryDecodeError) return undefined;
    throw error;
  }
}
