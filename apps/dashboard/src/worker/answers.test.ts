import { describe, expect, test } from 'vitest';
import { recorded } from '../control/recorded.ts';
import { readConf, readQueues, readRegistered, readRevoked, readTasks } from './answers.ts';

describe.each(['celery-5.2', 'celery-latest'] as const)('%s', (version) => {
  test('queues, with what is unlike the usual', () => {
    const queues = readQueues(recorded(version, 'active_queues', 'w1@proto'));
    expect(queues[0]).toEqual({
      ...{ name: 'celery', exchange: 'celery', exchangeType: 'direct', routingKey: 'celery', traits: [] },
    });
    expect(queues.find(({ name }) => name === 'prio')?.traits).toEqual(['x-max-priority: 10']);
  });

  test('tasks that run, with their arguments as one would call them', () => {
    const [task] = readTasks(recorded(version, 'active', 'w2@proto'));
    expect(task).toMatchObject({ name: 'prototasks.slow', call: '14', queue: 'slow', eta: null, redelivered: false });
    expect(task?.startedAt).toBeGreaterThan(1_700_000_000);
    expect(task?.pid).toBeGreaterThan(0);
  });

  test('tasks that wait in it have not begun; those with a time say which', () => {
    expect(readTasks(recorded(version, 'reserved', 'w2@proto'))[0]).toMatchObject({ startedAt: null, pid: null });
    const [task] = readTasks(recorded(version, 'scheduled', 'w3@proto'));
    expect(task).toMatchObject({ name: 'prototasks.threaded', call: '"x"' });
    expect(task?.eta).toBeGreaterThan(1_700_000_000);
  });

  test('registered tasks and their rate limits', () => {
    const tasks = readRegistered(recorded(version, 'registered', 'w1@proto'));
    expect(tasks.find(({ name }) => name === 'prototasks.limited')).toMatchObject({ rateLimit: '60/m' });
    expect(tasks.find(({ name }) => name === 'custom.name.with-dashes')).toMatchObject({ rateLimit: null });
    expect(tasks[0]).toMatchObject({ softLimit: null, hardLimit: null });
  });

  test('settings in order, with their passwords hidden', () => {
    const settings = readConf(recorded(version, 'conf', 'w1@proto'));
    expect(settings.map(({ name }) => name)).toEqual(settings.map(({ name }) => name).sort());
    expect(settings.find(({ name }) => name === 'worker_pool_restarts')).toMatchObject({ text: 'true', long: null });
    expect(settings.find(({ name }) => name === 'task_queues')?.long).toContain('\n');
  });

  test('ids of revoked tasks', () => {
    expect(readRevoked(recorded(version, 'revoked', 'w1@proto'))[0]).toMatch(/^[\da-f-]{36}$/);
  });
});

test('time limits are read; 0 is none', () => {
  const told = ['a [rate_limit=0 soft_time_limit=1.5 time_limit=20]', 'b', 'c d [rate_limit=0/m time_limit=0]'];
  expect(readRegistered(told)).toEqual([
    { name: 'a', rateLimit: null, softLimit: 1.5, hardLimit: 20 },
    { name: 'b', rateLimit: null, softLimit: null, hardLimit: null },
    { name: 'c d', rateLimit: null, softLimit: null, hardLimit: null },
  ]);
});

test.each([
  [[1, 'x'], { retry: true }, '1, "x", retry=true'],
  [[{ a: [1, null] }], {}, '{"a": [1, null]}'],
  [[], {}, ''],
  ["(14, 'x')", '{}', "14, 'x'"],
  ['(14,)', "{'a': 1}", "14, {'a': 1}"],
  ['()', '{}', ''],
  [null, undefined, ''],
])('arguments %j and %j read %s', (args, kwargs, call) => {
  expect(readTasks([{ id: 'a', args, kwargs }])[0]?.call).toBe(call);
});

test('long arguments are cut', () => {
  expect(readTasks([{ id: 'a', args: ['x'.repeat(1000)], kwargs: {} }])[0]?.call).toHaveLength(200);
});

test('a setting that is hidden is told from one that looks like nothing', () => {
  expect(readConf({ security_key: '********', url: 'redis://:********@h', none: null })).toMatchObject([
    { name: 'none', text: 'null', masked: false },
    { name: 'security_key', masked: true },
    { name: 'url', text: '"redis://:********@h"', masked: false },
  ]);
});

test.each([null, undefined, 7, 'text', {}, [null, 7, {}]])('what is no answer holds nothing: %j', (value) => {
  expect([readTasks(value), readRevoked(value), readRegistered(value)].flat().filter(Boolean)).toEqual([]);
});
