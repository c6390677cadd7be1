import { extraOf, isTaskEvent } from '../event.ts';
import type { TaskEvent } from '../event.ts';
import type { JsonValue } from '../json.ts';
import { isCut } from '../repr/cut.ts';
import { endOf, lossOf } from './end.ts';
import type { End } from './end.ts';
import { failureOf, noFailure } from './exception.ts';
import type { Failure } from './exception.ts';
import { resultState } from './fact.ts';
import type { MeadowEvent, TaskFact } from './fact.ts';
import type { TaskHistory } from './history.ts';
import { decisive, stateOf } from './run.ts';
import type { Run } from './run.ts';
import type { Attempt, CutField, Progress, Task, TaskState } from './task.ts';

/**
 * The task as its history tells it. `before` is an earlier view of the same task and only saves work: what is derived from
 * the same text or the same run is taken from it.
 */
export function project(history: TaskHistory, before: Task): Task {
  const { ledger, firstCustom, lastCustom, result: stored, lost } = history;
  const run = decisive(ledger.runs, (each) => lossOf(lost, each) !== null);
  const { lastSent, lastReceived } = ledger;
  // A retry is published before anyone received it: what it asks for is the newer truth.
  const ahead = lastReceived === null || (lastSent?.retries ?? 0) > (lastReceived.retries ?? 0);
  const latest = ahead ? lastSent : lastReceived;
  const other = ahead ? lastReceived : lastSent;
  const concluded = endOf(history, run);
  const custom = lastCustom !== null && isCurrent(lastCustom, run, concluded) ? lastCustom : null;
  const end = custom === null ? concluded : null;
  const state = end?.state ?? (custom === null ? taskState(run) : customState(custom.type));
  const last = run?.end ?? null;
  const args = whole(latest?.args ?? other?.args, stored?.args);
  const kwargs = whole(latest?.kwargs ?? other?.kwargs, stored?.kwargs);
  const backed = stored !== null && resultState(stored.type) === state ? stored : null;
  const result = state === 'SUCCESS' ? whole(end?.fact.result, backed?.result) : null;
  const failure = failureAt(end, last, backed);
  const revoked = last?.type === 'task-revoked' ? last : null;
  const wait = run === null ? null : waitOf(run);
  return {
    id: before.id,
    name: lastReceived?.name ?? lastSent?.name ?? stored?.name ?? null,
    state,
    stateAt: end?.at ?? (custom ?? last ?? run?.started ?? run?.received ?? lastSent)?.timestamp ?? null,
    endSource: end?.source ?? null,
    endReason: end?.reason ?? null,
    worker: run?.worker ?? (stored?.hostname || null),
    pid: run?.pid ?? null,
    client: ledger.firstSent?.hostname ?? null,
    rootId: ledger.rootId,
    parentId: ledger.parentId ?? (stored?.parent_id === before.id ? null : (stored?.parent_id ?? null)),
    args,
    kwargs,
    result,
    exception: failure.exception,
    exceptionType: failure.exceptionType,
    traceback: failure.traceback,
    retries: latest?.retries ?? run?.retries ?? stored?.retries ?? null,
    eta: latest?.eta ?? null,
    expires: latest?.expires ?? null,
    queue: lastSent?.queue ?? null,
    exchange: lastSent?.exchange ?? null,
    routingKey: lastSent?.routing_key ?? null,
    sentAt: ledger.firstSent?.timestamp ?? null,
    receivedAt: run?.received?.timestamp ?? null,
    startedAt: run?.started?.timestamp ?? null,
    finishedAt: end?.at ?? null,
    retriedAt: ledger.retriedAt,
    rejectedAt: ledger.rejectedAt,
    revokedAt: ledger.revokedAt,
    cancelledAt: ledger.cancelledAt,
    firstEventAt: [firstCustom, stored].reduce((at, fact) => least(at, fact?.timestamp ?? null), ledger.firstAt),
    lastEventAt: [lastCustom, stored, lost.at(-1)].reduce(
      (at, fact) => most(at, fact?.timestamp ?? null),
      ledger.lastAt,
    ),
    runtime: last?.runtime ?? null,
    waitSeconds: believed(wait),
    clockSkew: wait !== null && wait < -SENT_LATE,
    signum: revoked?.signum ?? null,
    terminated: revoked?.terminated === true,
    expired: revoked?.expired === true,
    progress: progressOf(lastCustom, before),
    cut: cutFields(args, kwargs, result, before),
    attempts: attemptsOf(history, before, end?.source === 'result-backend' && run?.end === null ? { run, end } : null),
    history,
  };
}

/** Upper-cased subject of a custom event: `task-foo-bar` gives `FOO-BAR`. */
function customState(type: string): string {
  return resultState(type) ?? type.slice('task-'.length).toUpperCase();
}

/** What an event says, unless Celery cut it and the result backend has all of it. */
function whole(heard: string | null | undefined, stored: string | null | undefined): string | null {
  if (stored === null || stored === undefined) return heard ?? null;
  return heard === null || heard === undefined || isCut(heard) ? stored : heard;
}

