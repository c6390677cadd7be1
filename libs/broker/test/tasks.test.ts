import {
  amqpEnvelope,
  decodeRedisEnvelope,
  decodeTaskMessage,
  encodeTask,
  parsePythonJson,
  retryOf,
  type Envelope,
  type TaskRequestInput,
} from '@meadow/celery';
import {
  celeryEnvironment,
  runPython,
  startCeleryWorker,
  startRabbitmq,
  startRedis,
  waitFor,
  type CeleryWorker,
  type RedisServer,
  type TestServer,
} from '@meadow/testkit';
import { connect } from 'amqplib';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  openTaskSender,
  payloadOf,
  type TaskSender,
  type TaskSenderDefinition,
  type TaskSenderOptions,
} from '../src/index.ts';
import { definitionOf, listen } from './listening.ts';

let results: RedisServer;
let backend: Redis;
beforeAll(async () => {
  results = await startRedis();
  backend = new Redis(results.url);
});
afterAll(async () => {
  backend.disconnect();
  await results[Symbol.asyncDispose]();
});

function definition(broker: string, more: Partial<TaskSenderDefinition> = {}): TaskSenderDefinition {
  return { ...definitionOf(broker), controlExchange: 'celery', resultBackend: results.url, ...more };
}

const encode = (request: TaskRequestInput) =>
  encodeTask(request, { nowMs: Date.now(), newId: randomUUID(), origin: 'meadow@test' });

interface Sending extends AsyncDisposable {
  readonly sender: TaskSender;
  send(request: TaskRequestInput): Promise<string>;
}

function openSending(of: TaskSenderDefinition, options: Partial<TaskSenderOptions> = {}): Sending {
  const sender = openTaskSender(of, { signal: new AbortController().signal, ...options });
  return {
    sender,
    send: async (request) => (await sender.send(encode(request))).taskId,
    [Symbol.asyncDispose]: () => sender[Symbol.asyncDispose](),
  };
}

/** What a worker stored once it was done, as it wrote it. */
async function stored(taskId: string, deadlineMs = 30_000): Promise<{ status: string; result: unknown; text: string }> {
  return waitFor(
    async () => {
      const text = await backend.get(`celery-task-meta-${taskId}`);
      const meta = parsePythonJson(text ?? 'null') as { status: string; result: unknown } | null;
      return meta !== null && /SUCCESS|FAILURE|REVOKED/.test(meta.status) ? { ...meta, text: text ?? '' } : null;
    },
    { what: `the result of ${taskId}`, deadlineMs },
  );
}

const QUEUES = {
  celery: {},
  other: {},
  reports: { exchange: 'topics', type: 'topic', routing_key: 'report.#' },
};

interface BrokerUnderTest {
  readonly url: string;
  readonly server: TestServer;
  /** The oldest message that waits in a queue. */
  peek(queue: string): Promise<Envelope>;
}

async function startRedisBroker(): Promise<BrokerUnderTest> {
  const server = await startRedis();
  return {
    ...{ url: server.url, server },
    async peek(queue) {
      const client = new Redis(server.url);
      const [list = ''] = await client.keys(`${queue}*`);
      const payload = await client.lindex(list, -1);
      client.disconnect();
      return decodeRedisEnvelope(payload ?? '');
    },
  };
}

async function startRabbitBroker(): Promise<BrokerUnderTest> {
  const server = await startRabbitmq();
  return {
    ...{ url: server.amqpUrl, server },
    async peek(queue) {
      const connection = await connect(server.amqpUrl);
      const message = await (await connection.createChannel()).get(queue);
      await connection.close();
      if (message === false) throw new Error(`${queue} is empty`);
      return amqpEnvelope(message);
    },
  };
}

