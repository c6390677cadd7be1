import type {
  AuditRow,
  ClusterStatus,
  Finding,
  GapRecord,
  Inspection,
  InspectionPart,
  PoisonRecord,
  Requester,
  ServiceStatus,
  TaskEventRow,
  TaskListRow,
  TaskRow,
  WorkerRow,
} from '@meadow/contract';
import type {
  AuditPage,
  ClusterLoss,
  ClusterSummary,
  CommandResult,
  Facets,
  LiveMessage,
  Overview,
  StoreInfo,
  StoreLoad,
  StreamInfo,
  TaskPage,
  WorkerDetail,
  WorkerLine,
} from './answers.ts';
import type { RangeName, Span } from './range.ts';

/** What is stored. Every question ends by its own deadline, with an ApiError, whatever state the store is in. */
export interface Questions {
  overview(input: RangeQuestion): Promise<Overview>;
  /** How each cluster that was ever heard of is doing, by name. */
  clusterSummaries(): Promise<ReadonlyMap<string, ClusterSummary>>;
  /** Newest first. A foreign cursor is refused with CURSOR_INVALID. */
  tasks(input: TasksQuestion, signal: AbortSignal): Promise<TaskPage>;
  /** null when no such task is known. */
  task(input: TaskQuestion, signal: AbortSignal): Promise<TaskRow | null>;
  /** Oldest first. */
  taskEvents(input: TaskQuestion, signal: AbortSignal): Promise<readonly TaskEventRow[]>;
  facets(input: RangeQuestion): Promise<Facets>;
  workers(input: { readonly cluster?: string | undefined }): Promise<readonly WorkerLine[]>;
  /** null when no such worker is known. */
  worker(input: WorkerQuestion, signal: AbortSignal): Promise<WorkerDetail | null>;
  gaps(input: SpanQuestion, signal: AbortSignal): Promise<readonly GapRecord[]>;
  poison(input: SpanQuestion, signal: AbortSignal): Promise<readonly PoisonRecord[]>;
  /** What was measured never to have been heard, by cluster. */
  loss(input: RangeQuestion): Promise<readonly ClusterLoss[]>;
  /** Newest first. A foreign cursor is refused with CURSOR_INVALID. */
  audit(input: AuditQuestion, signal: AbortSignal): Promise<AuditPage>;
  auditRequest(
    input: { readonly cluster: string; readonly requestId: string },
    signal: AbortSignal,
  ): Promise<readonly AuditRow[]>;
  info(): Promise<StoreInfo & { readonly load: StoreLoad | null }>;
  /** What is wrong with the store; null when it answers. */
  problem(): Promise<string | null>;
}

/** What is asked of a span up to now. */
export interface RangeQuestion {
  /** All clusters when left out, as in every question. */
  readonly cluster?: string | undefined;
  readonly range: RangeName;
}

export interface TasksQuestion {
  /** First seen in this span, Unix seconds: from included, to excluded. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly cluster?: string | undefined;
  readonly states?: readonly string[] | undefined;
  /** Exact name, or a prefix when it ends in `*`. */
  readonly name?: string | undefined;
  readonly queue?: string | undefined;
  readonly worker?: string | undefined;
  /** Substring of name, id, args, kwargs, result or exception, ignoring case. */
  readonly text?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface TaskQuestion {
  readonly cluster: string;
  readonly taskId: string;
}

export interface WorkerQuestion {
  readonly cluster: string;
  readonly worker: string;
  readonly range: RangeName;
}

export interface AuditQuestion {
  readonly cluster?: string | undefined;
  readonly actor?: string | undefined;
  /** Exact, or a prefix when it ends in `*`. */
  readonly action?: string | undefined;
  readonly outcomes?: readonly string[] | undefined;
  readonly targetKind?: string | undefined;
  /** Substring of a target's name, ignoring case. */
  readonly target?: string | undefined;
  /** Substring of actor, address, action, targets, arguments, detail, answers or request id, ignoring case. */
  readonly text?: string | undefined;
  /** Unix seconds: from included, to excluded. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface SpanQuestion extends Pick<Span, 'from' | 'to'> {
  readonly cluster?: string | undefined;
  readonly limit: number;
}

/** What changes right now. */
export interface LiveFeed {
  /**
   * Messages until `signal` is aborted or the feed is lost (BUS_UNAVAILABLE, GATEWAY_STOPPING: ask again). Held for a
   * slow reader in bounded memory: the newest state of each row, the rest counted in `omitted`.
   * @param clusters all of them, also ones yet unheard of, when null
   */
  tasks(clusters: readonly string[] | null, signal: AbortSignal): AsyncIterable<LiveMessage<TaskListRow>>;
  workers(clusters: readonly string[] | null, signal: AbortSignal): AsyncIterable<LiveMessage<WorkerRow>>;
  /** Readers at this moment. */
  readonly viewers: number;
}

/** A cluster that is defined or reported on. */
export interface RegisteredCluster {
  readonly name: string;
  readonly status: ClusterStatus | null;
}

export interface ClusterRegistry {
  /** As last heard; never waits. */
  list(): readonly RegisteredCluster[];
  /** Running copies of services, as last heard; those that fell silent are left out. */
  services(): readonly ServiceStatus[];
}

/** Looks at clusters. */
export interface Doctor {
  /** Every check of a cluster, with what to do. Shared for some seconds; never fails for what is wrong with the cluster. */
  examine(cluster: string): Promise<readonly Finding[]>;
}

/** Remote control of workers. */
export interface Control {
  /** What is known now. Waits for a moment where nothing is. */
  inspect(input: InspectQuestion, signal: AbortSignal): Promise<readonly InspectionPart[]>;
  /** Tells workers something; ends when they have answered, or their time is over. */
  run(input: CommandRequest, signal: AbortSignal): Promise<CommandResult>;
}

export interface InspectQuestion {
  readonly cluster: string;
  readonly of: readonly Inspection[];
  readonly workers?: readonly string[] | undefined;
}

export interface CommandRequest {
  readonly cluster: string;
  /** Celery's `method` and its arguments. */
  readonly command: { readonly method: string } & Readonly<Record<string, unknown>>;
  /** Null for all that hear it. */
  readonly workers: readonly string[] | null;
  readonly waitMs: number;
  readonly by: Requester;
}

/** NATS, as far as its state is told to people. */
export interface BusState {
  /** What is wrong; null when all is well. */
  problem(): string | null;
  /** null when it cannot be told. */
  stream(): Promise<StreamInfo | null>;
}

/** Everything that the router asks. Procedures keep nothing themselves. */
export interface Ports {
  readonly questions: Questions;
  readonly live: LiveFeed;
  readonly clusters: ClusterRegistry;
  readonly bus: BusState;
  readonly doctor: Doctor;
  readonly control: Control;
  readonly version: string;
  /** Unix seconds. */
  readonly startedAt: number;
  /** Unix seconds. */
  readonly now: () => number;
}

/** What a procedure is given. */
export interface ApiContext extends Ports {
  /** Who calls. */
  readonly requester: Requester;
}
