import type { TaskEvent } from '../event.ts';
import type { AttemptState } from './task.ts';

/** Attempts kept per task; beyond it the oldest that did not decide the task's state are dropped. */
export const MAX_ATTEMPTS = 50;

/** One delivery to one worker, as facts. At least one of `received`, `started`, `end` is known. */
export interface Run {
  readonly number: number;
  readonly retries: number;
  readonly worker: string;
  readonly pid: number | null;
  readonly sent: TaskEvent | null;
  readonly received: TaskEvent | null;
  readonly started: TaskEvent | null;
  readonly end: TaskEvent | null;
  readonly redelivered: boolean;
}

/** The part of the ledger that attempts live in. */
interface Book {
  readonly runs: readonly Run[];
  readonly waiting: readonly TaskEvent[];
}

const endStates: Readonly<Record<string, AttemptState>> = {
  'task-succeeded': 'SUCCESS',
  'task-failed': 'FAILURE',
  'task-revoked': 'REVOKED',
  'task-retried': 'RETRY',
  'task-rejected': 'REJECTED',
  'task-cancelled': 'CANCELLED',
};

export function stateOf(run: Run): AttemptState {
  if (run.end !== null) return endStates[run.end.type] ?? 'STARTED';
  return run.started === null ? 'RECEIVED' : 'STARTED';
}

/** How firmly an end stands against others, Celery's precedence; 0 for states another delivery may follow. */
export function endStrength(state: string | null): number {
  switch (state) {
    case 'SUCCESS':
      return 3;
    case 'FAILURE':
      return 2;
    case 'REVOKED':
      return 1;
    default:
      return 0;
  }
}

function strength(end: TaskEvent | null): number {
  return end === null ? 0 : endStrength(endStates[end.type] ?? null);
}

/** True when nothing more is to come from this run: its message is gone for good. */
export function isFinal(run: Run): boolean {
  return strength(run.end) > 0 || (run.end?.type === 'task-rejected' && run.end.requeue !== true);
}

/**
 * The run that gives the task its state: the strongest end, else the newest delivery of the highest retry. One that was
 * given up for lost yields to any other delivery of that retry: clocks may put it last though it was first.
 */
export function decisive(runs: readonly Run[], isLost: (run: Run) => boolean): Run | null {
  let best: Run | null = null;
  for (const run of runs) {
    if (best === null) best = run;
    else {
      const order = strength(run.end) - strength(best.end) || run.retries - best.retries;
      if (order > 0 || (order === 0 && (!isLost(run) || isLost(best)))) best = run;
    }
  }
  return best;
}

/** `task-received`: every one is a delivery of its own. */
export function deliver(book: Book, fact: TaskEvent): Book {
  const retries = fact.retries ?? 0;
  const early = book.runs.findIndex(
    (run) => run.received === null && run.end === null && run.retries === retries && sameProcess(run, fact),
  );
  const run = book.runs[early];
  if (run !== undefined) return { runs: book.runs.with(early, { ...run, received: fact }), waiting: book.waiting };

  const { sent, waiting } = takeSent(book.waiting, retries);
  const earlier = book.runs.findLast((other) => other.retries === retries);
  // `self.replace()` delivers another task under the same id: published anew, or at least under another name.
  const redelivered = earlier !== undefined && sent === null && (earlier.received?.name ?? fact.name) === fact.name;
  return { runs: open(book.runs, { ...blank(fact, retries), sent, received: fact, redelivered }), waiting };
}

/** `task-started`: the oldest delivery to that process which has not started. */
export function start(book: Book, fact: TaskEvent): Book {
  const unstarted = book.runs.findIndex((run) => run.started === null && run.end === null && sameProcess(run, fact));
  const ended = book.runs.findIndex((run) => run.started === null && isFinal(run) && sameProcess(run, fact));
  const index = unstarted >= 0 ? unstarted : ended;
  const run = book.runs[index];
  if (run !== undefined) return { runs: book.runs.with(index, { ...run, started: fact }), waiting: book.waiting };
  return infer(book, fact, { started: fact });
}

