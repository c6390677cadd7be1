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
export { taskList } from './questions/task-list.ts';
export type { TaskListInput, TaskListPage } from './questions/task-list.ts';
export { toldTasks } from './questions/told-tasks.ts';
export type { KnownTask, ToldTasksInput } from './questions/told-tasks.ts';
export { workerList } from './questions/worker-list.ts';
export type { WorkerListInput, WorkerListRow } from './questions/worker-list.ts';
export { workerHistory } from './questions/worker-history.ts';
export type { WorkerHistoryInput, WorkerLife, WorkerSample } from './questions/worker-history.ts';
