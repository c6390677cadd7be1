export type {
  AuditPage,
  ClusterLine,
  ClusterLoss,
  ClusterSummary,
  CommandResult,
  Durations,
  EventCounts,
  Facets,
  FailingTask,
  IngestProblem,
  IngestState,
  LiveMessage,
  Overview,
  Period,
  ReprView,
  SeriesPoint,
  StoreInfo,
  StoreLoad,
  StreamInfo,
  SystemStatus,
  TableInfo,
  TaskDetail,
  TaskPage,
  WorkerDetail,
  WorkerLife,
  WorkerLine,
  WorkerSample,
} from './answers.ts';
export { ApiError } from './errors.ts';
export type { ApiErrorCode } from './errors.ts';
export type {
  ApiContext,
  AuditQuestion,
  BusState,
  ClusterRegistry,
  CommandRequest,
  Control,
  Doctor,
  InspectQuestion,
  LiveFeed,
  Ports,
  Questions,
  RangeQuestion,
  RegisteredCluster,
  SpanQuestion,
  TaskQuestion,
  TasksQuestion,
  WorkerQuestion,
} from './ports.ts';
export { RANGES, rangeSeconds, spanOf } from './range.ts';
export type { RangeName, Span } from './range.ts';
export { appRouter } from './router.ts';
export type { AppRouter } from './router.ts';
