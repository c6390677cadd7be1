import type { Task, TaskEvent } from '@meadow/celery';
import { FINAL_STATES, type PipelineEvent, type RetentionPolicy, type TaskListRow } from '@meadow/contract';
import type { StoredTaskEvent, TaskWriteRow } from '@meadow/store';

const DAY_SECONDS = 86_400;
const FINAL = new Set<string>(FINAL_STATES);
/** A list shows the beginning of long texts; the whole is one click away. Characters. */
const LIST_TEXT = 200;

/** The state that each of Celery's events brings; a custom `task-foo-bar` brings `FOO-BAR`. */
const EVENT_STATES: Readonly<Record<string, string>> = {
  'task-sent': 'PENDING',
  'task-received': 'RECEIVED',
  'task-started': 'STARTED',
  'task-succeeded': 'SUCCESS',
  'task-failed': 'FAILURE',
  'task-retried': 'RETRY',
  'task-revoked': 'REVOKED',
  'task-rejected': 'REJECTED',
  'task-cancelled': 'RETRY',
};
/** Whether an event is one of Celery's own rather than one that an application made up. */
export const isCelerysOwn = (type: string): boolean => Object.hasOwn(EVENT_STATES, type);

const STARTED_OR_LATER = new Set([
  'task-started',
  'task-succeeded',
  'task-failed',
  'task-retried',
  'task-revoked',
  'task-rejected',
]);

/**
 * A task event as the fold reads it, out of one that came over NATS or that the store gave back. Both give the same event,
 * since the fold takes what differs in anything for two. Unknown texts are absent on NATS and '' in the store.
 */
export function asTaskEvent(event: PipelineEvent | StoredTaskEvent): TaskEvent {
  const { type, timestamp, clock = null, pid = null, worker: hostname, task_id: uuid = '' } = event;
  const base = { type: type as TaskEvent['type'], timestamp, clock, pid, hostname, uuid };
  if (!isCelerysOwn(type)) return { ...parsedExtra(event.extra ?? ''), ...base };
  return {
    ...base,
    retries: event.retries ?? null,
    runtime: event.runtime ?? null,
    terminated: event.terminated ?? null,
    expired: event.expired ?? null,
    requeue: event.requeue ?? null,
    // an empty text is as good as none to everybody
    name: event.name || null,
    args: event.args || null,
    kwargs: event.kwargs || null,
    eta: event.eta || null,
    expires: event.expires || null,
    root_id: event.root_id || null,
    parent_id: event.parent_id || null,
    queue: event.queue || null,
    exchange: event.exchange || null,
    routing_key: event.routing_key || null,
    result: event.result || null,
    exception: event.exception || null,
    traceback: event.traceback || null,
    signum: event.signum || null,
  };
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

/** What has to be known of an event until its line is written: the rest of it may be forgotten. */
export interface LineFacts {
  readonly type: string;
  readonly taskId: string | null;
  readonly collectedAt: number;
  readonly hasName: boolean;
  readonly hasQueue: boolean;
  readonly hasRoot: boolean;
  readonly hasException: boolean;
}

export function lineFacts(event: PipelineEvent): LineFacts {
  return {
    type: event.type,
    taskId: event.task_id ?? null,
    collectedAt: event.collected_at,
    hasName: event.name !== undefined,
    hasQueue: event.queue !== undefined,
    hasRoot: event.root_id !== undefined,
    hasException: event.exception !== undefined,
  };
}

/**
 * What is joined onto a stored event, as the tail of its JSON line: name, queue and root where the event has none, the
 * state it brings, the wait, the class of an exception, and the date until which it is kept where that is not the default.
 */
export function enrichedLine(line: string, event: LineFacts, task: Task | null, keepEventsDays: number): string {
  let tail = '';
  if (task !== null) {
    if (!event.hasName && task.name !== null) tail += `,"name":${JSON.stringify(task.name)}`;
    if (!event.hasQueue && task.queue !== null) tail += `,"queue":${JSON.stringify(task.queue)}`;
    if (!event.hasRoot && task.rootId !== null) tail += `,"root_id":${JSON.stringify(task.rootId)}`;
    if (task.waitSeconds !== null && STARTED_OR_LATER.has(event.type)) tail += `,"wait_seconds":${task.waitSeconds}`;
    if (event.hasException && task.exceptionType !== null) {
      tail += `,"exception_type":${JSON.stringify(task.exceptionType)}`;
    }
  }
  const state = EVENT_STATES[event.type] ?? (event.type.startsWith('task-') ? event.type.slice(5).toUpperCase() : '');
  if (state !== '') tail += `,"state":${JSON.stringify(state)}`;
  if (keepEventsDays !== 14) tail += `,"keep_until":${Math.floor(event.collectedAt) + keepEventsDays * DAY_SECONDS}`;
  return `${line.slice(0, -1)}${tail}}\n`;
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

/** The row of a task as it stands now. */
export function taskRow(
  cluster: string,
  task: Task,
  firstSeenAt: number,
  version: number,
  retention: RetentionPolicy,
): TaskWriteRow {
  // an open task is kept for the shortest time: no version of a row may outlive the one that replaces it
  const ended = task.state === 'SUCCESS' ? retention.success : retention.failure;
  const days = FINAL.has(task.state) ? ended : Math.min(retention.success, retention.failure);
  return {
    ...listRow(cluster, task, firstSeenAt),
    args: task.args ?? '',
    kwargs: task.kwargs ?? '',
    result: task.result ?? '',
    exception: task.exception ?? '',
    client: task.client ?? '',
    exception_type: task.exceptionType ?? '',
    traceback: task.traceback ?? '',
    eta: task.eta ?? '',
    expires: task.expires ?? '',
    exchange: task.exchange ?? '',
    routing_key: task.routingKey ?? '',
    retried_at: task.retriedAt,
    terminated: task.terminated,
    signum: task.signum === null ? '' : String(task.signum),
    expired: task.expired,
    cut: [...task.cut],
    clock_skewed: task.clockSkew,
    // a single plain attempt says nothing that the row does not
    attempt_log: task.attempts.length < 2 ? [] : task.attempts.map(attemptRow),
    version,
    keep_until: Math.floor(task.lastEventAt ?? firstSeenAt) + days * DAY_SECONDS,
    is_final: FINAL.has(task.state),
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
