import type { ClusterDefinition } from '@meadow/contract';
import { isTaskQueue } from './queue-names.ts';

/** One list of a queue. */
export interface PriorityKey {
  readonly step: number;
  readonly key: string;
  /** Whether workers take from it, by the definition. */
  readonly served: boolean;
}

/** Where kombu keeps what in Redis. */
export interface QueueKeys {
  /** Between the parts of a binding, and before the step in a list's key. */
  readonly separator: string;
  /** Before every key. */
  readonly prefix: string;
  readonly unacked: string;
  readonly unackedIndex: string;
  /** A queue's list of a priority step. */
  list(queue: string, step: number): string;
  /**
   * A queue's lists, in the order in which they are served. Those of priorities that are no steps here come last: the
   * application may know them, or have known them.
   */
  lists(queue: string): readonly PriorityKey[];
  /** The queue that a list belongs to; null for a list that is none of a queue of tasks. */
  queueOf(key: string): string | null;
  /** The set of an exchange's bindings. */
  bindings(exchange: string): string;
  /** The exchange whose bindings a key holds; null for other keys. */
  exchangeOf(key: string): string | null;
}

/** kombu's own priority steps. */
export const STEPS = [0, 3, 6, 9];
/** kombu puts a message into one of these at most, whatever the steps are. */
export const HIGHEST_PRIORITY = 9;
const BINDINGS = '_kombu.binding.';

export function queueKeys(options: ClusterDefinition['transportOptions']): QueueKeys {
  const prefix = options.global_keyprefix ?? '';
  const separator = options.sep ?? '\u0006\u0016';
  const served = new Set(options.priority_steps ?? STEPS);
  const others = Array.from({ length: HIGHEST_PRIORITY + 1 }, (_, step) => step).filter((step) => !served.has(step));
  const steps = [...[...served].map((step) => [step, true] as const), ...others.map((step) => [step, false] as const)];
  const list = (queue: string, step: number): string => prefix + queue + (step === 0 ? '' : `${separator}${step}`);
  return {
    ...{ prefix, separator, list },
    unacked: prefix + (options.unacked_key ?? 'unacked'),
    unackedIndex: prefix + (options.unacked_index_key ?? 'unacked_index'),
    lists: (queue) => steps.map(([step, isServed]) => ({ step, key: list(queue, step), served: isServed })),
    queueOf(key) {
      if (!key.startsWith(prefix)) return null;
      const name = key.slice(prefix.length);
      const at = name.lastIndexOf(separator);
      const queue = at > 0 && /^\d{1,3}$/.test(name.slice(at + separator.length)) ? name.slice(0, at) : name;
      return isTaskQueue(queue) ? queue : null;
    },
    bindings: (exchange) => prefix + BINDINGS + exchange,
    exchangeOf: (key) => (key.startsWith(prefix + BINDINGS) ? key.slice(prefix.length + BINDINGS.length) : null),
  };
}

/** A queue bound to an exchange. */
export interface Binding {
  readonly routingKey: string;
  readonly queue: string;
}

/** Reads a member of a set of bindings, `routing key SEP pattern SEP queue`; null for what is none. */
export function bindingOf(member: string, separator: string): Binding | null {
  const first = member.indexOf(separator);
  const last = member.lastIndexOf(separator);
  if (first === -1 || first === last) return null;
  return { routingKey: member.slice(0, first), queue: member.slice(last + separator.length) };
}

/**
 * The queues that kombu may have put a message into, by the bindings of a direct or topic exchange. `#` and `*` stand for any
 * text, which for `*` is a little more than kombu allows.
 */
export function queuesBound(bindings: readonly Binding[], routingKey: string): string[] {
  const queues = bindings.filter(({ routingKey: bound }) => bound === routingKey || matches(bound, routingKey));
  return [...new Set(queues.map(({ queue }) => queue))];
}

/** A pattern comes from outside, so it is walked through in bounded time instead of being made an expression. */
function matches(pattern: string, text: string): boolean {
  const isWild = (sign: string | undefined): boolean => sign === '#' || sign === '*';
  let at = 0;
  let from = 0;
  let wild: { readonly at: number; from: number } | null = null;
  while (from < text.length) {
    if (isWild(pattern[at])) wild = { at: at++, from };
    else if (pattern[at] === text[from]) {
      at++;
      from++;
    } else if (wild !== null) {
      at = wild.at + 1;
      from = ++wild.from;
    } else return false;
  }
  while (isWild(pattern[at])) at++;
  return at === pattern.length;
}
