import type { InspectionPart } from '@meadow/contract';
import { expect, test } from 'vitest';
import { BesideQueues } from './beside.ts';
import { queueLines } from './queue-list.ts';
import { queueRow, takesFrom } from './sample-queue.ts';

const PAUSE = { at: 1, actor: 'ana', workers: ['w'] };
const signal = new AbortController().signal;

test('a cluster that cannot be asked takes nothing from the others, and keeps what was known of it', async () => {
  let down = false;
  const answers: Readonly<Record<string, readonly InspectionPart[]>> = {
    a: [takesFrom('w1', 10, 'celery')],
    b: [takesFrom('w2', 10, 'celery')],
  };
  const beside = new BesideQueues({
    inspect: ({ cluster }) =>
      down && cluster === 'a' ? Promise.reject(new Error('silent')) : Promise.resolve(answers[cluster] ?? []),
    queuesNow: () => Promise.resolve([]),
  });
  await beside.askTakers(['a', 'b'], signal);
  down = true;
  await beside.askTakers(['a', 'b'], signal);
  for (const [cluster, worker] of [
    ['a', 'w1'],
    ['b', 'w2'],
  ] as const) {
    expect(beside.about({ cluster, queue: 'celery' }).takers?.of.get('celery')).toMatchObject([{ worker }]);
  }
});

test('brokers are asked for a pause only of queues from which nobody takes', async () => {
  const asked: unknown[] = [];
  const beside = new BesideQueues({
    inspect: () => Promise.resolve([]),
    queuesNow: ({ cluster, queues }) => {
      asked.push([cluster, queues]);
      return Promise.resolve(
        queues.map((name) => ({
          ...{ at: 5, degraded: null, paused: PAUSE },
          figures: {
            ...{ name, kind: 'list', source: 'redis', exists: true, delayed: false, ready: 1, byPriority: null },
            ...{ unacked: 0, consumers: 0, bytes: null, nextId: null, nextSentAt: null, rates: null, unknown: {} },
          },
        })),
      );
    },
  });
  const rows = [queueRow({ queue: 'left', consumers: 0 }), queueRow({ queue: 'taken', consumers: 2 })];
  await beside.askPaused(
    queueLines(rows, (row) => beside.about(row), 1_010),
    signal,
  );
  expect(asked).toEqual([['prod', ['left']]]);
  expect(queueLines(rows, (row) => beside.about(row), 1_010).map(({ state }) => state)).toEqual(['paused', 'empty']);
});
