import assert from 'node:assert/strict';
import { brotliCompressSync, deflateSync, zstdCompressSync } from 'node:zlib';
import {
  amqpEnvelope,
  CeleryDecodeError,
  certificateStore,
  decodeContent,
  decodeEvents,
  decodeRedisEnvelope,
  decodeStoredResult,
  decodeTaskMessage,
  emptyTask,
  extraOf,
  fold,
  foldAll,
  foldMany,
  foldWorker,
  isCut,
  isTaskEvent,
  isWorkerEvent,
  parsePythonJson,
  parseRepr,
  readSignedBody,
  reprToJson,
  reprToJsonText,
  stringifyPythonJson,
  taskHeaders,
  verifySignedBody,
} from '../src/index.ts';
import type { CeleryEvent, Envelope, JsonValue, Task, TaskEvent, Worker } from '../src/index.ts';
import { readJson } from '../src/json-reader.ts';
import { lines } from './recorded.ts';
import { amqpEnvelopes, redisEnvelopes, redisPayload, vector } from './wire.ts';

// What must hold for whatever bytes come; `npm run fuzz` tries them. A run throws when a property does not hold.

type Outcome<Value> = { value: Value } | { code: string };

/** The value, or the code of the only error that is allowed; any other passes through. */
function outcome<Value>(run: () => Value): Outcome<Value> {
  try {
    return { value: run() };
  } catch (error) {
    if (!(error instanceof CeleryDecodeError)) throw error;
    assert.ok(error.message.length < 1000, 'messages of errors are short');
    JSON.stringify(error.facts);
    return { code: error.code };
  }
}

/** Same input, same answer. */
function same<Value>(what: string, one: Value, other: Value): void {
  assert.deepStrictEqual(one, other, what);
}

const isAbsent = (value: unknown): value is null | undefined => value === null || value === undefined;

const prototypeKeys = Object.getOwnPropertyNames(Object.prototype).length;

function checkPrototypes(): void {
  assert.equal(Object.getOwnPropertyNames(Object.prototype).length, prototypeKeys, 'Object.prototype was changed');
  assert.equal(Object.keys([]).length, 0);
}

interface Plain {
  readonly events: readonly (readonly [CeleryEvent, Record<string, JsonValue> | null])[];
  readonly codes: readonly string[];
}

/** Decodes an event message and checks every promise that an event makes. */
function eventsOf(envelope: Envelope): Plain {
  const { events, failures } = decodeEvents(envelope);
  for (const event of events) {
    assert.ok(typeof event.type === 'string' && event.type !== '' && Object.hasOwn(event, 'type'));
    assert.ok(typeof event.hostname === 'string' && event.hostname !== '');
    assert.ok(Number.isFinite(event.timestamp) && event.timestamp >= 0);
    for (const count of [event.clock, event.pid])
      assert.ok(isAbsent(count) || (Number.isSafeInteger(count) && count >= 0));
    if (isTaskEvent(event)) {
      assert.ok(typeof event.uuid === 'string' && event.uuid !== '');
      for (const text of [
        event.name,
        event.args,
        event.kwargs,
        event.result,
        event.exception,
        event.traceback,
        event.eta,
      ])
        assert.ok(isAbsent(text) || typeof text === 'string');
    } else if (isWorkerEvent(event)) {
      assert.ok((event.loadavg ?? []).every(Number.isFinite));
    }
  }
  for (const failure of failures) assert.ok(failure instanceof CeleryDecodeError && failure.message.length < 1000);
  return {
    events: events.map((event) => [event, extraOf(event)] as const),
    codes: failures.map(({ code }) => code),
  };
}

function everything(envelope: Envelope): void {
  const first = eventsOf(envelope);
  same('decoding twice gives the same', eventsOf(envelope), first);
  outcome(() => decodeContent(envelope));
  outcome(() => taskHeaders(envelope));
  outcome(() => decodeTaskMessage(envelope));
  checkPrototypes();
}