/** What went wrong: of an end, or of the retry that is waited for. An event without traceback takes the backend's. */
function failureAt(end: End | null, last: TaskEvent | null, backed: MeadowEvent | null): Failure {
  const failed = end === null ? last?.type === 'task-retried' : end.state === 'FAILURE';
  const fact = end?.fact ?? last;
  if (!failed || fact === null) return noFailure;
  if (backed === null || backed === fact) return failureOf(fact);
  const exception = fact.exception ?? backed.exception ?? null;
  return failureOf({ exception, traceback: fact.traceback ?? backed.traceback ?? null });
}

function taskState(run: Run | null): TaskState {
  if (run === null) return 'PENDING';
  const state = stateOf(run);
  return state === 'CANCELLED' ? 'RETRY' : state;
}

/** Whether a custom event speaks of the run that matters: sent since its delivery, before its end, after it was given up. */
function isCurrent(custom: TaskFact, run: Run | null, end: End | null): boolean {
  if (end !== null && (end.source !== 'derived' || end.at >= custom.timestamp)) return false;
  if (run === null) return true;
  if (run.end !== null) return custom.timestamp > run.end.timestamp;
  return custom.timestamp >= ((run.received ?? run.started)?.timestamp ?? -Infinity);
}

/**
 * A publisher sends the message first and `task-sent` after it, so an idle worker may start before the task was "sent".
 * Up to this many seconds of that are no wait at all; more is a difference of clocks.
 */
const SENT_LATE = 0.5;

/** Seconds a run waited, negative when clocks disagree, null when unknown or still waiting for its ETA. */
function waitOf(run: Run): number | null {
  const asked = (run.sent ?? run.received)?.timestamp;
  const begun = run.started?.timestamp ?? (run.sent === null ? undefined : run.received?.timestamp);
  if (asked === undefined || begun === undefined) return null;
  const eta = secondsOf((run.received ?? run.sent)?.eta);
  if (eta === null || eta <= asked) return begun - asked;
  return run.started === null ? null : begun - eta;
}

const believed = (wait: number | null): number | null =>
  wait !== null && wait >= -SENT_LATE ? Math.max(0, wait) : null;

/**
 * Seconds that the delivery waited which an event began or ended. The task's own `waitSeconds` are those of the run that
 * matters, which may be another.
 * @param worker who sent the event, and `at`: when, by its clock
 */
export function waitOfEvent(task: Task, worker: string, at: number): number | null {
  const run = task.history.ledger.runs.find(
    ({ started, end, ...each }) => each.worker === worker && (started?.timestamp === at || end?.timestamp === at),
  );
  return run === undefined ? null : believed(waitOf(run));
}

/**
 * Seconds that the run took which an event ended; null where its start is not known, or clocks disagree about it.
 * @param worker who sent the event, and `at`: when, by its clock
 */
export function ranUntilEvent(task: Task, worker: string, at: number): number | null {
  const run = task.history.ledger.runs.find(({ end, ...each }) => each.worker === worker && end?.timestamp === at);
  const began = run?.started?.timestamp;
  return began === undefined || began > at ? null : at - began;
}

/** ISO 8601 to seconds; Celery's naive times are UTC. */
function secondsOf(iso: string | null | undefined): number | null {
  if (iso === null || iso === undefined) return null;
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/i.test(iso) ? iso : `${iso}Z`;
  const ms = Date.parse(zoned);
  return Number.isNaN(ms) ? null : ms / 1000;
}

function progressOf(custom: TaskFact | null, before: Task): Progress | null {
  if (custom === null) return null;
  if (custom === before.history.lastCustom) return before.progress;
  const fields = isTaskEvent(custom) ? extraOf(custom) : metaOf(custom.extra);
  return { state: customState(custom.type), at: custom.timestamp, fields: fields ?? {} };
}

/** The meta of a state in the result backend, which was a JSON object unless it was very long and cut. */
function metaOf(extra: string | null | undefined): Record<string, JsonValue> | null {
  if (extra === null || extra === undefined) return null;
  try {
    return JSON.parse(extra) as Record<string, JsonValue>;
  } catch {
    return { meta: extra };
  }
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

/** `backed`: the run that the result backend ended. */
function attemptsOf(
  { ledger, lost }: TaskHistory,
  before: Task,
  backed: { readonly run: Run | null; readonly end: End } | null,
): readonly Attempt[] {
  const { runs } = ledger;
  const known = before.history.ledger.runs;
  // ends that no run holds are put on top: only then may a run that is the same be another attempt
  const plain = lost.length === 0 && backed === null && before.endSource !== 'result-backend';
  if (plain && runs === known) return before.attempts;
  return runs.map((run, i) => {
    if (plain && run === known[i]) return before.attempts[i] ?? attemptOf(run, null);
    return attemptOf(run, run === backed?.run ? backed.end : lossOf(lost, run));
  });
}

function attemptOf(run: Run, end: End | null): Attempt {
  const fact = end === null ? run.end : end.fact;
  const failed = end?.state === 'FAILURE' || fact?.type === 'task-failed' || fact?.type === 'task-retried';
  return {
    number: run.number,
    retries: run.retries,
    worker: run.worker,
    pid: run.pid,
    sentAt: run.sent?.timestamp ?? null,
    receivedAt: run.received?.timestamp ?? null,
    startedAt: run.started?.timestamp ?? null,
    endedAt: fact?.timestamp ?? null,
    state: end?.state ?? stateOf(run),
    exception: failed && fact !== null ? failureOf(fact).exception : null,
    redelivered: run.redelivered,
  };
}

function least(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}

function most(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}
