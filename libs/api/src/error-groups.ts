import { clusterName, ERROR_CATEGORIES, ERROR_STATUSES, errorRules, fingerprint } from '@meadow/contract';
import type { ErrorCategory, ErrorRule, ErrorStatus, Requester } from '@meadow/contract';
import { z } from 'zod';
import { range, shortText } from './inputs.ts';

/** By what groups are ordered. `rise`: failures in the newer half of the range less those in the older. */
export const ERROR_ORDERS = ['failures', 'last_seen', 'first_seen', 'rise'] as const;
export type ErrorOrder = (typeof ERROR_ORDERS)[number];

/** What is stored of failures, in groups of those with the same cause, and what people say of these. */
export interface Errors {
  groups(input: ErrorsQuestion, signal: AbortSignal): Promise<Untitled<ErrorList>>;
  /** null when no such group is known. */
  group(input: ErrorQuestion, signal: AbortSignal): Promise<Untitled<ErrorDetail> | null>;
  categories(input: ErrorCategoriesQuestion, signal: AbortSignal): Promise<ErrorCategorySeries>;
  rules(): Promise<ErrorRulesNow>;
  /** Recorded in the audit of every cluster, as they count for all. */
  setRules(input: { readonly rules: readonly ErrorRule[]; readonly by: Requester }): Promise<ErrorRulesNow>;
  /** Recorded in the audit. false when no such group is known: nothing was written then. */
  update(input: ErrorUpdate & { readonly by: Requester }): Promise<boolean>;
}

/** As stored: a title is made of class and message. */
type Untitled<Answer> = Answer extends { readonly groups: readonly (infer Line)[] }
  ? Omit<Answer, 'groups'> & { readonly groups: readonly Omit<Line, 'title'>[] }
  : Omit<Answer, 'title'>;

/** A group of failures with the same cause. Times are Unix seconds. */
export interface ErrorGroup {
  readonly cluster: string;
  readonly fingerprint: string;
  /** Class of the newest failure and its message, without what differs each time. */
  readonly title: string;
  /** Of the newest failure, as in every text. */
  readonly exception_type: string;
  /** Python repr of the exception, or for tasks given up for lost, why. */
  readonly message: string;
  /** Last call in the user's own code, `module.function`, or the task; '' when neither is known. */
  readonly culprit: string;
  readonly name: string;
  readonly first_seen_at: number;
  readonly last_seen_at: number;
  readonly category: ErrorCategory;
  readonly status: ErrorStatus;
  /** It failed again after it was resolved, and is open for that. */
  readonly regressed: boolean;
  /** When its status was last said, and by whom; null when it never was. */
  readonly status_at: number | null;
  readonly status_by: string;
  readonly assignee: string;
  readonly note: string;
}

/** Failed runs in a range: of `failures` Celery tried some again, and Meadow gave some up. */
interface FailureCounts {
  readonly failures: number;
  readonly retried: number;
  readonly lost: number;
  /** Failures by bucket, zero where none happened. */
  readonly trend: readonly number[];
}

export interface ErrorLine extends ErrorGroup, FailureCounts {
  /** Names of tasks, at most 5. */
  readonly names: readonly string[];
  readonly name_count: number;
  readonly queue_count: number;
  readonly worker_count: number;
}

export interface ErrorList {
  readonly groups: readonly ErrorLine[];
  /** The first bucket of each trend, Unix seconds, and their width. */
  readonly from: number;
  readonly bucket_seconds: number;
  /** Groups and failures in the range by status and category, before these two are chosen. */
  readonly totals: readonly {
    readonly status: ErrorStatus;
    readonly category: ErrorCategory;
    readonly groups: number;
    readonly failures: number;
  }[];
}

/** What failed how often. */
export interface AffectedPart {
  readonly value: string;
  readonly failures: number;
}

/** A task that failed. */
export interface ErrorSample {
  readonly task_id: string;
  readonly at: number;
  /** `failed`, `retried` or `lost`. */
  readonly kind: string;
  readonly name: string;
  readonly queue: string;
  readonly worker: string;
  readonly message: string;
  readonly ran_seconds: number | null;
  /** Of the task now; '' when it is not kept any more. */
  readonly state: string;
}

/** What somebody said; null where nothing was. */
export interface ErrorChange {
  readonly at: number;
  readonly by: string;
  readonly status: string | null;
  readonly assignee: string | null;
  readonly note: string | null;
}

export interface ErrorDetail extends ErrorGroup, FailureCounts {
  /** The first bucket of the trend, Unix seconds, and their width. */
  readonly from: number;
  readonly bucket_seconds: number;
  /** Most failures in the range first, at most 20 of each. */
  readonly names: readonly AffectedPart[];
  readonly queues: readonly AffectedPart[];
  readonly workers: readonly AffectedPart[];
  /** How long runs had taken when they failed, seconds, of those in the range whose start is known. */
  readonly ran: { readonly runs: number; readonly mean: number | null; readonly max: number | null };
  /** Its newest tasks, at most 50, whatever the range. */
  readonly samples: readonly ErrorSample[];
  /** Of the newest failure; '' when it is not kept any more. */
  readonly traceback: string;
  /** What its workers run, e.g. `py-celery 5.2.6`. */
  readonly versions: readonly string[];
  /** Newest first, at most 50. */
  readonly changes: readonly ErrorChange[];
}

export interface ErrorCategorySeries {
  /** The first bucket, Unix seconds, and their width. */
  readonly from: number;
  readonly bucket_seconds: number;
  /** Categories with failures in the range, most first: their number by bucket. */
  readonly series: readonly {
    readonly category: ErrorCategory;
    readonly failures: number;
    readonly points: readonly number[];
  }[];
}

export interface ErrorRulesNow {
  readonly rules: readonly ErrorRule[];
  /** When they were written, Unix seconds, and by whom; null for those that Meadow comes with. */
  readonly written: { readonly at: number; readonly by: string } | null;
}

const failureFilter = {
  cluster: clusterName.optional(),
  range: range.default('24h'),
  name: shortText(1000).optional(),
  queue: shortText(500).optional(),
  worker: shortText(500).optional(),
};

export const errorsInput = z.strictObject({
  ...failureFilter,
  statuses: z.array(z.enum(ERROR_STATUSES)).max(10).optional(),
  categories: z.array(z.enum(ERROR_CATEGORIES)).max(10).optional(),
  /** Substring of class, message, culprit or fingerprint, ignoring case. */
  text: shortText(500).optional(),
  order: z.enum(ERROR_ORDERS).default('failures'),
  limit: z.int().min(1, 'from 1 to 500').max(500, 'from 1 to 500').default(100),
});
export type ErrorsQuestion = z.output<typeof errorsInput>;

const group = { cluster: clusterName, fingerprint };
export const errorInput = z.strictObject({ ...group, range: range.default('7d') });
export type ErrorQuestion = z.output<typeof errorInput>;

export const errorCategoriesInput = z.strictObject(failureFilter);
export type ErrorCategoriesQuestion = z.output<typeof errorCategoriesInput>;

export const errorRulesInput = z.strictObject({ rules: errorRules });

export const errorUpdateInput = z
  .strictObject({
    ...group,
    status: z.enum(ERROR_STATUSES).optional(),
    /** '' for nobody. */
    assignee: z.string().trim().max(200, 'at most 200 characters').optional(),
    note: z.string().trim().max(4000, 'at most 4000 characters').optional(),
  })
  .refine(
    ({ status, assignee, note }) => status !== undefined || assignee !== undefined || note !== undefined,
    'say what to change: status, assignee or note',
  );
export type ErrorUpdate = z.output<typeof errorUpdateInput>;
