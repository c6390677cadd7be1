import type { TaskEvent } from '../event.ts';
import { compareFacts, isLifecycle, resultState } from './fact.ts';
import type { MeadowEvent, TaskFact } from './fact.ts';
import { MAX_ATTEMPTS, deliver, endStrength, finish, start } from './run.ts';
import type { Run } from './run.ts';

/** Everything the fold remembers of a task. Facts are held by reference and sorted by `compareFacts`. */
export interface TaskHistory {
  /** What the facts dropped at the bound had amounted to. */
  readonly base: Ledger;
  /** Newest fact dropped; what is not newer cannot be placed any more and is ignored. */
  readonly floor: TaskEvent | null;
  readonly facts: readonly TaskEvent[];
  /** `facts` applied to `base`. */
  readonly ledger: Ledger;
  /** Only the outermost custom events are kept: progress reports come by the thousand. */
  readonly firstCustom: TaskFact | null;
  readonly lastCustom: TaskFact | null;
  /** The strongest end that the result backend told, the newest of equals. */
  readonly result: MeadowEvent | null;
  /** Runs given up for lost, oldest first; the newest `MAX_LOST`. */
  readonly lost: readonly MeadowEvent[];
}

/** A task that was given up more often than this is past anybody's interest in each time. */
const MAX_LOST = 20;

/** What facts read in order amount to. */
export interface Ledger {
  readonly firstSent: TaskEvent | null;
  /** Latest `task-sent` of the highest retry. */
  readonly lastSent: TaskEvent | null;
  /** Latest `task-received` of the highest retry. */
  readonly lastReceived: TaskEvent | null;
  readonly runs: readonly Run[];
  /** Publications no delivery has been matched with yet. */
  readonly waiting: readonly TaskEvent[];
  readonly rootId: string | null;
  readonly parentId: string | null;
  readonly retriedAt: number | null;
  readonly rejectedAt: number | null;
  readonly revokedAt: number | null;
  readonly cancelledAt: number | null;
  readonly firstAt: number | null;
  readonly lastAt: number | null;
}

export const emptyLedger: Ledger = {
  firstSent: null,
  lastSent: null,
  lastReceived: null,
  runs: [],
  waiting: [],
  rootId: null,
  parentId: null,
  retriedAt: null,
  rejectedAt: null,
  revokedAt: null,
  cancelledAt: null,
  firstAt: null,
  lastAt: null,
};

export const emptyHistory: TaskHistory = {
  base: emptyLedger,
  floor: null,
  facts: [],
  ledger: emptyLedger,
  firstCustom: null,
  lastCustom: null,
  result: null,
  lost: [],
};

/** The same history when the fact adds nothing. Both rules keep the greatest of an order, so arrival cannot matter. */
export function withMeadowEvent(history: TaskHistory, fact: MeadowEvent): TaskHistory {
  const state = resultState(fact.type);
  if (state === null) return withLost(history, fact);
  const strength = endStrength(state);
  if (strength === 0) return withCustom(history, fact);
  const known = history.result;
  const order = known === null ? 1 : strength - endStrength(resultState(known.type) ?? '') || compareFacts(fact, known);
  return order > 0 ? { ...history, result: fact } : history;
}

function withLost(history: TaskHistory, fact: MeadowEvent): TaskHistory {
  const { lost } = history;
  const index = lost.findIndex((known) => compareFacts(known, fact) >= 0);
  const next = lost[index];
  if (next !== undefined && compareFacts(next, fact) === 0) return history;
  const sorted = index < 0 ? [...lost, fact] : lost.toSpliced(index, 0, fact);
  if (sorted.length <= MAX_LOST) return { ...history, lost: sorted };
  return sorted[0] === fact ? history : { ...history, lost: sorted.slice(1) };
}

/** Keeps a custom event, or a state on the way, that is further out than those known. */
export function withCustom(history: TaskHistory, fact: TaskFact): TaskHistory {
  const first = history.firstCustom === null || compareFacts(fact, history.firstCustom) < 0;
  const last = history.lastCustom === null || compareFacts(fact, history.lastCustom) > 0;
  if (!first && !last) return history;
  return {
    ...history,
    firstCustom: first ? fact : history.firstCustom,
    lastCustom: last ? fact : history.lastCustom,
  };
}

/** Applies the next fact in order. Pure; `read(facts)` is nothing but this, so that the fast path cannot differ from a rebuild. */
export function step(ledger: Ledger, fact: TaskEvent): Ledger {
  if (!isLifecycle(fact.type)) return ledger;
  const firstAt = ledger.firstAt ?? fact.timestamp;
  const lastAt = fact.timestamp;
  switch (fact.type) {
    case 'task-sent':
      return { ...ledger, ...identity(ledger, fact), ...publish(ledger, fact), firstAt, lastAt };
    case 'task-received': {
      const { runs, waiting } = deliver(ledger, fact);
      const lastReceived = newest(ledger.lastReceived, fact);
      return { ...ledger, ...identity(ledger, fact), runs, waiting, lastReceived, firstAt, lastAt };
    }
    case 'task-started':
      return { ...ledger, ...start(ledger, fact), firstAt, lastAt };
    case 'task-retried':
      return { ...ledger, ...finish(ledger, fact), retriedAt: lastAt, firstAt, lastAt };
    case 'task-rejected':
      return { ...ledger, ...finish(ledger, fact), rejectedAt: lastAt, firstAt, lastAt };
    case 'task-cancelled':
      return { ...ledger, ...finish(ledger, fact), cancelledAt: lastAt, firstAt, lastAt };
    case 'task-revoked':
      return { ...ledger, ...finish(ledger, fact), revokedAt: lastAt, firstAt, lastAt };
    case 'task-failed':
    case 'task-succeeded':
      return { ...ledger, ...finish(ledger, fact), firstAt, lastAt };
    default:
      return fact.type satisfies never;
  }
}

function newest(known: TaskEvent | null, fact: TaskEvent): TaskEvent {
  return known === null || (fact.retries ?? 0) >= (known.retries ?? 0) ? fact : known;
}

/** Retries and replaced tasks are published by the task itself and name it as their parent: that is no parent. */
export function identity(
  ledger: Pick<Ledger, 'rootId' | 'parentId'>,
  fact: TaskEvent,
): Pick<Ledger, 'rootId' | 'parentId'> {
  const parentId = fact.parent_id === fact.uuid ? null : (fact.parent_id ?? null);
  return { rootId: ledger.rootId ?? fact.root_id ?? null, parentId: ledger.parentId ?? parentId };
}

/** A publication usually waits for its delivery; clocks of two hosts, or a fast worker, can put the delivery first. */
function publish(ledger: Ledger, fact: TaskEvent): Pick<Ledger, 'firstSent' | 'lastSent' | 'runs' | 'waiting'> {
  const firstSent = ledger.firstSent ?? fact;
  const lastSent = newest(ledger.lastSent, fact);
  const retries = fact.retries ?? 0;
  const index = ledger.runs.findIndex((run) => run.retries === retries && run.sent === null && !run.redelivered);
  const run = ledger.runs[index];
  if (run !== undefined)
    return { firstSent, lastSent, runs: ledger.runs.with(index, { ...run, sent: fact }), waiting: ledger.waiting };
  const waiting = [...ledger.waiting, fact].slice(-MAX_ATTEMPTS);
  return { firstSent, lastSent, runs: ledger.runs, waiting };
}
