import {
  BrokerConfigError,
  BrokerError,
  openTaskSender,
  TaskSendError,
  type ControlChannel,
  type TaskSender,
} from '@meadow/broker';
import {
  encodeTask,
  named,
  taskRequest,
  type EncodedTask,
  type RetryDraft,
  type RetryRefusal,
  type TaskRequest,
} from '@meadow/celery';
import type { EventStream } from '@meadow/bus';
import type { ClusterDefinition, ControlPart, ControlQuestion, Ended, Mask, TaskOutcome } from '@meadow/contract';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { prettifyError, ZodError } from 'zod';
import { recordsOf, type Audit, type Record } from './audit.ts';
import { Drafts, type Edited, type Known } from './drafts.ts';
import { maskRequest } from './request-mask.ts';
import { SentEvents } from './sent-events.ts';
import { answersOf, conclude, NONE, partOf, refusedAs } from './task-outcomes.ts';
import type { Telemetry } from './telemetry.ts';

export interface TasksDeps {
  readonly definition: ClusterDefinition;
  readonly replica: string;
  readonly stream: EventStream;
  readonly channel: ControlChannel;
  readonly mask: Mask;
  readonly audit: Audit;
  readonly telemetry: Telemetry;
  readonly signal: AbortSignal;
}

type Of<Kind extends ControlQuestion['kind']> = Extract<ControlQuestion, { kind: Kind }>;
type Act = Of<'send' | 'retry' | 'abort'>;

/** Who sends, as tasks find it in `self.request.origin`. */
const ORIGIN = `meadow@${hostname()}`;

/**
 * What is done with tasks of one cluster: record → do → record. Nothing leaves that was not recorded before, and what is
 * refused is recorded too. The connection by which tasks are sent is opened when the first one is.
 */
export class ClusterTasks implements AsyncDisposable {
  readonly #deps: TasksDeps;
  readonly #drafts: Drafts;
  readonly #sentEvents: SentEvents;
  #opened: TaskSender | null = null;

  constructor(deps: TasksDeps) {
    this.#deps = deps;
    this.#drafts = new Drafts({ ...deps, clientName: clientNameOf(deps) });
    const { definition, telemetry } = deps;
    const onFailure = (error: unknown): void => telemetry.failed(definition.name, error);
    this.#sentEvents = new SentEvents({ ...deps, cluster: definition.name, origin: ORIGIN, onFailure });
  }

