import { expect, test } from 'vitest';
import { codeOf, redisPayload } from '../test/wire.ts';
import { decodeRedisEnvelope } from './envelope.ts';
import { decodeTaskMessage, taskHeaders } from './task-message.ts';

function envelope(body: unknown, headers: object = { id: 'i', task: 't' }) {
  return decodeRedisEnvelope(redisPayload(JSON.stringify(body), { headers }));
}

test('reads the least protocol 2 there is', () => {
  expect(decodeTaskMessage(envelope([[2, 3], {}, {}]))).toMatchObject({
    protocol: 2,
    id: 'i',
    task: 't',
    args: [2, 3],
    kwargs: {},
    embed: {},
    retries: null,
    timelimit: { hard: null, soft: null },
  });
  expect(decodeTaskMessage(envelope([[], {}, null])).embed).toBeNull();
});

test('headers tell about a task whose body is not read', () => {
  const payload = redisPayload('\x80\x05.', {
    'content-type': 'application/x-python-serialize',
    headers: { id: 'i', task: 't', timelimit: [30, 10], argsrepr: '(1,)', retries: 2, eta: 5 },
  });
  const message = decodeRedisEnvelope(payload);
  expect(taskHeaders(message)).toMatchObject({
    timelimit: { hard: 30, soft: 10 },
    argsrepr: '(1,)',
    retries: 2,
    eta: null,
  });
  expect(codeOf(() => decodeTaskMessage(message))).toBe('CELERY_PICKLE_REFUSED');
});

test('reads protocol 1 from the body', () => {
  const body = {
    task: 't',
    id: 'i',
    args: [1],
    kwargs: { a: 1 },
    retries: 1,
    timelimit: [null, 5],
    taskset: 'g',
    chord: null,
  };
  const message = envelope(body, {});
  expect(taskHeaders(message)).toBeNull();
  expect(decodeTaskMessage(message)).toMatchObject({
    protocol: 1,
    args: [1],
    kwargs: { a: 1 },
    group: 'g',
    embed: null,
  });
});

test.each([
  ['a task without id', [[], {}, {}], { task: 't' }],
  ['a body that is a text', 'x', { id: 'i', task: 't' }],
  ['a body of one', [[]], { id: 'i', task: 't' }],
  ['an embed that is a list', [[], {}, []], { id: 'i', task: 't' }],
  ['no task at all', [[], {}, {}], {}],
  ['protocol 1 without id', { task: 't' }, {}],
])('refuses %s', (_what, body, headers) => {
  expect(codeOf(() => decodeTaskMessage(envelope(body, headers)))).toBe('CELERY_TASK_INVALID');
});
