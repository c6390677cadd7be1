import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lines } from '../../test/recorded.ts';
import { amqpMessage, redisPayload } from '../../test/wire.ts';
import { amqpEnvelope, decodeRedisEnvelope, encodeRedisEnvelope, type Envelope } from '../envelope.ts';
import { parsePythonJson, type JsonValue } from '../json.ts';
import { decodeTaskMessage, taskHeaders } from '../task-message.ts';
import { encodeTask } from './encode.ts';
import { retryOf, type RetryDraft, type RetrySource } from './retry.ts';
import type { ToldTask } from './retry-source.ts';

const told: ToldTask = {
  ...{ name: 'shop.pay', args: "(1, 'a')", kwargs: '{}', queue: 'celery', exchange: '', routingKey: 'celery' },
  ...{ eta: null, expires: null },
};

function draft(source: RetrySource): RetryDraft {
  const found = retryOf(source);
  if (found.kind !== 'draft') throw new Error(`${found.code}: ${found.reason}`);
  return found;
}

const codes = (found: RetryDraft): string[] => found.warnings.map(({ code }) => code);

/** What is refused, by its code. */
function refusal(source: RetrySource): string {
  const found = retryOf(source);
  return found.kind === 'draft' ? `sent as ${found.request.args} ${found.request.kwargs}` : found.code;
}

const fromEvents = (change: Partial<ToldTask>): RetrySource => ({ id: 'i', told: { ...told, ...change } });

interface Recorded {
  readonly label?: string;
  readonly payload?: string;
  readonly exchange?: string;
  readonly routing_key?: string;
  readonly properties?: Record<string, unknown>;
}

/** Every task message that was recorded, with what it was of. */
function messages(celery: string): { label: string; envelope: Envelope }[] {
  const overRedis = lines<Recorded>(`${celery}/redis-task-messages.jsonl`).flatMap(({ label, payload }) =>
    payload?.startsWith('{') === true ? [{ label: label ?? '', envelope: decodeRedisEnvelope(payload) }] : [],
  );
  const overAmqp = lines<Recorded>(`${celery}/amqp-task-messages.jsonl`).flatMap((line) => {
    if (line.payload === undefined || line.properties === undefined || line.exchange === undefined) return [];
    const envelope = amqpMessage(line.payload, line.properties);
    const delivery_info = { exchange: line.exchange, routing_key: line.routing_key ?? '' };
    return [
      { label: line.label ?? '', envelope: { ...envelope, properties: { ...envelope.properties, delivery_info } } },
    ];
  });
  return [...overRedis, ...overAmqp];
}

