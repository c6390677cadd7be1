import type { QueueNow } from '@meadow/api';
import type { QueueFigures } from '@meadow/contract';
import { expect, test } from 'vitest';
import { shownQueue, whyUnknown } from './queue-shown.ts';
import { queueRow } from './sample-queue.ts';

const NAME = { cluster: 'prod', queue: 'celery' };

function told(at: number, figures: Partial<QueueFigures> = {}): QueueNow {
  return {
    ...{ at, degraded: null, paused: null },
    figures: {
      ...{ name: 'celery', kind: 'list', source: 'redis', exists: true, delayed: false },
      ...{ ready: 5, byPriority: null, unacked: 1, consumers: null, bytes: 9, nextId: 'x', nextSentAt: at - 30 },
      ...{ rates: null, unknown: { consumers: 'redis does not tell who waits for a list' } },
      ...figures,
    },
  };
}

test('of the broker’s word and the last sample the newer one is shown, with its time', () => {
  const row = queueRow({ ready: 2, sampled_at: 100 });
  expect(shownQueue(NAME, row, told(105))).toMatchObject({
    ...{ from: 'broker', at: 105, nextId: 'x', row: { ready: 5, unacked: 1, oldest_age_seconds: 30 } },
  });
  // the broker fell silent, and another replica looked since
  expect(shownQueue(NAME, row, told(95))).toMatchObject({ from: 'sample', at: 100, nextId: null, row: { ready: 2 } });
  expect(shownQueue(NAME, row, undefined)).toMatchObject({ from: 'sample', at: 100 });
});

test('of a queue that nobody looked at nothing is known, and nothing reads as 0', () => {
  const shown = shownQueue(NAME, undefined, undefined);
  expect(shown).toMatchObject({ from: 'nobody', at: null, row: { queue: 'celery', ready: null, unacked: null } });
  expect(whyUnknown(shown, 'ready', undefined)).toContain('not looked at');
});

test('what is not known says why, in the words of who looked', () => {
  const live = told(105);
  const shown = shownQueue(NAME, queueRow({ sampled_at: 1 }), live);
  expect(whyUnknown(shown, 'consumers', live)).toBe('redis does not tell who waits for a list');
  expect(whyUnknown(shown, 'rates', live)).toBe('the broker does not tell it');
  expect(whyUnknown(shownQueue(NAME, queueRow(), undefined), 'rates', undefined)).toBe(
    'it was not told at the last look',
  );
});

test('priorities are in the order in which they are served, and a stored one does not say whether it is', () => {
  const byPriority = [
    { step: 9, ready: 1, served: true },
    { step: 0, ready: 2, served: true },
    { step: 4, ready: 3, served: false },
  ];
  const live = shownQueue(NAME, undefined, told(5, { byPriority }));
  expect(live.byPriority.map(({ step, served }) => [step, served])).toEqual([
    [0, true],
    [4, false],
    [9, true],
  ]);
  const stored = shownQueue(NAME, queueRow({ by_priority: { '9': 1, '0': 2 } }), undefined);
  expect(stored.byPriority).toEqual([
    { step: 0, ready: 2, served: null },
    { step: 9, ready: 1, served: null },
  ]);
});
