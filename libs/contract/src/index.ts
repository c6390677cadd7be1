export {
  clusterDefinition,
  clusterName,
  clusterStatus,
  maskingPolicy,
  retentionPolicy,
  transportOptions,
} from './cluster.ts';
export type {
  ClusterDefinition,
  ClusterDefinitionInput,
  ClusterStatus,
  MaskingPolicy,
  RetentionPolicy,
} from './cluster.ts';
export { eventId, partitionOf, PARTITIONS } from './event-id.ts';
export type { GapRecord, PipelineEvent, PoisonRecord } from './pipeline-event.ts';
export {
  BATCH_FORMAT_VERSION,
  BATCH_HEADERS,
  batchSubject,
  BUCKETS,
  EVENTS_STREAM,
  EVENTS_SUBJECTS,
  liveTasksSubject,
  liveWorkersSubject,
  parseBatchSubject,
} from './subjects.ts';
export type { BatchKind } from './subjects.ts';
export { attemptRow, FINAL_STATES, TASK_STATES, taskEventRow, taskListRow, taskRow, workerRow } from './task.ts';
export type { AttemptRow, LiveTasks, LiveWorkers, TaskEventRow, TaskListRow, TaskRow, WorkerRow } from './task.ts';