describe.each([
  ['redis', startRedisBroker],
  ['rabbitmq', startRabbitBroker],
])('tasks sent over %s', (name, start) => {
  let broker: BrokerUnderTest;
  let worker: CeleryWorker;
  let sending: Sending;
  const app = { settings: { task_track_started: true, result_extended: true } };
  const environment = () => ({
    ...celeryEnvironment({ brokerUrl: broker.url, backendUrl: results.url, ...app }),
    GARDEN_QUEUES: JSON.stringify(QUEUES),
  });

  beforeAll(async () => {
    broker = await start();
    worker = await startCeleryWorker({
      ...{ brokerUrl: broker.url, backendUrl: results.url, ...app },
      ...{ args: ['--concurrency', '2', '-Q', 'celery,reports'], env: environment() },
    });
    sending = openSending(definition(broker.url));
  }, 120_000);
  afterAll(async () => {
    await sending[Symbol.asyncDispose]();
    await worker.kill9();
    await broker.server[Symbol.asyncDispose]();
  });

  test('a real worker runs them with exactly these arguments', async () => {
    const deep = `${'['.repeat(100)}${']'.repeat(100)}`;
    const args = `[1, 1.0, -0.0, 1e+16, 123456789012345678901234567890, NaN, -Infinity, true, null, "q'\\"\\\\", "\\u0000\\t", {"k": []}]`;
    const kwargs =
      '{"text": "\\u65e5\\ud83c\\udf89\\ud800", "": "\\u0000", "__proto__": 1.0, "self_": {"a b": [1.50]}}';
    const ids = [
      await sending.send({ name: 'garden.echo', queue: 'celery', args, kwargs }),
      await sending.send({ name: 'garden.echo', queue: 'celery', args: deep }),
      await sending.send({ name: 'garden.echo', queue: 'celery' }),
    ];
    const said = await Promise.all(
      ids.map(async (id) => /"result": (.*), "traceback"/.exec((await stored(id)).text)?.[1]),
    );
    expect(said).toEqual([
      `{"args": ${args}, "kwargs": ${kwargs.replace('1.50', '1.5')}}`,
      `{"args": ${deep}, "kwargs": {}}`,
      '{"args": [], "kwargs": {}}',
    ]);
  });

  test('what a request says arrives: headers, priority, shadow, lineage, retries', async () => {
    const id = await sending.send({
      ...{ name: 'garden.describe', queue: 'celery', id: randomUUID(), priority: 7, shadow: 'shown' },
      ...{ headers: { 'x-tenant': 'acme', n: 7, f: 1.5, on: true, none: null }, stamps: { tenant: ['a'] } },
      ...{ rootId: 'root', parentId: 'parent', retryOf: 'original', timelimit: { hard: 20, soft: 10.5 } },
    });
    const { result } = await stored(id);
    expect(result).toMatchObject({
      ...{ id, task: 'garden.describe', shadow: 'shown', root_id: 'root', parent_id: 'parent', retries: 0 },
      ...{ 'x-tenant': 'acme', n: 7, f: 1.5, on: true, none: null, meadow_retry_of: 'original' },
      ...{ stamps: { tenant: ['a'] }, stamped_headers: ['tenant'], timelimit: [20, 10.5], origin: 'meadow@test' },
      ...{ argsrepr: '()', kwargsrepr: '{}', eta: null, expires: null, group: null, correlation_id: id, reply_to: '' },
      delivery_info: { exchange: '', routing_key: 'celery', priority: 7 },
    });
  });

  test('a countdown is waited for, an expiry ends, a time limit holds', async () => {
    const begun = Date.now();
    const later = await sending.send({ name: 'garden.echo', queue: 'celery', countdown: 1.5 });
    const limited = await sending.send({ name: 'garden.slow', queue: 'celery', args: '[20]', timelimit: { hard: 1 } });
    const expired = await sending.send({ name: 'garden.echo', queue: 'celery', countdown: 1.2, expires: 1.3 });
    await sending.send({ name: 'garden.slow', queue: 'celery', args: '[2.5]' });
    const unheld = await sending.send({
      name: 'garden.echo',
      queue: 'celery',
      eta: '2020-01-01T00:00:00Z',
      expires: 60,
    });
    expect((await stored(unheld)).status).toBe('SUCCESS');
    await stored(later);
    expect(Date.now() - begun).toBeGreaterThan(1_000);
    expect(await stored(limited)).toMatchObject({ status: 'FAILURE', result: { exc_type: 'TimeLimitExceeded' } });
    expect(['SUCCESS', 'REVOKED']).toContain((await stored(expired)).status);
  });

  test('an exchange hands them to the queues that are bound there for the key; what no queue would have is refused', async () => {
    const { sender, send } = sending;
    const id = await send({ name: 'garden.describe', exchange: 'topics', routingKey: 'report.daily' });
    expect((await stored(id)).result).toMatchObject({
      delivery_info: { exchange: 'topics', routing_key: 'report.daily' },
    });
    const refused = (request: Partial<TaskRequestInput>, code: string) =>
      expect(sender.send(encode({ name: 'garden.echo', ...request }))).rejects.toMatchObject({
        ...{ name: 'TaskSendError', code, cluster: 'garden' },
        message: expect.not.stringContaining('guest:guest') as string,
      });
    await refused({ exchange: 'topics', routingKey: 'bill.daily' }, 'SEND_UNROUTABLE');
    await refused(
      { exchange: 'nowhere', routingKey: 'report.daily' },
      name === 'redis' ? 'SEND_UNROUTABLE' : 'SEND_EXCHANGE_MISSING',
    );
    if (name === 'rabbitmq') await refused({ queue: 'nowhere' }, 'SEND_UNROUTABLE');
    await Promise.all([
      refused({ exchange: 'nowhere', routingKey: 'a' }, name === 'redis' ? 'SEND_UNROUTABLE' : 'SEND_EXCHANGE_MISSING'),
      send({ name: 'garden.echo', queue: 'celery' }),
      send({ name: 'garden.echo', queue: 'celery' }),
    ]);
    expect(sender.status.state).toBe('connected');
  });

  test("a sender refuses what the cluster's own exchanges are called, and two tasks of one id at once", async () => {
    const own = { eventExchange: 'myevents', controlExchange: 'myctl' };
    await using other = openSending(definition(broker.url, own));
    for (const exchange of ['myevents', 'myctl.pidbox']) {
      // the second one is no request in the first place
      const task = { ...encode({ name: 'garden.echo', exchange: 'myevents', routingKey: '' }), exchange };
      await expect(other.sender.send(task)).rejects.toMatchObject({ code: 'SEND_UNROUTABLE' });
    }
    const task = encode({ name: 'garden.echo', queue: 'celery' });
    const twice = await Promise.allSettled([other.sender.send(task), other.sender.send(task)]);
    expect(twice).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: { code: 'SEND_TWICE' } }]);
  });

  test('a task that Celery published is repeated from its message: same arguments, place and headers', async () => {
    const script = `
import garden
garden.echo.apply_async((1.0, {"a": [1, "it's"]}), {"k": None}, queue="other", priority=4, headers={"x-tenant": "acme"},
  time_limit=30, task_id="waits", countdown=600, expires=3600)`;
    await runPython(script, { env: environment() });
    const message = await broker.peek('other');
    const found = retryOf({ id: 'waits', message });
    expect(found).toMatchObject({
      kind: 'draft',
      request: { queue: 'other', priority: 4, headers: { 'x-tenant': 'acme' }, timelimit: { hard: 30, soft: null } },
    });
    if (found.kind !== 'draft') throw new Error(found.reason);
    const id = await sending.send({ ...found.request, queue: 'celery' });
    const { text } = await stored(id);
    expect(text).toContain(`"result": {"args": [1.0, {"a": [1, "it's"]}], "kwargs": {"k": null}}`);
    const again = retryOf({ id, stored: Buffer.from(text) });
    expect(again).toMatchObject({
      request: { args: found.request.args, kwargs: found.request.kwargs, queue: 'celery' },
    });
  });

  test('one that only its events tell of is repeated where they tell all of it, and refused elsewhere', async () => {
    await using heard = await listen(definitionOf(broker.url));
    await heard.reach('connected');
    const script = `
import garden, datetime
for n, args in enumerate([(), (1, 1.0, -0.0, 1e16, 2**70, None, True, "it's", "naïve 🎉"), ([{"a": 1}],), (float("nan"),),
                          ("x" * 2000,), (datetime.datetime(2024, 1, 2),), ("C:\\\\new",)]):
    garden.echo.apply_async(args, task_id=f"told-{n}", queue="celery")
garden.echo.apply_async(("x",), task_id="told-7", queue="celery", argsrepr="(__import__('os').abort(),)")`;
    await runPython(script, { env: environment() });
    const ids = Array.from({ length: 8 }, (_, n) => `told-${n}`);
    await Promise.all(ids.map((id) => stored(id)));
    const events = (): Record<string, string | null>[] =>
      heard.deliveries.flatMap((delivery) => {
        const bytes = delivery.kind === 'redis' ? decodeRedisEnvelope(payloadOf(delivery)).body : delivery.content;
        return [JSON.parse(Buffer.from(bytes).toString()) as Record<string, string | null>].flat();
      });
    const sent = (id: string) => events().find(({ type, uuid }) => type === 'task-sent' && uuid === id);
    await waitFor(() => ids.every(sent), { what: 'what the client told' });
    const outcomes = ids.map((id) => {
      const {
        name: task = null,
        args = null,
        kwargs = null,
        queue = null,
        exchange = null,
        routing_key = null,
      } = sent(id) ?? {};
      const told = { name: task, args, kwargs, queue, exchange, routingKey: routing_key, eta: null, expires: null };
      return { id, found: retryOf({ id, told }) };
    });
    const repeated = outcomes.flatMap(({ id, found }) => (found.kind === 'draft' ? [{ id, found }] : []));
    expect(repeated.map(({ id }) => id)).toEqual(['told-0', 'told-1', 'told-2', 'told-3']);
    for (const { id, found } of repeated) {
      const again = await sending.send(found.request);
      const result = (text: string) => /"result": (.*), "traceback"/.exec(text)?.[1];
      expect(result((await stored(again)).text)).toBe(result((await stored(id)).text));
    }
    expect(outcomes.flatMap(({ found }) => (found.kind === 'refused' ? [found.code] : []))).toEqual([
      'RETRY_ARGS_CUT',
      'RETRY_ARGS_NOT_JSON',
      'RETRY_ARGS_UNSURE',
      'RETRY_ARGS_UNREADABLE',
    ]);
  });

  test('every shape of message that was recorded is repeated on a real worker with the same arguments', async () => {
    const sent: { id: string; body: string }[] = [];
    for (const { id, envelope } of recorded()) {
      const found = retryOf({ id, message: envelope });
      if (found.kind !== 'draft') throw new Error(found.reason);
      // the recorded names are not known here; timelimit and ignored results would hide what is looked at
      const request = { ...found.request, name: 'garden.echo', queue: 'celery', exchange: null, routingKey: null };
      const taskId = await sending.send({ ...request, timelimit: {}, ignoreResult: false });
      const { args, kwargs } = decodeTaskMessage(envelope);
      expect(Array.isArray(args) && typeof kwargs === 'object').toBe(true);
      const { body, headers } = envelope;
      sent.push({
        id: taskId,
        body: JSON.stringify([Buffer.from(body).toString('base64'), headers['compression'] ?? null]),
      });
    }
    expect(sent.length).toBeGreaterThan(100);
    await Promise.all(sent.map(({ id }) => stored(id, 60_000)));
    // Python itself compares: its repr tells 1 from 1.0
    const script = `
import base64, garden, json, sys, zlib
from kombu.utils.json import loads
for line in sys.argv[1].splitlines():
    task, body, compression = json.loads(line)
    raw = base64.b64decode(body)
    content = loads(zlib.decompress(raw) if compression else raw)
    args, kwargs = (content["args"], content["kwargs"]) if isinstance(content, dict) else content[:2]
    result = garden.app.AsyncResult(task).result
    assert repr([args, kwargs]) == repr([result["args"], result["kwargs"]]), (args, kwargs, result)
    print("same")`;
    const lines = sent.map(({ id, body }) => JSON.stringify([id, ...(JSON.parse(body) as unknown[])])).join('\n');
    const said = await runPython(script, { env: environment(), args: [lines] });
    expect(said.trim().split('\n').length).toBe(sent.length);
  }, 120_000);

  test('a thousand random requests leave the worker alive and consuming', async () => {
    const { pid } = worker;
    const requests = fc.sample(randomRequest, { numRuns: 1_000, seed: 7 });
    let sent = 0;
    for (const request of requests) {
      try {
        await sending.send(request);
        sent++;
      } catch (error) {
        expect(error).toMatchObject({ name: 'ZodError' });
      }
    }
    expect(sent).toBeGreaterThan(500);
    const last = await sending.send({ name: 'garden.echo', queue: 'celery', args: '["still here"]' });
    expect(await stored(last, 90_000)).toMatchObject({ status: 'SUCCESS', result: { args: ['still here'] } });
    expect(worker.pid).toBe(pid);
    expect(() => process.kill(pid, 0)).not.toThrow();
    expect(worker.log()).not.toMatch(/Unrecoverable|crash/i);
  }, 180_000);
});

