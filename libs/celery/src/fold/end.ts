import { resultState } from './fact.ts';
import type { MeadowEvent, TaskFact } from './fact.ts';
import type { TaskHistory } from './history.ts';
import { endStrength, isFinal, sameProcess, stateOf } from './run.ts';
import type { Run } from './run.ts';
import type { AttemptState, EndSource } from './task.ts';

/** How a task, or one run of it, ended. */
export interface End {
  readonly source: EndSource;
  readonly state: AttemptState;
  /** Seconds, by the clock of who told it. */
  readonly at: number;
  readonly reason: string | null;
  /** What told it. */
  readonly fact: TaskFact;
}

/**
 * How the task ended, `run` being the one that matters; null while it has not. A worker's event comes first, then the
 * result backend where it says more than events do, and Meadow's own judgement only while nobody else says anything.
 */
export function endOf(history: TaskHistory, run: Run | null): End | null {
  const { result } = history;
  const state = result === null ? null : resultState(result.type);
  const told = run === null || run.end === null ? null : stateOf(run);
  if (result !== null && state !== null && endStrength(state) > endStrength(told) && !isOvertaken(result, run)) {
    return {
      source: 'result-backend',
      state: state as AttemptState,
      at: result.timestamp,
      reason: null,
      fact: result,
    };
  }
  if (run !== null && run.end !== null && isFinal(run)) {
    return { source: 'event', state: stateOf(run), at: run.end.timestamp, reason: null, fact: run.end };
  }
  return run === null ? null : lossOf(history.lost, run);
}

/** That this run was given up for lost, unless something newer is known of it. */
export function lossOf(lost: readonly MeadowEvent[], run: Run): End | null {
  // cancelled is on its way to another delivery, which never comes if its message had been acknowledged before
  const newest = (run.end ?? run.started ?? run.received)?.timestamp;
  const isOver = run.end !== null && run.end.type !== 'task-cancelled';
  if (lost.length === 0 || isOver || newest === undefined) return null;
  const fact = lost.findLast((each) => each.timestamp >= newest && sameProcess(run, each));
  if (fact === undefined) return null;
  return { source: 'derived', state: 'LOST', at: fact.timestamp, reason: fact.end_reason ?? null, fact };
}

/** Workers write REVOKED as soon as they are told to revoke; a task that was on its way to the pool runs all the same. */
function isOvertaken(result: MeadowEvent, run: Run | null): boolean {
  return resultState(result.type) === 'REVOKED' && (run?.started?.timestamp ?? -Infinity) > result.timestamp;
}
