import { readFileSync } from 'node:fs';
import { amqpEnvelope, CeleryDecodeError, decodeRedisEnvelope } from '../src/index.ts';
import type { Envelope } from '../src/index.ts';
import { lines } from './recorded.ts';

/** Bytes of a recorded payload: text, or base64 when it was not UTF-8. */
export type Recorded = string | { readonly base64: string };

interface RecordedProperties extends Record<string, unknown> {
  readonly headers?: Record<string, unknown>;
}

/** A recorded AMQP message in the form an AMQP client gives it. */
export function amqpMessage(payload: Recorded, properties: RecordedProperties, headers = properties.headers): Envelope {
  return amqpEnvelope({
    content: typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload.base64, 'base64'),
    properties: {
      contentType: properties['content_type'],
      contentEncoding: properties['content_encoding'],
      deliveryMode: properties['delivery_mode'],
      priority: properties['priority'],
      correlationId: properties['correlation_id'],
      replyTo: properties['reply_to'],
      expiration: properties['expiration'],
      headers,
    },
    fields: { exchange: '', routingKey: 'celery', redelivered: false },
  });
}

/** Every message of a recorded file that holds a kombu envelope. */
export function redisEnvelopes(file: string): Envelope[] {
  return lines<{ payload?: string }>(file).flatMap(({ payload }) =>
    payload === undefined ? [] : [decodeRedisEnvelope(payload)],
  );
}

interface AmqpLine {
  readonly payload?: Recorded;
  readonly properties?: RecordedProperties;
  readonly headers?: Record<string, unknown>;
  readonly message?: { readonly payload: Recorded; readonly properties: RecordedProperties };
}

/** Every message of a recorded AMQP file, those of the management API included. */
export function amqpEnvelopes(file: string): Envelope[] {
  return lines<AmqpLine>(file).flatMap((line) => {
    const { payload, properties } = line.message ?? line;
    return payload === undefined || properties === undefined ? [] : [amqpMessage(payload, properties, line.headers)];
  });
}

/** A kombu envelope around a body, as a Redis payload. */
export function redisPayload(body: string | Uint8Array, changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    body: Buffer.from(body).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: {},
    properties: { body_encoding: 'base64', delivery_info: { exchange: 'celeryev', routing_key: 'x' } },
    ...changes,
  });
}

/** The code of the decode error `run` throws; any other error passes through, none gives null. */
export function codeOf(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof CeleryDecodeError) return error.code;
    throw error;
  }
}

/** Text of a vector file. */
export function vector(file: string): string {
  return readFileSync(new URL(`../../../vectors/${file}`, import.meta.url), 'utf8');
}
