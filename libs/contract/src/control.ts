import type { TaskRequest, ToldTask } from '@meadow/celery';
import { z } from 'zod';
import { SIGN_INS } from './audit.ts';
import type { Peek, QueueFigures } from './queue.ts';
import type { ServerFacts } from './server.ts';

/** Asked of the replica of control that holds a cluster, a `ControlQuestion`; answered in parts, `ControlPart`. */
export const askControlSubject = (cluster: string): string => `meadow.ask.control.${cluster}`;

/** Who wants something done, as far as the gateway knows them; '' is not known. */
export const requester = z.strictObject({
  actor: z.string().max(200),
  signed_in: z.enum(SIGN_INS),
  address: z.string().max(200),
  user_agent: z.string().max(500),
});
export type Requester = z.output<typeof requester>;

/** A page waits no longer for workers. */
const LONGEST_WAIT_MS = 60_000;

/** What workers can be asked of themselves, in Celery's words, each without arguments. */
export const INSPECTIONS = [
  ...(['stats', 'active_queues', 'registered', 'active', 'reserved', 'scheduled', 'revoked', 'conf'] as const),
] as const;
export type Inspection = (typeof INSPECTIONS)[number];

/** Tasks in one question: what is told of them has to fit a message of NATS. */
export const MOST_TASKS_ASKED = 100;
/** Messages of a queue that are looked at in one go. */
export const MOST_PEEKED = 100;

/**
 * `method` and its arguments, under Celery's names. Passed on as it came, for control to check before anything is sent: a
 * schema of a loose object would drop a key such as `__proto__`, and with it the reason to refuse.
 */
export const askedCommand = z.custom<{ readonly method: string } & Readonly<Record<string, unknown>>>(
  (value) => typeof value === 'object' && value !== null && 'method' in value && typeof value.method === 'string',
  'a command is an object with its method',
);

/** A task to be sent, or what of a draft is to be otherwise. Checked by control, for the same reason. */
export const askedTask = z.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'a task is an object with its name, arguments and queue',
);

const workerName = z.string().min(1).max(255);
const queueName = z.string().min(1).max(255);
const taskId = z.string().min(1).max(500);
/** What events told of a task, as the store has it, masked as it is. */
const toldTask: z.ZodType<ToldTask> = z.strictObject({
  name: z.string().nullable(),
  args: z.string().nullable(),
  kwargs: z.string().nullable(),
  queue: z.string().nullable(),
  exchange: z.string().nullable(),
  routingKey: z.string().nullable(),
  eta: z.string().nullable(),
  expires: z.string().nullable(),
});
const knownTask = z.strictObject({ task_id: taskId, told: toldTask.nullable() });

/** Of what changes something: who wants it, and what all audit records of it have in common. */
const acting = { request_id: z.uuid(), by: requester };

export const controlQuestion = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('command'),
    ...acting,
    command: askedCommand,
    /** By name. Null for every worker that hears it, as of what has no names: a revoke. */
    workers: z.array(workerName).min(1).max(10_000).nullable(),
    /** How long answers are waited for, milliseconds. */
    wait_ms: z.int().min(100).max(LONGEST_WAIT_MS).default(5_000),
  }),
  z.strictObject({
    kind: z.literal('inspect'),
    of: z.array(z.enum(INSPECTIONS)).min(1).max(INSPECTIONS.length),
    /** Null for all. */
    workers: z.array(workerName).max(1_000).nullable(),
  }),
  /** The broker's own figures of these queues, now. Answered by `queue` for each, then `looked`. */
  z.strictObject({ kind: z.literal('queues'), queues: z.array(queueName).min(1).max(1_000) }),
  /** Answered by `messages`. */
  z.strictObject({
    kind: z.literal('peek'),
    queue: queueName,
    offset: z.int().min(0).max(10_000),
    limit: z.int().min(1).max(MOST_PEEKED),
  }),
  /** Answered by `server`. */
  z.strictObject({ kind: z.literal('broker') }),
  /** Answered by `ended`, with what was removed first. `confirm`: the queue's name once more, as a person typed it. */
  z.strictObject({ kind: z.literal('purge'), ...acting, queue: queueName, confirm: z.string() }),
  /** One message that a look has shown. Answered by `ended`. */
  z.strictObject({ kind: z.literal('remove'), ...acting, queue: queueName, handle: z.string().min(1).max(1_000) }),
  /** Answered by `progress` now and then, then `ended`. `limit`: null for all that wait when it begins. */
  z.strictObject({
    kind: z.literal('move'),
    ...acting,
    from: queueName,
    to: queueName,
    limit: z.int().min(1).nullable(),
  }),
  /** No worker takes from the queue any more; those that did are remembered. Answered by `worker` for each, then `ended`. */
  z.strictObject({ kind: z.literal('pause'), ...acting, queue: queueName }),
  /** Those that took from it when it was paused do again, and `workers`, where some are named. Answered as `pause`. */
  z.strictObject({
    kind: z.literal('resume'),
    ...acting,
    queue: queueName,
    workers: z.array(workerName).max(1_000),
  }),
  /** Answered by `task`, then `ended`. */
  z.strictObject({ kind: z.literal('send'), ...acting, task: askedTask }),
  /** What a retry of the task would send. Answered by `draft`. */
  z.strictObject({ kind: z.literal('draft'), ...knownTask.shape }),
  /**
   * Answered by `task` for each, in order, then `ended`. Each is sent as its draft has it; a single one may be edited: `edit`
   * has the fields that are otherwise, `base` the draft they were written over.
   */
  z.strictObject({
    kind: z.literal('retry'),
    ...acting,
    tasks: z.array(knownTask).min(1).max(MOST_TASKS_ASKED),
    edit: z.strictObject({ base: z.string().max(200), changes: askedTask }).nullable(),
    /** Nothing is sent or recorded: it is told what would be. */
    dry_run: z.boolean(),
    /** Also where a worker still has the original, so that it runs twice; else that is refused. */
    even_if_waiting: z.boolean(),
    /** At most so many a second; null for as fast as it goes. */
    per_second: z.number().min(0.1).max(1_000).nullable(),
  }),
  /** Of tasks made from `AbortableTask`. Answered by `task` for each, then `ended`. */
  z.strictObject({ kind: z.literal('abort'), ...acting, task_ids: z.array(taskId).min(1).max(MOST_TASKS_ASKED) }),
]);
export type ControlQuestion = z.output<typeof controlQuestion>;
export type ControlQuestionInput = z.input<typeof controlQuestion>;

