import { expect, test } from 'vitest';
import { queueMenu, type QueueMenuFacts } from './queue-menu.ts';
import { shownQueue } from './queue-shown.ts';
import { queueRow, takesFrom } from './sample-queue.ts';
import { readTakers } from './takers.ts';

const shown = shownQueue({ cluster: 'prod', queue: 'celery' }, queueRow(), undefined);
const PAUSE = { at: 1, actor: '', workers: [] };

function barred(facts: Partial<QueueMenuFacts>): readonly string[] {
  const all = { shown, paused: null, takers: null, ...facts };
  return queueMenu(all, () => undefined)
    .flat()
    .flatMap(({ id, whyNot }) => (whyNot === null ? [] : [id]));
}

test('what cannot be done says why; what is only not known can be tried', () => {
  expect(barred({})).toEqual(['resume']);
  expect(barred({ paused: PAUSE })).toEqual([]);
  expect(barred({ takers: readTakers([], 60) })).toEqual(['pause', 'resume']);
  expect(barred({ takers: readTakers([], 1) })).toEqual(['resume']);
  expect(barred({ takers: readTakers([takesFrom('w', 1, 'celery')], 60) })).toEqual(['resume']);
});

test('an empty queue is neither purged nor moved, once the broker itself says so', () => {
  expect(barred({ shown: { ...shown, from: 'broker' } })).toEqual(['resume', 'move', 'purge']);
  expect(barred({ shown })).toEqual(['resume']);
});

test('nothing is done to a queue of Celery’s own, or to one that is gone', () => {
  const everything = ['pause', 'resume', 'move', 'purge'];
  expect(barred({ shown: { ...shown, delayed: true }, paused: PAUSE })).toEqual(everything);
  expect(barred({ shown: { ...shown, exists: false } })).toEqual(everything);
});
