import type { Redis } from 'ioredis';
import { bindingsOf } from './redis-known.ts';
import { queuesBound, type QueueKeys } from './redis-keys.ts';
import { unackedPage } from './redis-scripts.ts';

/** Entries are counted up to so many: each costs Redis a look at a whole message. */
const MOST_ENTRIES = 20_000;
const ENTRIES_A_PAGE = 200;
/** Of the end of an entry, where exchange and routing key stand: each of up to 255 characters, escaped. */
const TAIL_BYTES = 4_096;

/** What workers hold, by queue. */
export interface Unacked {
  /** Null, with the reason, where it cannot be known. */
  of(queue: string): { readonly count: number } | { readonly count: null; readonly reason: string };
}

/**
 * Counts what workers hold, by the exchange and routing key with which it was delivered: the one hash that kombu keeps it in is
 * shared by all queues of a database.
 */
export async function countUnacked(client: Redis, keys: QueueKeys): Promise<Unacked> {
  const total = await client.hlen(keys.unacked);
  if (total === 0) return { of: () => ({ count: 0 }) };
  if (total > MOST_ENTRIES) return unknown(`workers hold ${total} messages, too many to be counted by queue`);
  const addresses = new Map<string, Set<string>>();
  let unread = 0;
  let cursor = '0';
  let pages = 0;
  do {
    const options = { count: ENTRIES_A_PAGE, tailBytes: TAIL_BYTES };
    const page = await unackedPage(client, keys.unacked, cursor, options);
    cursor = page.cursor;
    for (const [tag, tail] of page.entries) {
      const address = addressAt(tail);
      if (address === null) unread++;
      // an entry may be told twice while the hash grows
      else addresses.set(address, (addresses.get(address) ?? new Set()).add(tag));
    }
  } while (cursor !== '0' && ++pages < (2 * MOST_ENTRIES) / ENTRIES_A_PAGE);
  if (cursor !== '0') return unknown('more messages came in than could be counted');
  if (unread > 0) return unknown(`${unread} messages that workers hold are not as kombu writes them`);
  return byQueue(client, keys, addresses);
}

async function byQueue(
  client: Redis,
  keys: QueueKeys,
  addresses: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<Unacked> {
  const counts = new Map<string, number>();
  const doubtful = new Set<string>();
  const bound = new Map<string, Awaited<ReturnType<typeof bindingsOf>>>();
  for (const [address, { size }] of addresses) {
    const [exchange, routingKey] = JSON.parse(address) as [string, string];
    let queues = [routingKey];
    if (exchange !== '') {
      const known = bound.get(exchange) ?? (await bindingsOf(client, keys, exchange));
      bound.set(exchange, known);
      queues = queuesBound(known.bindings, routingKey);
    }
    const [queue] = queues;
    if (queue !== undefined && queues.length === 1) counts.set(queue, (counts.get(queue) ?? 0) + size);
    else for (const each of queues) doubtful.add(each);
  }
  return {
    of: (queue) =>
      doubtful.has(queue)
        ? {
            count: null,
            reason: 'workers hold messages that went to several queues, and it is not told from which they took them',
          }
        : { count: counts.get(queue) ?? 0 },
  };
}

function unknown(reason: string): Unacked {
  return { of: () => ({ count: null, reason }) };
}

/** Exchange and routing key at the end of `[envelope, exchange, routing key]`, as JSON of the two; null for anything else. */
export function addressAt(tail: string): string | null {
  if (!tail.endsWith(']')) return null;
  const routingKey = literalBefore(tail, tail.length - 1);
  const exchange = routingKey && literalBefore(tail, routingKey.begin);
  if (!exchange) return null;
  return JSON.stringify([exchange.value, routingKey.value]);
}

/** The JSON text, or null as '', that ends before `end`, blanks and a comma left out. */
function literalBefore(text: string, end: number): { readonly begin: number; readonly value: string } | null {
  let last = end - 1;
  while (text[last] === ' ' || text[last] === ',') last--;
  if (text.slice(last - 3, last + 1) === 'null') return { begin: last - 3, value: '' };
  if (text[last] !== '"') return null;
  for (let begin = last - 1; begin >= 0; begin--) {
    if (text[begin] !== '"') continue;
    let slashes = 0;
    while (text[begin - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 1) continue;
    try {
      return { begin, value: JSON.parse(text.slice(begin, last + 1)) as string };
    } catch {
      return null;
    }
  }
  return null;
}
