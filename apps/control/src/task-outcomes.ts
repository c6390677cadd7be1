import type { ControlPart, Ended, TaskOutcome } from '@meadow/contract';

/** Of an outcome that has none of these. */
export const NONE = { new_id: null, queues: null, code: '', detail: '' } as const;

export const refusedAs = (task_id: string, code: string, detail: string): TaskOutcome => ({
  ...{ ...NONE, task_id, outcome: 'refused', code, detail },
});

export const partOf = (outcome: TaskOutcome): Extract<ControlPart, { kind: 'task' }> => ({ kind: 'task', ...outcome });

/** As the audit keeps them. */
export const answersOf = (outcomes: readonly TaskOutcome[]) =>
  outcomes.map(({ task_id: task, outcome, new_id, code }) => ({ task, outcome, new_id, code }));

const WORDS: readonly (readonly [TaskOutcome['outcome'], string])[] = [
  ['sent', 'sent'],
  ['aborted', 'aborted'],
  ['ready', 'would be sent'],
  ['refused', 'refused'],
  ['unsure', 'not known to have arrived'],
];

/**
 * What came of all of them. A single one that was not done tells why.
 * @param isStopped somebody ended it before it was through
 */
export function conclude(outcomes: readonly TaskOutcome[], isStopped: boolean): Ended {
  const numberOf = (outcome: TaskOutcome['outcome']): number =>
    outcomes.filter((each) => each.outcome === outcome).length;
  const counts = WORDS.filter(([outcome]) => numberOf(outcome) > 0)
    .map(([outcome, words]) => `${numberOf(outcome)} ${words}`)
    .join(', ');
  const count = numberOf('sent') + numberOf('aborted') + numberOf('ready');
  if (isStopped) return { outcome: 'stopped', detail: counts === '' ? 'stopped' : `stopped: ${counts}`, count };
  const [only] = outcomes;
  const detail = outcomes.length === 1 && only?.code ? `${only.code}: ${only.detail}` : counts;
  if (count === outcomes.length) return { outcome: 'done', detail, count };
  if (count > 0) return { outcome: 'partly', detail, count };
  return { outcome: numberOf('unsure') > 0 ? 'unanswered' : 'refused', detail, count };
}
