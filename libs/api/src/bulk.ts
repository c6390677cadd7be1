import { FINAL_STATES, MOST_TASKS_ASKED, type TaskOutcome } from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';
import type { BulkProgress, BulkRefusal, BulkStep } from './answers.ts';
import { ApiError } from './errors.ts';
import type { ApiContext, KnownTask, TaskQuestion } from './ports.ts';
import { taskSearch, type TaskSelection } from './task-search.ts';

/** `terminate`: those that run are ended, too. */
export const BULK_ACTIONS = ['retry', 'revoke', 'terminate'] as const;
/** Of more that match, the newest. */
export const MOST_BULK_TASKS = 10_000;
const PAGE = 500;
/** Kinds of refusal that are told apart. */
const MOST_REFUSALS = 20;
/** Ids in one revoke: a worker walks through them before it does anything else. */
const REVOKED_AT_A_TIME = 500;
/** So long workers have to answer a revoke. */
const REVOKE_WAIT_MS = 2_000;
/** Of what is told of the tasks of one question: a message of NATS holds 1 MB. UTF-8. */
const MOST_TOLD_BYTES = 400_000;
/** Between two steps, while nothing ends. */
const STEP_MS = 250;

export interface BulkQuestion {
  readonly action: (typeof BULK_ACTIONS)[number];
  readonly target: { readonly filter: TaskSelection } | { readonly tasks: readonly TaskQuestion[] };
  readonly dryRun: boolean;
  readonly perSecond?: number | undefined;
}

/**
 * Does the same to many tasks: looks up which, then goes through them, cluster by cluster. What matched when it began is what
 * it is about: tasks that come meanwhile are not touched. Ends between two tasks when `signal` is aborted.
 */
export async function* runBulk(
  question: BulkQuestion,
  ctx: ApiContext,
  signal: AbortSignal,
): AsyncGenerator<BulkStep, void> {
  const { clusters, total, capped } = await matching(question.target, ctx, signal);
  const tally = new Tally(total, capped);
  yield tally.step();
  const requests = new Map<string, string>();
  for (const [cluster, tasks] of clusters) {
    const work = { cluster, tasks, question, ctx, signal, requests };
    const going = question.action === 'retry' ? retryAll(work) : revokeAll(work);
    for await (const told of going) {
      if (told === 'chunk') yield tally.step();
      else if (tally.add(cluster, told)) yield tally.step();
    }
    if (signal.aborted) break;
  }
  yield tally.step();
  yield {
    ...{ kind: 'ended', ...tally.end(question, signal.aborted) },
    requests: Array.from(requests, ([request_id, cluster]) => ({ cluster, request_id })),
  };
}

/** A task that something is to be done to. */
interface Target {
  readonly taskId: string;
  /** Unix seconds; null where that is not known. */
  readonly seenAt: number | null;
}

interface Matching {
  readonly clusters: ReadonlyMap<string, readonly Target[]>;
  readonly total: number;
  readonly capped: boolean;
}

/** Each once, by cluster. */
async function matching(target: BulkQuestion['target'], ctx: ApiContext, signal: AbortSignal): Promise<Matching> {
  const clusters = new Map<string, Map<string, Target>>();
  let total = 0;
  const take = (cluster: string, task: Target): void => {
    const tasks = clusters.get(cluster) ?? new Map<string, Target>();
    if (!tasks.has(task.taskId)) total++;
    clusters.set(cluster, tasks.set(task.taskId, task));
  };
  let capped = false;
  if ('tasks' in target) {
    for (const { cluster, taskId } of target.tasks) take(cluster, { taskId, seenAt: null });
  } else {
    const now = ctx.now();
    const search = taskSearch({ ...target.filter, to: target.filter.to ?? now }, now);
    let cursor: string | undefined;
    do {
      const page = await ctx.questions.tasks({ ...search, cursor, limit: PAGE }, signal);
      for (const row of page.rows) {
        if (total < MOST_BULK_TASKS) take(row.cluster, { taskId: row.task_id, seenAt: row.first_seen_at });
        else capped = true;
      }
      cursor = page.next ?? undefined;
    } while (cursor !== undefined && !capped && !signal.aborted);
  }
  return { clusters: new Map(Array.from(clusters, ([name, tasks]) => [name, [...tasks.values()]])), total, capped };
}

interface Work {
  readonly cluster: string;
  readonly tasks: readonly Target[];
  readonly question: BulkQuestion;
  readonly ctx: ApiContext;
  readonly signal: AbortSignal;
  /** Clusters by the ids of their requests. */
  readonly requests: Map<string, string>;
}

