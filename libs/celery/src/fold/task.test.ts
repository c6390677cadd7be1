import { describe, expect, test } from 'vitest';
import { event, id, life, retried } from '../../test/life.ts';
import { fold, foldAll } from './task.ts';

describe('a task in order', () => {
  test('every field has its source', () => {
    expect(foldAll(id, life)).toMatchObject({
      ...{
        id,
        name: 'app.t',
        state: 'SUCCESS',
        stateAt: 4,
        worker: 'w1@h',
        pid: 1,
        client: 'gen9@h',
        rootId: 'R',
        parentId: 'P',
      },
      ...{
        args: '(1,)',
        kwargs: '{}',
        result: "'ok'",
        exception: null,
        exceptionType: null,
        traceback: null,
        retries: 0,
      },
      ...{
        queue: 'q',
        exchange: 'x',
        routingKey: 'r',
        sentAt: 1,
        receivedAt: 2,
        startedAt: 3,
        finishedAt: 4,
        runtime: 0.5,
      },
      ...{ waitSeconds: 2, clockSkew: false, firstEventAt: 1, lastEventAt: 4, progress: null, cut: [] },
      attempts: [
        {
          number: 1,
          retries: 0,
          worker: 'w1@h',
          pid: 1,
          sentAt: 1,
          receivedAt: 2,
          startedAt: 3,
          endedAt: 4,
          state: 'SUCCESS',
          redelivered: false,
        },
      ],
    });
  });

  test('states follow the events', () => {
    const states = life.map((_, i) => foldAll(id, life.slice(0, i + 1)).state);
    expect(states).toEqual(['PENDING', 'RECEIVED', 'STARTED', 'SUCCESS']);
    expect(retried.map((_, i) => foldAll(id, retried.slice(0, i + 1)).state)).toEqual([
      ...['PENDING', 'RECEIVED', 'STARTED', 'STARTED', 'RECEIVED', 'RECEIVED', 'STARTED', 'SUCCESS'],
    ]);
  });

  test('events are not touched, tasks not changed, repeats give the same object', () => {
    const before = foldAll(id, life.slice(0, 2));
    const copy = structuredClone(before);
    const after = fold(before, Object.freeze(event('started', 3)));
    expect(before).toEqual(copy);
    for (const fact of [...life.slice(0, 3)]) expect(fold(after, { ...fact })).toBe(after);
    expect(fold(after, event('', 9))).toBe(after);
  });
});

describe('attempts', () => {
  test('a retry received before the previous attempt reported it is the next attempt', () => {
    const task = foldAll(id, retried);
    expect(task.attempts).toMatchObject([
      {
        number: 1,
        retries: 0,
        sentAt: 1,
        receivedAt: 2,
        startedAt: 3,
        endedAt: 4,
        state: 'RETRY',
        exception: "pkg.Gone('x')",
      },
      {
        number: 2,
        retries: 1,
        sentAt: 3.9,
        receivedAt: 3.95,
        startedAt: 6,
        endedAt: 7,
        state: 'SUCCESS',
        redelivered: false,
      },
    ]);
    expect(task).toMatchObject({ retriedAt: 4, retries: 1, sentAt: 1, startedAt: 6, parentId: null, client: 'gen9@h' });
    expect(task.waitSeconds).toBeCloseTo(0.5);
  });

  test('a retry nobody received yet is RETRY, with the time it is due and the exception', () => {
    const task = foldAll(
      id,
      retried.filter((fact) => fact.timestamp <= 4 && fact.timestamp !== 3.95),
    );
    expect(task).toMatchObject({
      state: 'RETRY',
      eta: '1970-01-01T00:00:05.5',
      exceptionType: 'Gone',
      finishedAt: null,
      retries: 1,
    });
  });

  test('the same message delivered to another worker is a redelivery, and the newest one shows', () => {
    const again = [event('received', 10, { name: 'app.t', retries: 0, hostname: 'w2@h', pid: 7 })];
    const task = foldAll(id, [...life.slice(0, 3), ...again]);
    expect(task).toMatchObject({ state: 'RECEIVED', worker: 'w2@h', pid: 7, receivedAt: 10, startedAt: null });
    expect(task.attempts).toMatchObject([
      { state: 'STARTED', redelivered: false },
      { state: 'RECEIVED', redelivered: true, number: 2 },
    ]);
  });

  test('a worker restarted under its old name is another process', () => {
    const events = [
      ...life.slice(0, 3),
      event('received', 10, { retries: 0, name: 'app.t', pid: 2 }),
      event('started', 11, { pid: 2 }),
    ];
    expect(foldAll(id, [...events, event('succeeded', 12, { pid: 2 })]).attempts).toMatchObject([
      { pid: 1, state: 'STARTED', endedAt: null },
      { pid: 2, state: 'SUCCESS', startedAt: 11, redelivered: true },
    ]);
  });

  test('a replaced task is published anew, not delivered again, and takes the new name', () => {
    const replaced = [
      event('sent', 3.5, { name: 'app.u', retries: 0, parent_id: id }),
      event('received', 5, { name: 'app.u', retries: 0 }),
    ];
    const task = foldAll(id, [...life.slice(0, 3), ...replaced]);
    expect(task.attempts.map((attempt) => attempt.redelivered)).toEqual([false, false]);
    expect(task).toMatchObject({ name: 'app.u', state: 'RECEIVED', parentId: 'P' });
    const unsent = foldAll(id, [...life.slice(1, 3), event('received', 5, { name: 'app.u', retries: 0 })]);
    expect(unsent.attempts[1]?.redelivered).toBe(false);
  });

  test('lost events: an attempt is known by whatever is left of it', () => {
    const only = (type: string) => foldAll(id, [event(type, 5)]);
    expect(only('started')).toMatchObject({
      state: 'STARTED',
      worker: 'w1@h',
      receivedAt: null,
      startedAt: 5,
      waitSeconds: null,
    });
    expect(only('failed').attempts).toMatchObject([{ state: 'FAILURE', receivedAt: null, endedAt: 5 }]);
    const lost = foldAll(id, [...retried.slice(0, 3), event('retried', 4), event('succeeded', 9)]);
    expect(lost.attempts).toMatchObject([
      { state: 'RETRY', retries: 0 },
      { state: 'SUCCESS', retries: 1, startedAt: null },
    ]);
    const unreported = foldAll(
      id,
      retried.filter((fact) => fact.type !== 'task-retried'),
    );
    expect(unreported.attempts).toMatchObject([{ state: 'STARTED' }, { state: 'SUCCESS' }]);
  });

  test('a rejection for requeue is followed by the next delivery; without requeue it is the end', () => {
    const requeued = [...life.slice(0, 3), event('rejected', 4, { requeue: true })];
    expect(foldAll(id, requeued)).toMatchObject({ state: 'REJECTED', finishedAt: null, rejectedAt: 4 });
    const again = [...requeued, event('received', 5, { name: 'app.t', retries: 0 })];
    expect(foldAll(id, again)).toMatchObject({
      state: 'RECEIVED',
      attempts: [{ state: 'REJECTED' }, { redelivered: true }],
    });
    expect(foldAll(id, [...life.slice(0, 3), event('rejected', 4, { requeue: false })])).toMatchObject({
      state: 'REJECTED',
      finishedAt: 4,
    });
  });

  test('revoked before anyone received it', () => {
    const task = foldAll(id, [
      ...life.slice(0, 1),
      event('revoked', 8, { terminated: false, signum: null, expired: true }),
    ]);
    expect(task).toMatchObject({
      state: 'REVOKED',
      worker: 'w1@h',
      expired: true,
      terminated: false,
      signum: null,
      finishedAt: 8,
    });
    expect(foldAll(id, [...life.slice(0, 3), event('revoked', 8, { terminated: true, signum: 15 })])).toMatchObject({
      terminated: true,
      signum: 15,
    });
  });
});

