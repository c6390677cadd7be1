export type {
  ClusterLine,
  ClusterSummary,
  Durations,
  EventCounts,
  Facets,
  FailingTask,
  LiveMessage,
  Overview,
  Period,
  ReprView,
  SeriesPoint,
  StoreInfo,
  SystemStatus,
  TableInfo,
  TaskDetail,
  TaskPage,
  WorkerLine,
} from './answers.ts';
export { ApiError } from './errors.ts';
export type { ApiErrorCode } from './errors.ts';
export type {
  BusState,
  ClusterRegistry,
  LiveFeed,
  Ports,
  Questions,
  RangeQuestion,
  RegisteredCluster,
  SpanQuestion,
  TaskQuestion,
  TasksQuestion,
} from './ports.ts';
export { RANGES, rangeSeconds, spanOf } from './range.ts';
export type { RangeName, Span } from './range.ts';
export { appRouter } from './router.ts';
export type { AppRouter } from './router.ts';
