import type { ControlAnswers, ControlChannel } from '@meadow/broker';
import {
  controlCommand,
  isInspection,
  refusalIn,
  type ControlCommand,
  type ControlMethod,
  type ControlReply,
} from '@meadow/celery';
import type { AuditRecord, ControlPart, ControlQuestion, Mask } from '@meadow/contract';
import { setTimeout as delay } from 'node:timers/promises';
import { prettifyError } from 'zod';
import { recordsOf, type Audit } from './audit.ts';
import type { Revokes } from './revokes.ts';
import { readTimeLimits, timeLimitsToSend } from './time-limits.ts';
import type { Telemetry } from './telemetry.ts';

type Question = Extract<ControlQuestion, { kind: 'command' }>;
type WorkerPart = Extract<ControlPart, { kind: 'worker' }>;
type EndPart = Extract<ControlPart, { kind: 'ended' }>;

export interface CommandDeps {
  readonly cluster: string;
  readonly channel: ControlChannel;
  readonly mask: Mask;
  readonly audit: Audit;
  readonly revokes: Revokes;
  readonly telemetry: Telemetry;
}

/** What tells every worker something about tasks, wherever they are. Whatever else changes a worker needs its name. */
const FOR_ALL: ReadonlySet<ControlMethod> = new Set(['revoke', 'revoke_by_stamped_headers']);

/** Where tasks are is asked for once. */
const QUERY_WAIT_MS = 2_000;
/** Between two looks whether workers that were told to end have. */
const END_LOOK_MS = 500;

/**
 * Carries out a command: record → send → what each worker answers → record. Nothing is sent that is not recorded before, and
 * what is refused is recorded too; questions change nothing and are not. A reply means what it says: `done` is the worker's
 * word, `silent` may be done yet.
 * @throws Error, in words for people, when it is refused; BrokerError when it cannot be sent
 */
export async function* runCommand(
  question: Question,
  deps: CommandDeps,
  signal: AbortSignal,
): AsyncGenerator<ControlPart, void, undefined> {
  const began = performance.now();
  const { cluster, audit, mask } = deps;
  const { by, request_id, workers: named } = question;
  const { method, ...rest } = question.command;
  const about = { cluster, by, request_id, action: method, ...targetOf(method, rest, named), arguments: rest };
  const record = recordsOf(about, audit, mask);
  let command: ControlCommand;
  try {
    command = await readCommand(question, deps);
  } catch (error) {
    await record('refused', messageOf(error));
    // what was asked for may be no method at all, and is no label then
    deps.telemetry.command(deps.cluster, '', 'refused');
    throw error;
  }
  const isRecorded = !isInspection(command.method);
  if (isRecorded) await record('begun', '');
  const workers: WorkerPart[] = [];
  try {
    for await (const part of send(command, question, deps, began, signal)) {
      workers.push(part);
      yield part;
    }
    let end = signal.aborted ? stopped(workers) : conclude(workers, named);
    if (FOR_ALL.has(command.method)) {
      end = { ...end, detail: await followed(command, question, deps, workers, end.detail) };
    }
    deps.telemetry.command(deps.cluster, method, end.outcome);
    if (isRecorded) await record(end.outcome, end.detail, answersOf(workers));
    yield end;
  } catch (error) {
    deps.telemetry.command(deps.cluster, method, 'failed');
    if (isRecorded) await record('failed', messageOf(error), answersOf(workers));
    throw error;
  }
}

/** @throws Error naming what is wrong with it and the remedy */
async function readCommand(question: Question, { channel }: CommandDeps): Promise<ControlCommand> {
  const { command: asked, workers } = question;
  let input: Readonly<Record<string, unknown>> = asked;
  if (asked.method === 'time_limit' && (asked['soft'] === undefined || asked['hard'] === undefined)) {
    input = { ...asked, soft: asked['soft'] ?? null, hard: asked['hard'] ?? null };
  }
  const command = controlCommand.safeParse(input);
  if (!command.success) throw new Error(prettifyError(command.error));
  const { method } = command.data;
  if (workers === null && !isInspection(method) && !FOR_ALL.has(method)) {
    throw new Error(`${method} changes workers: name those that it is for`);
  }
  if (channel.status.state === 'failed') throw channel.status.error;
  return command.data;
}

