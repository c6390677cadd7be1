import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { event, id, orders } from '../../test/life.ts';
import { recordedTasks } from '../../test/recorded.ts';
import type { TaskEvent } from '../event.ts';
import { MAX_ATTEMPTS } from './run.ts';
import { emptyTask, factsOf, fold, foldAll, MAX_FACTS } from './task.ts';
import type { Task } from './task.ts';

describe('order and repetition do not matter', () => {
  test.each(['celery-5.2/redis-events.jsonl', 'celery-5.2/amqp-events.jsonl', 'celery-latest/redis-events.jsonl'])(
    'for the recorded tasks of %s',
    (file) => {
      for (const [uuid, events] of recordedTasks(file)) {
        const straight = foldAll(uuid, events);
        fc.assert(
          fc.property(orders(events), (shuffled) => {
            expect(foldAll(uuid, shuffled)).toEqual(straight);
          }),
          { numRuns: 12 },
        );
        expect(foldAll(uuid, factsOf(straight)).state).toBe(straight.state);
      }
    },
  );

  const types = [
    'sent',
    'received',
    'started',
    'retried',
    'rejected',
    'cancelled',
    'revoked',
    'failed',
    'succeeded',
    'progress',
    'mark',
  ];
  const meadowTypes = [
    'meadow-lost',
    'meadow-result-SUCCESS',
    'meadow-result-FAILURE',
    'meadow-result-REVOKED',
    'meadow-result-PROGRESS',
  ] as const;
  const told = fc.record({
    type: fc.oneof(
      { weight: 11, arbitrary: fc.constantFrom(...types).map((type) => `task-${type}` as const) },
      { weight: 4, arbitrary: fc.constantFrom(...meadowTypes) },
    ),
    uuid: fc.constant(id),
    hostname: fc.constantFrom('w1@h', 'w2@h'),
    timestamp: fc.nat({ max: 5 }),
    retries: fc.constantFrom(0, 1, null),
    name: fc.constantFrom('a', 'b', null),
    parent_id: fc.constantFrom(id, 'P', null),
    exchange: fc.constantFrom('', null),
    signum: fc.constantFrom(9, '9', null),
    requeue: fc.boolean(),
    result: fc.constantFrom('1', '[...]'),
    n: fc.nat({ max: 2 }),
    extra: fc.constantFrom('{"n":1}', 'cut…', null),
    end_reason: fc.constantFrom('worker-lost', 'no-end'),
  });
  // absent is as good as null
  const absent = { pid: fc.constantFrom(1, 2, -1, null), clock: fc.constantFrom(1, 2, null) };
  const chaos = fc
    .tuple(told, fc.record(absent, { requiredKeys: [] }))
    .map(([event, others]) => ({ ...event, ...others }));

  test('for any events whatever', () => {
    fc.assert(
      fc.property(
        fc
          .array(chaos, { minLength: 1, maxLength: 14 })
          .chain((events) => fc.tuple(fc.constant(events), orders(events))),
        ([events, shuffled]) => {
          const task = foldAll(id, events);
          expect(foldAll(id, shuffled)).toEqual(task);
          expect(foldAll(id, factsOf(task))).toEqual(task);
          if (events.some(({ type }) => type === 'task-succeeded' || type === 'meadow-result-SUCCESS')) {
            expect(task.state).toBe('SUCCESS');
          }
          expect(task.parentId).not.toBe(id);
        },
      ),
      { numRuns: 1500 },
    );
  });
});

test('a plain life folded at once is what it is event by event, and so is what only looks like one', () => {
  const plain = fc.record({
    stages: fc.subarray(['sent', 'received', 'started', 'failed', 'succeeded'] as const),
    more: fc.array(
      fc.record({
        hostname: fc.oneof({ weight: 9, arbitrary: fc.constant('w1@h') }, fc.constant('w2@h')),
        pid: fc.constantFrom(1, 1, 1, 2, null),
        retries: fc.constantFrom(0, 0, null, 1),
        gap: fc.constantFrom(1, 1, 1, 0, -1),
        parent_id: fc.constantFrom(id, 'P', null),
        root_id: fc.constantFrom('R', null),
        args: fc.constantFrom('(1,)', '(1, ...)', null),
      }),
      { minLength: 6, maxLength: 6 },
    ),
    later: fc.constantFrom('progress', 'retried', 'succeeded', null),
  });
  fc.assert(
    fc.property(plain, ({ stages, more, later }) => {
      let at = 0;
      const types = later === null ? stages : [...stages, later];
      const events = types.map((type, index): TaskEvent => {
        const { gap = 1, ...facts } = more[index] ?? {};
        return { type: `task-${type}`, uuid: id, hostname: 'w1@h', timestamp: (at += gap), ...facts };
      });
      expect(foldAll(id, events)).toEqual(events.reduce<Task>(fold, emptyTask(id)));
      const early = foldAll(id, events.slice(0, 3));
      expect(events.slice(3).reduce<Task>(fold, early)).toEqual(foldAll(id, events));
    }),
    { numRuns: 3000 },
  );
});