  /** What a retry would send. Waits a moment for workers and the result backend, whoever of them is silent. */
  async *draft(question: Of<'draft'>, signal: AbortSignal): AsyncGenerator<ControlPart, void, undefined> {
    const [found] = (await this.#drafts.find([question], signal)).values();
    if (found !== undefined) yield { kind: 'draft', draft: this.#drafts.shown(question.task_id, found) };
  }

  /** @throws Error, in words for people, when it is refused before anything is sent */
  act(question: Act, signal: AbortSignal): AsyncGenerator<ControlPart, void, undefined> {
    switch (question.kind) {
      case 'send':
        return this.#send(question, signal);
      case 'retry':
        return this.#retry(question, signal);
      case 'abort':
        return this.#abort(question);
      default:
        return question satisfies never;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened?.[Symbol.asyncDispose]();
    await this.#sentEvents.settled();
  }

  async *#send(question: Of<'send'>, signal: AbortSignal): AsyncGenerator<ControlPart, void, undefined> {
    let encoded: EncodedTask;
    let request: TaskRequest;
    try {
      request = taskRequest.parse(question.task);
      encoded = encode(request);
    } catch (error) {
      if (!(error instanceof ZodError)) throw error;
      throw await this.#refuse(question, [], question.task, prettifyError(error));
    }
    const record = this.#recordsOf(question, [encoded.id], maskRequest(request, this.#deps.mask).request);
    await record('begun', '');
    const outcome = await failing(record, () => this.#deliver(encoded, '', signal));
    const outcomes = outcome === null ? [] : [outcome];
    yield* outcomes.map(partOf);
    yield await this.#end(question, record, conclude(outcomes, outcome === null), outcomes);
  }

  async *#retry(question: Of<'retry'>, signal: AbortSignal): AsyncGenerator<ControlPart, void, undefined> {
    const { tasks, edit, dry_run: isDry } = question;
    const targets = tasks.map(({ task_id }) => task_id);
    if (edit !== null && tasks.length > 1) {
      const words = `an edit is for one task, and ${tasks.length} are named: retry them one by one`;
      throw await this.#refuse(question, targets, null, words);
    }
    const found = await this.#drafts.find(tasks, signal);
    const plans = tasks.map((task, index) => this.#plan(task, found.get(task.task_id), question, index));
    const outcomes: TaskOutcome[] = [];
    if (isDry) {
      for (const plan of plans) outcomes.push('request' in plan ? ready(plan) : plan);
      yield* outcomes.map(partOf);
      return yield { kind: 'ended', ...conclude(outcomes, signal.aborted) };
    }
    const changes = plans.flatMap((plan) => ('request' in plan ? plan.changes : []));
    const record = this.#recordsOf(question, targets, {
      ...(edit === null ? {} : { changes }),
      ...(question.per_second === null ? {} : { per_second: question.per_second }),
    });
    if (plans.some((plan) => 'request' in plan)) await record('begun', '');
    try {
      for await (const outcome of this.#deliverAll(plans, question.per_second, signal)) {
        outcomes.push(outcome);
        yield partOf(outcome);
      }
    } catch (error) {
      await record('failed', messageOf(error), answersOf(outcomes));
      throw error;
    }
    yield await this.#end(question, record, conclude(outcomes, outcomes.length < plans.length), outcomes);
  }

  async *#abort(question: Of<'abort'>): AsyncGenerator<ControlPart, void, undefined> {
    const { task_ids: ids } = question;
    const wrong = ids.map((id) => named('the task id').safeParse(id)).find(({ success }) => !success)?.error;
    if (wrong !== undefined) throw await this.#refuse(question, ids, null, prettifyError(wrong));
    const record = this.#recordsOf(question, ids, null);
    await record('begun', '');
    const outcomes = await failing(record, () => this.#aborted(ids));
    yield* outcomes.map(partOf);
    yield await this.#end(question, record, conclude(outcomes, false), outcomes);
  }

  async #aborted(ids: readonly string[]): Promise<readonly TaskOutcome[]> {
    try {
      const told = await this.#sender().abort(ids);
      return told.map((each) =>
        each.kind === 'refused'
          ? refusedAs(each.taskId, each.code, each.reason)
          : { ...NONE, task_id: each.taskId, outcome: 'aborted' },
      );
    } catch (error) {
      if (!(error instanceof BrokerError || error instanceof BrokerConfigError)) throw error;
      const { code, message } = error;
      // it may have been written before the backend fell silent
      const isUnsure = code === 'BROKER_TIMEOUT' || code === 'BROKER_CLOSED';
      const outcome = isUnsure ? 'unsure' : 'refused';
      return ids.map((task_id) => ({ ...NONE, task_id, outcome, code, detail: message }));
    }
  }