async function* send(
  command: ControlCommand,
  question: Question,
  deps: CommandDeps,
  began: number,
  signal: AbortSignal,
): AsyncGenerator<WorkerPart> {
  const { channel } = deps;
  const { workers, wait_ms: waitMs } = question;
  if (command.method === 'shutdown') return yield* shutDown(command, question, deps, began, signal);
  if (command.method === 'time_limit' && workers !== null) {
    const { soft, hard } = question.command;
    const asked = { soft: soft as number | null | undefined, hard: hard as number | null | undefined };
    if (asked.soft === undefined || asked.hard === undefined) {
      const present = await readTimeLimits(channel, command.task_name, workers, waitMs, signal);
      const { groups, unknown } = timeLimitsToSend(asked, present);
      for (const [worker, words] of unknown) yield silentPart(worker, words, began);
      for (const { soft: softLimit, hard: hardLimit, workers: group } of groups) {
        yield* gather({ ...command, soft: softLimit, hard: hardLimit }, group, waitMs, deps, began, signal);
      }
      return;
    }
  }
  yield* gather(command, workers, waitMs, deps, began, signal);
}

/** Sends it once and passes on what comes back, as it comes. */
async function* gather(
  command: ControlCommand,
  workers: readonly string[] | null,
  waitMs: number,
  { channel, mask }: CommandDeps,
  began: number,
  signal: AbortSignal,
): AsyncGenerator<WorkerPart> {
  const answered: ControlReply[] = [];
  let wake = (): void => undefined;
  let answers: ControlAnswers | null = null;
  const asking = channel
    .ask({
      ...{ command, destination: workers, waitMs, signal },
      onReply: (reply) => {
        answered.push(reply);
        wake();
      },
    })
    .then((all) => (answers = all))
    .finally(() => wake());
  asking.catch(() => undefined);
  for (;;) {
    for (let reply = answered.shift(); reply !== undefined; reply = answered.shift()) {
      yield answerPart(reply, mask, began);
    }
    if (answers !== null) break;
    await Promise.race([asking, new Promise<void>((resolve) => (wake = resolve))]);
  }
  const { replies } = await asking;
  const heardFrom = new Set(replies.map(({ worker }) => worker));
  for (const worker of workers ?? []) {
    if (!heardFrom.has(worker)) yield silentPart(worker, 'no answer in time', began);
  }
}

