import { describe, expect, test } from 'vitest';
import {
  CeleryDecodeError,
  decodeContent,
  decodeEvents,
  decodeRedisEnvelope,
  decodeTaskMessage,
  extraOf,
  isTaskEvent,
  isWorkerEvent,
  parsePythonJson,
  stringifyPythonJson,
  taskHeaders,
} from '../src/index.ts';
import type { Envelope, JsonObject, JsonValue } from '../src/index.ts';
import { lines } from './recorded.ts';
import { amqpEnvelopes, amqpMessage, codeOf, redisEnvelopes, vector } from './wire.ts';
import type { Recorded } from './wire.ts';

function countsOf(items: readonly string[]): Record<string, number> {
  const groups = Map.groupBy(items, (item) => item);
  return Object.fromEntries([...groups].map(([item, { length }]) => [item, length]));
}

const sameInEveryRun = {
  'worker-online': 3,
  'worker-offline': 3,
  'worker-elect': 3,
  'worker-elect-ack': 9,
  'task-failed': 13,
  'task-retried': 3,
  'task-rejected': 3,
  'task-progress': 3,
  'task-checkpoint': 1,
  'task-external': 1,
  'audit-login': 1,
};

describe.each([
  {
    file: 'celery-5.2/redis-events.jsonl',
    envelopes: redisEnvelopes,
    messages: 425,
    empty: 1,
    counts: {
      'task-sent': 115,
      'task-received': 106,
      'task-started': 100,
      'task-succeeded': 76,
      'task-revoked': 8,
      'worker-heartbeat': 43,
    },
  },
  {
    file: 'celery-latest/redis-events.jsonl',
    envelopes: redisEnvelopes,
    messages: 452,
    empty: 1,
    counts: {
      'task-sent': 118,
      'task-received': 109,
      'task-started': 103,
      'task-succeeded': 81,
      'task-revoked': 8,
      'worker-heartbeat': 42,
    },
  },
  {
    file: 'celery-5.2/amqp-events.jsonl',
    envelopes: amqpEnvelopes,
    messages: 441,
    empty: 4,
    counts: {
      'task-sent': 114,
      'task-received': 108,
      'task-started': 102,
      'task-succeeded': 78,
      'task-revoked': 7,
      'worker-heartbeat': 42,
    },
  },
])('$file', ({ file, envelopes, messages, empty, counts }) => {
  const decoded = envelopes(file).map((envelope) => decodeEvents(envelope));
  const events = decoded.flatMap((message) => message.events);

  test('every event is decoded, by type', () => {
    expect(decoded).toHaveLength(messages);
    expect(decoded.filter((message) => message.events.length === 0)).toHaveLength(empty);
    expect(decoded.flatMap((message) => message.failures)).toEqual([]);
    expect(countsOf(events.map(({ type }) => type))).toEqual({ ...sameInEveryRun, ...counts });
  });

  test('only custom events have fields that are not Celery’s', () => {
    const withExtra = events.filter((event) => extraOf(event) !== null).map(({ type }) => type);
    expect(new Set(withExtra)).toEqual(
      new Set(['worker-elect', 'worker-elect-ack', 'audit-login', 'task-progress', 'task-checkpoint', 'task-external']),
    );
  });

  test('tasks and workers are told apart', () => {
    const kinds = events.map((event) => (isTaskEvent(event) ? 'task' : isWorkerEvent(event) ? 'worker' : 'custom'));
    expect(countsOf(kinds)).toEqual({
      task: events.filter(({ type }) => type.startsWith('task-')).length,
      worker: counts['worker-heartbeat'] + 6,
      custom: 13,
    });
  });
});

function summary(envelope: Envelope): string {
  try {
    const { protocol, args, kwargs } = decodeTaskMessage(envelope);
    expect(Array.isArray(args)).toBe(true);
    expect(kwargs).toBeTypeOf('object');
    return `protocol ${protocol}`;
  } catch (error) {
    if (!(error instanceof CeleryDecodeError)) throw error;
    if (error.code === 'CELERY_PICKLE_REFUSED') expect(taskHeaders(envelope)).toMatchObject({ protocol: 2 });
    return error.code;
  }
}

describe('task messages', () => {
  // In each run a client published one task without a name, which no worker takes either.
  test.each([
    ['celery-5.2/redis-task-messages.jsonl', redisEnvelopes, 2, 147],
    ['celery-latest/redis-task-messages.jsonl', redisEnvelopes, 2, 152],
    ['celery-5.2/amqp-task-messages.jsonl', amqpEnvelopes, 1, 114],
    ['celery-latest/amqp-task-messages.jsonl', amqpEnvelopes, 1, 117],
  ])('every message of %s is read; only pickles are refused', (file, envelopes, once, protocol2) => {
    expect(countsOf(envelopes(file).map(summary))).toEqual({
      'protocol 1': once,
      'protocol 2': protocol2,
      CELERY_PICKLE_REFUSED: once,
      CELERY_TASK_INVALID: 1,
    });
  });

  test('the same task is the same whatever its serializer', () => {
    const labelled = (label: string) => {
      const line = lines<{ label?: string; payload?: string }>('celery-latest/redis-task-messages.jsonl').find(
        (candidate) => candidate.label === `queued:${label}` && candidate.payload !== undefined,
      );
      return decodeTaskMessage(decodeRedisEnvelope(line?.payload ?? ''));
    };
    const none = { callbacks: null, errbacks: null, chain: null, chord: null };
    for (const label of ['msgpack', 'yaml'])
      expect(labelled(label)).toMatchObject({ kwargs: {}, embed: none, protocol: 2 });
    expect(labelled('compressed').args).toEqual([7, 7]);
    expect(labelled('nan-arg').args).toEqual([NaN, 9223372036854775808n]);
    expect(labelled('protocol-1')).toMatchObject({ protocol: 1, args: [21, 21], rootId: null, argsrepr: null });
    expect(labelled('link').embed?.['callbacks']).toHaveLength(1);
  });
});

