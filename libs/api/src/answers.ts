import type { ReprNode } from '@meadow/celery';
import type {
  AuditListRow,
  ClusterStatus,
  CommandOutcome,
  Ended,
  GapRecord,
  Hop,
  Looked,
  Pause,
  Peek,
  QueueFigures,
  ServerFacts,
  ServiceStatus,
  TaskListRow,
  TaskOutcome,
  TaskRow,
  WorkerAnswer,
  WorkerRow,
} from '@meadow/contract';

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
  /** What was measured never to have been heard; a cluster that was not measured has no line. */
  readonly loss: readonly ClusterLoss[];
}

/** Starts of tasks that workers counted and nobody heard of. */
export interface ClusterLoss {
  readonly cluster: string;
  /** Starts that workers counted, of the workers that could be measured. */
  readonly expected: number;
  readonly lost: number;
  /** Starts of workers whose task events are not heard at all: what of them was lost is not known. */
  readonly unmeasured: number;
  /** Unix seconds. */
  readonly measured_until: number;
  /** Spans in which some were lost, newest first, at most 200. */
  readonly windows: readonly {
    readonly started_at: number;
    readonly ended_at: number;
    readonly expected: number;
    readonly lost: number;
  }[];
}

export interface TaskPage {
  readonly rows: readonly TaskListRow[];
  /** Cursor of the next page; null when this is the last. */
  readonly next: string | null;
  /** The time was up before the page was full: `next` goes on from this moment of first sight, Unix seconds. */
  readonly searchedTo: number | null;
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

/** How many tasks are looked for, and of which kinds. */
export interface TaskFacets {
  /** Not exact where the time was up: then it is what was counted so far, and there are at least as many. */
  readonly total: { readonly count: number; readonly exact: boolean };
  /** Counted are tasks first seen from then on, Unix seconds; null when all are. */
  readonly countedFrom: number | null;
  /** Of each the most frequent first, at most 50; what is not known is not among them. */
  readonly facets: readonly {
    readonly field: 'state' | 'name' | 'queue' | 'worker' | 'exception';
    readonly values: readonly { readonly value: string; readonly count: number }[];
  }[];
  /** How long the counting took. */
  readonly seconds: number;
}

/** A value that tasks had lately; its count is null where none is kept. */
export interface SeenValue {
  readonly value: string;
  readonly count: number | null;
}

export interface WorkerLine extends WorkerRow {
  readonly succeeded_last_hour: number;
  readonly failed_last_hour: number;
}

/** One process of a worker's name: a restart begins another. */
export interface WorkerLife {
  readonly pid: number | null;
  /** Unix seconds, its own clock; null when its hello was not heard. */
  readonly started_at: number | null;
  /** Unix seconds, the collector's clock. */
  readonly last_heard_at: number;
  readonly said_goodbye: boolean;
  /** Tasks accepted in this life; null when it never said. */
  readonly processed: number | null;
}

/** What a worker said of itself from `at` (Unix seconds) on, for the length of a bucket. */
export interface WorkerSample {
  readonly at: number;
  /** Tasks it ran at a time, the most. */
  readonly active: number | null;
  /** Load of its machine over a minute, mean. */
  readonly load: number | null;
  /** Tasks accepted, by its own count. */
  readonly processed: number;
}

export interface WorkerDetail {
  readonly worker: WorkerLine;
  readonly from: number;
  readonly to: number;
  readonly bucketSeconds: number;
  /** Newest first, at most 100. */
  readonly lives: readonly WorkerLife[];
  /** Only buckets in which it spoke. */
  readonly series: readonly WorkerSample[];
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

/** How busy the store is; see `StoreInfo` for how much it holds. */
export interface StoreLoad {
  readonly parts: number;
  readonly merges: number;
  readonly inserts_delayed: number;
  readonly memory_bytes: number;
  readonly disk_free_bytes: number;
  readonly disk_total_bytes: number;
}

/** The stream in which events wait between collectors and the store. */
export interface StreamInfo {
  readonly messages: number;
  readonly bytes: number;
  /** Past this the stream refuses, and collectors hold back. */
  readonly maxBytes: number;
  /** Unix seconds at which its oldest message came; null when it is empty. */
  readonly oldestAt: number | null;
}

/** Something that keeps events from the pages. It goes away by itself when it is over. */
export interface IngestProblem {
  /** Where: a hop, or one of the two parts that all hops need. */
  readonly at: Hop | 'nats' | 'store';
  /** `bad`: events wait or are refused; `warn`: they soon may. */
  readonly tone: 'warn' | 'bad';
  /** What is wrong, a line. */
  readonly says: string;
  /** What happens to events meanwhile, a line. */
  readonly effect: string;
}

/** Whether what is shown is as new as what was heard. */
export interface IngestState {
  /** By how much what is stored is behind what was heard, seconds; 0 when it is not, null when that is not known. */
  readonly delayedSeconds: number | null;
  /** Worst first. */
  readonly problems: readonly IngestProblem[];
}

export interface SystemStatus {
  readonly version: string;
  /** Unix seconds at which this gateway began. */
  readonly startedAt: number;
  /** Zeros and '' while not ok; `error` then says why. */
  readonly store: StoreInfo & { readonly ok: boolean; readonly error: string; readonly load: StoreLoad | null };
  readonly bus: { readonly ok: boolean; readonly error: string; readonly stream: StreamInfo | null };
  readonly ingest: IngestState & {
    /** Unix seconds of the newest event that a collector heard; null when none was. */
    readonly lastEventAt: number | null;
  };
  /** Every copy of every service that tells how it is doing, by service and id; empty while NATS is away. */
  readonly services: readonly ServiceStatus[];
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

/** What came of a command. */
export interface CommandResult {
  /** By it the audit finds what was recorded. */
  readonly request_id: string;
  readonly outcome: CommandOutcome;
  /** In a line. */
  readonly detail: string;
  /** What each worker said, in the order in which they did; those named that said nothing come last. */
  readonly workers: readonly WorkerAnswer[];
}

/** Audit records, newest first. */
export interface AuditPage {
  readonly rows: readonly AuditListRow[];
  /** Cursor of the next page; null when this is the last. */
  readonly next: string | null;
}

/** What came of an action. */
export interface ActionResult extends Ended {
  /** By it the audit finds what was recorded. */
  readonly request_id: string;
}

/** What came of sending one task. */
export interface SendResult extends ActionResult {
  readonly task: TaskOutcome;
}

/** What came of each task of an action on some. */
export interface TasksResult extends ActionResult {
  readonly tasks: readonly TaskOutcome[];
}

/** A queue as its broker tells it at this moment. */
export interface QueueNow extends Looked {
  readonly figures: QueueFigures;
  readonly paused: Pause | null;
}

/** Messages that wait in a queue; nothing was taken out. */
export interface QueueMessages extends Peek {
  /** Unix seconds. */
  readonly at: number;
}

/** A broker as it tells of itself at this moment. */
export interface BrokerNow extends Looked {
  readonly facts: ServerFacts;
}

/** How far a move is, and what came of it at last. */
export type MoveStep =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number | null }
  | ({ readonly kind: 'ended' } & ActionResult);

/** How deep a queue was over a span. */
export interface QueueTrend {
  /** Width of a point, seconds. */
  readonly bucket_seconds: number;
  readonly series: readonly QueuePoint[];
}

/** A point of a queue's history, from `at` (Unix seconds) on. Null: nobody looked, or it is not told. */
export interface QueuePoint {
  readonly at: number;
  readonly samples: number;
  /** Mean, and the most at a time. */
  readonly ready: number | null;
  readonly ready_max: number | null;
  readonly unacked: number | null;
  readonly unacked_max: number | null;
  /** The fewest at a time. */
  readonly consumers: number | null;
  readonly bytes: number | null;
  /** The most. */
  readonly oldest_age_seconds: number | null;
  readonly published_per_second: number | null;
  readonly delivered_per_second: number | null;
}

/** How far an action on many tasks is. */
export interface BulkProgress {
  readonly kind: 'progress';
  /** Tasks that it is about; `capped` where the filter matches more than are taken at a time. */
  readonly total: number;
  readonly capped: boolean;
  /** Sent, revoked, or in a dry run ready to be. */
  readonly done: number;
  readonly refused: number;
  /** Left, and no answer came. */
  readonly unsure: number;
  /** Why some were refused: by code, with one of them and its reason. Most first. */
  readonly refusals: readonly BulkRefusal[];
}

export interface BulkRefusal {
  readonly code: string;
  readonly count: number;
  readonly cluster: string;
  readonly task_id: string;
  readonly detail: string;
}

export type BulkStep =
  | BulkProgress
  /** `clusters`: a request of its own in each. */
  | {
      readonly kind: 'ended';
      readonly outcome: CommandOutcome;
      readonly detail: string;
      readonly requests: readonly { readonly cluster: string; readonly request_id: string }[];
    };
