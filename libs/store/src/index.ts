export { openStore, MAX_WRITE_BYTES } from './store.ts';
export type { Store, StoreLogger, StoreOptions } from './store.ts';
export { StoreError } from './errors.ts';
export type { StoreErrorCode } from './errors.ts';
export { migrate } from './migrate.ts';
export type { MigrateOptions, MigrateResult } from './migrate.ts';
export { ping } from './ping.ts';

export type { StoredTaskEvent, TaskEventLine, TaskWriteRow, WorkerSampleLine, WorkerWriteRow } from './rows.ts';
export {
  insertAudit,
  insertGaps,
  insertPoison,
  insertQueueSamples,
  insertTaskEvents,
  insertTasks,
  insertWorkers,
  insertWorkerSamples,
} from './writes.ts';
export type { EncodedRows, Lines, WriteOptions } from './writes.ts';
export { RowBinary } from './row-binary.ts';
export type { Rows } from './row-binary.ts';
export { appendTask, TASK_COLUMNS } from './task-row.ts';
export { countedBeats } from './counted-beats.ts';
export type { CountedBeat } from './counted-beats.ts';
export { openTasksOf, taskHolders, workerFacts, workerProcesses } from './open-tasks.ts';
export type { OpenTask, TaskHolder, WorkerFacts, WorkerProcess } from './open-tasks.ts';
export { MAX_IDS, openTaskIds, recentAuditIds, recentEventIds, taskEventsByIds, taskKeysByIds } from './recovery.ts';
export type { RecoveryOptions, StoredTaskKey } from './recovery.ts';

export { insertLoss, lossMeasuredUntil, measureLoss } from './measure-loss.ts';
export type { LossRow } from './measure-loss.ts';

export type { AskOptions, TimeRange } from './questions/options.ts';
export { auditExport, auditList, auditRequest } from './questions/audit.ts';
export type { AuditFilter, AuditListInput, AuditListPage, AuditRequestInput } from './questions/audit.ts';
export { clusterSummaries } from './questions/cluster-summaries.ts';
export type { ClusterSummary } from './questions/cluster-summaries.ts';
export { dbInfo } from './questions/db-info.ts';
export type { DbInfo, TableInfo } from './questions/db-info.ts';
export { errorCategories } from './questions/errors/error-categories.ts';
export type { ErrorCategoriesInput, ErrorCategorySeries } from './questions/errors/error-categories.ts';
export { errorGroup } from './questions/errors/error-group.ts';
export type {
  Affected,
  ErrorChange,
  ErrorGroupDetail,
  ErrorGroupInput,
  ErrorSample,
} from './questions/errors/error-group.ts';
export { ERROR_ORDERS, errorGroups } from './questions/errors/error-groups.ts';
export type {
  ErrorGroupLine,
  ErrorGroupList,
  ErrorGroupRow,
  ErrorGroupsInput,
  ErrorOrder,
} from './questions/errors/error-groups.ts';
export {
  errorRulesNow,
  insertErrorGroupWords,
  insertErrorRules,
  isErrorGroup,
} from './questions/errors/error-words.ts';
export type { ErrorGroupWords, ErrorRulesNow } from './questions/errors/error-words.ts';
export { ingestGaps } from './questions/ingest-gaps.ts';
export type { IngestGapsInput } from './questions/ingest-gaps.ts';
export { ingestLoss } from './questions/ingest-loss.ts';
export type { ClusterLoss, LossWindow } from './questions/ingest-loss.ts';
export { overview } from './questions/overview.ts';
export type {
  Durations,
  EventCounts,
  FailingTask,
  Overview,
  OverviewInput,
  SeriesPoint,
} from './questions/overview.ts';
export { poisonList } from './questions/poison-list.ts';
export type { PoisonListInput } from './questions/poison-list.ts';
export { queueHistory, queueList } from './questions/queues.ts';
export type { QueueHistory, QueueHistoryInput, QueueListInput, QueuePoint } from './questions/queues.ts';
export { storeLoad } from './questions/store-load.ts';
export type { StoreLoad } from './questions/store-load.ts';
export { taskDetail } from './questions/task-detail.ts';
export type { TaskDetailInput } from './questions/task-detail.ts';
export { taskEvents } from './questions/task-events.ts';
export type { TaskEventsInput } from './questions/task-events.ts';
export type { TaskSearch } from './questions/task-search/find.ts';
export { TASK_SORTS } from './questions/task-search/order.ts';
export type { TaskOrder, TaskSort } from './questions/task-search/order.ts';
export { taskExport } from './questions/task-search/task-export.ts';
export { taskFacets } from './questions/task-search/task-facets.ts';
export type { TaskFacets } from './questions/task-search/task-facets.ts';
export { taskList } from './questions/task-search/task-list.ts';
export type { TaskListInput, TaskListPage } from './questions/task-search/task-list.ts';
export { seenValues } from './questions/task-search/seen-values.ts';
export type { SeenValue, SeenValuesInput } from './questions/task-search/seen-values.ts';
export { toldTasks } from './questions/told-tasks.ts';
export type { KnownTask, ToldTasksInput } from './questions/told-tasks.ts';
export { workerList } from './questions/worker-list.ts';
export type { WorkerListInput, WorkerListRow } from './questions/worker-list.ts';
export { workerHistory } from './questions/worker-history.ts';
export type { WorkerHistoryInput, WorkerLife, WorkerSample } from './questions/worker-history.ts';
export { workflow, workflowSize } from './questions/workflow.ts';
export type { StoredMember, StoredWorkflow, WorkflowInput } from './questions/workflow.ts';
export { workflowList } from './questions/workflow-list.ts';
export type { WorkflowLine, WorkflowListInput, WorkflowListPage } from './questions/workflow-list.ts';

