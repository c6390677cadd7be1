import { expect, test } from 'vitest';
import { recorded } from '../control/recorded.ts';
import { readStats } from '../control/stats.ts';
import { whyNotTask, type TaskAction } from './task-abilities.ts';

const task = (state: string) => {
  const started_at = ['STARTED', 'PROGRESS', 'SUCCESS', 'LOST'].includes(state) ? 1 : null;
  return { state, started_at, finished_at: ['SUCCESS', 'FAILURE', 'LOST'].includes(state) ? 2 : null, worker: 'w1' };
};
const can = (state: string): readonly TaskAction[] =>
  (['retry', 'revoke', 'terminate', 'abort'] as const).filter(
    (action) => whyNotTask(action, task(state), null) === null,
  );

test.each<[string, readonly TaskAction[]]>([
  ['PENDING', ['retry', 'revoke', 'abort']],
  ['RECEIVED', ['retry', 'revoke', 'abort']],
  ['STARTED', ['retry', 'terminate', 'abort']],
  ['PROGRESS', ['retry', 'terminate', 'abort']],
  ['RETRY', ['revoke', 'abort']],
  ['SUCCESS', ['retry']],
  ['FAILURE', ['retry']],
  ['REVOKED', ['retry']],
  ['REJECTED', ['retry']],
  ['LOST', ['retry', 'revoke', 'abort']],
])('a task that is %s can be %j', (state, actions) => {
  expect(can(state)).toEqual(actions);
});

test('a task in a thread cannot be ended, and one that no worker has told of neither', () => {
  const threads = readStats(recorded('celery-5.2', 'stats', 'w3@proto'));
  expect(whyNotTask('terminate', task('STARTED'), threads)).toMatch('thread');
  expect(whyNotTask('terminate', { ...task('STARTED'), worker: '' }, null)).toMatch('No worker');
});
