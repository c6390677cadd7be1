/** Celery's states in the order of a task's life, and Meadow's own `LOST`. The contract's own list is code of the server side. */
export const TASK_STATE_NAMES = [
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