/** A worker that is told to end never says so: it is done when it no longer answers. */
async function* shutDown(
  command: ControlCommand,
  { workers, wait_ms: waitMs }: Question,
  deps: CommandDeps,
  began: number,
  signal: AbortSignal,
): AsyncGenerator<WorkerPart> {
  const { channel } = deps;
  await channel.ask({ command, destination: workers, waitMs: 0, signal });
  const until = performance.now() + waitMs;
  let left = workers ?? [];
  for (;;) {
    const still = await channel.ask({
      ...{ command: { method: 'ping' }, destination: left, waitMs: Math.min(1_000, waitMs), signal },
    });
    const alive = new Set(still.replies.map(({ worker }) => worker));
    for (const worker of left) {
      if (alive.has(worker)) continue;
      yield { ...silentPart(worker, 'it answers no more; running tasks are finished first', began), outcome: 'done' };
    }
    left = left.filter((worker) => alive.has(worker));
    if (left.length === 0 || signal.aborted || performance.now() > until) break;
    await delay(END_LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  for (const worker of left) yield silentPart(worker, 'told to end, and still answers', began);
}

function answerPart(reply: ControlReply, mask: Mask, began: number): WorkerPart {
  const { worker } = reply;
  const refusal = refusalIn(reply);
  const value = JSON.parse(mask.json(reply.value)) as unknown;
  const said = value !== null && typeof value === 'object' && 'ok' in value ? value.ok : null;
  const words = refusal === null ? (typeof said === 'string' ? said : '') : mask(refusal);
  return {
    ...{ kind: 'worker', worker, outcome: refusal === null ? 'done' : 'refused', words, value },
    seconds: secondsSince(began),
  };
}

/** A revoke is not done when workers have said yes: tells where the tasks are, and who comes later is told too. */
async function followed(
  command: ControlCommand,
  { request_id, workers: named }: Question,
  { channel, revokes }: CommandDeps,
  parts: readonly WorkerPart[],
  detail: string,
): Promise<string> {
  const answered = parts.filter(({ outcome }) => outcome !== 'silent').map(({ worker }) => worker);
  const said = [detail];
  if (command.method === 'revoke' && answered.length > 0) {
    const ids = command.task_id;
    const { replies } = await channel.ask({
      ...{ command: { method: 'query_task', ids }, destination: answered, waitMs: QUERY_WAIT_MS },
    });
    const places = replies.flatMap(({ value }) => placesIn(value));
    const running = places.filter((place) => place === 'active').length;
    const waiting = places.filter((place) => place === 'reserved').length;
    if (running > 0 && !command.terminate) said.push(`${running} running and not stopped by this: terminate would`);
    if (waiting > 0) said.push(`${waiting} waiting in a worker, to be dropped when its turn comes`);
    if (running + waiting < ids.length) {
      said.push(`${ids.length - running - waiting} in no worker now: dropped when delivered, unless finished before`);
    }
  }
  // for named workers alone nobody else is to know
  if (named === null) {
    const isFollowed = await revokes.follow(request_id, command, answered);
    said.push(
      isFollowed
        ? 'workers that come in the next 30 minutes are told too'
        : 'workers that come later are not told: too many revokes are followed',
    );
  }
  return said.join('; ');
}

/** @param value of a reply to `query_task`: by id a pair of where it is and what it is */
function placesIn(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).map((pair: unknown) => (Array.isArray(pair) ? (pair[0] as unknown) : null));
}

const silentPart = (worker: string, words: string, began: number): WorkerPart => ({
  ...{ kind: 'worker', worker, outcome: 'silent', words, value: null },
  seconds: secondsSince(began),
});

/** @param named null where it was for all who heard it */
export function conclude(workers: readonly WorkerPart[], named: readonly string[] | null): EndPart {
  const count = (outcome: WorkerPart['outcome']): number => workers.filter((part) => part.outcome === outcome).length;
  const [done, refused, silent] = [count('done'), count('refused'), count('silent')];
  const of = named?.length ?? workers.length;
  const detail = [
    `${done} of ${of} ${of === 1 ? 'worker' : 'workers'} did it`,
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(silent > 0 ? [`${silent} did not answer`] : []),
  ].join(', ');
  const outcome =
    workers.length === 0 || silent === workers.length
      ? 'unanswered'
      : done === workers.length
        ? 'done'
        : refused === workers.length
          ? 'refused'
          : 'partly';
  return { kind: 'ended', outcome, detail, count: null };
}

function stopped(workers: readonly WorkerPart[]): EndPart {
  const detail = `stopped after ${workers.length} answers; it was sent already`;
  return { kind: 'ended', outcome: 'stopped', detail, count: null };
}

/** What a command is about: tasks, where it names some, else the workers. */
function targetOf(
  method: string,
  { task_id: ids }: Readonly<Record<string, unknown>>,
  workers: readonly string[] | null,
): Pick<AuditRecord, 'target_kind' | 'targets'> {
  if (method === 'revoke' && Array.isArray(ids)) return { target_kind: 'task', targets: ids.map(String) };
  return workers === null ? { target_kind: 'cluster', targets: [] } : { target_kind: 'worker', targets: [...workers] };
}

export const answersOf = (parts: readonly WorkerPart[]) =>
  parts.map(({ worker, outcome, words }) => ({ worker, outcome, words }));

const secondsSince = (began: number): number => Math.round(performance.now() - began) / 1000;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
