import { isTaskEvent } from '../event.ts';
import type { TaskEvent } from '../event.ts';
import type { TaskFact } from './fact.ts';
import { emptyLedger, identity } from './history.ts';
import type { Ledger, TaskHistory } from './history.ts';
import { sameProcess } from './run.ts';
import type { Run } from './run.ts';

/** What a plain life goes through, each at most once and in this order. */
const STAGES: Readonly<Record<string, number>> = {
  'task-sent': 0,
  'task-received': 1,
  'task-started': 2,
  'task-failed': 3,
  'task-succeeded': 3,
};

/**
 * The history of a task whose events, all that are known, are those of one delivery to one process, in order: received, and
 * whichever of sent, started and the end there are. Such are nearly all, and this is what `step` makes of them one by one,
 * without the ledgers on the way. Null for any other life.
 */
export function plainLife(facts: readonly TaskFact[]): TaskHistory | null {
  let sent: TaskEvent | null = null;
  let received: TaskEvent | null = null;
  let started: TaskEvent | null = null;
  let end: TaskEvent | null = null;
  let stage = -1;
  let lastAt = -Infinity;
  for (const fact of facts) {
    const next = STAGES[fact.type];
    if (next === undefined || next <= stage || !(fact.timestamp > lastAt) || !isTaskEvent(fact)) return null;
    stage = next;
    lastAt = fact.timestamp;
    if (next === 0) sent = fact;
    else if (next === 1) received = fact;
    else if (next === 2) started = fact;
    else end = fact;
  }
  if (received === null) return null;
  const retries = received.retries ?? 0;
  if (sent !== null && (sent.retries ?? 0) !== retries) return null;
  const worker = received.hostname;
  const pid = received.pid ?? null;
  const run: Run = { number: 1, retries, worker, pid, sent, received, started, end, redelivered: false };
  if (started !== null && !sameProcess(run, started)) return null;
  if (end !== null && !sameProcess(run, end)) return null;
  const { rootId, parentId } = identity(sent === null ? emptyLedger : identity(emptyLedger, sent), received);
  // written out in the order of `emptyLedger`, so that it is of the same shape to the engine
  const ledger: Ledger = {
    firstSent: sent,
    lastSent: sent,
    lastReceived: received,
    runs: [run],
    waiting: [],
    rootId,
    parentId,
    retriedAt: null,
    rejectedAt: null,
    revokedAt: null,
    cancelledAt: null,
    firstAt: (sent ?? received).timestamp,
    lastAt,
  };
  return {
    base: emptyLedger,
    floor: null,
    facts: facts.slice() as TaskEvent[],
    ledger,
    firstCustom: null,
    lastCustom: null,
    result: null,
    lost: [],
  };
}
