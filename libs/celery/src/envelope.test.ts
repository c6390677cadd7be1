import { expect, test } from 'vitest';
import { codeOf, redisPayload } from '../test/wire.ts';
import { amqpEnvelope, decodeRedisEnvelope } from './envelope.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test('takes a kombu envelope apart, as text or as bytes', () => {
  const payload = redisPayload('[1]', { headers: { hostname: 'w@h' } });
  for (const form of [payload, Buffer.from(payload)]) {
    const envelope = decodeRedisEnvelope(form);
    expect(text(envelope.body)).toBe('[1]');
    expect(envelope).toMatchObject({
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      headers: { hostname: 'w@h' },
      properties: { delivery_info: { exchange: 'celeryev', routing_key: 'x' } },
    });
  }
});

test('reads literal bodies: no encoding named, or utf-8', () => {
  for (const properties of [{}, { body_encoding: 'utf-8' }, { body_encoding: null }, undefined]) {
    expect(text(decodeRedisEnvelope(JSON.stringify({ body: '{"é": "\\""}', properties })).body)).toBe('{"é": "\\""}');
  }
});

test('lets odd publishers leave everything but the body out', () => {
  const envelope = decodeRedisEnvelope('{"body": "x", "content-type": null}');
  expect(envelope).toMatchObject({ contentType: null, contentEncoding: null, headers: {}, properties: {} });
});

test('keeps integers of a header exactly, whatever stands before it', () => {
  for (const body of ['e30=', 'a\\"b', '']) {
    const envelope = decodeRedisEnvelope(`{"body": "${body}", "headers": {"stamp": 9007199254740993}}`);
    expect(envelope.headers).toEqual({ stamp: 9007199254740993n });
  }
});

test('line breaks in base64 are let through', () => {
  const envelope = decodeRedisEnvelope('{"body": "aGVs\\nbG8=\\n", "properties": {"body_encoding": "base64"}}');
  expect(text(envelope.body)).toBe('hello');
});

test.each(['aGVsbG8', 'aGVsb', 'a', '====', 'aGVs!G8=', 'aG=sbG8=', 'é', '\0\0\0\0'])(
  '%j is not whole base64',
  (body) => {
    const payload = JSON.stringify({ body, properties: { body_encoding: 'base64' } });
    expect(codeOf(() => decodeRedisEnvelope(payload))).toBe('CELERY_BASE64_INVALID');
  },
);

test.each([
  '',
  'null',
  '[]',
  '"x"',
  '{}',
  'PONG',
  '{"body": 1}',
  '{"body": {"a": 1}}',
  '{"body": "", "headers": []}',
  '{"body": "", "properties": "x"}',
  '{"body": "", "content-type": 5}',
  '{"body": "", "properties": {"body_encoding": "rot13"}}',
])('refuses %s', (payload) => {
  expect(codeOf(() => decodeRedisEnvelope(payload))).toBe('CELERY_ENVELOPE_INVALID');
});

test('bytes that are not UTF-8 are a typed error', () => {
  expect(codeOf(() => decodeRedisEnvelope(Buffer.from([0x7b, 0xff, 0x7d])))).toBe('CELERY_TEXT_INVALID');
});

test('bounds the nesting of headers on both brokers', () => {
  const deep = `${'{"a":'.repeat(600)}1${'}'.repeat(600)}`;
  expect(codeOf(() => decodeRedisEnvelope(`{"body": "", "headers": ${deep}}`))).toBe('CELERY_TOO_DEEP');
  const content = Buffer.alloc(0);
  const amqp = { content, properties: { headers: JSON.parse(deep) as unknown } };
  expect(codeOf(() => amqpEnvelope(amqp))).toBe('CELERY_TOO_DEEP');
});

test('gives AMQP messages the same shape', () => {
  const envelope = amqpEnvelope({
    content: Buffer.from('[]'),
    properties: {
      contentType: 'application/json',
      contentEncoding: undefined,
      headers: { id: 'i', eta: null, raw: Buffer.from('x'), list: [undefined, 1], when: new Date(0) },
      deliveryMode: 2,
      correlationId: 'i',
      replyTo: undefined,
    },
    fields: { exchange: '', routingKey: 'q', redelivered: true },
  });
  expect(envelope).toEqual({
    body: Buffer.from('[]'),
    contentType: 'application/json',
    contentEncoding: null,
    headers: { id: 'i', eta: null, raw: 'x', list: [null, 1], when: {} },
    properties: {
      delivery_mode: 2,
      correlation_id: 'i',
      delivery_info: { exchange: '', routing_key: 'q', redelivered: true },
    },
  });
});
