import { describe, expect, test } from 'vitest';
import { event, id, life } from '../../test/life.ts';
import type { MeadowEvent, TaskFact } from './fact.ts';
import { foldAll } from './task.ts';

const running = life.slice(0, 3);

function result(state: string, timestamp: number, more: Partial<MeadowEvent> = {}): MeadowEvent {
  return { type: `meadow-result-${state}`, uuid: id, hostname: '', timestamp, ...more };
}

function lost(timestamp: number, more: Partial<MeadowEvent> = {}): MeadowEvent {
  return { type: 'meadow-lost', uuid: id, hostname: 'w1@h', pid: 1, timestamp, end_reason: 'worker-lost', ...more };
}

const fold = (...facts: TaskFact[]) => foldAll(id, facts);

describe('a task whose end was not heard', () => {
  test('is closed by the result backend, with the whole result', () => {
    const long = `'${'x'.repeat(3000)}'`;
    const task = fold(...running, result('SUCCESS', 4, { result: long }));
    expect(task).toMatchObject({ state: 'SUCCESS', endSource: 'result-backend', finishedAt: 4, result: long, cut: [] });
    expect(task.attempts).toMatchObject([{ number: 1, state: 'SUCCESS', endedAt: 4 }]);
  });

  test('takes exception and traceback from the backend', () => {
    const told = { exception: "ValueError('boom')", traceback: 'Traceback…' };
    const task = fold(...running, result('FAILURE', 4, told));
    expect(task).toMatchObject({ state: 'FAILURE', endSource: 'result-backend', exceptionType: 'ValueError', ...told });
    expect(task.attempts[0]?.exception).toBe("ValueError('boom')");
  });

  test('is lost when its worker is, as of the moment the worker was heard last', () => {
    const task = fold(...running, lost(10));
    expect(task).toMatchObject({ state: 'LOST', endSource: 'derived', endReason: 'worker-lost', finishedAt: 10 });
    expect(task.attempts).toMatchObject([{ state: 'LOST', endedAt: 10 }]);
  });

  test('is lost when its worker cancelled it and is gone, until it is delivered again', () => {
    const cancelled = event('cancelled', 4);
    expect(fold(...running, cancelled)).toMatchObject({ state: 'RETRY' });
    expect(fold(...running, lost(4), cancelled, lost(4.5))).toMatchObject({ state: 'LOST', finishedAt: 4.5 });
    // what was concluded before it was heard is overtaken
    expect(fold(...running, lost(3.5), cancelled)).toMatchObject({ state: 'RETRY' });
    const again = event('received', 6, { hostname: 'w2@h', pid: 2 });
    expect(fold(...running, cancelled, lost(5), again)).toMatchObject({ state: 'RECEIVED', worker: 'w2@h' });
    const retried = event('retried', 4, { exception: 'E()' });
    expect(fold(...running, retried, lost(5))).toMatchObject({ state: 'RETRY' });
  });

  test('is known by the backend alone when no event of it was heard', () => {
    const task = fold(result('FAILURE', 4, { name: 'app.t', hostname: 'w9@h', exception: 'E()', args: '(1,)' }));
    expect(task).toMatchObject({ state: 'FAILURE', name: 'app.t', worker: 'w9@h', args: '(1,)', attempts: [] });
  });
});

describe('what Celery says comes first', () => {
  test('an end by event stays the event’s, and the backend only makes a cut result whole', () => {
    const ended = event('succeeded', 4, { result: "['aaa', ...]", runtime: 0.5 });
    expect(fold(...running, ended, result('SUCCESS', 3.9, { result: "['aaa', 'bbb']" }))).toMatchObject({
      ...{ state: 'SUCCESS', endSource: 'event', finishedAt: 4, runtime: 0.5, result: "['aaa', 'bbb']", cut: [] },
    });
    expect(fold(...life, result('SUCCESS', 3.9, { result: "'other'" })).result).toBe("'ok'");
  });

  test.each([
    ['a success', [event('succeeded', 4, { result: '1' })], 'SUCCESS'],
    ['a failure', [event('failed', 4, { exception: 'E()' })], 'FAILURE'],
    ['a success in the backend', [result('SUCCESS', 4)], 'SUCCESS'],
    ['a retry', [event('retried', 4, { exception: 'E()' })], 'RETRY'],
    ['a newer sign of life', [event('progress', 11, { n: 1 })], 'PROGRESS'],
    ['a newer progress in the backend', [result('PROGRESS', 11, { extra: '{"n":1}' })], 'PROGRESS'],
  ])('%s undoes a loss, before or after it was concluded', (_, later, state) => {
    for (const task of [fold(...running, lost(10), ...later), fold(...later, lost(10), ...running)]) {
      expect(task).toMatchObject({ state, endReason: null });
    }
  });

  test('a revocation that came too late does not end a run that began after it', () => {
    expect(fold(...life.slice(0, 2), result('REVOKED', 2.5)).state).toBe('REVOKED');
    expect(fold(...running, result('REVOKED', 2.5)).state).toBe('STARTED');
  });
});

describe('redelivery after a loss', () => {
  const again = [
    event('received', 20, { hostname: 'w2@h', pid: 2, name: 'app.t', retries: 0 }),
    event('started', 21, { hostname: 'w2@h', pid: 2 }),
  ];

  test('is another attempt of one task, and the first stays lost', () => {
    const task = fold(...running, lost(10), ...again);
    expect(task).toMatchObject({ state: 'STARTED', worker: 'w2@h', endSource: null, finishedAt: null });
    expect(task.attempts).toMatchObject([
      { number: 1, worker: 'w1@h', state: 'LOST', redelivered: false },
      { number: 2, worker: 'w2@h', state: 'STARTED', redelivered: true },
    ]);
  });

  test('is what counts though its clock is an hour behind', () => {
    const behind = again.map((one) => ({ ...one, timestamp: one.timestamp - 18.5 }));
    expect(fold(...behind, ...running, lost(10))).toMatchObject({ state: 'STARTED', worker: 'w2@h' });
  });

  test('to a process of the same name and number, as in containers, is not lost before', () => {
    const task = fold(...running, lost(10), event('received', 20, { name: 'app.t', retries: 0 }), event('started', 21));
    expect(task).toMatchObject({ state: 'STARTED', startedAt: 21 });
    expect(task.attempts).toMatchObject([{ state: 'LOST' }, { state: 'STARTED', redelivered: true }]);
  });

  test('by a new process of the same name is not the lost one', () => {
    const restarted = again.map((one) => ({ ...one, hostname: 'w1@h', pid: 7 }));
    expect(fold(...running, lost(30), ...restarted).state).toBe('STARTED');
    expect(fold(...running, lost(30), lost(40, { pid: 7 }), ...restarted).state).toBe('LOST');
  });
});

test('progress in the backend shows as it does in an event, its meta as fields', () => {
  const task = fold(...running, result('PROGRESS', 3.5, { extra: '{"current":5,"total":10}' }));
  expect(task).toMatchObject({ state: 'PROGRESS', progress: { state: 'PROGRESS', fields: { current: 5, total: 10 } } });
  expect(fold(...running, result('PROGRESS', 3.5, { extra: '{"a": …' })).progress?.fields).toEqual({ meta: '{"a": …' });
});
