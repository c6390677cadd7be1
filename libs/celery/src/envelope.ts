import { Buffer } from 'node:buffer';
import { CeleryDecodeError, excerpt } from './errors.ts';
import { parseUnscanned, stringifyPythonJson } from './json.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { MAX_BYTES, MAX_DEPTH } from './limits.ts';
import { base64Bytes, utf8Text } from './text.ts';

/** A message as either broker carries it. */
export interface Envelope {
  /** The body without its transport encoding (base64) but still compressed when a header says so: what to re-publish. */
  readonly body: Uint8Array;
  readonly contentType: string | null;
  /** Charset of the body, or `binary`. */
  readonly contentEncoding: string | null;
  readonly headers: JsonObject;
  /** Under kombu's names on both brokers: `correlation_id`, `reply_to`, `priority`, `delivery_info`, … */
  readonly properties: JsonObject;
}

/**
 * Takes kombu's Redis envelope apart. The body may be base64 or literal text; content type, encoding, headers and
 * properties may be missing, as odd publishers leave them out.
 * @throws CeleryDecodeError `CELERY_ENVELOPE_INVALID`, `CELERY_BASE64_INVALID`, `CELERY_TEXT_INVALID`, `CELERY_TOO_LARGE`,
 *   `CELERY_TOO_DEEP`
 */
export function decodeRedisEnvelope(payload: string | Uint8Array): Envelope {
  if (payload.length > MAX_BYTES) {
    throw new CeleryDecodeError('CELERY_TOO_LARGE', `envelope of ${payload.length}`, { limit: MAX_BYTES });
  }
  const envelope = parseEnvelope(typeof payload === 'string' ? payload : utf8Text(payload));
  const { body } = envelope;
  if (typeof body !== 'string') throw invalid('body', body);
  const properties = objectIn(envelope, 'properties');
  return {
    body: bodyBytes(body, properties['body_encoding']),
    contentType: textIn(envelope, 'content-type'),
    contentEncoding: textIn(envelope, 'content-encoding'),
    headers: objectIn(envelope, 'headers'),
    properties,
  };
}

function parseEnvelope(text: string): JsonObject & { body?: JsonValue } {
  let value: JsonValue;
  try {
    value = parseUnscanned(text, afterBody(text));
  } catch (cause) {
    if (!(cause instanceof CeleryDecodeError) || cause.code !== 'CELERY_JSON_INVALID') throw cause;
    throw new CeleryDecodeError('CELERY_ENVELOPE_INVALID', 'envelope is not json', cause.facts, cause);
  }
  if (!isObject(value)) throw new CeleryDecodeError('CELERY_ENVELOPE_INVALID', 'envelope is not a json object');
  return value;
}

const bodyFirst = '{"body": "';

/** Where the rest of the envelope begins when it is laid out as kombu does: the body, first and long, needs no scan. */
function afterBody(text: string): number {
  if (!text.startsWith(bodyFirst)) return 0;
  const end = text.indexOf('"', bodyFirst.length);
  return end === -1 || text[end - 1] === '\\' ? 0 : end + 1;
}

function bodyBytes(body: string, encoding: JsonValue | undefined): Uint8Array {
  if (encoding === 'base64') return base64Bytes(body);
  // kombu's literal text: no encoding named, or (from 5.3) `utf-8`.
  if (encoding === undefined || encoding === null || encoding === 'utf-8') return Buffer.from(body, 'utf8');
  throw invalid('properties.body_encoding', encoding);
}

function textIn(envelope: JsonObject, key: string): string | null {
  const value = envelope[key];
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return null;
  throw invalid(key, value);
}

function objectIn(envelope: JsonObject, key: string): JsonObject {
  const value = envelope[key];
  if (value === undefined || value === null) return {};
  if (isObject(value)) return value;
  throw invalid(key, value);
}

function invalid(field: string, value: JsonValue | undefined): CeleryDecodeError {
  const found = value === undefined ? 'nothing' : typeof value === 'string' ? excerpt(value) : typeNameOf(value);
  return new CeleryDecodeError('CELERY_ENVELOPE_INVALID', `envelope has ${found} as ${field}`, { field, found });
}