const contentTypes = [
  'application/json',
  'application/x-msgpack',
  'application/x-yaml',
  'application/data',
  'text/plain',
  'application/x-python-serialize',
  'application/other',
  null,
];
const encodings = ['utf-8', 'binary', 'us-ascii', 'latin-1', null];
const compressions = [null, 'application/x-gzip', 'bzip2', 'brotli', 'zstd', 'xz', 'gzip', 7];

/** First byte: content type and encoding. Second: compression, and whether to compress here. The rest is the body. */
function bodyEnvelope(input: Uint8Array): Envelope {
  const [first = 0, second = 0] = input;
  const compression = compressions[second & 7] ?? null;
  const plain = input.subarray(2);
  const body = (second & 8) === 0 ? plain : compressed(plain, compression);
  return {
    body,
    contentType: contentTypes[first & 7] ?? null,
    contentEncoding: encodings[(first >> 3) % encodings.length] ?? null,
    headers: compression === null ? { task: 't', id: 'i' } : { compression, task: 't', id: 'i' },
    properties: {},
  };
}

function compressed(bytes: Uint8Array, method: string | number | null): Uint8Array {
  if (method === 'zstd') return zstdCompressSync(bytes);
  if (method === 'brotli') return brotliCompressSync(bytes);
  return method === null ? bytes : deflateSync(bytes);
}

const text = (input: Uint8Array): string => Buffer.from(input).toString('utf8');

/** The quick way, which lets the engine parse, against the reader written out by hand. */
function quickJsonEqualsExact(json: string): void {
  const quick = outcome(() => parsePythonJson(json));
  const exact = outcome(() => readJson(json));
  // a text with several faults may be refused for either
  same('refused by both', 'code' in quick, 'code' in exact);
  if (!('value' in quick)) return;
  same('parsePythonJson against readJson', quick, exact);
  const written = outcome(() => stringifyPythonJson(quick.value));
  if ('value' in written) same('written and read again', parsePythonJson(written.value), quick.value);
}

/** One list of events in every form in which a broker may bring it must come out as the same events. */
function formsAgree(input: Uint8Array): void {
  const body = text(input);
  const plain = { body: Buffer.from(body), contentType: 'application/json', contentEncoding: 'utf-8' };
  const reference = eventsOf({ ...plain, headers: {}, properties: {} });
  const kombu = `{"body": "${Buffer.from(body).toString('base64')}", "content-encoding": "utf-8", "content-type": "application/json", "headers": {"hostname": "w"}, "properties": {"delivery_mode": 1, "delivery_info": {"exchange": "celeryev", "routing_key": "task.multi"}, "priority": 0, "body_encoding": "base64", "delivery_tag": "d"}}`;
  const reordered = JSON.stringify({ properties: { body_encoding: 'base64' }, ...(JSON.parse(kombu) as object) });
  const literal = {
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: {},
    properties: {},
    body,
  };
  const amqp = { content: plain.body, properties: { contentType: plain.contentType, contentEncoding: 'utf-8' } };
  same('as kombu writes it', eventsOf(decodeRedisEnvelope(kombu)), reference);
  same('as bytes', eventsOf(decodeRedisEnvelope(Buffer.from(kombu))), reference);
  same('with other spacing and order', eventsOf(decodeRedisEnvelope(reordered)), reference);
  same('as literal text', eventsOf(decodeRedisEnvelope(JSON.stringify(literal))), reference);
  same('from AMQP', eventsOf(amqpEnvelope(amqp)), reference);
  // spaces between tokens change nothing but the shape that a quick path may look for
  const value = outcome(() => readJson(body));
  if (!('value' in value)) return;
  const spaced = outcome(() => stringifyPythonJson(value.value));
  if (!('value' in spaced)) return;
  const respelt = eventsOf({ ...plain, body: Buffer.from(`\n ${spaced.value}\t`), headers: {}, properties: {} });
  same('respelt', respelt, reference);
  checkPrototypes();
}

