import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ZodError } from 'zod';
import { lines } from '../../test/recorded.ts';
import { amqpEnvelope, decodeRedisEnvelope, encodeRedisEnvelope } from '../envelope.ts';
import { parsePythonJson } from '../json.ts';
import { decodeTaskMessage } from '../task-message.ts';
import { amqpPublication, encodeTask, type EncodedTask } from './encode.ts';
import { taskRequest, type TaskRequestInput } from './request.ts';

const NOW = Date.parse('2026-11-20T10:00:00Z');
const facts = { nowMs: NOW, newId: 'new-id', origin: 'meadow@test' };
const least = { name: 'shop.pay', queue: 'celery' };

/** As a worker gets it, by either broker. */
function received(task: EncodedTask) {
  const { content, properties } = amqpPublication(task);
  const overAmqp = amqpEnvelope({
    ...{ content, properties },
    fields: { exchange: task.exchange, routingKey: task.routingKey, redelivered: false },
  });
  return [decodeRedisEnvelope(encodeRedisEnvelope({ ...task, deliveryTag: 'tag' })), overAmqp] as const;
}

interface Line {
  readonly phase: string;
  readonly label?: string;
  readonly payload: string;
}

test('what Celery 5.6 publishes is published with the same headers, properties and body', () => {
  const labels = ['queued:add', 'queued:kwargs', 'queued:unicode', 'queued:big', 'queued:nan-arg', 'queued:limits'];
  labels.push(
    'queued:shadow',
    'queued:headers',
    'queued:eta',
    'queued:expires-s',
    'queued:stamped',
    'queued:priority-9',
  );
  const recorded = lines<Line>('celery-latest/redis-task-messages.jsonl').filter(
    ({ phase, label }) => phase === 'before-workers' && labels.includes(label ?? ''),
  );
  expect(new Set(recorded.map(({ label }) => label)).size).toBe(labels.length);
  for (const { payload } of recorded) {
    const theirs = decodeRedisEnvelope(payload);
    const { headers, properties } = theirs;
    const [args, kwargs] = JSON.parse(bodyOf(theirs).replace(/\[NaN/, '[null')) as [unknown[], object];
    const { expires } = headers;
    const sentMs = typeof expires === 'string' ? Date.parse(expires) - 300_000 : NOW;
    const [hard, soft] = headers['timelimit'] as [number | null, number | null];
    const ours = encodeTask(
      {
        name: String(headers['task']),
        args: bodyOf(theirs).includes('NaN') ? '[NaN, 9223372036854775808]' : JSON.stringify(args),
        kwargs: JSON.stringify(kwargs),
        queue: String((properties['delivery_info'] as { routing_key: string }).routing_key),
        eta: headers['eta'] as string | null,
        expires: expires === null ? null : 300,
        priority: properties['priority'] as number,
        timelimit: { hard, soft },
        shadow: headers['shadow'] as string | null,
        headers: 'x-tenant' in headers ? { 'x-tenant': 'acme', n: 7 } : {},
        stamps: headers['stamps'] as Record<string, string>,
      },
      { nowMs: sentMs, newId: String(headers['id']), origin: String(headers['origin']) },
    );
    const envelope = decodeRedisEnvelope(encodeRedisEnvelope({ ...ours, deliveryTag: 'tag' }));
    // Python writes microseconds
    const inMs = (time: unknown): unknown => (typeof time === 'string' ? Date.parse(time) : time);
    const timed = (all: typeof headers) => ({ ...all, eta: inMs(all['eta']), expires: inMs(all['expires']) });
    expect(timed(envelope.headers)).toEqual(timed(headers));
    const reply = properties['reply_to'];
    expect({ ...envelope.properties, delivery_tag: '', reply_to: reply }).toEqual({ ...properties, delivery_tag: '' });
    expect(parsePythonJson(bodyOf(envelope))).toEqual(parsePythonJson(bodyOf(theirs)));
    expect(envelope).toMatchObject({ contentType: theirs.contentType, contentEncoding: theirs.contentEncoding });
  }
});

function bodyOf({ body }: { readonly body: Uint8Array }): string {
  return Buffer.from(body).toString();
}

test('a request is decoded to what it says, on either broker', () => {
  const task = encodeTask(
    {
      ...least,
      args: '[1.0, 12345678901234567890, NaN, "\\ud800", {"b": [], "a": null}]',
      kwargs: '{"__proto__": 1, "x": -0.0}',
      id: 'chosen',
      priority: 3,
      countdown: 1.5,
      expires: '2026-11-20T12:00:00+01:00',
      headers: { 'x-tenant': 'acme', n: 7, on: true, none: null },
      ...{ rootId: 'root', parentId: 'parent', retryOf: 'original', ignoreResult: true },
    },
    facts,
  );
  expect(bodyOf(task)).toMatch(
    /^\[\[1\.0,12345678901234567890,NaN,"\\ud800",\{"b":\[\],"a":null\}\],\{"__proto__":1,"x":-0\.0\},/,
  );
  for (const envelope of received(task)) {
    expect(decodeTaskMessage(envelope)).toMatchObject({
      ...{ protocol: 2, id: 'chosen', task: 'shop.pay', retries: 0, rootId: 'root', parentId: 'parent' },
      ...{ eta: '2026-11-20T10:00:01.500+00:00', expires: '2026-11-20T11:00:00.000+00:00', ignoreResult: true },
      args: [1, 12345678901234567890n, NaN, '\ud800', { b: [], a: null }],
      argsrepr: "(1.0, 12345678901234567890, nan, '\ud800', {'b': [], 'a': None})",
      origin: 'meadow@test',
    });
    expect(envelope.headers).toMatchObject({
      'x-tenant': 'acme',
      n: 7,
      on: true,
      none: null,
      meadow_retry_of: 'original',
    });
    expect(envelope.properties).toMatchObject({ correlation_id: 'chosen', priority: 3, expiration: '3600000' });
  }
});

test('an expiry beyond what RabbitMQ can count is left to the workers', () => {
  const task = encodeTask({ ...least, expires: 60 * 86_400 }, facts);
  expect(task.properties).not.toHaveProperty('expiration');
  expect(task.headers['expires']).toBe('2027-01-19T10:00:00.000+00:00');
});

test.each<[Partial<TaskRequestInput>, RegExp]>([
  [{ name: '' }, /task name is empty/],
  [{ args: '{}' }, /args are an object: write an array/],
  [{ args: '"text"' }, /args are .*text/],
  [{ args: '[1' }, /args are no JSON/],
  [{ kwargs: '[]' }, /kwargs are an array/],
  [{ kwargs: '{"a":1,"a":2}' }, /key twice/],
  [{ args: '['.repeat(101) + ']'.repeat(101) }, /nested deeper than 100/],
  [{ args: `["${'x'.repeat(4 * 1024 * 1024)}"]` }, /longer than 4194304/],
  [{ args: `[${'9'.repeat(4301)}]` }, /no JSON/],
  [{ queue: null }, /neither a queue nor an exchange/],
  [{ exchange: 'e', routingKey: 'k' }, /leave one out/],
  [{ queue: null, exchange: 'e' }, /give one, or ''/],
  [{ routingKey: 'k' }, /leave the key out/],
  [{ queue: 'celery.pidbox' }, /machinery/],
  [{ queue: 'celery@w.celery.pidbox' }, /machinery/],
  [{ queue: null, exchange: 'celeryev', routingKey: 'worker.heartbeat' }, /machinery/],
  [{ queue: 'unacked' }, /machinery/],
  [{ queue: 'a\x06\x163' }, /control character/],
  [{ priority: 256 }, /255 at most/],
  [{ expires: 0 }, /more than 0 seconds/],
  [{ expires: 'tomorrow' }, /with its offset/],
  [{ priority: 1.5 }, /whole number/],
  [{ countdown: -1 }, /0 or more/],
  [{ countdown: 1, eta: '2026-11-20T11:00:00Z' }, /leave one out/],
  [{ eta: '2026-11-20T11:00:00' }, /with its offset/],
  [{ eta: '2028-11-20T11:00:00Z' }, /366 days/],
  [{ expires: '2026-11-20T09:59:59Z' }, /has passed/],
  [{ expires: 5, countdown: 10 }, /not after it may begin/],
  [{ timelimit: { hard: 5, soft: 6 } }, /soft limit is above/],
  [{ timelimit: { hard: 0 } }, /above 0/],
  [{ headers: { task: 'other' } }, /the header .*task.* cannot be sent/],
  [{ headers: { CC: 'other' } }, /the header .*CC.* cannot be sent/],
  [{ headers: { 'x-death': 'a' } }, /cannot be sent/],
  [{ headers: { meadow_retry_of: 'a' } }, /cannot be sent/],
  [{ headers: { a: '\ud800' } }, /half a character/],
  [{ headers: { a: { b: 1 } as never } }, /headers/],
  [{ stamps: { queue: 'a' } }, /the stamp .*queue/],
  [{ body: 'x' } as never, /body/],
])('%j never leaves', (change, why) => {
  expect(() => encodeTask({ ...least, ...change }, facts)).toThrow(ZodError);
  expect(() => encodeTask({ ...least, ...change }, facts)).toThrow(why);
});

test('the facts of sending are checked too', () => {
  expect(() => encodeTask(least, { ...facts, newId: '' })).toThrow(/new id is empty/);
  expect(() => encodeTask(least, { ...facts, origin: 'a\nb' })).toThrow(/origin/);
});

/** What a stranger may write into any field. */
const anything = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '[]', '{}', '[1.0]', 'celery', 'NaN', '\ud800', '../..', "'); DROP", '[[]]', '{"a":NaN}', '-0'),
  fc.json(),
  fc.jsonValue(),
  fc.integer(),
  fc.double(),
  fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }),
  fc.constant(undefined),
);
const fields = Object.keys(taskRequest.shape);

