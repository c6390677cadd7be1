import { decodeContent } from './content.ts';
import type { ContentOptions } from './content.ts';
import { isObject, typeNameOf } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import { CeleryDecodeError } from './errors.ts';
import { stringifyPythonJson } from './json.ts';
import type { JsonObject, JsonValue } from './json.ts';

/** What a task message says of the task beside its arguments. Unknown or of the wrong type is null. */
export interface TaskHeaders {
  readonly protocol: 1 | 2;
  readonly id: string;
  readonly task: string;
  /** Name to show instead of `task`. */
  readonly shadow: string | null;
  /** ISO 8601. */
  readonly eta: string | null;
  /** ISO 8601. */
  readonly expires: string | null;
  readonly retries: number | null;
  readonly rootId: string | null;
  /** Equals `id` when a retry or replace published the message. */
  readonly parentId: string | null;
  readonly group: string | null;
  /** Truncated Python repr of the publisher's choosing: to show, not to trust. */
  readonly argsrepr: string | null;
  readonly kwargsrepr: string | null;
  readonly origin: string | null;
  /** Seconds. */
  readonly timelimit: { readonly hard: number | null; readonly soft: number | null };
  readonly ignoreResult: boolean | null;
}

/** A task as it waits in a queue. */
export interface TaskMessage extends TaskHeaders {
  /** Nearly always an array and an object, but the worker, not the broker, is who checks. */
  readonly args: JsonValue;
  readonly kwargs: JsonValue;
  /** Callbacks, errbacks, chain and chord; null when the message has none. */
  readonly embed: JsonObject | null;
  /** Who signed the body, null when unsigned. */
  readonly signer: string | null;
}

/**
 * Reads what protocol 2 tells outside the body, so that a task can be listed whose body is a pickle or unreadable. Null
 * for protocol 1, which tells nothing there.
 * @throws CeleryDecodeError `CELERY_TASK_INVALID` when there is a task name but no id
 */
export function taskHeaders(envelope: Envelope): TaskHeaders | null {
  const { headers } = envelope;
  if (headers['task'] === undefined || headers['task'] === null) return null;
  return headersFrom(headers, 2);
}

/**
 * Decodes a task message of protocol 1 or 2.
 * @throws CeleryDecodeError `CELERY_TASK_INVALID`, or any code of `decodeContent`
 */
export function decodeTaskMessage(envelope: Envelope, options?: ContentOptions): TaskMessage {
  const headers = taskHeaders(envelope);
  const { value, signer } = decodeContent(envelope, options);
  if (headers === null) {
    if (!isObject(value)) throw invalid('no task header and no protocol 1 body', value);
    const { args, kwargs } = value;
    return { ...headersFrom(value, 1), args: args ?? [], kwargs: kwargs ?? {}, embed: protocol1Embed(value), signer };
  }
  if (!Array.isArray(value) || value.length < 2) throw invalid('body is not [args, kwargs, embed]', value);
  const [args = null, kwargs = null, embed = null] = value;
  if (embed !== null && !isObject(embed)) throw invalid('embed is not an object', embed);
  return { ...headers, args, kwargs, embed, signer };
}

const protocol1EmbedKeys = ['callbacks', 'errbacks', 'chord'] as const;

function protocol1Embed(body: JsonObject): JsonObject | null {
  const entries = protocol1EmbedKeys.flatMap((key) => (body[key] ? [[key, body[key]] as const] : []));
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

function headersFrom(source: JsonObject, protocol: 1 | 2): TaskHeaders {
  const { id, task, timelimit } = source;
  if (typeof id !== 'string' || id === '') throw invalid('no id', id);
  if (typeof task !== 'string' || task === '') throw invalid('no task name', task);
  const [hard, soft] = Array.isArray(timelimit) ? timelimit : [];
  return {
    protocol,
    id,
    task,
    shadow: textOf(source['shadow']),
    eta: textOf(source['eta']),
    expires: textOf(source['expires']),
    retries: numberOf(source['retries']),
    rootId: textOf(source['root_id']),
    parentId: textOf(source['parent_id']),
    group: textOf(source[protocol === 2 ? 'group' : 'taskset']) ?? textOf(source['group']),
    argsrepr: reprOf(source['argsrepr']),
    kwargsrepr: reprOf(source['kwargsrepr']),
    origin: textOf(source['origin']),
    timelimit: { hard: numberOf(hard), soft: numberOf(soft) },
    ignoreResult: typeof source['ignore_result'] === 'boolean' ? source['ignore_result'] : null,
  };
}

function textOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function reprOf(value: JsonValue | undefined): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : stringifyPythonJson(value);
}

function numberOf(value: JsonValue | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function invalid(reason: string, value: JsonValue | undefined): CeleryDecodeError {
  return new CeleryDecodeError('CELERY_TASK_INVALID', `not a task message: ${reason}`, { found: typeNameOf(value) });
}