interface PidboxLine {
  readonly transport: 'redis' | 'amqp';
  readonly request: PidboxMessage;
  readonly request_body: unknown;
  readonly replies: readonly PidboxMessage[];
}
interface PidboxMessage {
  readonly payload: Recorded;
  readonly properties?: Record<string, unknown> & { headers?: Record<string, unknown> };
}

describe.each([
  ['5.2', 246],
  ['latest', 256],
])('celery %s', (version, replies) => {
  test('every control request and reply is decoded', () => {
    // The recording itself is Python's JSON.
    const pidbox = vector(`celery-${version}/pidbox-requests-replies.jsonl`)
      .trimEnd()
      .split('\n')
      .map((line) => parsePythonJson(line) as unknown as PidboxLine);
    const read = (line: PidboxLine, { payload, properties }: PidboxMessage): JsonValue => {
      const envelope =
        line.transport === 'redis' ? decodeRedisEnvelope(String(payload)) : amqpMessage(payload, properties ?? {});
      return decodeContent(envelope).value;
    };
    for (const line of pidbox) expect(read(line, line.request)).toEqual(line.request_body);
    const answers = pidbox.flatMap((line) => line.replies.map((reply) => read(line, reply) as JsonObject));
    expect(answers).toHaveLength(replies);
    for (const answer of answers) expect(Object.keys(answer)).toEqual([expect.stringMatching(/@/)]);
  });

  test.each(['redis-results', 'redis-results-not-extended'])(
    'every result of %s is read and survives a round trip',
    (name) => {
      const values = lines<{ value?: unknown; payload?: unknown }>(`celery-${version}/${name}.jsonl`)
        .flatMap(({ value, payload }) => [value, payload])
        .filter((value): value is string => typeof value === 'string' && value.startsWith('{'));
      expect(values.length).toBeGreaterThan(30);
      for (const value of values) {
        const meta = parsePythonJson(value);
        expect(parsePythonJson(stringifyPythonJson(meta))).toEqual(meta);
      }
    },
  );

  test('rpc results are read', () => {
    const results = amqpEnvelopes(`celery-${version}/amqp-rpc-results.jsonl`).map(
      (message) => decodeContent(message).value,
    );
    expect(results).toHaveLength(22);
    for (const result of results) expect(result).toMatchObject({ status: expect.any(String) as string });
  });

  test('what kills a worker is a typed error or a message we can still read', () => {
    const broken = lines<{ variant: string; envelope: unknown }>(`probes/broken-redis-${version}.jsonl`);
    const codes = broken.map(({ variant, envelope }) => {
      const payload = typeof envelope === 'string' ? envelope : JSON.stringify(envelope);
      return [variant, codeOf(() => decodeTaskMessage(decodeRedisEnvelope(payload)))];
    });
    expect(Object.fromEntries(codes)).toMatchInlineSnapshot(`
      {
        "args is an object": null,
        "bad eta": null,
        "body is base64 of non-JSON": "CELERY_JSON_INVALID",
        "body is not base64": "CELERY_BASE64_INVALID",
        "delivery_info without exchange/routing_key": null,
        "envelope is not JSON": "CELERY_ENVELOPE_INVALID",
        "headers without id": "CELERY_TASK_INVALID",
        "headers without task": "CELERY_TASK_INVALID",
        "kwargs is a list": null,
        "missing content-encoding": null,
        "missing content-type": "CELERY_CONTENT_UNSUPPORTED",
        "missing delivery_info": null,
        "missing delivery_tag": null,
        "missing headers": "CELERY_TASK_INVALID",
        "missing properties": "CELERY_JSON_INVALID",
        "retries is null": null,
        "timelimit missing, retries string": null,
        "two-element body": null,
      }
    `);
  });
});

test('the integers and non-numbers of a recorded result keep their value', () => {
  const metas = lines<{ value?: unknown }>('celery-latest/redis-results.jsonl').flatMap(({ value }) =>
    typeof value === 'string' && value.includes('Infinity') ? [parsePythonJson(value)] : [],
  );
  expect(metas).toContainEqual(
    expect.objectContaining({ result: { nan: NaN, inf: Infinity, big: 9223372036854775808n, f: 1 } }),
  );
});
