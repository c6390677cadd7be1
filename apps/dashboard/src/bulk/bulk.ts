import type { BulkProgress, BulkStep } from '@meadow/api';
import type { TaskScope } from '../api/search-api.ts';
import type { Progress } from '../format/progress.ts';
import { formatExact } from '../format/number.ts';
import { spanInWords } from '../router/span.ts';

export type BulkAction = 'retry' | 'revoke' | 'terminate';

/** Which tasks: those that were chosen one by one, or all that are looked for. */
export type BulkTarget =
  { readonly tasks: readonly { readonly cluster: string; readonly taskId: string }[] } | TaskScope;

/** How an action on many tasks is told of. */
export interface BulkWords {
  readonly title: string;
  readonly verb: string;
  /** What it does to each of them. */
  readonly says: string;
  /** Of those that it can be done to, after their number. */
  readonly ready: string;
  /** Of those that it was done to. */
  readonly done: string;
}

export const BULK_WORDS: Readonly<Record<BulkAction, BulkWords>> = {
  retry: {
    title: 'Retry tasks',
    verb: 'Retry',
    says: 'Each is sent once more, exactly as it was, under an id of its own. What it did the first time (charged, mailed, written) it does again, unless it is idempotent.',
    ready: 'can be repeated exactly',
    done: 'sent',
  },
  revoke: {
    title: 'Revoke tasks',
    verb: 'Revoke',
    says: 'No worker that hears this starts them, wherever their messages go. Those that run already run on.',
    ready: 'can be revoked',
    done: 'revoked',
  },
  terminate: {
    title: 'End tasks',
    verb: 'End',
    says: 'They are revoked, and the processes that run them are sent SIGTERM. A task that has just ended leaves its process to another, which the signal meets then.',
    ready: 'can be ended',
    done: 'told to end',
  },
};

/** `1 task`, `1,200 tasks`. */
export function tasksInWords(count: number): string {
  return `${formatExact(count)} ${count === 1 ? 'task' : 'tasks'}`;
}

/** Which tasks a target is, in a line. */
export function targetInWords(target: BulkTarget): string {
  if ('tasks' in target) return `${tasksInWords(target.tasks.length)}, chosen one by one`;
  const { filter, span } = target;
  const parts = [
    filter.cluster === '' ? 'on every cluster' : `on ${filter.cluster}`,
    filter.query === '' ? '' : `that match ${filter.query}`,
    `first seen ${spanInWords(span)}`,
  ];
  return `All tasks ${parts.filter((part) => part !== '').join(', ')}`;
}

/** How far it is, for a bar. */
export function barOf({ total, done, refused, unsure }: BulkProgress): Progress {
  const current = done + refused + unsure;
  return { share: total === 0 ? null : Math.min(1, current / total), current, total, message: '' };
}

/** How long so many take at a rate, seconds; null where it goes as fast as it can. */
export function lastsSeconds(count: number, perSecond: number | null): number | null {
  return perSecond === null ? null : Math.ceil(count / perSecond);
}

/** Tasks a second as typed: null for as fast as it goes, undefined for what is none. */
export function readRate(text: string): number | null | undefined {
  if (text.trim() === '') return null;
  const rate = Number(text);
  return Number.isFinite(rate) && rate >= 0.1 && rate <= 1000 ? rate : undefined;
}

/** What is known of an action on many tasks so far. */
export interface BulkSoFar {
  readonly progress: BulkProgress | null;
  readonly end: Extract<BulkStep, { kind: 'ended' }> | null;
}

export const NOTHING_YET: BulkSoFar = { progress: null, end: null };

export function after(so: BulkSoFar, step: BulkStep): BulkSoFar {
  return step.kind === 'ended' ? { ...so, end: step } : { ...so, progress: step };
}
