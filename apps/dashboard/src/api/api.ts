import type {
  ActionResult,
  AuditPage,
  BrokerNow,
  BulkStep,
  ClusterLine,
  ClusterLoss,
  CommandResult,
  IngestState,
  LiveMessage,
  MoveStep,
  Overview,
  QueueMessages,
  QueueNow,
  QueueTrend,
  RangeName,
  SendResult,
  SystemStatus,
  TaskDetail,
  TasksResult,
  WorkerDetail,
  WorkerLine,
} from '@meadow/api';
import type {
  AuditRow,
  DraftRefusal,
  Finding,
  GapRecord,
  Inspection,
  InspectionPart,
  PoisonRecord,
  QueueRow,
  TaskDraft,
  TaskEventRow,
  TaskListRow,
  WorkerRow,
} from '@meadow/contract';
import type { AuditQuestion } from '../audit/audit-filter.ts';
import type { ErrorsApi } from './errors-api.ts';
import type { SearchApi, TaskScope } from './search-api.ts';
import type { SqlApi } from './sql-api.ts';
import type { TrendsApi } from './trends-api.ts';
import type { TypesApi } from './types-api.ts';
import type { WorkflowsApi } from './workflows-api.ts';

/** What a live subscription tells. After `onEnd` nothing more comes. */
export interface LiveHandlers<Message> {
  onOpen(): void;
  onMessage(message: Message): void;
  /** The connection broke; whoever carries it tries again by itself. */
  onTrouble(): void;
  onEnd(): void;
}

/** `null` asks of every cluster. */
interface OfCluster {
  readonly cluster: string | null;
}

interface TaskName {
  readonly cluster: string;
  readonly taskId: string;
}

interface SpanInput extends OfCluster {
  readonly range: RangeName;
}

interface InspectInput {
  readonly cluster: string;
  readonly of: readonly Inspection[];
  /** Null for all. */
  readonly workers: readonly string[] | null;
}

interface RunInput {
  readonly cluster: string;
  /** `method`, and beside it the arguments, under Celery's names. */
  readonly command: { readonly method: string; readonly [argument: string]: unknown };
  /** Null for every worker that hears it. */
  readonly workers: readonly string[] | null;
  readonly waitMs: number;
}

interface QueueName {
  readonly cluster: string;
  readonly queue: string;
}

interface BulkInput {
  readonly action: 'retry' | 'revoke' | 'terminate';
  readonly target: TaskScope | { readonly tasks: readonly TaskName[] };
  /** Nothing is done: it is told what would be. */
  readonly dryRun: boolean;
  /** Retries: at most so many a second; null for as fast as it goes. */
  readonly perSecond: number | null;
}

/** Everything the pages ask of the server. Failures are `Fault`s. */
export interface Api {
  readonly sql: SqlApi;
  readonly trends: TrendsApi;
  readonly errors: ErrorsApi;
  readonly types: TypesApi;
  readonly workflows: WorkflowsApi;
  clusters(signal: AbortSignal): Promise<readonly ClusterLine[]>;
  doctor(input: { readonly cluster: string }, signal: AbortSignal): Promise<readonly Finding[]>;
  overview(input: SpanInput, signal: AbortSignal): Promise<Overview>;
  readonly search: SearchApi;
  task(input: TaskName, signal: AbortSignal): Promise<TaskDetail>;
  taskEvents(input: TaskName, signal: AbortSignal): Promise<readonly TaskEventRow[]>;
  workers(input: OfCluster, signal: AbortSignal): Promise<readonly WorkerLine[]>;
  worker(
    input: { readonly cluster: string; readonly worker: string; readonly range: RangeName },
    signal: AbortSignal,
  ): Promise<WorkerDetail>;
  /** What workers told of themselves last; one that is silent is waited for by nobody. */
  inspect(input: InspectInput, signal: AbortSignal): Promise<readonly InspectionPart[]>;
  /** Tells workers something and gathers their answers. It cannot be called back: it is sent at once. */
  run(input: RunInput): Promise<CommandResult>;
  queues(input: OfCluster, signal: AbortSignal): Promise<readonly QueueRow[]>;
  queueTrend(input: QueueName & { readonly range: RangeName }, signal: AbortSignal): Promise<QueueTrend>;
  /** What the broker says at this moment. */
  queuesNow(
    input: { readonly cluster: string; readonly queues: readonly string[] },
    signal: AbortSignal,
  ): Promise<readonly QueueNow[]>;
  peek(
    input: QueueName & { readonly offset: number; readonly limit: number },
    signal: AbortSignal,
  ): Promise<QueueMessages>;
  broker(input: { readonly cluster: string }, signal: AbortSignal): Promise<BrokerNow>;
  purge(input: QueueName & { readonly confirm: string }): Promise<ActionResult>;
  removeMessage(input: QueueName & { readonly handle: string }): Promise<ActionResult>;
  /** Each step as it comes; aborting stops it between two messages. */
  move(
    input: {
      readonly cluster: string;
      readonly from: string;
      readonly to: string;
      /** Null for all that wait. */
      readonly limit: number | null;
    },
    signal: AbortSignal,
  ): AsyncIterable<MoveStep>;
  pauseQueue(input: QueueName): Promise<CommandResult>;
  resumeQueue(input: QueueName & { readonly workers: readonly string[] }): Promise<CommandResult>;
  /** `task`: what `taskRequest` of the protocol library takes. */
  sendTask(input: { readonly cluster: string; readonly task: Readonly<Record<string, unknown>> }): Promise<SendResult>;
  draft(input: TaskName, signal: AbortSignal): Promise<TaskDraft | DraftRefusal>;
  retry(
    input: TaskName & {
      /** Null to send it as its draft has it; else the fields that are otherwise, and the draft's `base`. */
      readonly edit: { readonly base: string; readonly changes: Readonly<Record<string, unknown>> } | null;
    },
  ): Promise<SendResult>;
  /** Each step as it comes; aborting stops it between two tasks. */
  bulk(input: BulkInput, signal: AbortSignal): AsyncIterable<BulkStep>;
  abort(input: { readonly cluster: string; readonly taskIds: readonly string[] }): Promise<TasksResult>;
  /** Newest first. */
  audit(
    input: { readonly question: AuditQuestion; readonly cursor: string | null },
    signal: AbortSignal,
  ): Promise<AuditPage>;
  /** Every record of a request, oldest first; none where it is not known. */
  auditRequest(
    input: { readonly cluster: string; readonly requestId: string },
    signal: AbortSignal,
  ): Promise<readonly AuditRow[]>;
  system(signal: AbortSignal): Promise<SystemStatus>;
  ingest(signal: AbortSignal): Promise<IngestState>;
  loss(input: SpanInput, signal: AbortSignal): Promise<readonly ClusterLoss[]>;
  gaps(input: SpanInput, signal: AbortSignal): Promise<readonly GapRecord[]>;
  poison(input: SpanInput, signal: AbortSignal): Promise<readonly PoisonRecord[]>;
  /** Both return how to hang up. */
  liveTasks(input: OfCluster, handlers: LiveHandlers<LiveMessage<TaskListRow>>): () => void;
  liveWorkers(input: OfCluster, handlers: LiveHandlers<LiveMessage<WorkerRow>>): () => void;
}