/** A message to be published on Redis. */
export interface RedisMessage extends Envelope {
  /** Where kombu would have published it; a list is reached through the exchange '' by its name. */
  readonly exchange: string;
  readonly routingKey: string;
  /** No two messages share one: workers know by it what they acknowledge. */
  readonly deliveryTag: string;
}

/**
 * kombu's Redis envelope with all that a worker's kombu looks for: one that lacks a part ends whoever receives it. Null
 * for content type or encoding is refused for the same reason.
 * @throws TypeError
 */
export function encodeRedisEnvelope(message: RedisMessage): string {
  const { body, contentType, contentEncoding, headers, exchange, routingKey, deliveryTag } = message;
  if (contentType === null || contentEncoding === null || deliveryTag === '') {
    throw new TypeError('a message needs a content type, a content encoding and a delivery tag');
  }
  return stringifyPythonJson({
    body: Buffer.from(body).toString('base64'),
    'content-encoding': contentEncoding,
    'content-type': contentType,
    headers,
    properties: {
      ...{ delivery_mode: 2, priority: 0 },
      ...message.properties,
      ...{ delivery_info: { exchange, routing_key: routingKey }, body_encoding: 'base64', delivery_tag: deliveryTag },
    },
  });
}

/** True for a JSON object, false for arrays and null. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value's JSON type, for messages. */
export function typeNameOf(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** What an AMQP client hands over; an amqplib message fits as it is. */
export interface AmqpMessage {
  readonly content: Uint8Array;
  readonly properties: AmqpProperties;
  readonly fields?: { readonly exchange?: unknown; readonly routingKey?: unknown; readonly redelivered?: unknown };
}

/** The AMQP properties Celery uses. Values come from outside, so none is believed. */
export interface AmqpProperties {
  readonly contentType?: unknown;
  readonly contentEncoding?: unknown;
  readonly headers?: unknown;
  readonly deliveryMode?: unknown;
  readonly priority?: unknown;
  readonly correlationId?: unknown;
  readonly replyTo?: unknown;
  readonly expiration?: unknown;
}

const amqpNames = [
  ['deliveryMode', 'delivery_mode'],
  ['priority', 'priority'],
  ['correlationId', 'correlation_id'],
  ['replyTo', 'reply_to'],
  ['expiration', 'expiration'],
] as const;

/**
 * Gives an AMQP message the shape of {@link decodeRedisEnvelope}'s: properties under kombu's names, `delivery_info` from
 * the delivery's fields. Header values JSON has no word for become text; what was not sent is left out.
 * @throws CeleryDecodeError `CELERY_TOO_LARGE`, `CELERY_TOO_DEEP`
 */
export function amqpEnvelope({ content, properties: sent, fields }: AmqpMessage): Envelope {
  if (content.length > MAX_BYTES) {
    throw new CeleryDecodeError('CELERY_TOO_LARGE', `body of ${content.length} bytes`, { limit: MAX_BYTES });
  }
  const properties: JsonObject = {};
  for (const [amqpName, kombuName] of amqpNames) {
    const value = sent[amqpName];
    if (value !== undefined) properties[kombuName] = jsonOf(value, 0);
  }
  if (fields !== undefined) {
    properties['delivery_info'] = {
      exchange: jsonOf(fields.exchange, 0),
      routing_key: jsonOf(fields.routingKey, 0),
      redelivered: jsonOf(fields.redelivered, 0),
    };
  }
  const headers = jsonOf(sent.headers, 0);
  return {
    body: content,
    contentType: typeof sent.contentType === 'string' ? sent.contentType : null,
    contentEncoding: typeof sent.contentEncoding === 'string' ? sent.contentEncoding : null,
    headers: isObject(headers) ? headers : {},
    properties,
  };
}

function jsonOf(value: unknown, depth: number): JsonValue {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'bigint':
      return value;
    case 'object':
      break;
    default:
      return null;
  }
  if (value === null) return null;
  if (depth >= MAX_DEPTH) {
    throw new CeleryDecodeError('CELERY_TOO_DEEP', `headers nested deeper than ${MAX_DEPTH}`, { limit: MAX_DEPTH });
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (Array.isArray(value)) return value.map((item) => jsonOf(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonOf(item, depth + 1)]));
}