function view(task: Task): string {
  return JSON.stringify({ ...task, history: null }, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
}

/** Below the bound up to which order never matters. */
const MANY = 60;

function foldingIsOrderless(input: Uint8Array): void {
  const { events } = decodeEvents({
    ...{ body: input, contentType: 'application/json', contentEncoding: 'utf-8' },
    ...{ headers: {}, properties: {} },
  });
  const tasks: TaskEvent[] = events.filter(isTaskEvent).slice(0, MANY);
  for (const [id, ofTask] of Map.groupBy(tasks, ({ uuid }) => uuid)) {
    const expected = view(foldAll(id, ofTask));
    const backwards = ofTask.toReversed();
    assert.equal(view(backwards.reduce(fold, emptyTask(id))), expected, 'backwards, one by one');
    assert.equal(view(foldMany(foldAll(id, ofTask), backwards)), expected, 'heard twice');
    const half = ofTask.length >> 1;
    const pieces = [...ofTask.slice(half), ...ofTask.slice(0, half)];
    assert.equal(view(foldMany(emptyTask(id), pieces)), expected, 'second half first');
  }
  for (const ofWorker of Map.groupBy(events.slice(0, MANY), ({ hostname }) => hostname).values()) {
    let worker: Worker | null = null;
    for (const event of ofWorker) worker = foldWorker(worker, event) ?? worker;
  }
  checkPrototypes();
}

function reprIsRead(raw: string): void {
  const parsed = parseRepr(raw);
  assert.equal(parsed.raw, raw);
  assert.ok(parsed.cutAt === null || (parsed.cutAt >= 0 && parsed.cutAt <= raw.length));
  assert.equal(parsed.cut, parsed.cutAt !== null);
  JSON.stringify(parsed.value);
  isCut(raw);
  const json = reprToJsonText(parsed.value);
  const value = reprToJson(parsed.value);
  if (parsed.exact) assert.ok(json !== undefined, 'exact means that JSON can carry it');
  assert.equal(json === undefined, value === undefined);
  if (json !== undefined) outcome(() => parsePythonJson(json));
  same('parsed twice', parseRepr(raw), parsed);
  checkPrototypes();
}

const bytes = (value: string): Uint8Array => Buffer.from(value);

const recordedPayloads = ['celery-latest/redis-events', 'celery-5.2/redis-events', 'celery-latest/redis-task-messages']
  .flatMap((name) => lines<{ payload?: string }>(`${name}.jsonl`))
  .flatMap(({ payload }) => payload ?? []);
const recordedBodies = [
  ...redisEnvelopes('celery-latest/redis-events.jsonl'),
  ...amqpEnvelopes('celery-latest/amqp-task-messages.jsonl'),
  ...amqpEnvelopes('celery-5.2/amqp-events.jsonl'),
];
const signedPayloads = lines<{ argv: string[] }>('probes/auth-signed-5.2.jsonl').flatMap(({ argv }) => argv[2] ?? []);
const certificates = certificateStore([vector('probes/auth-signed-cert.pem')]);

/** A sample of each kind is enough to start from; all of them would only be mutated more seldom. */
function spread<Item>(items: readonly Item[], most: number): Item[] {
  const step = Math.max(1, Math.floor(items.length / most));
  return items.filter((_, index) => index % step === 0);
}

const eventLists = spread(recordedBodies, 120)
  .filter(({ contentType }) => contentType === 'application/json')
  .map(({ body }) => body);
const life = ['sent', 'received', 'started', 'retried', 'failed', 'revoked', 'rejected', 'succeeded', 'progress']
  .map(
    (type, at) =>
      `{"type": "task-${type}", "uuid": "u", "hostname": "w", "timestamp": ${at}, "clock": ${at}, "pid": 1, "retries": 0}`,
  )
  .join(', ');
const beats = ['online', 'heartbeat', 'offline']
  .map(
    (type, at) =>
      `{"type": "worker-${type}", "hostname": "w", "timestamp": ${at}, "clock": ${at}, "freq": 2, "loadavg": [1, 2, 3]}`,
  )
  .join(', ');

export const targets = [
  {
    name: 'envelope',
    seeds: spread(recordedPayloads, 60).map(bytes),
    run: (input: Uint8Array) => {
      const decoded = outcome(() => decodeRedisEnvelope(input));
      if ('value' in decoded) everything(decoded.value);
    },
  },
  {
    name: 'body',
    seeds: [
      ...spread(eventLists, 20).flatMap((body) =>
        [0, 9, 11, 12, 14].map((how) => Buffer.concat([Buffer.from([0, how]), body])),
      ),
      ...spread(lines<{ bz2: string }>('compression/python.jsonl'), 20).map(({ bz2 }) =>
        Buffer.concat([Buffer.from([0, 2]), Buffer.from(bz2, 'base64')]),
      ),
      bytes('\u0001\0\u0082\u00a4type\u00a1x'),
      bytes('\u0002\0- type: task-sent\n  uuid: &a u\n  x: *a\n'),
    ],
    run: (input: Uint8Array) => everything(bodyEnvelope(input)),
  },
  {
    name: 'amqp',
    seeds: [bytes('{"compression": "gzip", "task": "t", "id": "i", "x": [1, {"y": null}]}')],
    run: (input: Uint8Array) => {
      const headers = outcome(() => parsePythonJson(text(input)));
      if (!('value' in headers)) return;
      const message = {
        content: Buffer.from('{}'),
        properties: { headers: headers.value, contentType: headers.value },
      };
      const envelope = outcome(() => amqpEnvelope(message));
      if ('value' in envelope) everything(envelope.value);
    },
  },
  {
    name: 'json',
    seeds: [
      ...spread(eventLists, 20),
      bytes('[NaN, -Infinity, 12345678901234567890, 1e400, "\\ud800", {"__proto__": 1}]'),
    ],
    run: (input: Uint8Array) => quickJsonEqualsExact(text(input)),
  },
  { name: 'forms', seeds: [...eventLists, bytes(`[${life}, ${beats}]`)], run: formsAgree },
  { name: 'fold', seeds: [...spread(eventLists, 60), bytes(`[${life}, ${beats}]`)], run: foldingIsOrderless },
  {
    name: 'repr',
    seeds: spread(lines<{ text: string }>('saferepr/saferepr.jsonl'), 200).map((line) => bytes(line.text)),
    run: (input: Uint8Array) => reprIsRead(text(input)),
  },
  {
    name: 'result',
    seeds: spread(
      lines<{ payload?: string; value?: string }>('celery-latest/redis-results.jsonl').flatMap(
        ({ payload, value }) => payload ?? value ?? [],
      ),
      40,
    )
      .concat(
        '{"status": "FAILURE", "result": {"exc_type": "E", "exc_message": ["x"]}, "date_done": "2026-11-21T08:00:00Z"}',
      )
      .map(bytes),
    run: (input: Uint8Array) => {
      const stored = outcome(() => decodeStoredResult(input));
      same(
        'decoded twice',
        outcome(() => decodeStoredResult(input)),
        stored,
      );
      if (!('value' in stored)) return;
      const { meta, doneAt } = stored.value;
      if (meta !== null) assert.equal(typeof JSON.parse(meta), 'object');
      assert.ok(doneAt === null || Number.isFinite(doneAt));
      checkPrototypes();
    },
  },
  {
    name: 'signed',
    seeds: signedPayloads.flatMap((payload) => {
      const envelope = outcome(() => decodeRedisEnvelope(payload));
      return 'value' in envelope ? [envelope.value.body] : [];
    }),
    run: (input: Uint8Array) => {
      const signed = outcome(() => readSignedBody(input));
      if ('value' in signed) outcome(() => verifySignedBody(signed.value, certificates));
      everything(decodeRedisEnvelope(redisPayload(input, { 'content-type': 'application/data' })));
    },
  },
];
