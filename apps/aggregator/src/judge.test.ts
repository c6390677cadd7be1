import type { TaskHolder, WorkerFacts, WorkerProcess } from '@meadow/store';
import { describe, expect, test } from 'vitest';
import { idleReason, judge, judgeBusy, type Evidence } from './judge.ts';

const NOW = 100_000;
const GRACE = 60;

const holder = (more: Partial<TaskHolder> = {}): TaskHolder => ({
  ...{ cluster: 'c', worker: 'w@h', pid: 1, updated_at: NOW - 200, version: 1 },
  ...more,
});
const process = (more: Partial<WorkerProcess> = {}): WorkerProcess => ({
  ...{ cluster: 'c', worker: 'w@h', pid: 1, heard_at: NOW - 2, last_at: NOW - 2, said_goodbye: false, idle_since: 0 },
  ...more,
});
const facts = (more: Partial<WorkerFacts> = {}): WorkerFacts => ({
  ...{ cluster: 'c', worker: 'w@h', pid: 1, offline: false, updated_at: NOW - 2, started_at: NOW - 5_000, freq: 2 },
  ...more,
});
const evidence = (processes: readonly WorkerProcess[], more: Partial<Evidence> = {}): Evidence => ({
  ...{ asOf: NOW, from: NOW - 600, processes, facts: facts(), graceSeconds: GRACE },
  ...more,
});
const silent = (seconds: number, more: Partial<WorkerProcess> = {}): WorkerProcess =>
  process({ heard_at: NOW - seconds, last_at: NOW - seconds, ...more });

describe('nothing is concluded', () => {
  test.each<[string, TaskHolder, Evidence]>([
    ['of a worker that works', holder(), evidence([process()])],
    ['of a worker without heartbeats', holder(), evidence([], { facts: null })],
    ['within the silence that heartbeats allow, and the grace', holder(), evidence([silent(70)])],
    ['by the heartbeat of a slow worker', holder(), evidence([silent(100)], { facts: facts({ freq: 20 }) })],
    ['right after a goodbye: last events come late', holder(), evidence([silent(20, { said_goodbye: true })])],
    ['right after another process was heard', holder(), evidence([silent(20), process({ pid: 2 })])],
    ['of two workers that share a name by mistake', holder(), evidence([silent(4), process({ pid: 2 })])],
    ['while its task events go on without heartbeats', holder({ updated_at: NOW - 3 }), evidence([silent(300)])],
    ['while task events of a process without heartbeats go on', holder({ updated_at: NOW - 3 }), evidence([])],
    [
      'of a live worker whose clock is an hour behind',
      holder({ updated_at: NOW - 3_700 }),
      evidence([process({ last_at: NOW - 3_602 })]),
    ],
  ])('%s', (_, who, known) => expect(judge(who, known)).toBeNull());
});

describe('concluded is', () => {
  test('the loss of a silent worker, of started tasks first and of received ones after an hour', () => {
    expect(judge(holder(), evidence([silent(80)]))).toMatchObject({
      ...{ reason: 'worker-lost', at: NOW - 80, started: true },
    });
    const long = evidence([], { facts: facts({ updated_at: NOW - 4_000 }) });
    expect(judge(holder({ updated_at: NOW - 4_000 }), long)).toMatchObject({ reason: 'worker-lost', started: false });
  });

  test('the loss of one whose clock is an hour ahead', () => {
    const ahead = silent(80, { last_at: NOW - 80 + 3_600 });
    expect(judge(holder({ updated_at: NOW + 3_400 }), evidence([ahead]))?.reason).toBe('worker-lost');
  });

  test('a goodbye, also one of long ago', () => {
    const goodbye = evidence([silent(80, { said_goodbye: true })]);
    expect(judge(holder(), goodbye)).toMatchObject({ reason: 'worker-offline', started: false });
    const before = evidence([], { facts: facts({ offline: true, updated_at: NOW - 5_000 }) });
    expect(judge(holder({ updated_at: NOW - 5_000 }), before)?.reason).toBe('worker-offline');
  });

  test('a successor of the same name', () => {
    expect(judge(holder(), evidence([silent(65), process({ pid: 2 })]))?.reason).toBe('worker-restarted');
    const long = evidence([process({ pid: 2 })], { facts: facts({ pid: 2 }) });
    expect(judge(holder({ updated_at: NOW - 5_000 }), long)?.reason).toBe('worker-restarted');
  });

  test('idleness, of what was started before it', () => {
    expect(judge(holder(), evidence([process({ idle_since: NOW - 40 })]))).toEqual({
      ...{ reason: 'idle', at: NOW - 40, started: true, before: NOW - 40 },
    });
  });
});

describe('a worker that is never idle', () => {
  const beat = (age: number, active: number, ended: number) => ({ at: NOW - age, active, ended });

  test('runs no task but those that were heard to end, where several heartbeats counted no other', () => {
    const beats = [beat(50, 2, 1), beat(45, 2, 2), beat(40, 3, 2), beat(35, 1, 1), beat(30, 0, 0), beat(5, 4, 0)];
    expect(judgeBusy(beats)).toEqual({ reason: 'idle', at: NOW - 45, started: true, before: NOW - 45 });
  });

  test.each([
    ['few heartbeats', [beat(50, 1, 1), beat(30, 1, 1)]],
    ['heartbeats of one moment', [beat(50, 1, 1), beat(49, 1, 1), beat(48, 1, 1), beat(43, 1, 1)]],
    ['heartbeats that counted a task more', [beat(50, 2, 1), beat(40, 2, 1), beat(30, 2, 1), beat(20, 2, 1)]],
    ['counts that what was heard contradicts', [beat(50, 1, 1), beat(40, 1, 1), beat(30, 1, 1), beat(20, 1, 2)]],
    ['nothing', []],
  ])('is judged by no less: %s', (_, beats) => expect(judgeBusy(beats)).toBeNull());
});

test('an idle worker’s task is explained by a restart under the same pid, by a gap, or not at all', () => {
  expect(idleReason(10, { started_at: 20 }, [{ ended_at: 30 }])).toBe('worker-restarted');
  expect(idleReason(10, { started_at: 5 }, [{ ended_at: 30 }])).toBe('event-lost');
  expect(idleReason(10, { started_at: null }, [{ ended_at: 9 }])).toBe('no-end');
});
