import type { ToldTask } from '@meadow/celery';
import type {
  AuditRow,
  ClusterStatus,
  DraftRefusal,
  Finding,
  GapRecord,
  Inspection,
  InspectionPart,
  PoisonRecord,
  QueueRow,
  Requester,
  SeenField,
  ServiceStatus,
  TaskDraft,
  TaskEventRow,
  TaskListRow,
  TaskOutcome,
  TaskRow,
  WorkerRow,
} from '@meadow/contract';
import type {
  ActionResult,
  AuditPage,
  BrokerNow,
  ClusterLoss,
  ClusterSummary,
  CommandResult,
  LiveMessage,
  MoveStep,
  Overview,
  QueueMessages,
  QueueNow,
  QueueTrend,
  SeenValue,
  SendResult,
  StoreInfo,
  StoreLoad,
  StreamInfo,
  TaskFacets,
  TaskPage,
  TasksResult,
  WorkerDetail,
  WorkerLine,
} from './answers.ts';
import type { Marks } from './marks.ts';
import type { Errors } from './error-groups.ts';
import type { RangeName, Span } from './range.ts';
import type { SqlConsole } from './sql.ts';
import type { TaskOrder, TaskSearch } from './task-search.ts';
import type { Trends } from './trends.ts';
import type { TaskTypeQuestions } from './task-types.ts';
import type { Workflows } from './workflows.ts';

