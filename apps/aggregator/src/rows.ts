import {
  failureOf,
  identityOf,
  lostIdentity,
  ranUntilEvent,
  resultState,
  waitOfEvent,
  type FailureIdentity,
  type Task,
  type TaskEvent,
  type TaskFact,
} from '@meadow/celery';
import {
  FINAL_STATES,
  TEXT_COLUMN,
  type RetentionPolicy,
  type TailColumn,
  type TaskEventReader,
  type TaskListRow,
  type TextColumn,
} from '@meadow/contract';
import type { RowBinary, TaskWriteRow } from '@meadow/store';

const DAY_SECONDS = 86_400;
const FINAL = new Set<string>(FINAL_STATES);
/** A list shows the beginning of long texts; the whole is one click away. Characters. */
const LIST_TEXT = 200;

/** What the row of an event is made of beyond its bytes. */
interface TypeFacts {
  /** The state that it brings; '' when it brings none. */
  readonly state: string;
  /** Whether it is told how long its task waited. */
  readonly isStartedOrLater: boolean;
  /** Whether it may tell an exception. */
  readonly mayFail: boolean;
}

const facts = (state: string, isStartedOrLater: boolean, mayFail: boolean): TypeFacts => ({
  state,
  isStartedOrLater,
  mayFail,
});

const CELERYS_OWN: ReadonlyMap<string, TypeFacts> = new Map([
  ['task-sent', facts('PENDING', false, false)],
  ['task-received', facts('RECEIVED', false, false)],
  ['task-started', facts('STARTED', true, false)],
  ['task-succeeded', facts('SUCCESS', true, false)],
  ['task-failed', facts('FAILURE', true, true)],
  ['task-retried', facts('RETRY', true, true)],
  ['task-revoked', facts('REVOKED', true, true)],
  ['task-rejected', facts('REJECTED', true, true)],
  ['task-cancelled', facts('RETRY', false, true)],
]);

/** A custom `task-foo-bar` brings `FOO-BAR`. */
function typeFacts(type: string): TypeFacts {
  return CELERYS_OWN.get(type) ?? facts(stateOf(type), false, true);
}

/** Whether an event has to be walked through before its row can be made; else it is enough to skim it. */
export const isWalked = (type: string, task: Task | null): boolean => typeFacts(type).mayFail || ranTwice(task);

const ranTwice = (task: Task | null): boolean => (task?.attempts.length ?? 0) > 1;

/** The task event that the reader is at, of this task, as the fold reads it. */
export function factAt(event: TaskEventReader, uuid: string): TaskFact {
  const { type } = event;
  if (CELERYS_OWN.has(type)) return lifeFactAt(event, type, uuid);
  if (type.startsWith('meadow-')) {
    const ours = { extra: textAt(event, TEXT_COLUMN.extra), end_reason: textAt(event, TEXT_COLUMN.end_reason) };
    return { ...lifeFactAt(event, type, uuid), ...ours } as TaskFact;
  }
  const { timestamp, clock, pid, worker: hostname } = event;
  return {
    ...parsedExtra(event.text(TEXT_COLUMN.extra)),
    type: type as TaskEvent['type'],
    timestamp,
    clock,
    pid,
    hostname,
    uuid,
  };
}

/** Two literals, so that there are two shapes: the fold reads them by the million. What is absent is as good as null to it. */
function lifeFactAt(event: TaskEventReader, type: string, uuid: string): TaskEvent {
  const { timestamp, clock, pid, worker: hostname } = event;
  if (event.isBare) return { type: type as TaskEvent['type'], timestamp, clock, pid, hostname, uuid };
  return {
    type: type as TaskEvent['type'],
    timestamp,
    clock,
    pid,
    hostname,
    uuid,
    retries: event.retries,
    runtime: event.runtime,
    terminated: event.terminated,
    expired: event.expired,
    requeue: event.requeue,
    name: event.name || null,
    args: textAt(event, TEXT_COLUMN.args),
    kwargs: textAt(event, TEXT_COLUMN.kwargs),
    eta: textAt(event, TEXT_COLUMN.eta),
    expires: textAt(event, TEXT_COLUMN.expires),
    root_id: event.isSame(TEXT_COLUMN.root_id, TEXT_COLUMN.task_id) ? uuid : textAt(event, TEXT_COLUMN.root_id),
    parent_id: textAt(event, TEXT_COLUMN.parent_id),
    queue: event.queue || null,
    exchange: event.exchange || null,
    routing_key: event.routingKey || null,
    result: textAt(event, TEXT_COLUMN.result),
    exception: textAt(event, TEXT_COLUMN.exception),
    traceback: textAt(event, TEXT_COLUMN.traceback),
    signum: textAt(event, TEXT_COLUMN.signum),
  };
}