export { addMark, markList, removeMark } from './questions/marks.ts';
export type { Mark } from './questions/marks.ts';
export type { TrendInput, TrendScope, TrendSource } from './questions/trends/scope.ts';
export { concurrencyTrend } from './questions/trends/concurrency.ts';
export type { ConcurrencyPoint, ConcurrencyTrend } from './questions/trends/concurrency.ts';
export { durationTrend } from './questions/trends/durations.ts';
export type { DurationPoint, DurationTrend, Spread } from './questions/trends/durations.ts';
export { runtimeHeatMap } from './questions/trends/heat-map.ts';
export type { HeatMap } from './questions/trends/heat-map.ts';
export { busiestHours } from './questions/trends/hours.ts';
export type { HourOfWeek } from './questions/trends/hours.ts';
export { queueTrends } from './questions/trends/queues.ts';
export type { QueueTrendLine, QueueTrends } from './questions/trends/queues.ts';
export { trendScopes } from './questions/trends/scopes.ts';
export type { TrendScopes } from './questions/trends/scopes.ts';
export { taskTrends } from './questions/trends/tasks.ts';
export type { TaskTrendLine, TaskTrends } from './questions/trends/tasks.ts';
export { throughput } from './questions/trends/throughput.ts';
export type { Throughput } from './questions/trends/throughput.ts';
export { workerTrends } from './questions/trends/workers.ts';
export type { WorkerTrendLine, WorkerTrends } from './questions/trends/workers.ts';

export { publicSchema } from './questions/public-schema.ts';
export type { PublicTable } from './questions/public-schema.ts';
export { savedQueries, savedQuery, writeSavedQuery } from './questions/saved-queries.ts';
export type { SavedQuery } from './questions/saved-queries.ts';
export { ALLOWED_FUNCTIONS } from './sql/allowed-functions.ts';
export { openSqlConsole } from './sql/console.ts';
export type {
  CheckedStatement,
  RunInput,
  RunStatistics,
  RunStep,
  SqlConsole,
  SqlConsoleOptions,
  StatementInput,
} from './sql/console.ts';
export { readDocs } from './sql/docs-page.ts';
export type { SqlDocs, SqlExample } from './sql/docs-page.ts';
export type { SqlParameter } from './sql/lexer.ts';
export { PUBLIC_TABLES, TABLE_FUNCTIONS } from './sql/public-tables.ts';
export type { SqlLimits } from './sql/reader.ts';
export { SqlError } from './sql/sql-error.ts';
export type { SqlErrorCode, SqlPosition } from './sql/sql-error.ts';
export { taskTypeDetail } from './questions/task-types/task-type-detail.ts';
export type {
  TaskTypeDetail,
  TaskTypeDetailInput,
  TaskTypeFailure,
  TaskTypePart,
  TaskTypePoint,
} from './questions/task-types/task-type-detail.ts';
export { taskTypeList } from './questions/task-types/task-type-list.ts';
export type { TaskTypeList, TaskTypeListInput, TaskTypeRow } from './questions/task-types/task-type-list.ts';
export { taskTypeTimes } from './questions/task-types/task-type-times.ts';
export type { TaskTypeTimes, TaskTypeTimesInput } from './questions/task-types/task-type-times.ts';
export { taskTypeRuns } from './questions/task-types/task-type-runs.ts';
export type { TaskTypeRun, TaskTypeRunsInput } from './questions/task-types/task-type-runs.ts';