/** What is stored. Every question ends by its own deadline, with an ApiError, whatever state the store is in. */
export interface Questions {
  overview(input: RangeQuestion): Promise<Overview>;
  /** How each cluster that was ever heard of is doing, by name. */
  clusterSummaries(): Promise<ReadonlyMap<string, ClusterSummary>>;
  /** A foreign cursor is refused with CURSOR_INVALID. */
  tasks(input: TasksQuestion, signal: AbortSignal): Promise<TaskPage>;
  /** null when no such task is known. */
  task(input: TaskQuestion, signal: AbortSignal): Promise<TaskRow | null>;
  /** Oldest first. */
  taskEvents(input: TaskQuestion, signal: AbortSignal): Promise<readonly TaskEventRow[]>;
  /** Counts what is looked for, until some seconds are over. */
  facets(input: TaskSearch, signal: AbortSignal): Promise<TaskFacets>;
  /** Those that begin with what is typed first, then the most frequent; at most 50. */
  values(input: SeenValuesQuestion): Promise<readonly SeenValue[]>;
  /** What events told of these tasks, at most 1,000, by id; those that are not known are left out. */
  toldTasks(input: ToldTasksQuestion, signal: AbortSignal): Promise<ReadonlyMap<string, KnownTask>>;
  /** By cluster and name: those that were looked at, and those that only tasks name. */
  queues(input: { readonly cluster?: string | undefined }): Promise<readonly QueueRow[]>;
  queueTrend(input: QueueTrendQuestion, signal: AbortSignal): Promise<QueueTrend>;
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

export interface TasksQuestion extends TaskSearch {
  /** @default newest first, by when they were first seen */
  readonly sort?: TaskOrder | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface SeenValuesQuestion {
  readonly cluster?: string | undefined;
  readonly field: SeenField;
  readonly prefix: string;
  readonly range: RangeName;
}

export interface TaskQuestion {
  readonly cluster: string;
  readonly taskId: string;
}

export interface ToldTasksQuestion {
  readonly cluster: string;
  readonly taskIds: readonly string[];
  /** When they were first seen, where that is known: Unix seconds, both included. */
  readonly seen?: { readonly from: number; readonly to: number } | undefined;
}

/** A task as far as a retry has to know it. */
export interface KnownTask {
  readonly state: string;
  readonly told: ToldTask;
}

export interface WorkerQuestion {
  readonly cluster: string;
  readonly worker: string;
  readonly range: RangeName;
}

export interface QueueTrendQuestion {
  readonly cluster: string;
  readonly queue: string;
  readonly range: RangeName;
}

/** Which audit records; see `auditFilter`. */
export interface AuditSelection {
  readonly cluster?: string | undefined;
  readonly actor?: string | undefined;
  /** Substring of actor or address, ignoring case. */
  readonly who?: string | undefined;
  /** Exact, or a prefix when it ends in `*`. */
  readonly action?: string | undefined;
  /** `begun` is for what has not ended. */
  readonly outcomes?: readonly string[] | undefined;
  readonly targetKind?: string | undefined;
  /** Substring of a target's name, ignoring case. */
  readonly target?: string | undefined;
  /** Exact name of a worker that it was about, or that answered. */
  readonly worker?: string | undefined;
  /** Substring of actor, address, action, targets, arguments, detail, answers or request id, ignoring case. */
  readonly text?: string | undefined;
  /** Unix seconds: from included, to excluded. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

export interface AuditQuestion extends AuditSelection {
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

/** Remote control of workers, tasks and queues. What is refused is an ApiError CONTROL_REFUSED, and nothing was done then. */
export interface Control {
  /** What is known now. Waits for a moment where nothing is. */
  inspect(input: InspectQuestion, signal: AbortSignal): Promise<readonly InspectionPart[]>;
  /** Tells workers something; ends when they have answered, or their time is over. */
  run(input: CommandRequest, signal: AbortSignal): Promise<CommandResult>;
  /** In the order in which they were named. */
  queues(input: OfCluster & { readonly queues: readonly string[] }, signal: AbortSignal): Promise<readonly QueueNow[]>;
  peek(input: PeekQuestion, signal: AbortSignal): Promise<QueueMessages>;
  broker(input: OfCluster, signal: AbortSignal): Promise<BrokerNow>;
  purge(input: Acting & OfQueue & { readonly confirm: string }): Promise<ActionResult>;
  remove(input: Acting & OfQueue & { readonly handle: string }): Promise<ActionResult>;
  move(input: Acting & MoveQuestion, signal: AbortSignal): AsyncIterable<MoveStep>;
  pause(input: Acting & OfQueue): Promise<CommandResult>;
  resume(input: Acting & OfQueue & { readonly workers: readonly string[] }): Promise<CommandResult>;
  send(input: Acting & { readonly task: Readonly<Record<string, unknown>> }): Promise<SendResult>;
  draft(
    input: TaskQuestion & { readonly told: ToldTask | null },
    signal: AbortSignal,
  ): Promise<TaskDraft | DraftRefusal>;
  /** Each as it is done, in order; leaving the loop stops it between two tasks. */
  retry(
    input: Acting & RetryQuestion,
    signal: AbortSignal,
  ): AsyncIterable<TaskOutcome | ({ kind: 'ended' } & ActionResult)>;
  abort(input: Acting & { readonly taskIds: readonly string[] }): Promise<TasksResult>;
}

interface OfCluster {
  readonly cluster: string;
}

interface OfQueue {
  readonly queue: string;
}

/** What changes something, and who wants it. */
export interface Acting extends OfCluster {
  readonly by: Requester;
}

export interface PeekQuestion extends OfCluster, OfQueue {
  readonly offset: number;
  readonly limit: number;
}

export interface MoveQuestion {
  readonly from: string;
  readonly to: string;
  /** Null for all that wait. */
  readonly limit: number | null;
}

export interface RetryQuestion {
  /** The same for every part of an action on many. */
  readonly requestId?: string | undefined;
  readonly tasks: readonly { readonly taskId: string; readonly told: ToldTask | null }[];
  /** What is to be otherwise than in the draft; for a single task only. */
  readonly edit: { readonly base: string; readonly changes: Readonly<Record<string, unknown>> } | null;
  readonly dryRun: boolean;
  /** Also where a worker still has the original, so that it runs twice; else that is refused. */
  readonly evenIfWaiting: boolean;
  readonly perSecond: number | null;
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
  readonly errors: Errors;
  readonly marks: Marks;
  readonly sql: SqlConsole;
  readonly trends: Trends;
  readonly workflows: Workflows;
  readonly taskTypes: TaskTypeQuestions;
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