describe.each(['celery-5.2', 'celery-latest'])('of what %s published', (celery) => {
  const all = messages(celery);

  test('every message in JSON is repeated with the same arguments, to the same place; all others are refused', () => {
    const refusedTypes = new Set<string>();
    let repeated = 0;
    for (const { label, envelope } of all) {
      if (envelope.contentType !== 'application/json') {
        const id = taskHeaders(envelope)?.id ?? '';
        expect(refusal({ id, message: envelope, told })).toBe('RETRY_MESSAGE_NOT_JSON');
        refusedTypes.add(envelope.contentType ?? '');
        continue;
      }
      if (envelope.headers['task'] === null) {
        // made by a command that elects a worker to run a task of no name
        expect(refusal({ id: 'i', message: envelope })).toBe('RETRY_SOURCE_UNREADABLE');
        continue;
      }
      const original = decodeTaskMessage(envelope);
      const found = draft({ id: original.id, message: envelope });
      const again = encodeTask(found.request, { nowMs: Date.now(), newId: 'again', origin: 'meadow@test' });
      const decoded = decodeTaskMessage(decodeRedisEnvelope(encodeRedisEnvelope({ ...again, deliveryTag: 'tag' })));
      expect(decoded.args, label).toEqual(original.args);
      expect(decoded.kwargs).toEqual(original.kwargs);
      expect(textOfArguments(again)).toBe(textOfArguments(envelope) ?? textOfArguments(again));
      const { timelimit, shadow } = original;
      expect(decoded).toMatchObject({
        id: 'again',
        task: original.task,
        rootId: 'again',
        retries: 0,
        timelimit,
        shadow,
      });
      expect(decoded).toMatchObject({ parentId: null, group: null, eta: null, expires: null });
      const { exchange, routing_key: key } = envelope.properties['delivery_info'] as Record<string, string>;
      expect([again.exchange, again.routingKey, again.priority]).toEqual([
        exchange,
        key,
        envelope.properties['priority'],
      ]);
      expect(found.from).toEqual({ name: 'message', arguments: 'message', route: 'message', options: 'message' });
      expect(again.headers['meadow_retry_of']).toBe(original.id);
      repeated++;
    }
    expect(repeated).toBeGreaterThan(150);
    expect([...refusedTypes].toSorted()).toEqual([
      'application/x-msgpack',
      'application/x-python-serialize',
      'application/x-yaml',
    ]);
  });

  test('what cannot be repeated is told: callbacks, chains, chords, groups, times', () => {
    const warned = (label: string): string[] => {
      const { envelope } = all.find((message) => message.label === label) ?? { envelope: null };
      if (envelope === null) throw new Error(`nothing was recorded as ${label}`);
      return codes(draft({ id: decodeTaskMessage(envelope).id, message: envelope }));
    };
    expect(warned('queued:add')).toEqual(['RUNS_AGAIN', 'ORIGINAL_WAITS']);
    expect(warned('queued:compressed')).toEqual(['RUNS_AGAIN', 'ORIGINAL_WAITS']);
    for (const label of ['queued:link', 'queued:chain [2]', 'queued:chord [2]', 'queued:group [1]']) {
      expect(warned(label)).toContain('WORKFLOW_LEFT');
    }
    expect(warned('queued:eta')).toContain('ETA_DROPPED');
    expect(warned('queued:expires-s')).toContain('EXPIRES_DROPPED');
    expect(warned('report-by-queue')).toContain('EXCHANGE_ROUTED');
  });
});

/** The arguments as they are written, spaces aside; null where they are compressed or of protocol 1. */
function textOfArguments({ body }: { readonly body: Uint8Array }): string | null {
  const text = Buffer.from(body).toString('latin1');
  const end = text.indexOf(', {"callbacks"') === -1 ? text.indexOf(',{"callbacks"') : text.indexOf(', {"callbacks"');
  if (!text.startsWith('[') || text.includes('\\') || /[^ -~]/.test(text)) return null;
  return text.slice(0, end).replaceAll(/(?<=[,:]) /g, '');
}

test('own headers and stamps stay, and what Celery, RabbitMQ or Meadow put there does not', () => {
  const envelope = decodeRedisEnvelope(
    redisPayload('[[1], {}, {}]', {
      headers: {
        ...{
          id: 'i',
          task: 't',
          'x-tenant': 'acme',
          n: 7,
          nested: { a: 1 },
          meadow_retry_of: 'h',
          redelivered: true,
          args: 1,
          ünïcode: 'x',
          queue: 'kept',
        },
        ...{ stamped_headers: ['tenant', 'queue'], stamps: { tenant: ['a', 'b'], queue: 'x', other: 1 } },
        ...{ shadow: '', timelimit: [0, -1], ignore_result: true, origin: 'gen1@h', 'x-death': [] },
      },
    }),
  );
  const found = draft({ id: 'i', message: { ...envelope, properties: routedTo('celery') } });
  expect(found.request).toMatchObject({
    ...{
      headers: { 'x-tenant': 'acme', n: 7, queue: 'kept' },
      stamps: { tenant: ['a', 'b'] },
      shadow: null,
      ignoreResult: true,
    },
    ...{ timelimit: { hard: null, soft: null }, retryOf: 'i' },
  });
  expect(codes(found)).toEqual(expect.arrayContaining(['STAMPS_KEPT']));
  expect(found.warnings.find(({ code }) => code === 'HEADERS_DROPPED')?.text).toMatch(
    /: queue, nested, args, ünïcode$/,
  );
});

function routedTo(queue: string, exchange = ''): Envelope['properties'] {
  return { delivery_info: { exchange, routing_key: queue } };
}

const message = (headers: object, body: string, properties: Envelope['properties'] = routedTo('celery')): Envelope => ({
  ...decodeRedisEnvelope(redisPayload(body, { headers: { id: 'i', task: 't', ...headers } })),
  properties,
});

