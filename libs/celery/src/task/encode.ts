import { Buffer } from 'node:buffer';
import { z } from 'zod';
import { named } from '../control/command.ts';
import type { Envelope } from '../envelope.ts';
import type { JsonObject } from '../json.ts';
import { parseJsonTree } from './json-tree.ts';
import { RETRY_OF } from './names.ts';
import { taskRequestAt, timesOf, type TaskRequest, type TaskRequestInput } from './request.ts';
import { safeRepr } from './saferepr.ts';

/** What a request does not say. */
export interface SendFacts {
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** Id for a request that names none: no two tasks share one. */
  readonly newId: string;
  /** Who sends, as tasks find it in `self.request.origin`: `meadow@host`. */
  readonly origin: string;
}

/** A message of protocol 2, for either broker. */
export interface EncodedTask extends Envelope {
  readonly id: string;
  readonly name: string;
  readonly contentType: string;
  readonly contentEncoding: string;
  /** '' with a queue's name as `routingKey`. */
  readonly exchange: string;
  readonly routingKey: string;
  /** Null for none. */
  readonly priority: number | null;
}

const sendFacts = z.strictObject({
  nowMs: z.number().positive(),
  newId: named('the new id'),
  origin: named('the origin'),
});

/** The most that RabbitMQ takes; a longer one would end the channel. */
const MOST_EXPIRATION_MS = 2 ** 32 - 1;

/**
 * The message that a correct publisher would write. Whatever it is given is checked here, last before it leaves.
 * @throws z.ZodError whose issues name the value and the remedy
 */
export function encodeTask(input: TaskRequestInput, facts: SendFacts): EncodedTask {
  const { nowMs, newId, origin } = sendFacts.parse(facts);
  const request = taskRequestAt(nowMs).parse(input);
  const id = request.id ?? newId;
  const { etaMs, expiresMs } = timesOf(request, nowMs);
  return {
    id,
    name: request.name,
    exchange: request.exchange ?? '',
    routingKey: request.queue ?? request.routingKey ?? '',
    priority: request.priority,
    // both are JSON that was read and written again: nothing in them reaches beyond its place
    body: Buffer.from(`[${request.args},${request.kwargs},${EMBED}]`),
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    headers: headersOf(request, id, { eta: isoOf(etaMs), expires: isoOf(expiresMs), origin }),
    properties: {
      correlation_id: id,
      reply_to: '',
      delivery_mode: 2,
      priority: request.priority ?? 0,
      ...expirationOf(expiresMs === null ? null : Math.ceil(expiresMs - nowMs)),
    },
  };
}

const EMBED = '{"callbacks":null,"errbacks":null,"chain":null,"chord":null}';

function headersOf(
  request: TaskRequest,
  id: string,
  { eta, expires, origin }: { readonly eta: string | null; readonly expires: string | null; readonly origin: string },
): JsonObject {
  const { timelimit, headers, stamps, retryOf } = request;
  const stamped = Object.keys(stamps);
  return {
    lang: 'py',
    task: request.name,
    id,
    shadow: request.shadow,
    eta,
    expires,
    group: null,
    group_index: null,
    retries: 0,
    timelimit: [timelimit.hard, timelimit.soft],
    root_id: request.rootId ?? id,
    parent_id: request.parentId,
    argsrepr: safeRepr(parseJsonTree(request.args), 'tuple'),
    kwargsrepr: safeRepr(parseJsonTree(request.kwargs)),
    origin,
    ignore_result: request.ignoreResult,
    replaced_task_nesting: 0,
    stamped_headers: stamped.length === 0 ? null : stamped,
    stamps,
    ...headers,
    ...(retryOf === null ? {} : { [RETRY_OF]: retryOf }),
  };
}

/** As Python writes UTC. */
function isoOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString().replace('Z', '+00:00');
}

function expirationOf(ms: number | null): JsonObject {
  return ms === null || ms > MOST_EXPIRATION_MS ? {} : { expiration: String(ms) };
}

/** A task message as an AMQP client takes it. */
export interface AmqpPublication {
  readonly content: Uint8Array;
  readonly properties: {
    readonly contentType: string;
    readonly contentEncoding: string;
    readonly headers: JsonObject;
    readonly correlationId: string;
    readonly replyTo: string;
    readonly deliveryMode: number;
    readonly priority: number;
    /** Milliseconds. */
    readonly expiration?: string;
  };
}

/** The same message with its properties under AMQP's names. */
export function amqpPublication(task: EncodedTask): AmqpPublication {
  const { contentType, contentEncoding, headers, properties } = task;
  const { expiration } = properties;
  return {
    content: task.body,
    properties: {
      ...{ contentType, contentEncoding, headers },
      ...{ correlationId: task.id, replyTo: '', deliveryMode: 2, priority: task.priority ?? 0 },
      ...(typeof expiration === 'string' ? { expiration } : {}),
    },
  };
}
