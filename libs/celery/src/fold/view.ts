import { extraOf } from '../event.ts';
import type { TaskEvent } from '../event.ts';
import { isCut } from '../repr/cut.ts';
import { failureOf, noFailure } from './exception.ts';
import type { TaskHistory } from './history.ts';
import { decisive, isFinal, stateOf } from './run.ts';
import type { Run } from './run.ts';
import type { Attempt, CutField, Progress, Task, TaskState } from './task.ts';

/**
 * The task as its history tells it. `before` is an earlier view of the same task and only saves work: what is derived from
 * the same text or the same run is taken from it.
 */
export function project(history: TaskHistory, before: Task): Task {
  const { ledger, firstCustom, lastCustom } = history;
  const run = decisive(ledger.runs);
  const { lastSent, lastReceived } = ledger;
  // A retry is published before anyone received it: what it asks for is the newer truth.
  const ahead = lastReceived === null || (lastSent?.retries ?? 0) > (lastReceived.retries ?? 0);
  const latest = ahead ? lastSent : lastReceived;
  const other = ahead ? lastReceived : lastSent;
  const custom = lastCustom !== null && isCurrent(lastCustom, run) ? lastCustom : null;
  const end = run?.end ?? null;
  const args = latest?.args ?? other?.args ?? null;
  const kwargs = latest?.kwargs ?? other?.kwargs ?? null;
  const result = end?.type === 'task-succeeded' ? (end.result ?? null) : null;
  const failure = end?.type === 'task-failed' || end?.type === 'task-retried' ? failureOf(end) : noFailure;
  const revoked = end?.type === 'task-revoked' ? end : null;
  const wait = waitOf(run);
  return {
    id: before.id,
    name: lastReceived?.name ?? lastSent?.name ?? null,
    state: custom === null ? taskState(run) : customState(custom.type),
    stateAt: (custom ?? end ?? run?.started ?? run?.received ?? lastSent)?.timestamp ?? null,
    worker: run?.worker ?? null,
    pid: run?.pid ?? null,
    client: ledger.firstSent?.hostname ?? null,
    rootId: ledger.rootId,
    parentId: ledger.parentId,
    args,
    kwargs,
    result,
    exception: failure.exception,
    exceptionType: failure.exceptionType,
    traceback: failure.traceback,
    retries: latest?.retries ?? run?.retries ?? null,
    eta: latest?.eta ?? null,
    expires: latest?.expires ?? null,
    queue: lastSent?.queue ?? null,
    exchange: lastSent?.exchange ?? null,
    routingKey: lastSent?.routing_key ?? null,
    sentAt: ledger.firstSent?.timestamp ?? null,
    receivedAt: run?.received?.timestamp ?? null,
    startedAt: run?.started?.timestamp ?? null,
    finishedAt: run !== null && isFinal(run) ? (end?.timestamp ?? null) : null,
    retriedAt: ledger.retriedAt,
    rejectedAt: ledger.rejectedAt,
    revokedAt: ledger.revokedAt,
    cancelledAt: ledger.cancelledAt,
    firstEventAt: least(ledger.firstAt, firstCustom?.timestamp ?? null),
    lastEventAt: most(ledger.lastAt, lastCustom?.timestamp ?? null),
    runtime: end?.runtime ?? null,
    waitSeconds: wait !== null && wait >= -SENT_LATE ? Math.max(0, wait) : null,
    clockSkew: wait !== null && wait < -SENT_LATE,
    signum: revoked?.signum ?? null,
    terminated: revoked?.terminated === true,
    expired: revoked?.expired === true,
    progress: progressOf(lastCustom, before),
    cut: cutFields(args, kwargs, result, before),
    attempts: attemptsOf(ledger.runs, before),
    history,
  };
}

/** Upper-cased subject of a custom event: `task-foo-bar` gives `FOO-BAR`. */
function customState(type: string): string {
  return type.slice('task-'.length).toUpperCase();
}

function taskState(run: Run | null): TaskState {
  if (run === null) return 'PENDING';
  const state = stateOf(run);
  return state === 'CANCELLED' ? 'RETRY' : state;
}

/** Whether a custom event speaks of the run that matters: sent since its delivery and before its end. */
function isCurrent(custom: TaskEvent, run: Run | null): boolean {
  if (run === null) return true;
  if (isFinal(run)) return false;
  if (run.end !== null) return custom.timestamp > run.end.timestamp;
  return custom.timestamp >= ((run.received ?? run.started)?.timestamp ?? -Infinity);
}

/**
 * A publisher sends the message first and `task-sent` after it, so an idle worker may start before the task was "sent".
 * Up to this many seconds of that are no wait at all; more is a difference of clocks.
 */
const SENT_LATE = 0.5;

/** Seconds a run waited, negative when clocks disagree, null when unknown or still waiting for its ETA. */
function waitOf(run: Run | null): number | null {
  if (run === null) return null;
  const asked = (run.sent ?? run.received)?.timestamp;
  const begun = run.started?.timestamp ?? (run.sent === null ? undefined : run.received?.timestamp);
  if (asked === undefined || begun === undefined) return null;
  const eta = secondsOf((run.received ?? run.sent)?.eta);
  if (eta === null || eta <= asked) return begun - asked;
  return run.started === null ? null : begun - eta;
}

/** ISO 8601 to seconds; Celery's naive times are UTC. */
function secondsOf(iso: string | null | undefined): number | null {
  if (iso === null || iso === undefined) return null;
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/i.test(iso) ? iso : `${iso}Z`;
  const ms = Date.parse(zoned);
  return Number.isNaN(ms) ? null : ms / 1000;
}

function progressOf(custom: TaskEvent | null, before: Task): Progress | null {
  if (custom === null) return null;
  if (custom === before.history.lastCustom) return before.progress;
  return { state: customState(custom.type), at: custom.timestamp, fields: extraOf(custom) ?? {} };
}

function cutFields(
  args: string | null,
  kwargs: string | null,
  result: string | null,
  before: Task,
): readonly CutField[] {
  if (args === before.args && kwargs === before.kwargs && result === before.result) return before.cut;
  const cut: CutField[] = [];
  if (args !== null && isCut(args)) cut.push('args');
  if (kwargs !== null && isCut(kwargs)) cut.push('kwargs');
  if (result !== null && isCut(result)) cut.push('result');
  return cut;
}

function attemptsOf(runs: readonly Run[], before: Task): readonly Attempt[] {
  const known = before.history.ledger.runs;
  if (runs === known) return before.attempts;
  return runs.map((run, i) => (run === known[i] ? (before.attempts[i] ?? attemptOf(run)) : attemptOf(run)));
}

function attemptOf(run: Run): Attempt {
  const failed = run.end?.type === 'task-failed' || run.end?.type === 'task-retried' ? failureOf(run.end) : noFailure;
  return {
    number: run.number,
    retries: run.retries,
    worker: run.worker,
    pid: run.pid,
    sentAt: run.sent?.timestamp ?? null,
    receivedAt: run.received?.timestamp ?? null,
    startedAt: run.started?.timestamp ?? null,
    endedAt: run.end?.timestamp ?? null,
    state: stateOf(run),
    exception: failed.exception,
    redelivered: run.redelivered,
  };
}

function least(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}

function most(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}
