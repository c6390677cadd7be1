import { z } from 'zod';
import { named } from '../control/command.ts';
import { CeleryDecodeError } from '../errors.ts';
import { depthOf, parseJsonTree, writeJsonTree, type JsonTree } from './json-tree.ts';
import { destination, isOwnHeader, isOwnStamp } from './names.ts';

/** Characters of args, and of kwargs. RabbitMQ 4 takes 16 MiB a message. */
const MOST_ARGUMENT_CHARACTERS = 4 * 1024 * 1024;
/** Levels of args, and of kwargs. Workers read and copy them by recursion, which Python ends below 1,000. */
const MOST_ARGUMENT_DEPTH = 100;
/** Seconds into the future. Workers keep what waits in memory. */
const LONGEST_WAIT = 366 * 86_400;
const TOO_LATE = 'more than 366 days: give less';
const MOST_HEADERS = 32;
/** Of one header's text, and of one stamp's. They travel in one frame of AMQP with all others. */
const MOST_HEADER_CHARACTERS = 1_000;
/** Of an exchange's routing key. AMQP has no more. */
const MOST_KEY_BYTES = 255;

/** The JSON text of a value, every number as it is written; comes out without spaces. */
function jsonText(what: 'args' | 'kwargs', kind: JsonTree['kind']): z.ZodType<string, string> {
  const remedy = kind === 'array' ? 'an array, such as [1, "a"]' : 'an object, such as {"a": 1}';
  return z
    .string()
    .max(MOST_ARGUMENT_CHARACTERS, `${what} are longer than ${MOST_ARGUMENT_CHARACTERS} characters: pass a reference`)
    .transform((text, { addIssue }) => {
      const tree = treeOf(text);
      if (tree instanceof CeleryDecodeError) addIssue(`${what} are no JSON (${tree.message}): write ${remedy}`);
      else if (tree.kind !== kind)
        addIssue(`${what} are ${tree.kind === 'scalar' ? tree.text.slice(0, 60) : `an ${tree.kind}`}: write ${remedy}`);
      else if (depthOf(tree) > MOST_ARGUMENT_DEPTH)
        addIssue(`${what} are nested deeper than ${MOST_ARGUMENT_DEPTH}: make them flatter`);
      else return writeJsonTree(tree);
      return z.NEVER;
    });
}

function treeOf(text: string): JsonTree | CeleryDecodeError {
  try {
    return parseJsonTree(text);
  } catch (error) {
    if (error instanceof CeleryDecodeError) return error;
    throw error;
  }
}

const instant = z.iso.datetime({
  offset: true,
  error: 'write a time with its offset, such as 2026-01-31T08:00:00+01:00',
});
const seconds = z.number().positive('a time limit is above 0; null sets none').max(LONGEST_WAIT, TOO_LATE);

/** Whole characters only: half of one would arrive as another. */
const text = z
  .string()
  .max(MOST_HEADER_CHARACTERS, `longer than ${MOST_HEADER_CHARACTERS} characters: shorten it`)
  .refine((value) => value.isWellFormed(), 'holds half a character: remove it');
const scalar = z.union([text, z.boolean(), z.number()], 'send a text, a number, true or false');

function own<Value extends z.ZodType>(what: 'header' | 'stamp', value: Value): z.ZodRecord<z.ZodString, Value> {
  return z.record(z.string(), value).superRefine((given, { addIssue }) => {
    const names = Object.keys(given);
    if (names.length > MOST_HEADERS) addIssue(`more than ${MOST_HEADERS} ${what}s: send fewer`);
    for (const name of names.filter((each) => !(what === 'header' ? isOwnHeader : isOwnStamp)(each))) {
      const rule = "take 1 to 128 letters, digits, '_', '-' and '.', a letter first, and no name of Celery's";
      const said = JSON.stringify(name.slice(0, 60));
      addIssue({
        code: 'custom',
        path: [name],
        message: `the ${what} ${said} cannot be sent: ${rule}, RabbitMQ's or Meadow's`,
      });
    }
  });
}

const id = named('the task id');

/**
 * A task that can be sent. Strict: what is not as it should be ends workers, so it never leaves.
 *
 * A task goes into a queue, by its name, or through an exchange with a routing key, to the queues that are bound there.
 */
