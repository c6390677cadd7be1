import type { Redis } from 'ioredis';
import { escapeGlob } from '../redis/channels.ts';
import { isTaskQueue } from './queue-names.ts';
import { bindingOf, type Binding, type QueueKeys } from './redis-keys.ts';

/** Keys that are passed in one step, and steps of one walk. */
const KEYS_A_STEP = 1_000;
const STEPS_A_WALK = 100;
const MOST_NAMES = 10_000;
const MOST_EXCHANGES = 500;
/** Of one exchange, and of all. */
const MOST_BINDINGS = 10_000;
const MOST_BINDINGS_OF_ALL = 50_000;

/**
 * Walks over all keys of a database, so many a call, and keeps what it found: a database full of results is walked through in
 * several calls. What was found once is known until a whole walk later found it no more.
 */
class KeyWalk {
  readonly #most: number;
  #cursor = '0';
  #found = new Set<string>();
  #before: ReadonlySet<string> | null = null;

  constructor(most: number) {
    this.#most = most;
  }

  /** @returns whether every key has been looked at by now */
  async walk(scan: (cursor: string) => Promise<[next: string, found: readonly string[]]>): Promise<boolean> {
    for (let step = 0; step < STEPS_A_WALK; step++) {
      const [next, found] = await scan(this.#cursor);
      this.#cursor = next;
      for (const name of found) if (this.#found.size < this.#most) this.#found.add(name);
      if (next !== '0') continue;
      this.#before = this.#found;
      this.#found = new Set();
      break;
    }
    return this.#before !== null && this.#before.size < this.#most;
  }

  get found(): ReadonlySet<string> {
    return this.#before === null ? this.#found : this.#before.union(this.#found);
  }
}

/** What one connection has found of a cluster's queues. */
export class KnownLists {
  readonly #keys: QueueKeys;
  readonly #lists = new KeyWalk(MOST_NAMES);
  readonly #exchanges = new KeyWalk(MOST_EXCHANGES);

  constructor(keys: QueueKeys) {
    this.#keys = keys;
  }

  /** Looks on. @returns whether the names are all that there are */
  async look(client: Redis): Promise<{ readonly names: readonly string[]; readonly all: boolean }> {
    const keys = this.#keys;
    const bound = escapeGlob(keys.bindings(''));
    const allLists = await this.#lists.walk(async (cursor) => {
      const page = await client.scan(
        cursor,
        'MATCH',
        `${escapeGlob(keys.prefix)}*`,
        'COUNT',
        KEYS_A_STEP,
        'TYPE',
        'list',
      );
      return [page[0], page[1].flatMap((key) => keys.queueOf(key) ?? [])];
    });
    const allExchanges = await this.#exchanges.walk(async (cursor) => {
      const page = await client.scan(cursor, 'MATCH', `${bound}*`, 'COUNT', KEYS_A_STEP);
      return [page[0], page[1].flatMap((key) => keys.exchangeOf(key) ?? [])];
    });
    const names = new Set(this.#lists.found);
    let allBindings = true;
    let looked = 0;
    for (const exchange of this.#exchanges.found) {
      // these hold a member for every worker and every caller that there ever was
      if (exchange.endsWith('.pidbox')) continue;
      allBindings &&= looked < MOST_BINDINGS_OF_ALL;
      if (!allBindings) break;
      const { bindings, all } = await bindingsOf(client, keys, exchange);
      allBindings = all;
      looked += bindings.length;
      for (const { queue } of bindings) if (names.size < MOST_NAMES && isTaskQueue(queue)) names.add(queue);
    }
    const all = allLists && allExchanges && allBindings && names.size < MOST_NAMES;
    return { names: [...names].toSorted(), all };
  }
}

/** The bindings of one exchange, so many at most. */
export async function bindingsOf(
  client: Redis,
  keys: QueueKeys,
  exchange: string,
): Promise<{ readonly bindings: readonly Binding[]; readonly all: boolean }> {
  const bindings: Binding[] = [];
  let cursor = '0';
  do {
    const [next, members] = await client.sscan(keys.bindings(exchange), cursor, 'COUNT', KEYS_A_STEP);
    cursor = next;
    bindings.push(...members.flatMap((member) => bindingOf(member, keys.separator) ?? []));
  } while (cursor !== '0' && bindings.length < MOST_BINDINGS);
  return { bindings, all: cursor === '0' };
}
