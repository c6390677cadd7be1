import type { ClusterDefinition } from '@meadow/contract';
import { bindingOf, HIGHEST_PRIORITY, queueKeys, STEPS } from '../queues/redis-keys.ts';

/** Where kombu puts tasks in Redis. */
export interface RedisRouting {
  /** The list into which a task of this priority goes. */
  list(queue: string, priority: number): string;
  /** The set of what is bound to an exchange. */
  bindings(exchange: string): string;
  /** The queues among such a set's members, `routing key SEP pattern SEP queue`, that get what has this routing key. */
  queuesFor(members: readonly string[], routingKey: string): string[];
}

/** Lists of such queues are never read: what is broadcast goes over channels. */
const BROADCAST = /^bcast\./;

export function redisRouting(options: ClusterDefinition['transportOptions']): RedisRouting {
  const { list, bindings, separator } = queueKeys(options);
  const steps = options.priority_steps ?? STEPS;
  return {
    list: (queue, priority) => list(queue, stepOf(Math.min(priority, HIGHEST_PRIORITY), steps)),
    bindings,
    queuesFor(members, routingKey) {
      const queues = members.flatMap((member) => {
        const { routingKey: key = '', queue = '' } = bindingOf(member, separator) ?? {};
        return queue !== '' && !BROADCAST.test(queue) && matchesTopic(key, routingKey) ? [queue] : [];
      });
      return [...new Set(queues)];
    },
  };
}

/** The last step that is not above; kombu takes the last of all where there is none. */
function stepOf(priority: number, steps: readonly number[]): number {
  return steps.filter((step) => step <= priority).at(-1) ?? steps.at(-1) ?? 0;
}

/**
 * kombu's notion of a topic, which is not RabbitMQ's: between dots `#` is any text, dots included, and `*` any that does not
 * end in a dot. A key without either matches itself. Takes time linear in the key for each part of the topic.
 */
export function matchesTopic(topic: string, routingKey: string): boolean {
  /** Where in the key the parts read so far may have ended. */
  let ends = [0];
  topic.split('.').forEach((part, index) => {
    if (index > 0) ends = ends.filter((at) => routingKey[at] === '.').map((at) => at + 1);
    if (part !== '#' && part !== '*') {
      ends = ends.filter((at) => routingKey.startsWith(part, at)).map((at) => at + part.length);
    } else ends = endsOfAny(routingKey, Math.min(...ends), part === '*');
  });
  return ends.includes(routingKey.length);
}

function endsOfAny(routingKey: string, from: number, isWord: boolean): number[] {
  const ends: number[] = [];
  for (let at = isWord ? from + 1 : from; at <= routingKey.length; at++) {
    if (!isWord || routingKey[at - 1] !== '.') ends.push(at);
  }
  return ends;
}