  /** What is to be sent for a task, or why nothing is. */
  #plan(
    { task_id }: Known,
    found: RetryDraft | RetryRefusal | undefined,
    { tasks, edit, even_if_waiting }: Of<'retry'>,
    index: number,
  ): Plan | TaskOutcome {
    const { mask } = this.#deps;
    if (found === undefined || found.kind === 'refused') {
      return refusedAs(task_id, found?.code ?? 'RETRY_ARGS_UNKNOWN', mask(found?.reason ?? 'nothing is known of it'));
    }
    if (tasks.findIndex((each) => each.task_id === task_id) !== index) {
      return refusedAs(task_id, 'SEND_TWICE', 'it is named twice: one retry of it is enough');
    }
    const isHeld = found.warnings.some(({ code }) => code === 'ORIGINAL_WAITS');
    if (isHeld && !even_if_waiting) return refusedAs(task_id, 'RETRY_STILL_THERE', STILL_THERE);
    const warnings = found.warnings.filter(({ code }) => code !== 'RUNS_AGAIN').map(({ text }) => mask(text));
    const plan = { task_id, request: found.request, warnings, changes: [] };
    if (edit === null) return plan;
    const edited = this.#drafts.edited(found, edit);
    if (edited.kind === 'refused') return refusedAs(task_id, edited.code, mask(edited.reason));
    return { ...plan, request: edited.request, changes: edited.changes };
  }

  /** One after the other, ending between two when `signal` is aborted. A broker that is away is waited for once. */
  async *#deliverAll(
    plans: readonly (Plan | TaskOutcome)[],
    perSecond: number | null,
    signal: AbortSignal,
  ): AsyncGenerator<TaskOutcome, void, undefined> {
    let nextAtMs = performance.now();
    let away: TaskOutcome | null = null;
    for (const plan of plans) {
      if (!('request' in plan)) {
        yield plan;
        continue;
      }
      if (away !== null) {
        yield { ...away, task_id: plan.task_id };
        continue;
      }
      const waitMs = nextAtMs - performance.now();
      if (waitMs > 0) await delay(waitMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      if (perSecond !== null) nextAtMs = Math.max(nextAtMs, performance.now()) + 1_000 / perSecond;
      const outcome = await this.#repeat(plan, signal);
      if (outcome === null) return;
      if (outcome.outcome === 'refused' && outcome.code.startsWith('BROKER_')) away = outcome;
      yield outcome;
    }
  }

  async #repeat({ task_id, request, warnings }: Plan, signal: AbortSignal): Promise<TaskOutcome | null> {
    let encoded: EncodedTask;
    try {
      encoded = encode(request);
    } catch (error) {
      if (!(error instanceof ZodError)) throw error;
      return refusedAs(task_id, 'RETRY_EDIT_INVALID', prettifyError(error));
    }
    const outcome = await this.#deliver(encoded, task_id, signal);
    return outcome?.outcome === 'sent' ? { ...outcome, detail: detailOf(warnings) } : outcome;
  }

  /** Null where it was not sent because `signal` was aborted before. */
  async #deliver(encoded: EncodedTask, taskId: string, signal: AbortSignal): Promise<TaskOutcome | null> {
    const sentAt = Date.now() / 1000;
    try {
      const { queues } = await this.#sender().send(encoded, signal);
      this.#sentEvents.tell(encoded, sentAt);
      return { ...NONE, task_id: taskId, outcome: 'sent', new_id: encoded.id, queues };
    } catch (error) {
      if (error instanceof TaskSendError && error.code === 'SEND_OUTCOME_UNKNOWN') {
        const { code, message } = error;
        return { ...NONE, task_id: taskId, outcome: 'unsure', new_id: encoded.id, code, detail: message };
      }
      if (error instanceof TaskSendError || error instanceof BrokerError) {
        return refusedAs(taskId, error.code, error.message);
      }
      if (signal.aborted) return null;
      throw error;
    }
  }

  #sender(): TaskSender {
    const { definition, signal } = this.#deps;
    return (this.#opened ??= openTaskSender(definition, { signal, clientName: clientNameOf(this.#deps) }));
  }

  #recordsOf({ kind, request_id, by }: Act, targets: readonly string[], told: unknown): Record {
    const { definition, audit, mask } = this.#deps;
    const about = { cluster: definition.name, by, request_id, action: `task.${kind}` };
    return recordsOf({ ...about, target_kind: 'task', targets: [...targets], arguments: told }, audit, mask);
  }

  /** Records what cannot be done, and gives the error that says so. */
  async #refuse(question: Act, targets: readonly string[], told: unknown, words: string): Promise<Error> {
    await this.#recordsOf(question, targets, told)('refused', words);
    this.#deps.telemetry.command(this.#deps.definition.name, `task.${question.kind}`, 'refused');
    return new Error(words);
  }

  /** Records the end. Where that fails whoever asked is told what was done all the same. */
  async #end(
    question: Act,
    record: Record,
    end: Ended,
    outcomes: readonly TaskOutcome[],
  ): Promise<Extract<ControlPart, { kind: 'ended' }>> {
    const { definition, telemetry } = this.#deps;
    telemetry.command(definition.name, `task.${question.kind}`, end.outcome);
    try {
      await record(end.outcome, end.detail, answersOf(outcomes));
      return { kind: 'ended', ...end };
    } catch (error) {
      telemetry.failed(definition.name, error);
      return { kind: 'ended', ...end, detail: `${end.detail}; this end could not be recorded` };
    }
  }
}

/** What is to be sent for a task. */
interface Plan extends Pick<Edited, 'request' | 'changes'> {
  readonly task_id: string;
  readonly warnings: readonly string[];
}

const STILL_THERE = 'a worker still has the original, which would run twice: wait, revoke it, or retry it by itself';

const clientNameOf = ({ replica }: TasksDeps): string => `meadow control ${replica} tasks`;

/** @throws ZodError */
function encode(request: TaskRequest): EncodedTask {
  return encodeTask(request, { nowMs: Date.now(), newId: randomUUID(), origin: ORIGIN });
}

const ready = ({ task_id, warnings }: Plan): TaskOutcome => ({
  ...{ ...NONE, task_id, outcome: 'ready', detail: detailOf(warnings) },
});

/** Of warnings, which may be many. */
const LONGEST_DETAIL = 500;
const detailOf = (warnings: readonly string[]): string => warnings.join('; ').slice(0, LONGEST_DETAIL);

/** What begins and fails is recorded as such. */
async function failing<T>(record: Record, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await record('failed', messageOf(error));
    throw error;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
