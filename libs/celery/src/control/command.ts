import { z } from 'zod';

/** Of texts that Celery puts into keys, routing keys and log lines. AMQP carries no longer ones. */
const MOST_BYTES = 255;
/** Of ids in one request: a worker walks through all of them before it does anything else. */
const MOST_IDS = 1_000;
const MOST_PROCESSES = 1_000;
/** Seconds. */
const LONGEST_LIMIT = 30 * 86_400;

/** A text that names something: not empty, no control characters, at most 255 bytes. An empty queue name ends a worker. */
export function named(what: string): z.ZodString {
  return z
    .string()
    .min(1, `${what} is empty: give one`)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, `${what} holds a control character or half a character: remove it`)
    .refine((value) => new TextEncoder().encode(value).length <= MOST_BYTES, {
      error: `${what} is longer than ${MOST_BYTES} bytes: shorten it`,
    });
}

const ids = z
  .array(named('the task id'))
  .min(1, 'no task is named: give an id')
  .max(MOST_IDS, `more than ${MOST_IDS} ids: ask in several requests`);

/** Those that a task's process can be sent; a name that its platform does not have is refused by the worker. */
export const SIGNALS = ['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGABRT'] as const;

const termination = { terminate: z.boolean().default(false), signal: z.enum(SIGNALS).default('SIGTERM') };
const taskName = named('the task name');
const queue = named('the queue');
const count = z.int('give a whole number').min(1, 'give at least 1').max(MOST_PROCESSES);
const seconds = z.number().positive('a time limit is above 0; null sets none').max(LONGEST_LIMIT).nullable();

/** A command without arguments. */
const bare = <Method extends string>(method: Method) => z.strictObject({ method: z.literal(method) });

/**
 * What workers can be asked and told, under Celery's names: `method`, and beside it the arguments. Strict, since a worker
 * fails with what it does not know, and a message that is not as it should be ends or deafens all of them.
 *
 * Left out on purpose: `objgraph` and `memdump`, which write files and print, `hello`, which merges what it is given into
 * the worker, `election`, and the older names of those that are here.
 */
export const controlCommand = z.discriminatedUnion('method', [
  bare('ping'),
  z.strictObject({ method: z.literal('active'), safe: z.boolean().default(false) }),
  bare('reserved'),
  bare('scheduled'),
  bare('revoked'),
  bare('active_queues'),
  bare('stats'),
  bare('report'),
  bare('clock'),
  bare('memsample'),
  z.strictObject({ method: z.literal('conf'), with_defaults: z.boolean().default(false) }),
  z.strictObject({
    method: z.literal('registered'),
    taskinfoitems: z.array(named('the attribute')).max(50).default([]),
    builtins: z.boolean().default(false),
  }),
  z.strictObject({ method: z.literal('query_task'), ids }),

  z.strictObject({ method: z.literal('revoke'), task_id: ids, ...termination }),
  z.strictObject({
    method: z.literal('revoke_by_stamped_headers'),
    headers: z
      .record(named('the header'), z.array(named('the stamp')).min(1).max(MOST_IDS))
      .refine((headers) => Object.keys(headers).length > 0, { error: 'no header is named: it would mean nothing' }),
    ...termination,
  }),
  z.strictObject({
    method: z.literal('rate_limit'),
    task_name: taskName,
    rate_limit: z
      .string()
      .max(20)
      .regex(/^\d+(?:\.\d+)?(?:\/[smh])?$/, 'a rate is a number and /s, /m or /h, such as 30/m; 0 sets none'),
  }),
  z.strictObject({ method: z.literal('time_limit'), task_name: taskName, soft: seconds, hard: seconds }),

  bare('shutdown'),
  bare('enable_events'),
  bare('disable_events'),
  bare('heartbeat'),
  z.strictObject({ method: z.literal('pool_grow'), n: count }),
  z.strictObject({ method: z.literal('pool_shrink'), n: count }),
  z
    .strictObject({ method: z.literal('autoscale'), max: count, min: z.int().min(0).max(MOST_PROCESSES) })
    .refine(({ max, min }) => min <= max, { error: 'min is above max', path: ['min'] }),
  z.strictObject({
    method: z.literal('pool_restart'),
    modules: z.array(named('the module')).max(100).nullable().default(null),
    reload: z.boolean().default(false),
  }),
  z.strictObject({
    method: z.literal('add_consumer'),
    queue,
    exchange: named('the exchange').nullable().default(null),
    exchange_type: z.enum(['direct', 'topic', 'fanout', 'headers']).default('direct'),
    routing_key: named('the routing key').nullable().default(null),
  }),
  z.strictObject({ method: z.literal('cancel_consumer'), queue }),
]);

export type ControlCommand = z.output<typeof controlCommand>;
export type ControlMethod = ControlCommand['method'];

/** What only asks. Everything else changes something. */
const INSPECTIONS: ReadonlySet<ControlMethod> = new Set<ControlMethod>([
  ...(['ping', 'active', 'reserved', 'scheduled', 'revoked', 'active_queues', 'stats', 'report', 'clock'] as const),
  ...(['memsample', 'conf', 'registered', 'query_task'] as const),
]);

export const isInspection = (method: ControlMethod): boolean => INSPECTIONS.has(method);
