import {
  ApiError,
  type Acting,
  type ActionResult,
  type BrokerNow,
  type CommandRequest,
  type CommandResult,
  type Control,
  type InspectQuestion,
  type MoveQuestion,
  type MoveStep,
  type PeekQuestion,
  type QueueMessages,
  type QueueNow,
  type RetryQuestion,
  type SendResult,
  type TasksResult,
} from '@meadow/api';
import { BusError, type Requests } from '@meadow/bus';
import {
  askControlSubject,
  type ControlPart,
  type ControlQuestionInput,
  type DraftRefusal,
  type InspectionPart,
  type TaskDraft,
  type TaskOutcome,
  type ToldTask,
} from '@meadow/contract';
import { randomUUID } from 'node:crypto';

type Part<Kind extends ControlPart['kind']> = Extract<ControlPart, { kind: Kind }>;

/** Remote control, as the replica of control that holds the cluster does it. */
export class ClusterControl implements Control {
  readonly #requests: () => Requests | null;

  /** @param requests null while NATS is away */
  constructor(requests: () => Requests | null) {
    this.#requests = requests;
  }

  async inspect({ cluster, of, workers }: InspectQuestion, signal: AbortSignal): Promise<readonly InspectionPart[]> {
    const question: ControlQuestionInput = { kind: 'inspect', of: [...of], workers: workers ? [...workers] : null };
    const parts = await this.#gather(cluster, question, signal);
    return parts.filter((part) => part.kind === 'inspection');
  }

  run({ cluster, command, workers, waitMs, by }: CommandRequest, signal: AbortSignal): Promise<CommandResult> {
    const named = workers === null ? null : [...workers];
    return this.#command(cluster, { kind: 'command', ...acting(by), command, workers: named, wait_ms: waitMs }, signal);
  }

  async queues(
    { cluster, queues }: { readonly cluster: string; readonly queues: readonly string[] },
    signal: AbortSignal,
  ): Promise<readonly QueueNow[]> {
    const parts = await this.#gather(cluster, { kind: 'queues', queues: [...queues] }, signal);
    const { kind: _, ...looked } = partOf(parts, 'looked');
    return parts.flatMap((part) =>
      part.kind === 'queue' ? [{ figures: part.figures, paused: part.paused, ...looked }] : [],
    );
  }

