import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lines, recordedEvents } from '../../test/recorded.ts';
import { foldWorker, livenessOf } from './worker.ts';
import type { Worker } from './worker.ts';
import type { CeleryEvent } from '../event.ts';

const hostname = 'w1@h';

function event(type: string, timestamp: number, more: Record<string, unknown> = {}): CeleryEvent {
  const counts = type.startsWith('worker-')
    ? { freq: 2, active: 1, processed: timestamp, loadavg: [0, 0, 0], sw_ver: '5.6.3' }
    : {};
  return { type, hostname, timestamp, pid: 1, clock: timestamp, ...counts, ...more };
}

const online = (at: number, pid = 1) => event('worker-online', at, { pid });
const beat = (at: number, pid = 1) => event('worker-heartbeat', at, { pid });
const offline = (at: number, pid = 1) => event('worker-offline', at, { pid });

function foldEvents(events: readonly CeleryEvent[]): Worker | null {
  return events.reduce<Worker | null>((worker, one) => foldWorker(worker, one), null);
}

function known(...events: readonly CeleryEvent[]): Worker {
  const worker = foldEvents(events);
  if (worker === null) throw new Error('no worker');
  return worker;
}

describe('a worker', () => {
  test('is what its newest event says', () => {
    expect(known(online(1), beat(3), beat(5))).toMatchObject({
      ...{
        hostname,
        state: 'online',
        pid: 1,
        incarnation: '1@1',
        startedAt: 1,
        lastHeartbeatAt: 5,
        lastSeenAt: 5,
        offlineAt: null,
      },
      ...{ freq: 2, active: 1, processed: 5, loadavg: [0, 0, 0], swVer: '5.6.3', clock: 5 },
    });
    expect(known(online(1), beat(3), offline(4))).toMatchObject({ state: 'offline', offlineAt: 4, lastHeartbeatAt: 3 });
  });

  test('that comes back is a new incarnation, with counts of its own', () => {
    expect(known(online(1), offline(4), online(9, 2))).toMatchObject({
      state: 'online',
      incarnation: '2@9',
      offlineAt: null,
    });
    expect(known(online(1), online(9)).incarnation).toBe('1@9');
    const bare = { active: null, processed: null, pid: 3 };
    expect(known(online(1), event('worker-heartbeat', 9, bare))).toMatchObject({
      incarnation: '3@?',
      startedAt: null,
      processed: null,
    });
  });

  test('a heartbeat on request keeps the counts and the true interval', () => {
    const requested = event('worker-heartbeat', 4, {
      freq: 5,
      active: undefined,
      processed: undefined,
      loadavg: undefined,
    });
    expect(known(online(1), beat(3), requested)).toMatchObject({
      freq: 2,
      active: 1,
      processed: 3,
      lastHeartbeatAt: 4,
    });
    expect(known(requested)).toMatchObject({ freq: 5, active: null });
  });

  test('gossip says nothing of it', () => {
    expect(foldEvents([event('worker-elect', 1), event('worker-elect-ack', 2)])).toBeNull();
  });

  test('repeats and older events give the same object', () => {
    const worker = known(online(1), beat(5));
    for (const old of [online(1), beat(5), beat(3), event('task-sent', 9)])
      expect(foldWorker(worker, old)).toBe(worker);
  });
});

describe('liveness', () => {
  test('silence is tolerated for three heartbeats, at least ten seconds', () => {
    const worker = known(online(100));
    expect([110, 110.1].map((now) => livenessOf(worker, now))).toEqual(['online', 'lost']);
    const slow = known(event('worker-heartbeat', 100, { freq: 20 }));
    expect([160, 160.1].map((now) => livenessOf(slow, now))).toEqual(['online', 'lost']);
    expect(livenessOf(known(online(1), offline(2)), 2)).toBe('offline');
  });

  test('task events are a sign of life of a known worker', () => {
    expect(livenessOf(known(online(100), event('task-started', 150)), 155)).toBe('online');
  });

  test('a wrong clock over there is told by arrival times', () => {
    const ahead = foldWorker(null, online(1000), 100);
    expect(ahead && [109, 111].map((now) => livenessOf(ahead, now))).toEqual(['online', 'lost']);
    const backlog = foldWorker(foldWorker(null, beat(100), 160), beat(165), 165.2);
    expect(backlog?.clockOffset).toBeCloseTo(0.2);
  });
});

describe('order and repetition do not matter', () => {
  const any = fc.record({
    type: fc.constantFrom('worker-online', 'worker-heartbeat', 'worker-offline', 'task-started', 'task-sent'),
    hostname: fc.constant(hostname),
    timestamp: fc.nat({ max: 5 }),
    pid: fc.constantFrom(1, 2, null),
    clock: fc.nat({ max: 2 }),
    freq: fc.constantFrom(2, 5),
    active: fc.constantFrom(0, 1, null),
  });

  test('for any events whatever, as long as the worker is known first', () => {
    fc.assert(
      fc.property(
        fc.array(any, { maxLength: 12 }).chain((events) => {
          const doubled = [...events, ...events];
          return fc.tuple(fc.constant(events), fc.shuffledSubarray(doubled, { minLength: doubled.length }));
        }),
        ([events, shuffled]) => {
          const first = foldWorker(null, online(0));
          const fold = (list: readonly CeleryEvent[]) => list.reduce((worker, one) => foldWorker(worker, one), first);
          expect(fold(shuffled)).toEqual(fold(events));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('recorded runs', () => {
  interface Line {
    worker?: { hostname: string; pid: number | null; active: number; processed: number; sw_ver: string };
  }

  test.each([
    ['celery-5.2/redis-events.jsonl', 'celery-5.2/golden-state-redis.jsonl'],
    ['celery-5.2/amqp-events.jsonl', 'celery-5.2/golden-state-amqp.jsonl'],
    ['celery-latest/redis-events.jsonl', 'celery-latest/golden-state-redis.jsonl'],
  ])('%s: the three workers as Celery has them, all of them gone, and no ghost', (eventsFile, stateFile) => {
    const workers = new Map<string, Worker>();
    for (const one of recordedEvents(eventsFile)) {
      const worker = foldWorker(workers.get(one.hostname) ?? null, one);
      if (worker !== null) workers.set(one.hostname, worker);
    }
    const golden = lines<Line>(stateFile).flatMap(({ worker }) =>
      (worker?.pid ?? null) === null || worker === undefined ? [] : [worker],
    );
    expect([...workers.keys()].sort()).toEqual(['w1@proto', 'w2@proto', 'w3@proto']);
    expect(golden.length).toBe(3);
    for (const { hostname, pid, active, processed, sw_ver } of golden) {
      expect(workers.get(hostname)).toMatchObject({ state: 'offline', pid, active, processed, swVer: sw_ver });
    }
  });
});
