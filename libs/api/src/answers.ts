import type { ReprNode } from '@meadow/celery';
import type { ClusterStatus, GapRecord, TaskListRow, TaskRow, WorkerRow } from '@meadow/contract';

/** How a cluster is doing, as stored. */
export interface ClusterSummary {
  /** Task events a minute, mean of the last 5 whole minutes. */
  readonly events_per_minute: number;
  /** Tasks finished a minute, as above. */
  readonly tasks_per_minute: number;
  readonly running: number;
  readonly failed_last_hour: number;
  readonly workers_online: number;
  readonly workers_total: number;
  /** Unix seconds; null when never. */
  readonly last_event_at: number | null;
}

/** A cluster in the list of clusters. */
export interface ClusterLine {
  readonly name: string;
  /** `unreported`: no collector has said anything of it. */
  readonly state: ClusterStatus['state'] | 'unreported';
  /** The collector's last report is older than 15 s: what it says may no longer hold. */
  readonly stale: boolean;
  /** What its collector last said; null when none did. Never holds a secret. */
  readonly status: ClusterStatus | null;
  /** null when nothing is stored of it, or the store does not answer (then `system.status` says so). */
  readonly summary: ClusterSummary | null;
}

/** Task events by what they say. */
export interface EventCounts {
  readonly sent: number;
  readonly received: number;
  readonly started: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly retried: number;
  readonly revoked: number;
  readonly rejected: number;
}

/** The events from `at` (Unix seconds) to `at + bucketSeconds`. */
export interface SeriesPoint extends EventCounts {
  readonly at: number;
}

/** Seconds; null when nothing was measured. */
export interface Durations {
  readonly count: number;
  readonly mean: number | null;
  readonly max: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** What is compared between a span and the one before. */
export interface Period {
  readonly counts: EventCounts;
  readonly runtime: Durations;
  readonly wait: Durations;
}

export interface FailingTask {
  readonly cluster: string;
  readonly name: string;
  readonly exception_type: string;
  readonly failed: number;
}

export interface Overview extends Period {
  readonly from: number;
  readonly to: number;
  readonly bucketSeconds: number;
  /** Tasks first seen in the span, by the state they are in now. */
  readonly states: Readonly<Record<string, number>>;
  /** One point for every bucket, also where nothing happened. */
  readonly series: readonly SeriesPoint[];
  /** Most failures first, at most 10. */
  readonly failing: readonly FailingTask[];
  /** The span of the same length before; null when it is not known. */
  readonly previous: Period | null;
  /** Tasks that workers run right now. */
  readonly running: number;
  /** Spans in which events may be missing, so that a dip in a chart can be told from one in the work. */
  readonly gaps: readonly GapRecord[];
}

export interface TaskPage {
  readonly rows: readonly TaskListRow[];
  /** Cursor of the next page; null when this is the last. */
  readonly next: string | null;
}

/** A Python repr with what could be read of it. */
export interface ReprView {
  readonly raw: string;
  readonly parsed: ReprNode;
  /** Something is missing from the text: Celery cuts long values. */
  readonly cut: boolean;
  /** The tree is certainly what the publisher passed, and JSON can carry it. */
  readonly exact: boolean;
}

export interface TaskDetail extends TaskRow {
  /** The Python values among its texts; null where the text is not known. */
  readonly parsed: {
    readonly args: ReprView | null;
    readonly kwargs: ReprView | null;
    readonly result: ReprView | null;
  };
}

/** Values that tasks had lately, for menus and suggestions; each sorted, at most 500. */
export interface Facets {
  readonly names: readonly string[];
  readonly queues: readonly string[];
  readonly workers: readonly string[];
  readonly states: readonly string[];
}

export interface WorkerLine extends WorkerRow {
  readonly succeeded_last_hour: number;
  readonly failed_last_hour: number;
}

export interface TableInfo {
  readonly table: string;
  readonly rows: number;
  readonly bytes: number;
}

export interface StoreInfo {
  readonly version: string;
  readonly rows: number;
  readonly bytes: number;
  readonly tables: readonly TableInfo[];
}

export interface SystemStatus {
  readonly version: string;
  /** Unix seconds at which this gateway began. */
  readonly startedAt: number;
  /** Zeros and '' while not ok; `error` then says why. */
  readonly store: StoreInfo & { readonly ok: boolean; readonly error: string };
  readonly bus: { readonly ok: boolean; readonly error: string };
  readonly ingest: {
    /** Unix seconds of the newest event that a collector heard; null when none was. */
    readonly lastEventAt: number | null;
    /** Batches between collectors and the store, the ones that wait to be freed included; null when not known. */
    readonly pendingMessages: number | null;
  };
  /** Browsers that look on live. */
  readonly viewers: number;
}

/** Rows that changed, newest state of each. Rows left out because there were too many are counted in `omitted`. */
export interface LiveMessage<Row> {
  readonly rows: readonly Row[];
  readonly omitted: number;
  /** Unix seconds at which the newest part of it was made. */
  readonly at: number;
}
