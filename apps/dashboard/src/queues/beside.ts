import type { Pause } from '@meadow/contract';
import type { Api } from '../api/api.ts';
import { askClusters } from './ask-clusters.ts';
import { queueKey, type AboutQueue, type QueueLine } from './queue-list.ts';
import { readTakers, type Takers } from './takers.ts';

type Asked = Pick<Api, 'inspect' | 'queuesNow'>;

/** Of a cluster only so many queues are looked at for a pause. */
const MOST_LOOKED = 200;

/**
 * What is known of queues beside what is stored: who takes from them, by the workers' word, and which were paused. Asked
 * beside the list, which waits for neither; a cluster that does not answer keeps what was known of it.
 */
export class BesideQueues {
  readonly #api: Asked;
  readonly #now: () => number;
  readonly #since = new Map<string, number>();
  readonly #takers = new Map<string, Takers>();
  readonly #paused = new Map<string, Pause>();

  /** @param now Unix seconds */
  constructor(api: Asked, now: () => number = () => Date.now() / 1000) {
    this.#api = api;
    this.#now = now;
  }

  about(row: { readonly cluster: string; readonly queue: string }): AboutQueue {
    return {
      takers: this.#takers.get(row.cluster) ?? null,
      paused: this.#paused.get(queueKey(row)) ?? null,
    };
  }

  /** Workers are asked once for everybody who looks on. */
  async askTakers(clusters: readonly string[], signal: AbortSignal): Promise<void> {
    const answers = await askClusters(
      clusters,
      (cluster, until) => this.#api.inspect({ cluster, of: ['active_queues'], workers: null }, until),
      signal,
    );
    for (const [cluster, parts] of answers) {
      const since = this.#since.get(cluster) ?? this.#now();
      this.#since.set(cluster, since);
      this.#takers.set(cluster, readTakers(parts, this.#now() - since));
    }
  }

  /** Of the queues that nobody takes from: no other is paused. */
  async askPaused(lines: readonly QueueLine[], signal: AbortSignal): Promise<void> {
    const unattended = lines.filter(({ consumers, idle }) => consumers === 0 && !idle).map(({ row }) => row);
    const queuesOf = (cluster: string): readonly string[] =>
      unattended.filter((row) => row.cluster === cluster).map(({ queue }) => queue);
    const answers = await askClusters(
      [...new Set(unattended.map(({ cluster }) => cluster))],
      (cluster, until) => this.#api.queuesNow({ cluster, queues: queuesOf(cluster).slice(0, MOST_LOOKED) }, until),
      signal,
    );
    for (const [cluster, told] of answers) {
      for (const { figures, paused } of told) {
        const key = queueKey({ cluster, queue: figures.name });
        if (paused === null) this.#paused.delete(key);
        else this.#paused.set(key, paused);
      }
    }
  }
}