describe('derived fields', () => {
  test.each([
    ['sent to started', [event('sent', 1), event('received', 2), event('started', 5)], 4, false],
    ['sent to received while not started', [event('sent', 1), event('received', 2)], 1, false],
    ['received to started when nobody said sent', [event('received', 2), event('started', 5)], 3, false],
    [
      'from the ETA when that is later',
      [event('received', 2, { eta: '1970-01-01T00:00:04' }), event('started', 5)],
      1,
      false,
    ],
    [
      'nothing while waiting for the ETA',
      [
        event('sent', 1, { eta: '1970-01-01T00:01:00+00:00' }),
        event('received', 2, { eta: '1970-01-01T00:01:00+00:00' }),
      ],
      null,
      false,
    ],
    ['nothing when only received', [event('received', 2)], null, false],
    [
      'none at all when a worker was quicker than the publisher told',
      [event('sent', 2.1), event('received', 2), event('started', 2.05)],
      0,
      false,
    ],
    [
      'nothing, and a flag, when the clocks disagree',
      [event('sent', 9), event('received', 2), event('started', 5)],
      null,
      true,
    ],
  ] as const)('wait: %s', (_name, events, waitSeconds, clockSkew) => {
    expect(foldAll(id, events)).toMatchObject({ waitSeconds, clockSkew });
  });

  test.each([
    ["ValueError('x')", null, 'ValueError'],
    ['pkg.mod.Quota(429, {})', null, 'Quota'],
    ["<Fault 1: 'x'>", null, 'Fault'],
    [
      'ExceptionWithTraceback()',
      'Traceback (most recent call last):\n  File "x"\nbilliard.exceptions.TimeLimitExceeded: TimeLimitExceeded(1,)\n',
      'TimeLimitExceeded',
    ],
    [
      null,
      'Traceback (most recent call last):\n  File "x", line 1\nKeyError: 1\nsecond line of the message\n',
      'KeyError',
    ],
    ['?!', null, null],
  ])('exception %s', (exception, traceback, exceptionType) => {
    expect(foldAll(id, [event('failed', 1, { exception, traceback })]).exceptionType).toBe(exceptionType);
  });

  test('fields that Celery cut are named', () => {
    const task = foldAll(id, [
      event('received', 2, { args: '([1, 22..., ...],)', kwargs: '{}' }),
      event('succeeded', 3, { result: '[...]' }),
    ]);
    expect(task.cut).toEqual(['args', 'result']);
  });

  test('progress shows the newest custom event, and is the state while the run lasts', () => {
    const report = (at: number, current: number) => event('progress', at, { pid: 77, clock: 1, current });
    const running = foldAll(id, [...life.slice(0, 3), report(3.6, 2), report(3.5, 1)]);
    expect(running).toMatchObject({
      state: 'PROGRESS',
      stateAt: 3.6,
      worker: 'w1@h',
      pid: 1,
      progress: { state: 'PROGRESS', at: 3.6, fields: { current: 2 } },
    });
    expect(fold(running, event('succeeded', 4))).toMatchObject({
      state: 'SUCCESS',
      progress: { fields: { current: 2 } },
    });
    expect(foldAll(id, [event('foo-bar', 1)])).toMatchObject({ state: 'FOO-BAR', attempts: [], worker: null });
    const next = [...retried.slice(0, 5), report(3.5, 9)];
    expect(foldAll(id, next)).toMatchObject({ state: 'RECEIVED', retries: 1 });
  });
});