function textAt(event: TaskEventReader, column: TextColumn): string | null {
  return event.has(column) ? event.text(column) : null;
}

/** The fields that Celery does not define. The text was cut when it was very long, and is no JSON then. */
function parsedExtra(extra: string): Record<string, unknown> {
  if (extra === '') return {};
  try {
    return JSON.parse(extra) as Record<string, unknown>;
  } catch {
    return { extra };
  }
}

function stateOf(type: string): string {
  if (type === 'meadow-lost') return 'LOST';
  return resultState(type) ?? (type.startsWith('task-') ? type.slice(5).toUpperCase() : '');
}

/**
 * Appends the row of the event that the reader is at: its head as it came, and behind it what is joined on: name, queue and
 * root where the event has none, the state it brings, the wait, of a failure its class, its group and how long it had run, the
 * date until which it is kept where that is not the default.
 */
export function appendEvent(
  rows: RowBinary,
  event: TaskEventReader,
  cluster: string,
  task: Task | null,
  keepEventsDays: number,
): void {
  const { data } = event;
  const { state, isStartedOrLater, mayFail } = typeFacts(event.type);
  rows.row();
  rows.copy(data, event.headBegin, event.headEnd);
  rows.text(cluster);
  if (event.has(TEXT_COLUMN.name) || task === null) copyText(rows, event, TEXT_COLUMN.name);
  else rows.text(task.name ?? '');
  if (event.has(TEXT_COLUMN.queue) || task === null) copyText(rows, event, TEXT_COLUMN.queue);
  else rows.text(task.queue ?? '');
  if (event.has(TEXT_COLUMN.root_id) || task === null) copyText(rows, event, TEXT_COLUMN.root_id);
  else rows.text(task.rootId ?? '');
  copyText(rows, event, TEXT_COLUMN.parent_id);
  rows.text(state);
  if (mayFail) appendFailure(rows, event, task);
  else rows.copy(NO_FAILURE, 0, NO_FAILURE.length);
  rows.nullableFloat64(isStartedOrLater ? waitOf(event, task) : null);
  rows.uint32(keepEventsDays === 14 ? 0 : Math.floor(event.collectedAt) + keepEventsDays * DAY_SECONDS);
}

function waitOf(event: TaskEventReader, task: Task | null): number | null {
  if (task === null) return null;
  return ranTwice(task) ? waitOfEvent(task, event.worker, event.timestamp) : task.waitSeconds;
}

/** `exception_type`, `fingerprint`, `culprit` and `ran_seconds` of an event that is no failure: three texts that are '', and null. */
const NO_FAILURE = Buffer.from([0, 0, 0, 1]);

/** Events that end a run with a failure. Others may tell an exception, too. */
const FAILURES = new Set(['task-failed', 'task-retried', 'meadow-result-FAILURE', 'meadow-result-RETRY']);

function appendFailure(rows: RowBinary, event: TaskEventReader, task: Task | null): void {
  const { type } = event;
  const failure = failureOf({
    exception: textAt(event, TEXT_COLUMN.exception),
    traceback: textAt(event, TEXT_COLUMN.traceback),
  });
  rows.text(failure.exceptionType ?? '');
  const identity =
    type === 'meadow-lost'
      ? lostIdentity(event.text(TEXT_COLUMN.end_reason))
      : FAILURES.has(type)
        ? identityOf(failure, event.name || (task?.name ?? null))
        : NO_IDENTITY;
  rows.text(identity.fingerprint);
  rows.text(identity.culprit);
  const isOfCelery = type === 'task-failed' || type === 'task-retried';
  rows.nullableFloat64(isOfCelery && task !== null ? ranUntilEvent(task, event.worker, event.timestamp) : null);
}

const NO_IDENTITY: FailureIdentity = { fingerprint: '', culprit: '' };

/** The group of the failure that a task stands at. */
function fingerprintOf(task: Task): string {
  if (task.state === 'LOST') return lostIdentity(task.endReason ?? '').fingerprint;
  return task.exception === null && task.traceback === null ? '' : identityOf(task, task.name).fingerprint;
}