interface RecordedLine {
  readonly label?: string;
  readonly payload?: string;
}

/** Recorded task messages in JSON, one of each label. */
function recorded(): { id: string; envelope: Envelope }[] {
  const seen = new Set<string>();
  return ['celery-5.2', 'celery-latest'].flatMap((celery) => {
    const file = new URL(`../../../vectors/${celery}/redis-task-messages.jsonl`, import.meta.url);
    return readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .flatMap((line) => {
        const { label, payload } = parsePythonJson(line) as unknown as RecordedLine;
        if (payload?.startsWith('{') !== true || seen.has(`${celery} ${label}`)) return [];
        const envelope = decodeRedisEnvelope(payload);
        if (envelope.contentType !== 'application/json' || envelope.headers['task'] === null) return [];
        seen.add(`${celery} ${label}`);
        return [{ id: decodeTaskMessage(envelope).id, envelope }];
      });
  });
}

const jsonArray = fc.array(fc.jsonValue({ maxDepth: 4 }), { maxLength: 4 }).map((value) => JSON.stringify(value));
const jsonObject = fc
  .dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { maxKeys: 3 })
  .map((value) => JSON.stringify(value));
const nullable = <T>(values: fc.Arbitrary<T>) => fc.option(values, { freq: 4 });

/** Anything that a request can say, and some that it cannot. */
const randomRequest: fc.Arbitrary<TaskRequestInput> = fc.record(
  {
    name: fc.constantFrom(
      'garden.echo',
      'garden.add',
      'garden.fail',
      'nothing.of.this.name',
      'celery.ping',
      'ünïcode.☃',
    ),
    queue: fc.constant('celery'),
    args: fc.oneof(
      jsonArray,
      fc.constantFrom(
        '[NaN]',
        '[1e400]',
        `[${'9'.repeat(4300)}]`,
        '["\\ud800"]',
        '[{"__type__": "datetime", "__value__": "x"}]',
      ),
    ),
    kwargs: fc.oneof(
      jsonObject,
      fc.constantFrom('{"self": 1}', '{"__type__": "bytes", "__value__": 5}', '{"args": 1, "kwargs": 2}'),
    ),
    priority: nullable(fc.integer({ min: 0, max: 255 })),
    countdown: nullable(fc.double({ min: 0, max: 1, noNaN: true })),
    expires: nullable(fc.double({ min: 1.1, max: 100, noNaN: true })),
    timelimit: nullable(fc.record({ hard: nullable(fc.integer({ min: 5, max: 9 })), soft: fc.constant(null) })).map(
      (given) => given ?? {},
    ),
    shadow: nullable(fc.string({ unit: 'grapheme', minLength: 1 })),
    ignoreResult: fc.boolean(),
    headers: fc.dictionary(
      fc.stringMatching(/^[a-z][a-z_.-]{0,12}$/),
      fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null)),
      { maxKeys: 4 },
    ),
    stamps: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.oneof(fc.string(), fc.array(fc.string())), {
      maxKeys: 2,
    }),
    rootId: nullable(fc.string({ unit: 'grapheme', minLength: 1 })),
    parentId: nullable(fc.string({ unit: 'grapheme', minLength: 1 })),
    retryOf: nullable(fc.uuid()),
  },
  { requiredKeys: ['name', 'queue'] },
);
