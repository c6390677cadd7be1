import type { ClusterDefinition } from '@meadow/contract';
import { maskUrl } from '../mask-url.ts';
import { parseBrokerUrl, type RedisTarget } from '../url.ts';

/** Where a cluster's results are, as its definition names it. */
export type ResultBackend =
  | {
      readonly kind: 'redis';
      readonly targets: readonly [RedisTarget, ...RedisTarget[]];
      /** Before the task's id in every key, and in every channel of the same name. */
      readonly keyPrefix: string;
    }
  /** Celery can use it, Meadow cannot read it: why. */
  | { readonly kind: 'unreadable'; readonly endpoint: string; readonly reason: string };

export type ResultDefinition = Pick<ClusterDefinition, 'name'> &
  Partial<Pick<ClusterDefinition, 'resultBackend' | 'resultTransportOptions' | 'tls'>>;

const READABLE = /^(?:rediss?|redis\+socket|sentinel):\/\//;

/** By the scheme, or the word that stands for one. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^db\+/, 'results in a database are pickled Python objects, which are never run here'],
  [/^(?:rpc|amqp)\b/, 'an rpc result is a message to its caller alone: reading it would take it away'],
  [/^cache\b/, 'memcached neither tells what it holds nor pushes it'],
  [/^django-/, 'results are in the tables or the cache of a Django application'],
  [/^disabled\b/, 'results are disabled'],
];

/**
 * Reads Celery's `result_backend`. Null when none is named.
 * @throws BrokerConfigError for a Redis url that can never work
 */
export function parseResultBackend(definition: ResultDefinition): ResultBackend | null {
  const { name, resultBackend: url, resultTransportOptions = {}, tls } = definition;
  if (url === undefined) return null;
  if (!READABLE.test(url)) {
    const known = REASONS.find(([pattern]) => pattern.test(url))?.[1];
    const reason = `not readable by Meadow: ${known ?? 'only results in Redis are read'}`;
    return { kind: 'unreadable', endpoint: maskUrl(url), reason };
  }
  const secure = tls !== undefined && url.startsWith('rediss:');
  const broker = parseBrokerUrl({
    name,
    broker: url,
    transportOptions: resultTransportOptions,
    ...(secure ? { tls } : {}),
  });
  if (broker.kind !== 'redis') throw new TypeError('a redis url that is none');
  const keyPrefix = `${separated(resultTransportOptions.global_keyprefix ?? '')}celery-task-meta-`;
  return { kind: 'redis', targets: broker.targets, keyPrefix };
}

/** Celery puts `_` behind a prefix that does not end in a separator. */
function separated(prefix: string): string {
  return prefix === '' || /[:_.-]$/.test(prefix) ? prefix : `${prefix}_`;
}