function copyText(rows: RowBinary, event: TaskEventReader, column: TailColumn): void {
  rows.copy(event.data, event.encodedBegin(column), event.encodedEnd(column));
}

/** The line of a task in a list, as it stands now. */
export function listRow(cluster: string, task: Task, firstSeenAt: number): TaskListRow {
  return {
    cluster,
    task_id: task.id,
    name: task.name ?? '',
    state: task.state,
    queue: task.queue ?? '',
    worker: task.worker ?? '',
    root_id: task.rootId ?? '',
    parent_id: task.parentId ?? '',
    args: (task.args ?? '').slice(0, LIST_TEXT),
    kwargs: (task.kwargs ?? '').slice(0, LIST_TEXT),
    result: (task.result ?? '').slice(0, LIST_TEXT),
    exception: (task.exception ?? '').slice(0, LIST_TEXT),
    retries: task.retries,
    attempts: task.attempts.length,
    sent_at: task.sentAt,
    received_at: task.receivedAt,
    started_at: task.startedAt,
    finished_at: task.finishedAt,
    updated_at: task.lastEventAt ?? firstSeenAt,
    first_seen_at: firstSeenAt,
    wait_seconds: task.waitSeconds,
    runtime_seconds: task.runtime,
    progress: task.progress === null ? '' : JSON.stringify(task.progress.fields),
  };
}

/** The row of a task as it stands now. @param firstSeenAt Unix seconds: part of the row's key */
export function taskRow(
  cluster: string,
  task: Task,
  firstSeenAt: number,
  version: number,
  retention: RetentionPolicy,
): TaskWriteRow {
  // an open task, or one given up for lost, is kept for the shortest time: no version of a row may outlive the one that
  // replaces it
  const ended = task.state === 'SUCCESS' ? retention.success : retention.failure;
  const isSettled = FINAL.has(task.state) && task.endSource !== 'derived';
  const days = isSettled ? ended : Math.min(retention.success, retention.failure);
  return {
    cluster,
    task_id: task.id,
    name: task.name ?? '',
    state: task.state,
    end_source: task.endSource ?? '',
    end_reason: task.endReason ?? '',
    queue: task.queue ?? '',
    worker: task.worker ?? '',
    pid: task.pid,
    client: task.client ?? '',
    root_id: task.rootId ?? '',
    parent_id: task.parentId ?? '',
    args: task.args ?? '',
    kwargs: task.kwargs ?? '',
    result: task.result ?? '',
    exception: task.exception ?? '',
    exception_type: task.exceptionType ?? '',
    traceback: task.traceback ?? '',
    fingerprint: fingerprintOf(task),
    retries: task.retries,
    attempts: task.attempts.length,
    sent_at: task.sentAt,
    received_at: task.receivedAt,
    started_at: task.startedAt,
    retried_at: task.retriedAt,
    finished_at: task.finishedAt,
    updated_at: task.lastEventAt ?? firstSeenAt,
    first_seen_at: firstSeenAt,
    wait_seconds: task.waitSeconds,
    runtime_seconds: task.runtime,
    progress: task.progress === null ? '' : JSON.stringify(task.progress.fields),
    eta: task.eta ?? '',
    expires: task.expires ?? '',
    exchange: task.exchange ?? '',
    routing_key: task.routingKey ?? '',
    terminated: task.terminated,
    signum: task.signum === null ? '' : String(task.signum),
    expired: task.expired,
    cut: [...task.cut],
    clock_skewed: task.clockSkew,
    // a single plain attempt says nothing that the row does not
    attempt_log: task.attempts.length < 2 ? [] : task.attempts.map(attemptRow),
    is_final: FINAL.has(task.state),
    version,
    keep_until: Math.floor(task.lastEventAt ?? firstSeenAt) + days * DAY_SECONDS,
  };
}

function attemptRow(attempt: Task['attempts'][number]): TaskWriteRow['attempt_log'][number] {
  return {
    number: attempt.number,
    retries: attempt.retries,
    worker: attempt.worker,
    received_at: attempt.receivedAt,
    started_at: attempt.startedAt,
    ended_at: attempt.endedAt,
    state: attempt.state,
    exception: attempt.exception ?? '',
    redelivered: attempt.redelivered,
  };
}

/** Whether nothing more is expected of the task. */
export const isFinal = (task: Task): boolean => FINAL.has(task.state);