describe('generated lives are read as they happened', () => {
  /** One attempt: what ends it, how many redeliveries come first, which worker, whether events are lost. */
  const attempt = fc.record({
    worker: fc.constantFrom('w1@h', 'w2@h', 'w3@h'),
    crashes: fc.nat({ max: 2 }),
    early: fc.boolean(),
    sent: fc.boolean(),
  });
  const lives = fc.record({
    attempts: fc.array(attempt, { minLength: 1, maxLength: 5 }),
    end: fc.constantFrom('succeeded', 'failed', 'revoked'),
  });

  function tell({
    attempts,
    end,
  }: {
    attempts: { worker: string; crashes: number; early: boolean; sent: boolean }[];
    end: string;
  }) {
    const events: TaskEvent[] = [];
    const truth: Partial<Task['attempts'][number]>[] = [];
    let at = 0;
    let pid = 1;
    attempts.forEach(({ worker, crashes, early, sent }, retries) => {
      const last = retries === attempts.length - 1;
      if (sent || retries === 0)
        events.push(event('sent', (at += 1), { retries, name: 't', parent_id: retries > 0 ? id : null }));
      for (let crash = 0; crash <= crashes; crash += 1) {
        pid += 1;
        const node = { hostname: worker, pid };
        // The retry is received a moment before the attempt that asked for it reports.
        const received = early && crash === 0 && retries > 0 ? at - 1.5 : (at += 1);
        events.push(event('received', received, { ...node, retries, name: 't' }), event('started', (at += 1), node));
        const done = crash === crashes;
        at += 3;
        if (done) events.push(event(last ? end : 'retried', at, node));
        truth.push({
          retries,
          worker,
          redelivered: crash > 0,
          state: !done ? 'STARTED' : last ? (`${end.toUpperCase()}` as 'FAILURE') : 'RETRY',
        });
      }
    });
    return { events, truth };
  }

  test('attempts, redeliveries and the outcome, in any order', () => {
    const names: Record<string, string> = { SUCCEEDED: 'SUCCESS', FAILED: 'FAILURE', REVOKED: 'REVOKED' };
    fc.assert(
      fc.property(
        lives.chain((one) => fc.tuple(fc.constant(tell(one)), orders(tell(one).events))),
        ([{ truth }, shuffled]) => {
          const task = foldAll(id, shuffled);
          const wanted = truth.map((one) => ({ ...one, state: names[one.state ?? ''] ?? one.state }));
          expect(task.attempts).toMatchObject(wanted);
          expect(task.state).toBe(wanted.at(-1)?.state);
          expect(task.worker).toBe(wanted.at(-1)?.worker);
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('bounds', () => {
  const long = Array.from({ length: 600 }, (_, n) => [
    event('received', 4 * n, { retries: n, name: 'app.t' }),
    event('started', 4 * n + 1),
    event('retried', 4 * n + 2, { exception: `E(${n})` }),
  ]).flat();

  test('facts and attempts stop growing, and what is shown stays right', () => {
    const task = foldAll(id, long);
    expect(task.history.facts.length).toBe(MAX_FACTS);
    expect(task.attempts.length).toBe(MAX_ATTEMPTS);
    expect(task.attempts.at(-1)).toMatchObject({ number: 600, retries: 599, state: 'RETRY' });
    expect(task).toMatchObject({ state: 'RETRY', retries: 599, firstEventAt: 0, name: 'app.t' });
    expect(long.reduce(fold, task)).toBe(task);
  });

  test('disorder within the bound is still harmless, and a success survives any number of later attempts', () => {
    const swapped = long.map((_, i) => long[i ^ 63] ?? long[i]).filter((fact) => fact !== undefined);
    expect(foldAll(id, [...swapped, ...long])).toEqual(foldAll(id, long));
    expect(foldAll(id, [event('succeeded', -1, { hostname: 'w9@h' }), ...long]).state).toBe('SUCCESS');
  });

  test('a flood of progress keeps two facts', () => {
    const flood = Array.from({ length: 5000 }, (_, n) => event('progress', n, { n }));
    const task = flood.reduce(fold, emptyTask(id));
    expect(factsOf(task).length).toBe(2);
    expect(task).toMatchObject({ firstEventAt: 0, lastEventAt: 4999, progress: { fields: { n: 4999 } } });
    expect(flood.toReversed().reduce(fold, emptyTask(id))).toEqual(task);
  });
});