/** What came of a task; or a chunk of them is done. */
type Told = TaskOutcome | 'chunk';

async function* retryAll(work: Work): AsyncGenerator<Told, void> {
  const { cluster, question, ctx, signal, requests } = work;
  const requestId = crypto.randomUUID();
  const perSecond = question.perSecond ?? null;
  const how = { requestId, edit: null, dryRun: question.dryRun, evenIfWaiting: false, perSecond, by: ctx.requester };
  let isPaced = false;
  /** Nobody answers for this cluster: the rest need not wait for that again. */
  let gone: ApiError | null = null;
  for await (const { ids, known, failed } of chunks(work, MOST_TASKS_ASKED)) {
    if (signal.aborted) return;
    const why = failed ?? gone;
    if (why !== null) {
      yield* ids.map((id) => refused(id, why.code, why.message));
      continue;
    }
    const open = ids.filter((id) => isOpen(known.get(id)));
    yield* open.map((id) => refused(id, 'TASK_OPEN', OPEN));
    const asked = ids.filter((id) => !isOpen(known.get(id)));
    for (const part of portions(asked, known)) {
      // each begins at once
      if (perSecond !== null && isPaced) await pause(1_000 / perSecond, signal);
      isPaced = !question.dryRun;
      const left = new Set(part.map(({ taskId }) => taskId));
      let isBegun = false;
      try {
        for await (const outcome of ctx.control.retry({ cluster, tasks: part, ...how }, signal)) {
          if ('kind' in outcome) continue;
          if (!question.dryRun) requests.set(requestId, cluster);
          isBegun = true;
          left.delete(outcome.task_id);
          yield outcome;
        }
        // a replica that gives the cluster up ends between two tasks
        if (!signal.aborted) yield* Array.from(left, (id) => refused(id, 'CONTROL_UNAVAILABLE', GIVEN_UP));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.code !== 'CONTROL_REFUSED') gone = error;
        // control was at it, and some may have been sent untold
        const outcome = isBegun && !question.dryRun ? 'unsure' : 'refused';
        yield* Array.from(left, (id) => ({ ...refused(id, error.code, error.message), outcome }) as const);
      }
      if (signal.aborted) return;
    }
    yield 'chunk';
  }
}

async function* revokeAll(work: Work): AsyncGenerator<Told, void> {
  const { cluster, question, ctx, signal, requests } = work;
  const terminate = question.action === 'terminate';
  for await (const { ids, known, failed } of chunks(work, REVOKED_AT_A_TIME)) {
    if (signal.aborted) return;
    const outcomeOf = (id: string): TaskOutcome | null => {
      if (failed !== null) return refused(id, failed.code, failed.message);
      const state = known.get(id)?.state;
      // what is held for lost may run on yet
      if (state !== undefined && state !== 'LOST' && isFinal(state)) return refused(id, 'TASK_ENDED', `it is ${state}`);
      return question.dryRun ? { ...NONE, task_id: id, outcome: 'ready' } : null;
    };
    const told = ids.map(outcomeOf);
    yield* told.filter((outcome) => outcome !== null);
    const left = ids.filter((_, index) => told[index] === null);
    if (left.length > 0) {
      const command = { method: 'revoke', task_id: left, terminate, signal: 'SIGTERM' };
      yield* await revoked(left, async () => {
        const by = ctx.requester;
        const result = await ctx.control.run({ cluster, command, workers: null, waitMs: REVOKE_WAIT_MS, by }, signal);
        requests.set(result.request_id, cluster);
        return result;
      });
    }
    yield 'chunk';
  }
}

async function revoked(
  ids: readonly string[],
  run: () => Promise<{ readonly outcome: string; readonly detail: string }>,
): Promise<TaskOutcome[]> {
  try {
    const { outcome, detail } = await run();
    if (outcome === 'refused') return ids.map((id) => refused(id, 'CONTROL_REFUSED', detail));
    const isDone = outcome === 'done' || outcome === 'partly';
    return ids.map((task_id) => ({ ...NONE, task_id, outcome: isDone ? 'aborted' : 'unsure', detail }));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return ids.map((id) => refused(id, error.code, error.message));
  }
}

interface Chunk {
  readonly ids: readonly string[];
  readonly known: ReadonlyMap<string, KnownTask>;
  /** The store does not tell of them. */
  readonly failed: ApiError | null;
}