  async peek({ cluster, ...question }: PeekQuestion, signal: AbortSignal): Promise<QueueMessages> {
    const { peek, at } = partOf(await this.#gather(cluster, { kind: 'peek', ...question }, signal), 'messages');
    return { ...peek, at };
  }

  async broker({ cluster }: { readonly cluster: string }, signal: AbortSignal): Promise<BrokerNow> {
    const { facts, looked } = partOf(await this.#gather(cluster, { kind: 'broker' }, signal), 'server');
    return { facts, ...looked };
  }

  purge({ cluster, by, ...of }: Acting & { queue: string; confirm: string }): Promise<ActionResult> {
    return this.#act(cluster, { kind: 'purge', ...acting(by), ...of });
  }

  remove({ cluster, by, ...of }: Acting & { queue: string; handle: string }): Promise<ActionResult> {
    return this.#act(cluster, { kind: 'remove', ...acting(by), ...of });
  }

  async *move({ cluster, by, ...move }: Acting & MoveQuestion, signal: AbortSignal): AsyncGenerator<MoveStep, void> {
    const question = { kind: 'move', ...acting(by), ...move } as const;
    for await (const part of this.#ask(cluster, question, signal)) {
      if (part.kind === 'progress') yield part;
      else if (part.kind === 'ended') yield { ...part, request_id: question.request_id };
    }
  }

  pause({ cluster, by, queue }: Acting & { queue: string }): Promise<CommandResult> {
    return this.#command(cluster, { kind: 'pause', ...acting(by), queue });
  }

  resume({
    cluster,
    by,
    queue,
    workers,
  }: Acting & { queue: string; workers: readonly string[] }): Promise<CommandResult> {
    return this.#command(cluster, { kind: 'resume', ...acting(by), queue, workers: [...workers] });
  }

  async send({ cluster, by, task }: Acting & { task: Readonly<Record<string, unknown>> }): Promise<SendResult> {
    const question = { kind: 'send', ...acting(by), task } as const;
    const parts = await this.#gather(cluster, question);
    const { kind: _, ...sent } = partOf(parts, 'task');
    return { ...endOf(parts, question), task: sent };
  }

  async draft(
    { cluster, taskId, told }: { cluster: string; taskId: string; told: ToldTask | null },
    signal: AbortSignal,
  ): Promise<TaskDraft | DraftRefusal> {
    return partOf(await this.#gather(cluster, { kind: 'draft', task_id: taskId, told }, signal), 'draft').draft;
  }

  async *retry(
    { cluster, by, requestId = randomUUID(), tasks, edit, dryRun, evenIfWaiting, perSecond }: Acting & RetryQuestion,
    signal: AbortSignal,
  ): AsyncGenerator<TaskOutcome | ({ kind: 'ended' } & ActionResult), void> {
    const question: ControlQuestionInput = {
      ...{ kind: 'retry', request_id: requestId, by, edit, dry_run: dryRun, per_second: perSecond },
      even_if_waiting: evenIfWaiting,
      tasks: tasks.map(({ taskId, told }) => ({ task_id: taskId, told })),
    };
    for await (const part of this.#ask(cluster, question, signal)) {
      if (part.kind === 'ended') yield { ...part, request_id: requestId };
      if (part.kind !== 'task') continue;
      const { kind: _, ...outcome } = part;
      yield outcome;
    }
  }

  async abort({ cluster, by, taskIds }: Acting & { taskIds: readonly string[] }): Promise<TasksResult> {
    const question: ControlQuestionInput = { kind: 'abort', ...acting(by), task_ids: [...taskIds] };
    const parts = await this.#gather(cluster, question);
    const tasks = parts.flatMap((part) => {
      if (part.kind !== 'task') return [];
      const { kind: _, ...outcome } = part;
      return outcome;
    });
    return { ...endOf(parts, question), tasks };
  }

  async #command(
    cluster: string,
    question: ControlQuestionInput & { request_id: string },
    signal?: AbortSignal,
  ): Promise<CommandResult> {
    const parts = await this.#gather(cluster, question, signal);
    const { request_id, outcome, detail } = endOf(parts, question);
    const workers = parts.flatMap((part) => {
      if (part.kind !== 'worker') return [];
      const { kind: _, ...answer } = part;
      return answer;
    });
    return { request_id, outcome, detail, workers };
  }

  async #act(cluster: string, question: ControlQuestionInput & { request_id: string }): Promise<ActionResult> {
    return endOf(await this.#gather(cluster, question), question);
  }

  async #gather(cluster: string, question: ControlQuestionInput, signal?: AbortSignal): Promise<ControlPart[]> {
    const parts: ControlPart[] = [];
    for await (const part of this.#ask(cluster, question, signal)) parts.push(part);
    return parts;
  }

  /** @param signal left out where what was begun is to be ended, whoever waits for it */
  async *#ask(
    cluster: string,
    question: ControlQuestionInput,
    signal?: AbortSignal,
  ): AsyncGenerator<ControlPart, void> {
    const requests = this.#requests();
    if (requests === null) throw new ApiError('BUS_UNAVAILABLE', 'NATS does not answer: workers cannot be reached');
    const asking = requests.askInParts(askControlSubject(cluster), question, signal ?? new AbortController().signal);
    try {
      for await (const part of asking) yield part as ControlPart;
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      if (error.code === 'BUS_REJECTED') throw new ApiError('CONTROL_REFUSED', error.said, error);
      if (error.code === 'BUS_TOO_LARGE') {
        throw new ApiError('CONTROL_REFUSED', 'it is longer than a message of NATS: shorten the arguments', error);
      }
      const remedy = 'start the control service, or wait some seconds until another replica has taken over';
      throw new ApiError('CONTROL_UNAVAILABLE', `no control service answers for cluster ${cluster}: ${remedy}`, error);
    }
  }
}

const acting = (by: Acting['by']) => ({ request_id: randomUUID(), by });

function partOf<Kind extends ControlPart['kind']>(parts: readonly ControlPart[], kind: Kind): Part<Kind> {
  const part = parts.find((each): each is Part<Kind> => each.kind === kind);
  if (part === undefined) throw new ApiError('CONTROL_UNAVAILABLE', 'control ended before it had answered: try again');
  return part;
}

function endOf(parts: readonly ControlPart[], { request_id }: { readonly request_id: string }): ActionResult {
  const end = parts.find((part) => part.kind === 'ended');
  if (end === undefined)
    throw new ApiError('CONTROL_UNAVAILABLE', 'control ended before the command did: look at the audit');
  const { outcome, detail, count } = end;
  return { request_id, outcome, detail, count };
}