test('a dead letter goes to the queue that it came from, a delayed one to where its events say', () => {
  const dead = message({ 'x-first-death-queue': 'orders' }, '[[], {}, {}]', routedTo('orders', 'dlx'));
  expect(draft({ id: 'i', message: dead })).toMatchObject({
    request: { queue: 'orders', exchange: null },
    warnings: [{ code: 'RUNS_AGAIN' }, { code: 'DEAD_LETTERED' }],
  });
  const delayed = message({}, '[[], {}, {}]', routedTo('0.0.1.celery', 'celery_delayed_delivery'));
  expect(refusal({ id: 'i', message: delayed })).toBe('RETRY_ROUTE_UNKNOWN');
  expect(draft({ id: 'i', message: delayed, told })).toMatchObject({
    request: { queue: 'celery' },
    from: { route: 'events' },
  });
});

test.each<[string, RetrySource, string]>([
  ['a message of another task', { id: 'x', message: message({}, '[[], {}, {}]') }, 'RETRY_ARGS_UNKNOWN'],
  ['a body that is no JSON', { id: 'i', message: message({}, '[[') }, 'RETRY_SOURCE_UNREADABLE'],
  [
    'a key that is there twice',
    { id: 'i', message: message({}, '[[], {"a":1,"a":2}, {}]') },
    'RETRY_SOURCE_UNREADABLE',
  ],
  ['arguments that are none', { id: 'i', message: message({}, '[5, {}, {}]') }, 'RETRY_ARGS_UNKNOWN'],
  [
    'a priority beyond all',
    { id: 'i', message: message({}, '[[], {}, {}]', { ...routedTo('q'), priority: 1e9 }) },
    'RETRY_REQUEST_INVALID',
  ],
  [
    'a queue that is a mailbox',
    { id: 'i', message: message({}, '[[], {}, {}]', routedTo('celery.pidbox')) },
    'RETRY_REQUEST_INVALID',
  ],
  ['nothing at all', { id: 'i' }, 'RETRY_ARGS_UNKNOWN'],
])('%s is refused', (_what, source, code) => {
  const found = retryOf(source);
  expect(found).toMatchObject({ kind: 'refused', reason: expect.any(String) as string });
  if (code !== 'RETRY_ARGS_UNKNOWN' || source.id === 'i') expect(found).toMatchObject({ code });
  else expect(found).toMatchObject({ code: 'RETRY_OTHER_TASK' });
});

describe('of a worker that still has it', () => {
  interface Ask {
    readonly transport: string;
    readonly command: string;
    readonly replies: readonly { readonly payload: string }[];
  }

  test.each(['celery-5.2', 'celery-latest'])('%s tells arguments, route and priority', (celery) => {
    const asked = lines<Ask>(`${celery}/pidbox-requests-replies.jsonl`).filter(
      ({ command, transport, replies }) => command === 'query_task' && transport === 'redis' && replies.length > 0,
    );
    const replies = asked.flatMap((ask) => ask.replies.map(({ payload }) => decodeRedisEnvelope(payload)));
    const tasksIn = ({ body }: Envelope) =>
      Object.values(parsePythonJson(Buffer.from(body).toString()) as Record<string, object>)[0] ?? {};
    const reply = replies.find((each) => Object.keys(tasksIn(each)).length > 0);
    if (reply === undefined) throw new Error('no worker knew a task');
    const tasks = tasksIn(reply);
    const [id = ''] = Object.keys(tasks);
    expect(draft({ id, reply })).toMatchObject({
      request: { name: 'prototasks.slow', args: '[14]', kwargs: '{}', queue: 'slow', priority: 0, retryOf: id },
      from: { name: 'worker', arguments: 'worker', route: 'worker', options: null },
      warnings: [{ code: 'RUNS_AGAIN' }, { code: 'OPTIONS_UNKNOWN' }, { code: 'ORIGINAL_WAITS' }],
    });
    expect(refusal({ id: 'another', reply })).toBe('RETRY_ARGS_UNKNOWN');
  });
});

