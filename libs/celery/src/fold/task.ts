import { isTaskEvent } from '../event.ts';
import type { TaskEvent } from '../event.ts';
import type { JsonValue } from '../json.ts';
import { compareFacts, isLifecycle } from './fact.ts';
import type { TaskFact } from './fact.ts';
import { emptyHistory, step, withCustom, withMeadowEvent } from './history.ts';
import type { TaskHistory } from './history.ts';
import { plainLife } from './plain-life.ts';
import { project } from './view.ts';

/**
 * States Celery's workers report. `RETRY` also covers a run cancelled by its worker, as the result backend has it. `LOST`
 * is no word of theirs: who had the task will not end it any more, and any later fact undoes it.
 */
export type KnownTaskState =
  'PENDING' | 'RECEIVED' | 'STARTED' | 'SUCCESS' | 'FAILURE' | 'RETRY' | 'REVOKED' | 'REJECTED' | 'LOST';

/** Who told how the task ended: a worker's event, the result backend, or Meadow, which concluded it. */
export type EndSource = 'event' | 'result-backend' | 'derived';

/** A known state, or the upper-cased name of a custom event: `task-progress` gives `PROGRESS`. */
export type TaskState = KnownTaskState | (string & {});

/** State of one attempt; `CANCELLED` is a run its worker gave up (connection loss, soft shutdown) for redelivery. */
export type AttemptState =
  'RECEIVED' | 'STARTED' | 'SUCCESS' | 'FAILURE' | 'RETRY' | 'REVOKED' | 'REJECTED' | 'CANCELLED' | 'LOST';

/** One delivery of the task to one worker. Times are seconds since the epoch, UTC. */
export interface Attempt {
  /** 1 for the first delivery known. */
  readonly number: number;
  /** Celery's retry counter: 0 for the first run. Several attempts share it when a message is delivered again. */
  readonly retries: number;
  readonly worker: string;
  readonly pid: number | null;
  readonly sentAt: number | null;
  readonly receivedAt: number | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly state: AttemptState;
  /** Exception that ended this attempt, also for a retry. */
  readonly exception: string | null;
  /** True when the same message had been delivered before: visibility timeout, lost worker, reject with requeue. */
  readonly redelivered: boolean;
}

/** Latest custom event (`Task.send_event('task-progress', …)`) of a task. */
export interface Progress {
  /** Upper-cased name, as in `state`. */
  readonly state: string;
  /** Seconds since the epoch, UTC. */
  readonly at: number;
  /** The event's own fields, as `extraOf` tells them. */
  readonly fields: Readonly<Record<string, JsonValue>>;
}

/** Text fields that Celery shortens. */
export type CutField = 'args' | 'kwargs' | 'result';

/**
 * A task as its events tell it. Times are seconds since the epoch, UTC; unknown is null.
 *
 * "The run that matters" is the attempt with the strongest final state (SUCCESS, FAILURE, REVOKED in that order), else
 * the newest delivery of the highest retry. It gives `worker`, `pid`, `receivedAt`, `startedAt`, `finishedAt`, `waitSeconds`
 * and everything a final event carries.
 */
export interface Task {
  readonly id: string;
  readonly name: string | null;
  readonly state: TaskState;
  /** When `state` was reached. */
  readonly stateAt: number | null;
  /** Null while the task has not ended. */
  readonly endSource: EndSource | null;
  /** Why it is LOST, null in every other state. */
  readonly endReason: string | null;
  readonly worker: string | null;
  readonly pid: number | null;
  /** Node name of the first publisher. */
  readonly client: string | null;
  readonly rootId: string | null;
  /** Never the task itself, though Celery says so for retries and replaced tasks. */
  readonly parentId: string | null;
  readonly args: string | null;
  readonly kwargs: string | null;
  readonly result: string | null;
  /** Of the run that matters: null after a success that took retries (see `attempts`). */
  readonly exception: string | null;
  /** Class name without its module. */
  readonly exceptionType: string | null;
  readonly traceback: string | null;
  readonly retries: number | null;
  /** ISO 8601, as the publisher wrote it. */
  readonly eta: string | null;
  /** ISO 8601, as the publisher wrote it. */
  readonly expires: string | null;
  readonly queue: string | null;
  readonly exchange: string | null;
  readonly routingKey: string | null;
  /** When the task was first published. */
  readonly sentAt: number | null;
  readonly receivedAt: number | null;
  readonly startedAt: number | null;
  /** End of the run that matters when it is final: SUCCESS, FAILURE, REVOKED, REJECTED. When LOST, the last moment at which its worker may have had it. */
  readonly finishedAt: number | null;
  /** Latest `task-retried`. */
  readonly retriedAt: number | null;
  readonly rejectedAt: number | null;
  readonly revokedAt: number | null;
  readonly cancelledAt: number | null;
  /** Earliest and latest timestamp of any event folded in. */
  readonly firstEventAt: number | null;
  readonly lastEventAt: number | null;
  /** Seconds of computing, as the worker measured. */
  readonly runtime: number | null;
  /** Seconds from sent (else received; `eta` when later) to started (else received). */
  readonly waitSeconds: number | null;
  /** True when `waitSeconds` came out negative, hence null: the hosts' clocks disagree. */
  readonly clockSkew: boolean;
  readonly signum: number | string | null;
  readonly terminated: boolean;
  readonly expired: boolean;
  readonly progress: Progress | null;
  /** Fields whose text Celery cut. */
  readonly cut: readonly CutField[];
  /** Deliveries in order of time, at most {@link MAX_ATTEMPTS}: the oldest go first. */
  readonly attempts: readonly Attempt[];
  /** The facts behind this view; only `fold` and `factsOf` look inside. */
  readonly history: TaskHistory;
}