/**
 * Any end. A retry is reported after the next attempt may have been received, even started: it ends the oldest running
 * attempt of that process. A final end comes from the newest.
 */
export function finish(book: Book, fact: TaskEvent): Book {
  const search = strength(fact) > 0 ? findLastIndex : findFirstIndex;
  const running = search(book.runs, (run) => run.end === null && run.started !== null && sameProcess(run, fact));
  const index = running >= 0 ? running : search(book.runs, (run) => run.end === null && sameProcess(run, fact));
  const run = book.runs[index];
  if (run !== undefined) return { runs: book.runs.with(index, { ...run, end: fact }), waiting: book.waiting };

  const last = findLastIndex(book.runs, (other) => sameProcess(other, fact));
  const ended = book.runs[last];
  if (ended === undefined || isFollowed(ended)) return infer(book, fact, { end: fact });
  // A second end of one run: a revoke that came too late, a rejection that precedes its failure. The stronger one holds.
  if (strength(fact) <= strength(ended.end)) return book;
  return { runs: book.runs.with(last, { ...ended, end: fact }), waiting: book.waiting };
}

/** True for ends that are always followed by another delivery, whose own events may have been lost. */
function isFollowed(run: Run): boolean {
  return run.end?.type === 'task-retried' || (run.end?.type === 'task-rejected' && run.end.requeue === true);
}

/** A run whose `task-received` was lost, or that never has one (unknown task, expired or revoked before delivery). */
function infer(book: Book, fact: TaskEvent, known: Pick<Run, 'started'> | Pick<Run, 'end'>): Book {
  const last = book.runs.reduce<Run | null>(
    (best, run) => (best === null || run.retries >= best.retries ? run : best),
    null,
  );
  const retries =
    last === null ? (book.waiting[0]?.retries ?? 0) : last.retries + (last.end?.type === 'task-retried' ? 1 : 0);
  const { sent, waiting } = takeSent(book.waiting, retries);
  const redelivered = last !== null && last.retries === retries && sent === null;
  return { runs: open(book.runs, { ...blank(fact, retries), sent, redelivered, ...known }), waiting };
}

function blank(fact: TaskEvent, retries: number): Run {
  return {
    number: 1,
    retries,
    worker: fact.hostname,
    pid: fact.pid ?? null,
    sent: null,
    received: null,
    started: null,
    end: null,
    redelivered: false,
  };
}

function open(runs: readonly Run[], run: Run): readonly Run[] {
  const numbered = { ...run, number: (runs.at(-1)?.number ?? 0) + 1 };
  if (runs.length < MAX_ATTEMPTS) return [...runs, numbered];
  const spare = Math.max(
    0,
    runs.findIndex((old) => strength(old.end) === 0),
  );
  return [...runs.toSpliced(spare, 1), numbered];
}

function takeSent(
  waiting: readonly TaskEvent[],
  retries: number,
): { sent: TaskEvent | null; waiting: readonly TaskEvent[] } {
  const index = waiting.findIndex((fact) => (fact.retries ?? 0) === retries);
  const sent = waiting[index];
  return sent === undefined ? { sent: null, waiting } : { sent, waiting: waiting.toSpliced(index, 1) };
}

/** Whether a fact speaks of the process that had this run, as far as either is known. */
export function sameProcess(run: Run, fact: Pick<TaskEvent, 'hostname' | 'pid'>): boolean {
  return run.worker === fact.hostname && (run.pid === fact.pid || run.pid === null || (fact.pid ?? null) === null);
}

function findFirstIndex(runs: readonly Run[], test: (run: Run) => boolean): number {
  return runs.findIndex(test);
}

function findLastIndex(runs: readonly Run[], test: (run: Run) => boolean): number {
  return runs.findLastIndex(test);
}