describe('of what a result backend keeps', () => {
  interface Stored {
    readonly key?: string;
    readonly value?: string;
  }

  test('with result_extended arguments and queue are known, without they are not', () => {
    const [extended = 0, plain = 0] = ['redis-results', 'redis-results-not-extended'].map((file) => {
      const metas = ['celery-5.2', 'celery-latest'].flatMap((celery) => lines<Stored>(`${celery}/${file}.jsonl`));
      return metas.filter(({ key = '', value }) => {
        if (value === undefined || !key.includes('celery-task-meta-')) return false;
        const meta = parsePythonJson(value) as Record<string, JsonValue>;
        const source = { id: String(meta['task_id']), stored: Buffer.from(value) };
        if (!Array.isArray(meta['args'])) return refusal(source) !== 'RETRY_ARGS_UNKNOWN';
        if (meta['queue'] === null) {
          // the rest of a chain that failed before: its arguments lack what the link before would have given
          expect(refusal(source)).toBe('RETRY_NEVER_SENT');
          return false;
        }
        const { request } = draft(source);
        expect([parsePythonJson(request.args), parsePythonJson(request.kwargs)]).toEqual([
          meta['args'],
          meta['kwargs'],
        ]);
        expect(request).toMatchObject({ name: meta['name'], queue: meta['queue'] });
        return true;
      }).length;
    });
    expect(extended).toBeGreaterThan(100);
    expect(plain).toBe(0);
  });

  const stored = Buffer.from('{"status":"SUCCESS","name":"shop.pay","args":[1,"a"],"kwargs":{},"queue":"celery"}');

  test('its events decide on the route, and must tell the same arguments if they tell them whole', () => {
    const found = draft({ id: 'i', stored, told: { ...told, exchange: 'topics', routingKey: 'report.daily' } });
    expect(found).toMatchObject({
      request: { queue: null, exchange: 'topics', routingKey: 'report.daily' },
      from: { arguments: 'result', route: 'events' },
    });
    expect(codes(found)).toEqual(expect.arrayContaining(['ARGS_AFTER_RUN', 'EXCHANGE_ROUTED']));
    expect(codes(found)).not.toContain('ARGS_FROM_REPR');
    expect(refusal({ id: 'i', stored, told: { ...told, args: "(1.0, 'a')" } })).toBe('RETRY_SOURCES_DIFFER');
    expect(draft({ id: 'i', stored, told: { ...told, args: "(1, '...')" } }).request.args).toBe('[1,"a"]');
    expect(draft({ id: 'i', stored, told: { ...told, kwargs: "{'password': '***'}" } }).request.kwargs).toBe('{}');
  });

  test("another task's result is not taken", () => {
    expect(refusal({ id: 'i', stored: Buffer.from('{"status":"SUCCESS","task_id":"j"}') })).toBe('RETRY_OTHER_TASK');
  });

  test('a pickle is not opened', () => {
    expect(refusal({ id: 'i', stored: Buffer.from([0x80, 5, 0x2e]) })).toBe('RETRY_SOURCE_UNREADABLE');
  });
});

