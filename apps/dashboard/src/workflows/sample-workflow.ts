import type { Workflow, WorkflowMember } from '@meadow/api';

export const BEGIN = 1_700_000_000;

/** A member that was sent at `at` seconds after the begin, and ran from a second later for one. */
export function sampleMember(id: string, at: number, more: Partial<WorkflowMember> = {}): WorkflowMember {
  const begin = BEGIN + at;
  return {
    ...{ task_id: id, name: `shop.${id}`, state: 'SUCCESS', queue: 'celery', worker: 'celery@w1', exception: '' },
    ...{ sent_at: begin, received_at: begin, started_at: begin + 1, finished_at: begin + 2, runtime_seconds: 1 },
    ...{ attempts: 1, runs: [], seen: true, parent: null, link: 'told', depth: 0, descendants: 0 },
    ...more,
  };
}

/** A workflow of these members, in the order of a walk. */
export function sampleWorkflow(members: readonly WorkflowMember[], critical: readonly number[] = []): Workflow {
  return {
    ...{ rootId: members[0]?.task_id ?? '', name: 'shop.root', state: 'running', totals: {}, seen: members.length },
    ...{ unseen: 0, ended: 0, depth: 1, startedAt: BEGIN, endedAt: null, members },
    critical: critical.map((member) => ({ member, waited: 1, ran: 1, then: null })),
  };
}

/** A root with so many children of one name. */
export function wideWorkflow(width: number): Workflow {
  const child = (_: unknown, index: number) =>
    sampleMember(`c${index}`, index, { name: 'shop.step', parent: 0, depth: 1 });
  return sampleWorkflow([sampleMember('root', 0, { descendants: width }), ...Array.from({ length: width }, child)]);
}
