import type { z } from 'zod';
import { named } from '../control/command.ts';

/** Headers of protocol 2, and those that kombu and workers add. */
const PROTOCOL: ReadonlySet<string> = new Set([
  ...['lang', 'task', 'id', 'shadow', 'eta', 'expires', 'group', 'group_index', 'retries', 'timelimit', 'root_id'],
  ...['parent_id', 'argsrepr', 'kwargsrepr', 'origin', 'ignore_result', 'replaced_task_nesting', 'stamped_headers'],
  ...['stamps', 'compression', 'redelivered'],
]);

/** A worker makes an attribute of `Task.request` of each header: one of these would take the place of Celery's own. */
const REQUEST: ReadonlySet<string> = new Set([
  ...['args', 'kwargs', 'callbacks', 'errbacks', 'chain', 'chord', 'called_directly', 'correlation_id', 'headers'],
  ...['delivery_info', 'hostname', 'is_eager', 'loglevel', 'logfile', 'properties', 'reply_to', 'taskset', 'utc'],
  ...['children', 'update', 'clear', 'get', 'as_execution_options'],
]);

/** What a task sends gets the stamps of its own as options of `apply_async`: one of these would mislead it. */
const OPTIONS: ReadonlySet<string> = new Set([
  ...['queue', 'exchange', 'routing_key', 'priority', 'countdown', 'serializer', 'producer', 'connection', 'router'],
  ...['publisher', 'link', 'link_error', 'time_limit', 'soft_time_limit', 'task_id', 'task_type', 'group_id', 'name'],
  ...['add_to_parent', 'retry', 'retry_policy', 'chain_id', 'delivery_mode', 'mandatory', 'immediate', 'expiration'],
  ...['declare', 'timeout', 'confirm_timeout', 'user_id', 'app_id', 'message_id', 'type', 'timestamp', 'route_name'],
  ...['content_type', 'content_encoding', 'body', 'clock'],
]);

/** RabbitMQ's marks of where a message has been, and its headers that send it elsewhere as well. */
const BROKERS =
  /^(?:x-(?:death|first-death|last-death|delivery-|acquired-|delay|opt-|received-from|shovel|match)|b?cc$)/;
/** Ours. */
const MEADOWS = 'meadow_';
/** The header that names the task which a retry repeats. */
export const RETRY_OF = `${MEADOWS}retry_of`;

/** Whether Celery, the broker or Meadow put this header there: it says nothing of the application's. */
export function isMachineHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return PROTOCOL.has(lower) || BROKERS.test(lower) || lower.startsWith(MEADOWS);
}

/** Whether a message may carry this as a header of the application's own. */
export function isOwnHeader(name: string): boolean {
  return /^[a-z][\w.-]{0,127}$/i.test(name) && !isMachineHeader(name) && !REQUEST.has(name.toLowerCase());
}

export function isOwnStamp(name: string): boolean {
  return isOwnHeader(name) && !OPTIONS.has(name.toLowerCase());
}

/**
 * Where tasks must never go: what workers, brokers and Meadow listen to for other reasons. A task in a mailbox leaves every
 * worker of a Redis cluster deaf, one among events ends them.
 */
const MACHINERY =
  /^(?:celeryev(?:\.|$)|celery_delayed_|celery-task|chord-unlock-|_kombu\.|unacked|meadow\.|amq\.(?:gen-|rabbitmq))|\.pidbox$/;

/** @param what `the queue` or `the exchange` */
export function destination(what: string): z.ZodString {
  return named(what).refine((name) => !MACHINERY.test(name), {
    error: ({ input }) =>
      `${what} ${String(input)} is part of Celery's, the broker's or Meadow's machinery: take another`,
  });
}