export type { ToldTask } from '@meadow/celery';

/** What a worker did with a command: `silent` may do it yet, or never. */
export type WorkerOutcome = 'done' | 'refused' | 'silent';

export interface WorkerAnswer {
  readonly worker: string;
  readonly outcome: WorkerOutcome;
  /** Its own, when it refused; what it says of success is told here too, where it is a text. */
  readonly words: string;
  /** What it answered, secrets masked; null where it was silent. */
  readonly value: unknown;
  /** Since the command was begun. */
  readonly seconds: number;
}

/** What came of a command in all. `unanswered`: it was sent, and no worker said a word. */
export type CommandOutcome = 'done' | 'partly' | 'refused' | 'unanswered' | 'stopped';

export type ControlPart =
  | ({ readonly kind: 'worker' } & WorkerAnswer)
  | ({ readonly kind: 'ended' } & Ended)
  | InspectionPart
  | { readonly kind: 'queue'; readonly figures: QueueFigures; readonly paused: Pause | null }
  | ({ readonly kind: 'looked' } & Looked)
  | { readonly kind: 'messages'; readonly peek: Peek; /** Unix seconds. */ readonly at: number }
  | { readonly kind: 'server'; readonly facts: ServerFacts; readonly looked: Looked }
  | { readonly kind: 'progress'; readonly done: number; readonly total: number | null }
  | ({ readonly kind: 'task' } & TaskOutcome)
  | { readonly kind: 'draft'; readonly draft: TaskDraft | DraftRefusal };

export interface Ended {
  readonly outcome: CommandOutcome;
  /** In a line. */
  readonly detail: string;
  /** Messages that were removed or moved, tasks that were sent or aborted; null of what has no number. */
  readonly count: number | null;
}

/** What one worker told of itself last. */
export interface InspectionPart {
  readonly kind: 'inspection';
  readonly of: Inspection;
  readonly worker: string;
  /** Unix seconds at which it answered; null when it has not answered yet. */
  readonly at: number | null;
  /** As it came, secrets masked; null when it has not answered, or answered with an error. */
  readonly value: unknown;
  /** Of a list that is longer than is passed on: how many more there are. */
  readonly omitted: number;
  /** Its own words where it could not tell. */
  readonly error: string | null;
}

/** When the broker was looked at, and what could not be had of it. */
export interface Looked {
  /** Unix seconds. */
  readonly at: number;
  /** What RabbitMQ's management API failed with, so that less is known; null when it did not, or there is none. */
  readonly degraded: { readonly code: string; readonly says: string } | null;
}

/** A queue from which, by Meadow's word, no worker takes. One that is started anew does. */
export interface Pause {
  /** Unix seconds. */
  readonly at: number;
  readonly actor: string;
  /** Who took from it when it was paused. */
  readonly workers: readonly string[];
}

/**
 * What came of one task. `ready`: it would be sent, were this no dry run. `unsure`: it left, and no answer came: it may run or
 * not.
 */
export interface TaskOutcome {
  /** The one that was asked for; '' for a task that is new. */
  readonly task_id: string;
  readonly outcome: 'sent' | 'aborted' | 'ready' | 'refused' | 'unsure';
  /** Of the task that was sent, or may have been. */
  readonly new_id: string | null;
  /** The queues that have it; null where that is not known. */
  readonly queues: readonly string[] | null;
  /** Why not, a stable code; '' where it was. */
  readonly code: string;
  /** In a line: why not, or what to know of it. */
  readonly detail: string;
}

/** What a retry would send, and how sure that is. */
export interface TaskDraft {
  readonly kind: 'draft';
  readonly task_id: string;
  /** Secrets masked. */
  readonly request: TaskRequest;
  /** Fields of the request in which something is masked: sent as they truly are unless they are written anew, whole. */
  readonly masked: readonly (keyof TaskRequest)[];
  /** Names this draft to whoever edits it. */
  readonly base: string;
  /** Where each part was read; null for options that nothing tells. */
  readonly from: Readonly<Record<'name' | 'arguments' | 'route', string>> & { readonly options: string | null };
  readonly warnings: readonly { readonly code: string; readonly text: string }[];
}

/** Why a task cannot be repeated exactly. */
export interface DraftRefusal {
  readonly kind: 'refused';
  readonly code: string;
  readonly reason: string;
}
