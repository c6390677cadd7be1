import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  amqpEnvelope,
  CeleryDecodeError,
  decodeContent,
  decodeEvents,
  decodeRedisEnvelope,
  decodeTaskMessage,
  extraOf,
  isTaskEvent,
  isWorkerEvent,
  stringifyPythonJson,
  taskHeaders,
} from '../src/index.ts';
import type { Envelope } from '../src/index.ts';
import { lines } from './recorded.ts';
import { amqpEnvelopes, redisEnvelopes, redisPayload } from './wire.ts';

/** Does all a service does with an envelope; returns the codes met. Anything but a decode error escapes. */
function decodeAll(envelope: Envelope): string[] {
  const codes: string[] = [];
  const { events, failures } = decodeEvents(envelope);
  for (const failure of failures) {
    expect(failure).toBeInstanceOf(CeleryDecodeError);
    expect(failure.message.length).toBeLessThan(1000);
    codes.push(failure.code);
  }
  for (const event of events) {
    expect(event.type).toBeTypeOf('string');
    expect(event.hostname).toBeTypeOf('string');
    expect(Number.isFinite(event.timestamp)).toBe(true);
    if (isTaskEvent(event)) expect(event.uuid).toBeTypeOf('string');
    else if (isWorkerEvent(event)) expect(['number', 'undefined', 'object']).toContain(typeof event.freq);
    const extra = extraOf(event);
    if (extra !== null) stringifyPythonJson(extra);
  }
  for (const run of [() => decodeContent(envelope), () => taskHeaders(envelope), () => decodeTaskMessage(envelope)]) {
    codes.push(...codesOf(run));
  }
  return codes;
}

function codesOf(run: () => unknown): string[] {
  try {
    run();
    return [];
  } catch (error) {
    if (error instanceof CeleryDecodeError) return [error.code];
    throw error;
  }
}

function decodePayload(payload: string | Uint8Array): string[] {
  let codes: string[] = [];
  return [...codesOf(() => void (codes = decodeAll(decodeRedisEnvelope(payload)))), ...codes];
}

const task = { type: 'task-sent', uuid: 'u', hostname: 'h', timestamp: 1 };
const [recordedEvents = ''] = lines<{ payload: string }>('celery-latest/redis-events.jsonl')
  .map(({ payload }) => payload)
  .filter((payload) => payload.includes('task.multi') && payload.length > 1500);

describe('hostile messages', () => {
  test.each([
    ['a truncated base64 body', recordedEvents.replace(/("body": "[^"]*?)[^"]{3}"/, '$1"'), 'CELERY_BASE64_INVALID'],
    ['a truncated envelope', recordedEvents.slice(0, -5), 'CELERY_ENVELOPE_INVALID'],
    ['a body nested 100k deep', redisPayload('['.repeat(100_000) + ']'.repeat(100_000)), 'CELERY_TOO_DEEP'],
    ['an envelope nested 100k deep', '{"body":'.repeat(100_000), 'CELERY_TOO_DEEP'],
    ['a field nested 100k deep', redisPayload(`{"x":${'['.repeat(100_000)}`), 'CELERY_TOO_DEEP'],
    ['an empty body', redisPayload(''), 'CELERY_JSON_INVALID'],
    ['an empty payload', '', 'CELERY_ENVELOPE_INVALID'],
    ['null bytes', redisPayload('\0\0\0'), 'CELERY_JSON_INVALID'],
    ['a payload of null bytes', '\0\0', 'CELERY_ENVELOPE_INVALID'],
    ['a body that is not UTF-8', redisPayload(Buffer.from([0x5b, 0xc3, 0x28, 0x5d])), 'CELERY_TEXT_INVALID'],
    ['arrays of arrays', redisPayload(JSON.stringify([[[task]], [task]])), 'CELERY_EVENT_INVALID'],
    ['a number', redisPayload('5'), 'CELERY_EVENT_INVALID'],
    ['an integer of a million digits', redisPayload(`[${'9'.repeat(1_000_000)}]`), 'CELERY_JSON_INVALID'],
    [
      'a compression bomb',
      redisPayload(deflateSync(Buffer.alloc(50_000_000, 0x20)), { headers: { compression: 'application/x-gzip' } }),
      'CELERY_TOO_LARGE',
    ],
    [
      'a pickle',
      redisPayload(Buffer.from("cos\nsystem\n(S'true'\ntR."), { 'content-type': 'application/x-python-serialize' }),
      'CELERY_PICKLE_REFUSED',
    ],
  ])('%s is a typed error', (_what, payload, code) => {
    expect(decodePayload(payload)).toContain(code);
  });

  test('NaN, huge integers and null bytes inside an event do no harm', () => {
    const body = `{"type":"task-x","uuid":"\\u0000","hostname":"h\\u0000","timestamp":1,"clock":${'9'.repeat(400)},"pid":NaN,"z":[NaN]}`;
    const { events, failures } = decodeEvents(decodeRedisEnvelope(redisPayload(body)));
    expect(failures).toEqual([]);
    expect(events).toMatchObject([{ uuid: '\0', hostname: 'h\0', clock: null, pid: null }]);
  });

  test('names of the object prototype change nothing, whichever serializer', () => {
    const key = '"__proto__":{"polluted":1,"hostname":"x"},"constructor":{"prototype":{"polluted":1}}';
    const { events } = decodeEvents(decodeRedisEnvelope(redisPayload(`{${key},${JSON.stringify(task).slice(1)}`)));
    expect(events).toHaveLength(1);
    decodePayload(`{${key},"body":"","headers":{${key}},"properties":{${key}}}`);
    const yaml = redisPayload(`{${key},"type":"t"}`, { 'content-type': 'application/x-yaml' });
    decodePayload(yaml);
    const amqp = { content: Buffer.from('{}'), properties: { headers: JSON.parse(`{${key}}`) as unknown } };
    decodeAll(amqpEnvelope(amqp));
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('an event cannot inherit a required field', () => {
    const body = '{"__proto__":{"hostname":"x","uuid":"u","timestamp":1},"type":"task-sent"}';
    const { events, failures } = decodeEvents(decodeRedisEnvelope(redisPayload(body)));
    expect([events.length, failures.length]).toEqual([0, 1]);
  });
});

const recorded = [
  ...['redis-events', 'redis-task-messages'].flatMap((name) =>
    lines<{ payload?: string }>(`celery-latest/${name}.jsonl`).flatMap(({ payload }) => payload ?? []),
  ),
  ...lines<{ argv: string[] }>('probes/auth-signed-5.2.jsonl').flatMap(({ argv }) => argv[2] ?? []),
];

const mutation = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    remove: fc.nat({ max: 20 }),
    insert: fc.oneof(
      fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          '[',
          '{',
          '"',
          '\\',
          ',',
          ':',
          'NaN',
          '-',
          '9'.repeat(20),
          'null',
          '{}',
          '[]',
          '\0',
          '"__proto__":',
        )
        .map((text) => Buffer.from(text)),
    ),
  }),
  { minLength: 1, maxLength: 4 },
);

