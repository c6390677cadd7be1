import type { TaskEvent } from '../event.ts';
import { isLifecycle } from './fact.ts';
import { MAX_ATTEMPTS, deliver, finish, start } from './run.ts';
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
  readonly firstCustom: TaskEvent | null;
  readonly lastCustom: TaskEvent | null;
}

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

const emptyLedger: Ledger = {
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
};

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
function identity(ledger: Ledger, fact: TaskEvent): Pick<Ledger, 'rootId' | 'parentId'> {
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