/** Some at a time, as they are when their turn comes. */
async function* chunks({ cluster, tasks, ctx, signal }: Work, size: number): AsyncGenerator<Chunk, void> {
  for (let start = 0; start < tasks.length && !signal.aborted; start += size) {
    const some = tasks.slice(start, start + size);
    const ids = some.map(({ taskId }) => taskId);
    const times = some.flatMap(({ seenAt }) => (seenAt === null ? [] : [seenAt]));
    const seen = times.length === ids.length ? { from: Math.min(...times) - 1, to: Math.max(...times) + 1 } : undefined;
    try {
      const known = new Map(await ctx.questions.toldTasks({ cluster, taskIds: ids, seen }, signal));
      const missing = seen === undefined ? [] : ids.filter((id) => !known.has(id));
      if (missing.length > 0) {
        // an event that came late moves the time at which a task was first seen
        for (const [id, told] of await ctx.questions.toldTasks({ cluster, taskIds: missing }, signal)) {
          known.set(id, told);
        }
      }
      yield { ids, known, failed: null };
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      yield { ids, known: new Map(), failed: error };
    }
  }
}

/** What is told of the tasks of one question has to fit a message. */
function* portions(
  ids: readonly string[],
  known: ReadonlyMap<string, KnownTask>,
): Generator<{ taskId: string; told: KnownTask['told'] | null }[], void> {
  let portion: { taskId: string; told: KnownTask['told'] | null }[] = [];
  let bytes = 0;
  for (const taskId of ids) {
    const task = { taskId, told: known.get(taskId)?.told ?? null };
    const size = new TextEncoder().encode(JSON.stringify(task)).length;
    if (portion.length > 0 && bytes + size > MOST_TOLD_BYTES) {
      yield portion;
      [portion, bytes] = [[], 0];
    }
    portion.push(task);
    bytes += size;
  }
  if (portion.length > 0) yield portion;
}

const isFinal = (state: string): boolean => (FINAL_STATES as readonly string[]).includes(state);
const isOpen = (task: KnownTask | undefined): boolean => task !== undefined && !isFinal(task.state);

const OPEN =
  'by what was heard of it, it has not ended: a retry would run beside it; retry it by itself if it never will';

const GIVEN_UP = 'the replica of control that was at it ended before its turn came: try it again';

const NONE = { new_id: null, queues: null, code: '', detail: '' } as const;
const refused = (task_id: string, code: string, detail: string): TaskOutcome => ({
  ...{ ...NONE, task_id, outcome: 'refused', code, detail },
});

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

/** Counts what came of each task, and paces the telling. */
class Tally {
  readonly #total: number;
  readonly #capped: boolean;
  #done = 0;
  #refused = 0;
  #unsure = 0;
  readonly #refusals = new Map<string, BulkRefusal>();
  #toldAtMs = -Infinity;

  constructor(total: number, capped: boolean) {
    this.#total = total;
    this.#capped = capped;
  }

  /** @returns whether it is time for a step */
  add(cluster: string, { outcome, code, task_id, detail }: TaskOutcome): boolean {
    if (outcome === 'unsure') this.#unsure++;
    else if (outcome !== 'refused') this.#done++;
    else {
      this.#refused++;
      const { count = 0, ...first } = this.#refusals.get(code) ?? { code, cluster, task_id, detail };
      if (count > 0 || this.#refusals.size < MOST_REFUSALS) this.#refusals.set(code, { ...first, count: count + 1 });
    }
    return performance.now() - this.#toldAtMs >= STEP_MS;
  }

  step(): BulkProgress {
    this.#toldAtMs = performance.now();
    const refusals = [...this.#refusals.values()].toSorted((a, b) => b.count - a.count);
    const counts = { done: this.#done, refused: this.#refused, unsure: this.#unsure };
    return { kind: 'progress', total: this.#total, capped: this.#capped, ...counts, refusals };
  }

  end({ action, dryRun }: BulkQuestion, isStopped: boolean): Pick<Ended, 'outcome' | 'detail'> {
    const did = { retry: 'sent', revoke: 'revoked', terminate: 'terminated' }[action];
    const counts = [
      `${this.#done} of ${this.#total} ${dryRun ? `would be ${did}` : did}`,
      ...(this.#refused > 0 ? [`${this.#refused} refused`] : []),
      ...(this.#unsure > 0 ? [`${this.#unsure} not known`] : []),
    ].join(', ');
    const detail = this.#total === 0 ? 'no task matches' : isStopped ? `stopped: ${counts}` : counts;
    return { outcome: isStopped ? 'stopped' : this.#outcome(), detail };
  }

  #outcome(): Ended['outcome'] {
    if (this.#done === this.#total) return 'done';
    if (this.#done > 0) return 'partly';
    return this.#unsure > 0 ? 'unanswered' : 'refused';
  }
}

type Ended = Extract<BulkStep, { kind: 'ended' }>;
