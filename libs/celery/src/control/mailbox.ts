import { Buffer } from 'node:buffer';
import { z } from 'zod';
import { decodeContent } from '../content.ts';
import { isObject, type Envelope } from '../envelope.ts';
import { CeleryDecodeError } from '../errors.ts';
import { stringifyPythonJson, type JsonValue } from '../json.ts';
import { controlCommand, named } from './command.ts';

/** Where replies are to go, and what they are known by. */
export interface ReplyAddress {
  /** In each reply's headers: no two requests share one. */
  readonly ticket: string;
  /** '' goes straight into the list or queue that `routingKey` names, on either broker, and leaves no binding behind. */
  readonly exchange: string;
  readonly routingKey: string;
}

export interface ControlRequest {
  readonly command: z.input<typeof controlCommand>;
  /** The workers that it is for, by name; null for all. */
  readonly destination: readonly string[] | null;
  /** Null where nobody waits for an answer. */
  readonly reply: ReplyAddress | null;
}

/** Workers in one request: each compares its name with all of them. */
const MOST_WORKERS = 10_000;

const controlRequest = z.strictObject({
  command: controlCommand,
  destination: z.array(named('the worker')).min(1, 'no worker is named: name one, or all').max(MOST_WORKERS).nullable(),
  reply: z
    .strictObject({ ticket: named('the ticket'), exchange: z.string().max(255), routingKey: named('the routing key') })
    .nullable(),
});

/**
 * The body of a request to pidbox, JSON in UTF-8, as kombu's mailbox sends it. Whatever it is given is checked here, last
 * before it leaves: one bad broadcast leaves every worker of a Redis cluster alive but deaf.
 * @throws z.ZodError whose issues name the value and the remedy
 */
export function encodeControlRequest(request: ControlRequest): Uint8Array {
  const { command, destination, reply } = controlRequest.parse(request);
  const { method, ...rest } = command;
  const address = reply && { exchange: reply.exchange, routing_key: reply.routingKey };
  const body: JsonValue = {
    method,
    arguments: rest,
    ...{ destination, pattern: null, matcher: null },
    ...(reply === null ? {} : { ticket: reply.ticket, reply_to: address }),
  };
  return Buffer.from(stringifyPythonJson(body));
}

/** What one worker answered to one request. */
export interface ControlReply {
  /** Null from a program that answers without one. */
  readonly ticket: string | null;
  readonly worker: string;
  readonly value: JsonValue;
}

/**
 * Reads a reply: an object with the worker's name as its one key.
 * @throws CeleryDecodeError `CELERY_REPLY_INVALID`, or any code of `decodeContent`
 */
export function decodeControlReply(envelope: Envelope): ControlReply {
  const { value } = decodeContent(envelope);
  const entries = isObject(value) ? Object.entries(value) : [];
  const [entry] = entries;
  if (entry === undefined || entries.length > 1) {
    throw new CeleryDecodeError('CELERY_REPLY_INVALID', 'a reply of no worker, or of several', {
      names: entries.length,
    });
  }
  const { ticket } = envelope.headers;
  return { ticket: typeof ticket === 'string' ? ticket : null, worker: entry[0], value: entry[1] };
}

/** The worker's own words where it refused or failed; null where it did what it was told, or answered what it was asked. */
export function refusalIn({ value }: ControlReply): string | null {
  if (!isObject(value) || !Object.hasOwn(value, 'error')) return null;
  const { error } = value;
  return typeof error === 'string' ? error : stringifyPythonJson(error ?? null);
}
