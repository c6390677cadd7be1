import type { AttemptRow, TaskRow } from '@meadow/contract';
import type { Tone } from '../design/states.ts';
import { taskLook } from '../design/states.ts';

/** A stretch of a task's life. */
interface Stretch {
  readonly kind: 'queue' | 'worker' | 'run' | 'backoff';
  readonly label: string;
  /** Unix seconds; open stretches end at the reader's now. */
  readonly from: number;
  readonly to: number;
  readonly open: boolean;
  readonly tone: Tone;
}

/** One attempt as a lane. */
export interface Lane {
  readonly attempt: AttemptRow;
  readonly stretches: readonly Stretch[];
}

/**
 * Lays a task out in time: a lane for each attempt with what is known of its waiting and running. Stretches with an
 * unknown end are left out, save the one that still goes on.
 */
export function lanesOf(task: TaskRow, now: number): Lane[] {
  const final = task.finished_at !== null;
  const attempts = task.attempt_log.length === 0 ? [onlyAttempt(task)] : task.attempt_log;
  return attempts.map((attempt, index) => {
    const before = attempts[index - 1];
    const stretches: Stretch[] = [];
    const add = (
      kind: Stretch['kind'],
      label: string,
      from: number | null,
      to: number | null,
      goesOn: boolean,
      tone: Tone,
    ) => {
      if (from === null || (to === null && !goesOn)) return;
      const end = to ?? now;
      if (end >= from) stretches.push({ kind, label, from, to: end, open: to === null, tone });
    };
    const last = index === attempts.length - 1;
    const goesOn = last && !final && attempt.ended_at === null;
    if (index === 0)
      add('queue', 'In the queue', task.sent_at, attempt.received_at ?? attempt.started_at, goesOn, 'idle');
    else
      add(
        'backoff',
        'Until the next attempt',
        before?.ended_at ?? null,
        attempt.received_at ?? attempt.started_at,
        false,
        'warn',
      );
    add(
      'worker',
      'At the worker, not started',
      attempt.received_at,
      attempt.started_at ?? attempt.ended_at,
      goesOn,
      'custom',
    );
    add('run', 'Running', attempt.started_at, attempt.ended_at, goesOn, taskLook(attempt.state).tone);
    return { attempt, stretches };
  });
}

/** What the task itself tells of its only attempt, where none is logged (yet). */
function onlyAttempt(task: TaskRow): AttemptRow {
  return {
    number: 1,
    retries: task.retries,
    worker: task.worker,
    received_at: task.received_at,
    started_at: task.started_at,
    ended_at: task.finished_at,
    state: task.state,
    exception: task.exception,
    redelivered: false,
  };
}

export interface Extent {
  readonly from: number;
  readonly to: number;
}

/** What the lanes cover; null when nothing is timed. */
export function extentOf(lanes: readonly Lane[]): Extent | null {
  const all = lanes.flatMap((lane) => lane.stretches);
  if (all.length === 0) return null;
  const from = Math.min(...all.map((stretch) => stretch.from));
  const to = Math.max(...all.map((stretch) => stretch.to));
  return { from, to: to > from ? to : from + 0.001 };
}

/** Place of a moment within an extent, in per cent. */
export function placeOf(at: number, extent: Extent): number {
  return ((at - extent.from) / (extent.to - extent.from)) * 100;
}
