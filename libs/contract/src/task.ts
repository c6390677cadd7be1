import { z } from 'zod';

const seconds = z.number().nullable().describe('Unix seconds, UTC, microseconds kept; null = not known');

/** One run of a task: a retry or a redelivery begins another. */
export const attemptRow = z.object({
  number: z.number(),
  retries: z.number().nullable(),
  worker: z.string(),
  received_at: seconds,
  started_at: seconds,
  ended_at: seconds,
  state: z.string(),
  exception: z.string(),
  redelivered: z.boolean(),
});
export type AttemptRow = z.output<typeof attemptRow>;

/** A task as a line of a list: everything but the long texts. */
export const taskListRow = z.object({
  cluster: z.string(),
  task_id: z.string(),
  /** '' = not known (yet), as in every text here */
  name: z.string(),
  state: z.string(),
  queue: z.string(),
  worker: z.string(),
  root_id: z.string(),
  parent_id: z.string(),
  /** cut to 200 characters in lists */
  args: z.string(),
  kwargs: z.string(),
  result: z.string(),
  exception: z.string(),
  retries: z.number().nullable(),
  attempts: z.number(),
  sent_at: seconds,
  received_at: seconds,
  started_at: seconds,
  finished_at: seconds,
  /** newest event's time */
  updated_at: z.number(),
  /** when the pipeline first heard of it */
  first_seen_at: z.number(),
  wait_seconds: z.number().nullable(),
  runtime_seconds: z.number().nullable(),
  /** JSON object of the newest custom event's fields, e.g. progress; '' when none */
  progress: z.string(),
});
export type TaskListRow = z.output<typeof taskListRow>;

/** A task with everything that is known of it. */
export const taskRow = taskListRow.extend({
  /** who told its end: 'event', 'result-backend' or 'derived'; '' while it has not ended */
  end_source: z.string(),
  /** a `LostReason` when it is LOST, else '' */
  end_reason: z.string(),
  /** of the worker */
  pid: z.number().nullable(),
  client: z.string(),
  exception_type: z.string(),
  traceback: z.string(),
  /** group of the failure that it stands at, 16 hex digits; '' when it stands at none */
  fingerprint: z.string(),
  eta: z.string(),
  expires: z.string(),
  exchange: z.string(),
  routing_key: z.string(),
  retried_at: seconds,
  terminated: z.boolean(),
  signum: z.string(),
  expired: z.boolean(),
  /** fields that Celery cut at its limit, e.g. ['args'] */
  cut: z.array(z.string()),
  /** whether a negative wait was found (clocks differ) and set to null */
  clock_skewed: z.boolean(),
  attempt_log: z.array(attemptRow),
});
export type TaskRow = z.output<typeof taskRow>;

/** An event of a task's timeline, as stored. */
export const taskEventRow = z.object({
  event_id: z.string(),
  type: z.string(),
  timestamp: z.number(),
  collected_at: z.number(),
  worker: z.string(),
  pid: z.number().nullable(),
  clock: z.number().nullable(),
  retries: z.number().nullable(),
  queue: z.string(),
  runtime: z.number().nullable(),
  exception: z.string(),
  traceback: z.string(),
  result: z.string(),
  extra: z.string(),
  /** on meadow-lost */
  end_reason: z.string(),
});
export type TaskEventRow = z.output<typeof taskEventRow>;

export const workerRow = z.object({
  cluster: z.string(),
  worker: z.string(),
  /** what its renamed copies share: see `workerPool` */
  pool: z.string(),
  /** online: heard within its window; lost: silent past it; offline: said goodbye; quiet: sends no heartbeats at all */
  state: z.enum(['online', 'offline', 'lost', 'quiet']),
  pid: z.number().nullable(),
  started_at: seconds,
  last_heartbeat_at: seconds,
  /** by the collector's clock, unlike the times above, which are the worker's */
  last_heard_at: seconds,
  /** what the worker's clock is behind the collector's, seconds; delay of delivery included */
  clock_offset_seconds: z.number().nullable(),
  active: z.number().nullable(),
  processed: z.number().nullable(),
  loadavg: z.array(z.number()),
  freq: z.number().nullable(),
  sw_ident: z.string(),
  sw_ver: z.string(),
  sw_sys: z.string(),
});
export type WorkerRow = z.output<typeof workerRow>;

/** Live tail of one cluster: rows that changed since the last message, newest state of each, at most 500. */
export interface LiveTasks {
  readonly cluster: string;
  readonly rows: readonly TaskListRow[];
  /** Rows that changed too but were left out to keep the message small. */
  readonly omitted: number;
  /** Unix seconds at which the aggregator made this. */
  readonly at: number;
}
export interface LiveWorkers {
  readonly cluster: string;
  readonly rows: readonly WorkerRow[];
  readonly at: number;
}
