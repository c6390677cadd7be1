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
  api: Pick<Api, 'facets' | 'inspect' | 'queues'>,
  cluster: string,
  signal: AbortSignal,
): Promise<Suggestions> {
  const [facets, registered, queues] = await Promise.allSettled([
    api.facets({ cluster }, signal),
    api.inspect({ cluster, of: ['registered'], workers: null }, signal),
    api.queues({ cluster }, signal),
  ]);
  const seen = facets.status === 'fulfilled' ? facets.value : { names: [], queues: [] };
  const known = registered.status === 'fulfilled' ? registered.value.flatMap(({ value }) => readRegistered(value)) : [];
  const there = queues.status === 'fulfilled' ? queues.value.map(({ queue }) => queue) : [];
  const names = [...seen.names, ...known.map(({ name }) => name)].filter((name) => !CELERYS.test(name));
  return { names: [...new Set(names)].sort(), queues: [...new Set([...seen.queues, ...there])].sort() };
}
