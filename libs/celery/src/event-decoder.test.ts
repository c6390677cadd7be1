import { expect, test } from 'vitest';
import { redisPayload } from '../test/wire.ts';
import { decodeRedisEnvelope } from './envelope.ts';
import { extraOf, isTaskEvent, isWorkerEvent } from './event.ts';
import { decodeEvents } from './event-decoder.ts';
import { stringifyPythonJson } from './json.ts';
import type { JsonValue } from './json.ts';

function decode(body: string) {
  return decodeEvents(decodeRedisEnvelope(redisPayload(body)));
}

function decodeValue(value: JsonValue) {
  return decode(stringifyPythonJson(value));
}

const task = { type: 'task-received', uuid: 'u', hostname: 'w@h', timestamp: 1.5, clock: 3, pid: 4, utcoffset: 0 };
const worker = {
  type: 'worker-heartbeat',
  hostname: 'w@h',
  timestamp: 2,
  freq: 2,
  active: 1,
  loadavg: [0.1, 0.2, 0.3],
};

test('keeps wire names and unknown fields on the event', () => {
  const sent = { ...task, args: '(1,)', parent_id: null, tenant: 'acme' };
  const { events, failures } = decodeValue(sent);
  expect({ events, failures }).toEqual({ events: [sent], failures: [] });
  expect(events.map(extraOf)).toEqual([{ tenant: 'acme' }]);
});

test('reads single events, batches and empty batches', () => {
  expect(decodeValue(worker).events).toEqual([worker]);
  expect(decodeValue([task, worker]).events).toEqual([task, worker]);
  expect(decode('[]')).toEqual({ events: [], failures: [] });
});

test('tells tasks, workers and the rest apart', () => {
  const kinds = ['task-progress', 'worker-online', 'worker-elect', 'worker-elect-ack', 'audit-login', 'plain'].map(
    (type) => {
      const [event] = decodeValue({ ...task, type }).events;
      if (event === undefined) throw new Error('no event');
      return isTaskEvent(event) ? 'task' : isWorkerEvent(event) ? 'worker' : 'custom';
    },
  );
  expect(kinds).toEqual(['task', 'worker', 'custom', 'custom', 'custom', 'custom']);
});

test('one bad element does not lose the others', () => {
  const { events, failures } = decodeValue([task, 1, null, [task], { ...task, uuid: 7 }, worker]);
  expect(events).toEqual([task, worker]);
  expect(failures.map(({ code, facts }) => [code, facts['field'], facts['index']])).toEqual([
    ['CELERY_EVENT_INVALID', 'element', 1],
    ['CELERY_EVENT_INVALID', 'element', 2],
    ['CELERY_EVENT_INVALID', 'element', 3],
    ['CELERY_EVENT_INVALID', 'uuid', 4],
  ]);
});

test.each([
  ['type', [undefined, null, 5, '', 'x'.repeat(300)]],
  ['hostname', [undefined, null, [], '', 'h'.repeat(2000)]],
  ['timestamp', [undefined, null, '1', NaN, Infinity, -1, 1e300, 2n ** 60n]],
  ['uuid', [undefined, null, {}, '']],
] as const)('fails an event without a proper %s', (field, values) => {
  for (const value of values) {
    const raw: Record<string, JsonValue> = { ...task };
    if (value === undefined) Reflect.deleteProperty(raw, field);
    else raw[field] = value as JsonValue;
    const { events, failures } = decodeValue(raw);
    expect(events).toEqual([]);
    expect(failures.map((failure) => failure.facts['field'])).toEqual([field]);
  }
});

test('a worker event needs no uuid', () => {
  expect(decodeValue(worker).failures).toEqual([]);
});

test('moves an optional value of the wrong type aside instead of losing the event', () => {
  const odd = { clock: 2n ** 70n, pid: -1, retries: '2', eta: 5, queue: {}, runtime: NaN, terminated: 1, signum: 1.5 };
  const [event] = decodeValue({ ...task, ...odd, mine: 1 }).events;
  if (event === undefined) throw new Error('no event');
  for (const key of Object.keys(odd)) expect(event).toHaveProperty(key, null);
  expect({ ...extraOf(event) }).toEqual({ ...odd, mine: 1 });
  expect({ ...extraOf({ ...event }) }).toEqual({ ...odd, mine: 1 });
});

test('arguments and results that are not text become text', () => {
  const [event] = decodeValue({ ...task, args: [1, NaN], kwargs: {}, result: 2n ** 60n, exception: false }).events;
  expect(event).toMatchObject({ args: '[1,NaN]', kwargs: '{}', result: '1152921504606846976', exception: 'false' });
  expect(event && extraOf(event)).toBeNull();
});

test('a custom event keeps its own meaning of any name', () => {
  const login = { ...task, type: 'audit-login', name: { first: 'a' }, result: 7 };
  const [event] = decodeValue(login).events;
  expect(event).toEqual(login);
  expect(event && { ...extraOf(event) }).toEqual({ uuid: 'u', name: { first: 'a' }, result: 7 });
});

test('loadavg must be numbers', () => {
  const [event] = decodeValue({ ...worker, loadavg: [1, 'x'] }).events;
  expect(event).toMatchObject({ loadavg: null });
  expect(event && { ...extraOf(event) }).toEqual({ loadavg: [1, 'x'] });
});

test('prototype names are only names', () => {
  const [event] = decode(
    JSON.stringify(task).replace('{', '{"__proto__": {"polluted": 1}, "constructor": 2, "toString": 3,'),
  ).events;
  if (event === undefined) throw new Error('no event');
  expect(Object.entries(extraOf(event) ?? {})).toEqual([
    ['__proto__', { polluted: 1 }],
    ['constructor', 2],
    ['toString', 3],
  ]);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('a flood of bad elements is counted, not kept', () => {
  const { failures } = decode(`[${'1,'.repeat(100_000)}1]`);
  expect(failures).toHaveLength(1001);
  expect(failures.at(-1)?.facts).toEqual({ untold: 100_001 - 1000 });
});

test('an unreadable body is one failure', () => {
  const { failures } = decode('{"type":');
  expect(failures.map(({ code }) => code)).toEqual(['CELERY_JSON_INVALID']);
});