/**
 * Lifecycle facts kept per task. At the bound the oldest is merged into a base for good, so that a fact overtaken by this
 * many newer ones of its own task is ignored; until then order never matters.
 */
export const MAX_FACTS = 200;

/** A task nothing is known of. */
export function emptyTask(id: string): Task {
  return { ...nothing, id };
}

/**
 * Applies one event, in whatever order and however often events come: the same set of events gives the same task.
 * Returns the same object when the event adds nothing (a repeat, a progress report between two known ones).
 * Constant time for an event newer than those before it; otherwise linear in the facts kept.
 */
export function fold(task: Task, event: TaskFact): Task {
  const history = withEvent(task.history, event);
  return history === task.history ? task : project(history, task);
}

/** Applies several events of one task at once: the same as one after another, with the view derived only once. */
export function foldMany(task: Task, events: readonly TaskFact[]): Task {
  let { history } = task;
  const plain = history === emptyHistory ? plainLife(events) : null;
  if (plain !== null) return project(plain, task);
  for (const event of events) history = withEvent(history, event);
  return history === task.history ? task : project(history, task);
}

/** Folds events of one task into a new one. */
export function foldAll(id: string, events: readonly TaskFact[]): Task {
  return foldMany(emptyTask(id), events);
}

/** The events a task stands on, oldest first: `foldAll(id, factsOf(task))` equals the task while fewer than MAX_FACTS came. */
export function factsOf(task: Task): readonly TaskFact[] {
  const { facts, firstCustom, lastCustom, result, lost } = task.history;
  const custom = firstCustom === lastCustom ? [firstCustom] : [firstCustom, lastCustom];
  return [...facts, ...lost, ...[...custom, result].filter((fact) => fact !== null)].sort(compareFacts);
}

function withEvent(history: TaskHistory, event: TaskFact): TaskHistory {
  if (!isTaskEvent(event)) return withMeadowEvent(history, event);
  if (isLifecycle(event.type)) return withFact(history, event);
  return event.type.length > 'task-'.length ? withCustom(history, event) : history;
}

function withFact(history: TaskHistory, event: TaskEvent): TaskHistory {
  const { facts, floor } = history;
  const newest = facts.at(-1);
  const order = newest === undefined ? 1 : compareFacts(event, newest);
  if (order === 0 || (floor !== null && compareFacts(event, floor) <= 0)) return history;
  if (order > 0) return bounded({ ...history, facts: [...facts, event], ledger: step(history.ledger, event) });
  const index = facts.findIndex((fact) => compareFacts(fact, event) >= 0);
  const next = facts[index];
  if (next !== undefined && compareFacts(next, event) === 0) return history;
  const sorted = facts.toSpliced(index, 0, event);
  return bounded({ ...history, facts: sorted, ledger: sorted.reduce(step, history.base) });
}

function bounded(history: TaskHistory): TaskHistory {
  const oldest = history.facts[0];
  if (oldest === undefined || history.facts.length <= MAX_FACTS) return history;
  return { ...history, base: step(history.base, oldest), floor: oldest, facts: history.facts.slice(1) };
}

const nothing: Task = {
  id: '',
  name: null,
  state: 'PENDING',
  stateAt: null,
  endSource: null,
  endReason: null,
  worker: null,
  pid: null,
  client: null,
  rootId: null,
  parentId: null,
  args: null,
  kwargs: null,
  result: null,
  exception: null,
  exceptionType: null,
  traceback: null,
  retries: null,
  eta: null,
  expires: null,
  queue: null,
  exchange: null,
  routingKey: null,
  sentAt: null,
  receivedAt: null,
  startedAt: null,
  finishedAt: null,
  retriedAt: null,
  rejectedAt: null,
  revokedAt: null,
  cancelledAt: null,
  firstEventAt: null,
  lastEventAt: null,
  runtime: null,
  waitSeconds: null,
  clockSkew: false,
  signum: null,
  terminated: false,
  expired: false,
  progress: null,
  cut: [],
  attempts: [],
  history: emptyHistory,
};