describe('of what its events told', () => {
  test.each([
    [
      "(1, 1.0, 1e+16, -0.0, True, None, 'it\\'s', 9007199254740993)",
      '[1,1.0,1e+16,-0.0,true,null,"it\'s",9007199254740993]',
    ],
    ['(nan, inf, [-inf])', '[NaN,Infinity,[-Infinity]]'],
    ['()', '[]'],
    ["({'a': [1, {'b': ()}]},)", '[{"a":[1,{"b":[]}]}]'],
    ['[1]', '[1]'],
  ])('%s is repeated as %s', (args, json) => {
    const found = draft(fromEvents({ args }));
    expect(found.request).toMatchObject({
      name: 'shop.pay',
      args: json,
      kwargs: '{}',
      queue: 'celery',
      priority: null,
    });
    expect(found.from).toEqual({ name: 'events', arguments: 'events', route: 'events', options: null });
    expect(codes(found)).toEqual(expect.arrayContaining(['ARGS_FROM_REPR', 'OPTIONS_UNKNOWN', 'WORKFLOW_UNKNOWN']));
    expect(codes(found).includes('TUPLES_BECOME_LISTS')).toBe(args.includes('()') && args !== '()');
  });

  test.each<[Partial<ToldTask>, string]>([
    [{ args: null }, 'RETRY_ARGS_UNKNOWN'],
    [{ kwargs: '' }, 'RETRY_ARGS_UNKNOWN'],
    [{ args: "('aaa', ...)" }, 'RETRY_ARGS_CUT'],
    [{ args: '([...],)' }, 'RETRY_ARGS_CUT'],
    [{ kwargs: "{'k': [" }, 'RETRY_ARGS_CUT'],
    [{ args: `('${'x'.repeat(1020)}...',)` }, 'RETRY_ARGS_CUT'],
    [{ args: "('xx\n… 34542 characters cut by Meadow …\nxx',)" }, 'RETRY_ARGS_CUT'],
    [{ kwargs: "{'password': '***'}" }, 'RETRY_ARGS_MASKED'],
    [{ kwargs: "{'pin': ***}" }, 'RETRY_ARGS_MASKED'],
    [{ args: "('amqp://u:***@h',)" }, 'RETRY_ARGS_MASKED'],
    [{ args: '(datetime.datetime(2024, 1, 2, 3, 4),)' }, 'RETRY_ARGS_NOT_JSON'],
    [{ args: "(Decimal('1.10'),)" }, 'RETRY_ARGS_NOT_JSON'],
    [{ args: '(<Foo object at 0x7f0000000000>,)' }, 'RETRY_ARGS_NOT_JSON'],
    [{ args: "(b'bytes',)" }, 'RETRY_ARGS_NOT_JSON'],
    [{ args: '({1, 2},)' }, 'RETRY_ARGS_NOT_JSON'],
    [{ args: '(1+2j,)' }, 'RETRY_ARGS_NOT_JSON'],
    [{ args: "({1: 'int key'},)" }, 'RETRY_ARGS_NOT_JSON'],
    [{ args: "({'a': 1, 'a': 2},)" }, 'RETRY_ARGS_NOT_JSON'],
    [{ args: '(Color.RED,)' }, 'RETRY_ARGS_NOT_JSON'],
    [{ args: "('C:\\\\new',)" }, 'RETRY_ARGS_UNSURE'],
    [{ args: "('wait...',)" }, 'RETRY_ARGS_UNSURE'],
    [{ args: '<hidden>' }, 'RETRY_ARGS_UNREADABLE'],
    [{ args: "'text'" }, 'RETRY_ARGS_UNREADABLE'],
    [{ kwargs: '()' }, 'RETRY_ARGS_UNREADABLE'],
    [{ args: '(1, 2' }, 'RETRY_ARGS_CUT'],
    [{ args: '(1, 2) + (3,)' }, 'RETRY_ARGS_UNREADABLE'],
    [{ name: '' }, 'RETRY_NAME_UNKNOWN'],
    [{ queue: '', exchange: null, routingKey: null }, 'RETRY_ROUTE_UNKNOWN'],
  ])('%j is refused', (change, code) => {
    expect(refusal(fromEvents(change))).toBe(code);
  });

  test.each([
    ["(__import__('os').system('touch /tmp/pwned'),)"],
    ["(exec('import os'),)"],
    ['(lambda: 1,)'],
    ['([x for x in ().__class__.__bases__],)'],
    ["(f'{1}',)"],
    ['(${process.exit(1)},)'],
    ["('a' 'b',)"],
    ['(1 if True else 2,)'],
    ['("a" * 10**9,)'],
    ['(' + '['.repeat(100_000)],
  ])('a hostile repr is refused, and nothing in it is run: %.60s', (args) => {
    expect(refusal(fromEvents({ args }))).toMatch(/^RETRY_ARGS_/);
  });

  test('whatever events say is refused, or repeated as what it certainly meant', () => {
    const parts = fc.constantFrom(
      ...`()[]{}<>'",.:=-+ 01aNb*\\`,
      '...',
      'None',
      "b'",
      'Foo(',
      "\\'",
      "'k': ",
      '***',
      'nan',
    );
    const text = fc.oneof(
      fc.array(parts, { maxLength: 30 }).map((all) => `(${all.join('')},)`),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(text, text, (args, kwargs) => {
        const found = retryOf(fromEvents({ args, kwargs: kwargs.replace(/^\((.*),\)$/s, '{$1}') }));
        if (found.kind === 'refused') {
          expect(found.reason.length).toBeLessThan(1_000);
          return;
        }
        expect(args + kwargs).not.toContain('...,');
        const again = encodeTask(found.request, { nowMs: Date.now(), newId: 'n', origin: 'o' });
        expect(
          Array.isArray(
            decodeTaskMessage(
              amqpEnvelope({
                content: again.body,
                properties: { contentType: 'application/json', headers: again.headers },
              }),
            ).args,
          ),
        ).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});
