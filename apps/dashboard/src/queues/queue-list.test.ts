import type { QueueRow } from '@meadow/contract';
import { describe, expect, test } from 'vitest';
import { queueLines, sortQueues, totalsOf, type AboutQueue, type QueueLine } from './queue-list.ts';
import { queueRow, takesFrom } from './sample-queue.ts';
import { readTakers } from './takers.ts';

const NOW = 1_010;
const NOBODY = readTakers([], 60);
const PAUSE = { at: 900, actor: 'ana', workers: ['w1'] };

function line(row: Partial<QueueRow>, about: Partial<AboutQueue> = {}, now = NOW): QueueLine {
  const [only] = queueLines([queueRow(row)], () => ({ takers: NOBODY, paused: null, ...about }), now);
  if (only === undefined) throw new Error('no line');
  return only;
}

describe('the state of a queue', () => {
  test('messages that nobody takes are told only when that is certain', () => {
    expect(line({ ready: 3 }).state).toBe('unattended');
    expect(line({ ready: 3 }, { takers: null }).state).toBe('waiting');
    // workers have had no time to answer yet
    expect(line({ ready: 3 }, { takers: readTakers([], 1) })).toMatchObject({ state: 'waiting', consumers: null });
    expect(line({ ready: 0 }).state).toBe('empty');
  });

  test('a broker that counts consumers is believed over workers', () => {
    const takers = readTakers([takesFrom('w1', NOW, 'celery')], 60);
    expect(line({ ready: 3, consumers: 0 }, { takers })).toMatchObject({ state: 'unattended', consumers: 0 });
    expect(line({ ready: 3, consumers: 2 })).toMatchObject({ state: 'waiting', consumers: 2 });
    expect(line({ ready: 3 }, { takers })).toMatchObject({ state: 'waiting', consumers: 1 });
  });

  test('workers that fell silent are neither consumers nor none', () => {
    const takers = readTakers([takesFrom('w1', NOW - 120, 'celery')], 60);
    expect(line({ ready: 3 }, { takers })).toMatchObject({ state: 'silent', consumers: null });
  });

  test('a paused queue from which a new worker takes is not shown as paused', () => {
    const takers = readTakers([takesFrom('w2', NOW, 'celery')], 60);
    expect(line({ ready: 3 }, { paused: PAUSE }).state).toBe('paused');
    expect(line({ ready: 3 }, { paused: PAUSE, takers }).state).toBe('waiting');
  });

  test('old figures, unknown ones and none are told apart', () => {
    expect(line({ ready: 0 }, {}, 1_100).state).toBe('stale');
    expect(line({ ready: null }).state).toBe('unknown');
    expect(line({ ready: null, sampled_at: null, kind: '', source: '' }).state).toBe('unsampled');
  });

  test('a queue is gone when its broker is looked at and it is not seen, not when nobody looks', () => {
    const rows = [queueRow({ queue: 'old', ready: 7, sampled_at: 100 }), queueRow({ queue: 'new', sampled_at: 1_000 })];
    const states = (list: readonly QueueRow[]) =>
      queueLines(list, () => ({ takers: NOBODY, paused: null }), NOW).map(({ state, idle }) => [state, idle]);
    expect(states(rows)).toEqual([
      ['gone', true],
      ['empty', false],
    ]);
    expect(states(rows.slice(0, 1))).toEqual([['stale', false]]);
  });
});

test('only what is empty, unused and long silent is folded away', () => {
  const later = 1_000 + 7_200;
  expect(line({}, {}, later).idle).toBe(true);
  expect(line({ ready: 1 }, {}, later).idle).toBe(false);
  expect(line({ unacked: 1 }, {}, later).idle).toBe(false);
  expect(line({}, { paused: PAUSE }, later).idle).toBe(false);
  expect(line({}, { takers: readTakers([takesFrom('w', later, 'celery')], 60) }, later).idle).toBe(false);
  expect(line({}, {}, 1_100).idle).toBe(false);
});

test('totals count what is known, and are unknown where nothing is', () => {
  const lines = [
    line({ queue: 'a', ready: 3, unacked: 1 }),
    line({ queue: 'b', ready: 4, unacked: null, consumers: 1 }),
    line({ queue: 'c', ready: null, unacked: null }),
  ];
  expect(totalsOf(lines)).toMatchObject({ queues: 3, ready: 7, unacked: 1, unattended: 1, lookedAt: 1_000 });
  expect(totalsOf(lines.slice(2))).toMatchObject({ ready: null, unacked: null });
  expect(totalsOf([])).toMatchObject({ queues: 0, ready: null, lookedAt: null });
});

test('trouble comes first, then the longest; what is not known comes last', () => {
  const lines = [
    line({ queue: 'empty' }),
    line({ queue: 'unknown', ready: null }),
    line({ queue: 'never', ready: null, sampled_at: null }),
    line({ queue: 'short', ready: 2, consumers: 1 }),
    line({ queue: 'long', ready: 9, consumers: 1 }),
    line({ queue: 'alone', ready: 1, consumers: 0 }),
  ];
  const names = (sorted: readonly QueueLine[]) => sorted.map(({ row }) => row.queue);
  expect(names(sortQueues(lines, 'trouble'))).toEqual(['alone', 'long', 'short', 'unknown', 'empty', 'never']);
  expect(names(sortQueues(lines, 'waiting'))).toEqual(['long', 'short', 'alone', 'empty', 'never', 'unknown']);
  expect(names(sortQueues(lines, 'name'))[0]).toBe('alone');
});
