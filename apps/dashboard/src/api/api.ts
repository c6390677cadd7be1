import type {
  ClusterLine,
  ClusterLoss,
  CommandResult,
  Facets,
  IngestState,
  LiveMessage,
  Overview,
  RangeName,
  SystemStatus,
  TaskDetail,
  TaskPage,
  WorkerDetail,
  WorkerLine,
} from '@meadow/api';
import type {
  Finding,
  GapRecord,
  Inspection,
  InspectionPart,
  PoisonRecord,
  TaskEventRow,
  TaskListRow,
  WorkerRow,
} from '@meadow/contract';
import type { TaskFilter } from '../live/task-filter.ts';

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

interface TaskPageInput {
  readonly filter: TaskFilter;
  readonly range: RangeName;
  readonly cursor: string | null;
  /** Only tasks first seen before this, Unix seconds. */
  readonly before: number | null;
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

/** Everything the pages ask of the server. Failures are `Fault`s. */
export interface Api {
  clusters(signal: AbortSignal): Promise<readonly ClusterLine[]>;
  doctor(input: { readonly cluster: string }, signal: AbortSignal): Promise<readonly Finding[]>;
  overview(input: SpanInput, signal: AbortSignal): Promise<Overview>;
  tasks(input: TaskPageInput, signal: AbortSignal): Promise<TaskPage>;
  task(input: TaskName, signal: AbortSignal): Promise<TaskDetail>;
  taskEvents(input: TaskName, signal: AbortSignal): Promise<readonly TaskEventRow[]>;
  facets(input: OfCluster, signal: AbortSignal): Promise<Facets>;
  workers(input: OfCluster, signal: AbortSignal): Promise<readonly WorkerLine[]>;
  worker(
    input: { readonly cluster: string; readonly worker: string; readonly range: RangeName },
    signal: AbortSignal,
  ): Promise<WorkerDetail>;
  /** What workers told of themselves last; one that is silent is waited for by nobody. */
  inspect(input: InspectInput, signal: AbortSignal): Promise<readonly InspectionPart[]>;
  /** Tells workers something and gathers their answers. It cannot be called back: it is sent at once. */
  run(input: RunInput): Promise<CommandResult>;
  system(signal: AbortSignal): Promise<SystemStatus>;
  ingest(signal: AbortSignal): Promise<IngestState>;
  loss(input: SpanInput, signal: AbortSignal): Promise<readonly ClusterLoss[]>;
  gaps(input: SpanInput, signal: AbortSignal): Promise<readonly GapRecord[]>;
  poison(input: SpanInput, signal: AbortSignal): Promise<readonly PoisonRecord[]>;
  /** Both return how to hang up. */
  liveTasks(input: OfCluster, handlers: LiveHandlers<LiveMessage<TaskListRow>>): () => void;
  liveWorkers(input: OfCluster, handlers: LiveHandlers<LiveMessage<WorkerRow>>): () => void;
}