export const taskRequest = z
  .strictObject({
    name: named('the task name'),
    /** JSON text of an array, at most 4 Mi characters and 100 levels. Text, since 1.0 and 1 are two things to Python. */
    args: jsonText('args', 'array').default('[]'),
    /** JSON text of an object, within the same bounds. */
    kwargs: jsonText('kwargs', 'object').default('{}'),
    /** A new one is made for null. One that was revoked, or has succeeded, would not run. */
    id: id.nullable().default(null),
    queue: destination('the queue').nullable().default(null),
    exchange: destination('the exchange').nullable().default(null),
    /** Of the exchange; '' where it needs none. Null with a queue. */
    routingKey: z
      .string()
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'the routing key holds a control character or half a character: remove it')
      .refine((key) => new TextEncoder().encode(key).length <= MOST_KEY_BYTES, 'longer than 255 bytes: shorten it')
      .nullable()
      .default(null),
    /** 0 to 9 in Celery's words; RabbitMQ takes up to 255 and serves the largest first, Redis the smallest. Null for none. */
    priority: z
      .int('give a whole number')
      .min(0, 'give 0 or more')
      .max(255, 'give 255 at most')
      .nullable()
      .default(null),
    /** Seconds from when it is sent until it may begin, up to 366 days. */
    countdown: z.number().min(0, 'give 0 or more seconds').max(LONGEST_WAIT, TOO_LATE).nullable().default(null),
    /** When it may begin; not beside `countdown`. */
    eta: instant.nullable().default(null),
    /** Seconds from when it is sent, or a time, after which it is not begun any more. */
    expires: z
      .union([z.number().positive('give more than 0 seconds').max(LONGEST_WAIT, TOO_LATE), instant])
      .nullable()
      .default(null),
    /** Seconds; null for the task's own. */
    timelimit: z
      .strictObject({ hard: seconds.nullable().default(null), soft: seconds.nullable().default(null) })
      .refine(({ hard, soft }) => hard === null || soft === null || soft <= hard, {
        error: 'the soft limit is above the hard one: lower it',
        path: ['soft'],
      })
      .prefault({}),
    /** Shown in place of the name by whoever watches. */
    shadow: named('the shadow').nullable().default(null),
    ignoreResult: z.boolean().default(false),
    /** The application's own, at most 32: its tasks find them in `self.request`. */
    headers: own('header', scalar.nullable()).default({}),
    /** Celery 5.3 and newer: what `revoke_by_stamped_headers` finds the task by, at most 32. */
    stamps: own('stamp', z.union([scalar, z.array(scalar).max(50)])).default({}),
    /** The workflow that it belongs to; null: begins one. */
    rootId: id.nullable().default(null),
    parentId: id.nullable().default(null),
    /** The task that this one repeats. It travels as the header `meadow_retry_of`. */
    retryOf: id.nullable().default(null),
  })
  .superRefine(({ queue, exchange, routingKey, countdown, eta }, { addIssue }) => {
    const issue = (path: string, message: string): void => addIssue({ code: 'custom', path: [path], message });
    if (queue === null && exchange === null) issue('queue', 'neither a queue nor an exchange is named: name one');
    if (queue !== null && exchange !== null) issue('exchange', `the queue ${queue} is named too: leave one out`);
    if (queue !== null && routingKey !== null) issue('routingKey', 'a queue is reached by its name: leave the key out');
    if (exchange !== null && routingKey === null) issue('routingKey', "an exchange routes by a key: give one, or ''");
    if (countdown !== null && eta !== null) issue('countdown', 'there is an eta too: leave one out');
  });

export type TaskRequest = z.output<typeof taskRequest>;
/** What a person writes: everything but the name and where it goes has a default. */
export type TaskRequestInput = z.input<typeof taskRequest>;

/** {@link taskRequest}, and its times seen from `nowMs`. */
export function taskRequestAt(nowMs: number): z.ZodType<TaskRequest, TaskRequestInput> {
  return taskRequest.superRefine((request, { addIssue }) => {
    const issue = (path: string, message: string): void => addIssue({ code: 'custom', path: [path], message });
    const { etaMs, expiresMs } = timesOf(request, nowMs);
    const latest = nowMs + LONGEST_WAIT * 1_000;
    if (etaMs !== null && etaMs > latest) issue('eta', 'more than 366 days from now: send it later');
    if (expiresMs === null) return;
    if (expiresMs > latest) issue('expires', 'more than 366 days from now: give an earlier time, or null');
    if (expiresMs <= nowMs) issue('expires', 'has passed: it would never begin');
    else if (etaMs !== null && expiresMs <= etaMs) issue('expires', 'not after it may begin: it never would');
  });
}

/** When a request that is sent at `nowMs` may begin and expires, Unix milliseconds. */
export function timesOf(
  { countdown, eta, expires }: Pick<TaskRequest, 'countdown' | 'eta' | 'expires'>,
  nowMs: number,
): { readonly etaMs: number | null; readonly expiresMs: number | null } {
  const later = (value: number | string): number =>
    typeof value === 'number' ? nowMs + value * 1_000 : Date.parse(value);
  // as to Celery, 0 seconds are none
  const begins = countdown === 0 ? eta : (countdown ?? eta);
  return { etaMs: begins === null ? null : later(begins), expiresMs: expires === null ? null : later(expires) };
}
