import type { WorkerRow } from '@meadow/contract';
import type { Stats } from './stats.ts';
import { isObject, textOf } from './untyped.ts';

/** What of a worker decides what it can be told. Null is not known, and then nothing is held against it. */
export interface WorkerFacts {
  readonly state: WorkerRow['state'];
  readonly stats: Stats | null;
  readonly settings: Settings | null;
}

/** Of a worker's configuration. What is not in an answer to `conf` has Celery's default. */
export interface Settings {
  readonly workerPool: string;
  readonly poolRestarts: boolean;
  /** It was configured to send task events, as opposed to told so by `-E`, which no answer tells. */
  readonly taskEvents: boolean;
}

/** Reads an answer to `conf`; null for what is none. */
export function readSettings(value: unknown): Settings | null {
  if (!isObject(value)) return null;
  return {
    workerPool: textOf(value['worker_pool']),
    poolRestarts: value['worker_pool_restarts'] === true,
    taskEvents: value['worker_send_task_events'] === true,
  };
}

/** What workers can be told from here, in Celery's words. */
export type Method =
  | 'ping'
  | 'shutdown'
  | 'pool_grow'
  | 'pool_shrink'
  | 'autoscale'
  | 'pool_restart'
  | 'enable_events'
  | 'disable_events'
  | 'heartbeat'
  | 'add_consumer'
  | 'cancel_consumer'
  | 'rate_limit'
  | 'time_limit'
  | 'revoke';

/** Why a worker cannot do it, a sentence; null when nothing is known against it. Known beforehand, so nothing is sent. */
export function whyNot(method: Method, { state, stats, settings }: WorkerFacts): string | null {
  if (state === 'offline') return 'It is offline: nobody would hear it.';
  switch (method) {
    case 'pool_grow':
    case 'pool_shrink':
      return stats === null ? null : whyNotResize(method, stats);
    case 'autoscale':
      return stats === null || stats.autoscaler !== null
        ? null
        : 'It was started without --autoscale, which cannot be switched on later.';
    case 'pool_restart':
      return whyNotRestart(stats, settings);
    case 'disable_events':
      // Celery answers "already disabled" then and goes on: its dispatcher has no groups that one could be taken out of
      return settings?.taskEvents === true
        ? 'It is configured to send them (worker_send_task_events): Celery does not switch those off.'
        : null;
    case 'time_limit':
      return stats?.pool.kind === 'threads' || stats?.pool.kind === 'solo'
        ? 'Its pool keeps no time limits: it cannot end a task.'
        : null;
    case 'ping':
    case 'shutdown':
    case 'enable_events':
    case 'heartbeat':
    case 'add_consumer':
    case 'cancel_consumer':
    case 'rate_limit':
    case 'revoke':
      return null;
    default:
      return method satisfies never;
  }
}

function whyNotResize(method: 'pool_grow' | 'pool_shrink', { autoscaler, pool }: Stats): string | null {
  if (autoscaler !== null) return 'Its size is the autoscaler’s: change the range instead.';
  if (pool.kind === 'solo') return 'A solo pool is the main process itself: it has no size.';
  if (pool.kind === 'threads') return 'A pool of threads keeps the size that it was started with.';
  return method === 'pool_shrink' && pool.size === 1 ? 'It has one process left.' : null;
}

function whyNotRestart(stats: Stats | null, settings: Settings | null): string | null {
  if (settings !== null && !settings.poolRestarts) return 'Its worker_pool_restarts is off.';
  // the others answer that it has begun, and do nothing
  if (stats !== null && stats.pool.kind !== 'prefork' && stats.pool.kind !== 'other') {
    return 'Only a prefork pool can be restarted.';
  }
  return null;
}

/** Why a task that runs on a worker cannot be ended; null when nothing is known against it. */
export function whyNotTerminate(stats: Stats | null): string | null {
  switch (stats?.pool.kind) {
    case 'threads':
      return 'A thread cannot be ended from outside.';
    case 'solo':
      return 'A solo pool runs it in the main process and hears nothing meanwhile.';
    default:
      return null;
  }
}
