/** Celery's states, those that its events know and its results do not, and Meadow's `LOST`; custom states are upper-case names. */
export const TASK_STATES = [
  'PENDING',
  'RECEIVED',
  'STARTED',
  'RETRY',
  'SUCCESS',
  'FAILURE',
  'REVOKED',
  'REJECTED',
  'LOST',
] as const;
/** States in which nothing more is expected of a task. `LOST` is Meadow's judgement: any later word of Celery's undoes it. */
export const FINAL_STATES = ['SUCCESS', 'FAILURE', 'REVOKED', 'REJECTED', 'LOST'] as const;

/**
 * Why a task is `LOST`. The worker that had it said goodbye, went silent, or was replaced by another process of its name;
 * or the worker lives and runs nothing: then the end was lost in a measured gap (`event-lost`) or never told (`no-end`).
 */
export const LOST_REASONS = ['worker-offline', 'worker-lost', 'worker-restarted', 'event-lost', 'no-end'] as const;
export type LostReason = (typeof LOST_REASONS)[number];
