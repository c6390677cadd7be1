import type { WorkflowMember, WorkflowState } from '@meadow/api';
import { taskLook, type Look } from '../design/states.ts';

const LOOKS: Readonly<Record<WorkflowState, Look>> = {
  running: { tone: 'run', icon: 'play', label: 'Running' },
  succeeded: { tone: 'ok', icon: 'check', label: 'Succeeded' },
  failed: { tone: 'bad', icon: 'cross', label: 'Failed' },
  lost: { tone: 'bad', icon: 'help', label: 'Lost' },
  stopped: { tone: 'off', icon: 'slash', label: 'Stopped' },
  unknown: { tone: 'idle', icon: 'dashed', label: 'Unknown' },
};

export function workflowLook(state: WorkflowState): Look {
  return LOOKS[state];
}

/** A member's state; one that was only named has none. */
export function memberLook({ seen, state }: Pick<WorkflowMember, 'seen' | 'state'>): Look {
  return seen ? taskLook(state) : { tone: 'idle', icon: 'dashed', label: 'Not heard of' };
}

/** What a task is called where its name is not known. */
export function memberName({ seen, name }: Pick<WorkflowMember, 'seen' | 'name'>): string {
  if (!seen) return 'not heard of';
  return name === '' ? 'name not known' : name;
}

/** States in the order in which they are told: what is wrong, what goes on, what is done. */
const ORDER = ['FAILURE', 'LOST', 'REJECTED', 'REVOKED', 'RETRY', 'STARTED', 'RECEIVED', 'PENDING', 'SUCCESS'];

/** The states that some tasks are in, with their numbers. */
export function totalsInOrder(
  totals: Readonly<Record<string, number>>,
): readonly { readonly state: string; readonly count: number }[] {
  const place = (state: string): number => (ORDER.includes(state) ? ORDER.indexOf(state) : ORDER.indexOf('STARTED'));
  return Object.entries(totals)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => ({ state, count }))
    .sort((a, b) => place(a.state) - place(b.state) || (a.state < b.state ? -1 : 1));
}