function mutated(bytes: Buffer, changes: readonly { at: number; remove: number; insert: Buffer }[]): Buffer {
  return changes.reduce((data, { at, remove, insert }) => {
    const start = Math.floor(at * data.length);
    return Buffer.concat([data.subarray(0, start), insert, data.subarray(start + remove)]);
  }, bytes);
}

describe('random input throws nothing but decode errors, and ends', () => {
  const options = { numRuns: 1500, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true };

  test('random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void decodePayload(bytes)),
      options,
    );
  });

  test('random bodies of every content type', () => {
    const types = ['json', 'x-msgpack', 'x-yaml', 'data', 'x-python-serialize', 'other'].map(
      (type) => `application/${type}`,
    );
    const methods = [null, 'gzip', 'bzip2', 'brotli', 'zstd', 'xz', 7];
    const message = fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...types), fc.constantFrom(...methods));
    fc.assert(
      fc.property(message, ([body, type, compression]) => {
        decodePayload(redisPayload(body, { 'content-type': type, headers: { compression, task: 't', id: 'i' } }));
      }),
      options,
    );
  });

  test('mutated recordings', () => {
    fc.assert(
      fc.property(fc.constantFrom(...recorded), mutation, (payload, changes) => {
        decodePayload(mutated(Buffer.from(payload), changes));
      }),
      options,
    );
  });

  test('recordings with a mutated body', () => {
    const envelopes = [
      ...redisEnvelopes('celery-latest/redis-events.jsonl'),
      ...amqpEnvelopes('celery-latest/amqp-task-messages.jsonl'),
      ...recorded.slice(-11).map((payload) => decodeRedisEnvelope(payload)),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...envelopes), mutation, (envelope, changes) => {
        decodeAll({ ...envelope, body: mutated(Buffer.from(envelope.body), changes) });
      }),
      options,
    );
  });

  test('events with a random value in every field', () => {
    const names =
      'type uuid hostname timestamp clock pid utcoffset name args kwargs retries eta expires root_id parent_id queue result runtime exception signum expired freq active loadavg sw_ver mine';
    const fields = Object.fromEntries(names.split(' ').map((name) => [name, fc.jsonValue({ maxDepth: 2 })]));
    const event = fc.record(fields, { requiredKeys: [] });
    const typed = event.map((raw) => ({ ...task, type: 'task-received', ...raw }));
    fc.assert(
      fc.property(fc.array(fc.oneof(event, typed), { maxLength: 5 }), (events) => {
        const decoded = decodeEvents(decodeRedisEnvelope(redisPayload(JSON.stringify(events))));
        expect(decoded.events.length + decoded.failures.length).toBe(events.length);
        decodePayload(redisPayload(JSON.stringify(events)));
      }),
      options,
    );
  });
});