test('whatever is asked for is refused, or becomes a message that is decoded to the same', () => {
  let sent = 0;
  const input = fc.record({
    ...{ name: fc.oneof(fc.constant('t'), anything), queue: fc.oneof(fc.constant('q'), anything) },
    ...{
      args: fc.oneof(
        fc.array(fc.jsonValue()).map((v) => JSON.stringify(v)),
        anything,
      ),
    },
    ...{
      kwargs: fc.oneof(
        fc.dictionary(fc.string(), fc.jsonValue()).map((v) => JSON.stringify(v)),
        anything,
      ),
    },
    some: fc.dictionary(fc.constantFrom(...fields), anything, { maxKeys: 2 }),
  });
  fc.assert(
    fc.property(input, ({ some, ...rest }) => {
      const request = { ...rest, ...some } as TaskRequestInput;
      let task: EncodedTask;
      try {
        task = encodeTask(request, facts);
      } catch (error) {
        expect(error).toBeInstanceOf(ZodError);
        return;
      }
      sent++;
      for (const envelope of received(task)) {
        const decoded = decodeTaskMessage(envelope);
        expect(decoded).toMatchObject({ protocol: 2, task: request.name, id: request.id ?? 'new-id', retries: 0 });
        expect(decoded.args).toEqual(parsePythonJson(request.args ?? '[]'));
        expect(decoded.kwargs).toEqual(parsePythonJson(request.kwargs ?? '{}'));
        expect(Object.values(decoded.embed ?? {}).every((value) => value === null)).toBe(true);
      }
    }),
    { numRuns: 2500 },
  );
  expect(sent).toBeGreaterThan(100);
});
