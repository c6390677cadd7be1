import { z } from 'zod';
import { SIGN_INS } from './audit.ts';

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

/**
 * `method` and its arguments, under Celery's names. Passed on as it came, for control to check before anything is sent: a
 * schema of a loose object would drop a key such as `__proto__`, and with it the reason to refuse.
 */
export const askedCommand = z.custom<{ readonly method: string } & Readonly<Record<string, unknown>>>(
  (value) => typeof value === 'object' && value !== null && 'method' in value && typeof value.method === 'string',
  'a command is an object with its method',
);

export const controlQuestion = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('command'),
    /** In every audit record of this request. */
    request_id: z.uuid(),
    by: requester,
    command: askedCommand,
    /** By name. Null for every worker that hears it, as of what has no names: a revoke. */
    workers: z.array(z.string().min(1).max(255)).min(1).max(10_000).nullable(),
    /** How long answers are waited for, milliseconds. */
    wait_ms: z.int().min(100).max(LONGEST_WAIT_MS).default(5_000),
  }),
  z.strictObject({
    kind: z.literal('inspect'),
    of: z.array(z.enum(INSPECTIONS)).min(1).max(INSPECTIONS.length),
    /** Null for all. */
    workers: z.array(z.string().min(1).max(255)).max(1_000).nullable(),
  }),
]);
export type ControlQuestion = z.output<typeof controlQuestion>;
export type ControlQuestionInput = z.input<typeof controlQuestion>;

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
  | { readonly kind: 'ended'; readonly outcome: CommandOutcome; readonly detail: string }
  | InspectionPart;

/** What one worker told of itself last. */
export interface InspectionPart {
  readonly kind: 'inspection';
  readonly of: Inspection;
  readonly worker: string;
  /** Unix seconds at which it answered; null when it has not answered yet. */
  readonly at: number | null;
  /** As it came, secrets masked; null when it has not answered, or answered with an error. */
  readonly value: unknown;
  /** Its own words where it could not tell. */
  readonly error: string | null;
}
