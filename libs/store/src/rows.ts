import type { PipelineEvent, TaskRow, WorkerRow } from '@meadow/contract';

/**
 * One JSON line of `task_events`: the collector's event plus what the aggregator joins onto it. Only lines cross into
 * ClickHouse; this type says what their keys are. A key left out takes the column's default ('' or NULL).
 */
export interface TaskEventLine extends PipelineEvent {
  /** The state this event brings the task to, e.g. 'STARTED'; '' when it brings none. */
  readonly state?: string;
  /** Seconds between becoming runnable and being started; on task-started, and on final events. */
  readonly wait_seconds?: number | null;
  /** Class name cut out of `exception`, e.g. 'ValueError'; on task-failed and task-retried. */
  readonly exception_type?: string;
  /** Group of the failure, 16 hex digits; on failures of every kind. */
  readonly fingerprint?: string;
  /** Last call in the user's own code, `module.function`; on failures. */
  readonly culprit?: string;
  /** Seconds since the run was started; on failures, where known. */
  readonly ran_seconds?: number | null;
  /** Unix seconds (whole) after which the row may be deleted. @default collected_at + 14 days */
  readonly keep_until?: number;
}

/** A row of `tasks` as it is written: of several with the same key the highest `version` is kept. */
export interface TaskWriteRow extends TaskRow {
  /** Grows whenever the row's facts change, e.g. events folded so far; at most 2^53. */
  readonly version: number;
  /**
   * Unix seconds (whole) after which the row may be deleted. Not later than that of any later version: what expires
   * first would uncover an older row that does not.
   */
  readonly keep_until: number;
  /** Whether nothing more is expected of the task. */
  readonly is_final: boolean;
}

/** A row of `workers`: the newest facts of a worker. Whether it is lost is decided when asked, by the reader's clock. */
export interface WorkerWriteRow extends Omit<WorkerRow, 'state'> {
  /** Whether its newest lifecycle event was a goodbye. */
  readonly offline: boolean;
  /** Unix seconds of the newest event heard from it; the row with the highest is kept. */
  readonly updated_at: number;
  /** Unix seconds (whole). @default updated_at + 30 days */
  readonly keep_until?: number;
}

/** One JSON line of `worker_samples`: a worker-* event as the collector sent it, and when it may go. */
export interface WorkerSampleLine extends PipelineEvent {
  /** Unix seconds (whole). @default collected_at + 14 days */
  readonly keep_until?: number;
}

/** What folding needs of a stored event, in the words of `PipelineEvent`; unknown texts are '' and numbers null. */
export interface StoredTaskEvent {
  readonly cluster: string;
  readonly event_id: string;
  readonly type: string;
  readonly timestamp: number;
  readonly collected_at: number;
  readonly worker: string;
  readonly pid: number | null;
  readonly clock: number | null;
  readonly task_id: string;
  readonly name: string;
  readonly args: string;
  readonly kwargs: string;
  readonly retries: number | null;
  readonly eta: string;
  readonly expires: string;
  readonly root_id: string;
  readonly parent_id: string;
  readonly queue: string;
  readonly exchange: string;
  readonly routing_key: string;
  readonly result: string;
  readonly runtime: number | null;
  readonly exception: string;
  readonly traceback: string;
  readonly terminated: boolean | null;
  readonly signum: string;
  readonly expired: boolean | null;
  readonly requeue: boolean | null;
  readonly extra: string;
  readonly end_reason: string;
}
