import type { Redis } from 'ioredis';
import { BrokerError } from '../errors.ts';
import type { Move, QueueAdapter } from './port.ts';
import { redirected } from './redirect.ts';
import { lengthsOfLists, look, moveBetweenLists, type ListedMessage, type Replacement } from './redis-scripts.ts';
import { QueueRefusal } from './refusal.ts';

/** Messages, and their bytes, that Redis moves at once. A longer message stays, as it would hold up Redis for too long. */
const BATCH = 100;
const MOST_BYTES = 16 * 1024 * 1024;

interface Lists {
  readonly from: readonly string[];
  /** Of the same priorities. */
  readonly to: readonly string[];
  /** The queue whose lists those are. */
  readonly queue: string;
}

/** Waits for an answer of Redis, so long as is proper. */
type Answered = <T>(work: Promise<T>) => Promise<T>;

/** Moves what waits now, list by list, in batches that are moved at once or not at all. */
export async function moveLists(
  client: Redis,
  lists: Lists,
  { limit, onProgress, signal }: Parameters<QueueAdapter['move']>[2],
  answered: Answered,
): Promise<Move> {
  let moved = 0;
  let left = 0;
  let leftBecause: string | null = null;
  const result = (ended: Move['ended'], error: Move['error'] = null): Move => ({
    ...{ moved, left, leftBecause, ended, error, doubled: 0 },
  });
  try {
    // what comes in meanwhile is not waited for: it would never end where somebody publishes fast
    const lengths = await answered(lengthsOfLists(client, lists.from));
    for (const [index, from] of lists.from.entries()) {
      const to = lists.to[index];
      if (to === undefined) throw new TypeError('no list of this priority');
      let open = lengths[index] ?? 0;
      let stay = 0;
      while (open > 0) {
        if (signal?.aborted === true) return result('stopped');
        if (moved >= limit) return result('limit');
        const most = Math.min(BATCH, open, limit - moved);
        const bounds = { offset: stay, limit: most, mostBytes: MOST_BYTES, totalBytes: MOST_BYTES };
        const { messages } = await answered(look(client, [from], bounds));
        if (messages.length === 0) break;
        const { batch, staying } = sorted(messages, lists.queue);
        if (batch.length > 0) moved += await answered(moveBetweenLists(client, [from, to], stay, batch));
        open -= messages.length;
        stay += staying.length;
        left += staying.length;
        leftBecause ??= staying[0] ?? null;
        onProgress(moved);
      }
    }
    return result('all');
  } catch (error) {
    if (moved === 0 || !(error instanceof BrokerError || error instanceof QueueRefusal)) throw error;
    return result('failed', error);
  }
}

/** Which messages can be moved, and why the others cannot. */
function sorted(
  messages: readonly ListedMessage[],
  queue: string,
): { readonly batch: readonly Replacement[]; readonly staying: readonly string[] } {
  const batch: Replacement[] = [];
  const staying: string[] = [];
  for (const { payload, bytes } of messages) {
    const anew = payload && redirected(payload, queue);
    if (payload === null) staying.push(`it has ${bytes} bytes, and ${MOST_BYTES} are moved at most`);
    else if (anew === null) staying.push('it is not as kombu writes messages, and would end the worker that takes it');
    else batch.push([payload, anew]);
  }
  return { batch, staying };
}
