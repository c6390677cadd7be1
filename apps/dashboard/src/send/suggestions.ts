import type { Api } from '../api/api.ts';
import { readRegistered } from '../worker/answers.ts';

/** What can be sent, and where, as far as a cluster tells; sorted. */
export interface Suggestions {
  readonly names: readonly string[];
  readonly queues: readonly string[];
}

/** Celery's own tasks, which workers register too. */
const CELERYS = /^celery\./;

/** Asks all that may know. What does not answer is left out. Never throws. */
export async function suggestionsOf(
  api: Pick<Api, 'search' | 'inspect' | 'queues'>,
  cluster: string,
  signal: AbortSignal,
): Promise<Suggestions> {
  const [ran, used, registered, queues] = await Promise.allSettled([
    api.search.values({ cluster, field: 'name', prefix: '' }, signal),
    api.search.values({ cluster, field: 'queue', prefix: '' }, signal),
    api.inspect({ cluster, of: ['registered'], workers: null }, signal),
    api.queues({ cluster }, signal),
  ]);
  const seen = (answer: typeof ran) => (answer.status === 'fulfilled' ? answer.value.map(({ value }) => value) : []);
  const known = registered.status === 'fulfilled' ? registered.value.flatMap(({ value }) => readRegistered(value)) : [];
  const there = queues.status === 'fulfilled' ? queues.value.map(({ queue }) => queue) : [];
  const names = [...seen(ran), ...known.map(({ name }) => name)].filter((name) => !CELERYS.test(name));
  return { names: [...new Set(names)].sort(), queues: [...new Set([...seen(used), ...there])].sort() };
}
