export { AUDIT_OUTCOMES, AUDIT_TARGETS, auditLine, auditListRow, auditRecord, auditRow, SIGN_INS } from './audit.ts';
export type { AuditListRow, AuditRecord, AuditRow } from './audit.ts';
export {
  clusterDefinition,
  clusterName,
  clusterStatus,
  heardRecord,
  maskingPolicy,
  retentionPolicy,
  transportOptions,
} from './cluster.ts';
export type {
  ClusterDefinition,
  ClusterDefinitionInput,
  ClusterStatus,
  HeardRecord,
  MaskingPolicy,
  ResultsStatus,
  RetentionPolicy,
} from './cluster.ts';
export { eventId, EventIdLanes, partitionOf, partitionOfAscii, PARTITIONS } from './event-id.ts';
export { poisonLine } from './pipeline-event.ts';
export type { GapRecord, PipelineEvent, PoisonRecord } from './pipeline-event.ts';
export { queueRow, queueSample, queueSampleLine } from './queue-sample.ts';
export type { QueueRow, QueueSample } from './queue-sample.ts';
export { HOPS, NODE_FLAGS, SERVICE_ENV, serviceStatus } from './service.ts';
export type { BrokerCost, BufferStatus, Hop, HopStatus, ServiceFacts, ServiceStatus } from './service.ts';
export { resultsAnswer, resultsQuestion } from './results.ts';
export type { ResultsAnswer, ResultsQuestion } from './results.ts';
export {
  askDoctorSubject,
  askResultsSubject,
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
export { FINAL_STATES, LOST_REASONS, TASK_STATES } from './task-state.ts';
export type { LostReason } from './task-state.ts';
export { attemptRow, taskEventRow, taskListRow, taskRow, workerRow } from './task.ts';
export type { AttemptRow, LiveTasks, LiveWorkers, TaskEventRow, TaskListRow, TaskRow, WorkerRow } from './task.ts';
export {
  askControlSubject,
  askedCommand,
  askedTask,
  controlQuestion,
  INSPECTIONS,
  MOST_PEEKED,
  MOST_TASKS_ASKED,
  requester,
} from './control.ts';
export type {
  CommandOutcome,
  ControlPart,
  ControlQuestion,
  ControlQuestionInput,
  DraftRefusal,
  Ended,
  Inspection,
  InspectionPart,
  Looked,
  Pause,
  Requester,
  TaskDraft,
  TaskOutcome,
  ToldTask,
  WorkerAnswer,
  WorkerOutcome,
} from './control.ts';
export type { Peek, PriorityFigures, QueueFact, QueueFigures, QueueRates, ShownText, WaitingMessage } from './queue.ts';
export type { ServerAlarm, ServerFact, ServerFacts, ServerNode } from './server.ts';
export { createMask } from './mask.ts';
export type { Mask } from './mask.ts';
export { TaskEventFormatError, TaskEventReader, TEXT_COLUMN } from './task-event-reader.ts';
export type { TailColumn, TextColumn } from './task-event-reader.ts';
export { HEAD_COLUMNS, TAIL_COLUMNS } from './task-event-row.ts';
export { encodeTaskEvents, TaskEventWriter } from './task-event-writer.ts';
export type { TaskEventFields, TaskEventWriterOptions } from './task-event-writer.ts';
export { workerPool } from './worker-pool.ts';
export type { PoolRule } from './worker-pool.ts';
export { findings, judgeTraffic } from './doctor.ts';
export type { Finding, Traffic } from './doctor.ts';
export { encodeLength, encodeText } from './encode-text.ts';
export { TaskQueryError } from './task-query/error.ts';
export { SEEN_FIELDS, TASK_FIELDS } from './task-query/fields.ts';
export type { NumberField, SeenField, TaskField, TextField } from './task-query/fields.ts';
export { MOST_QUERY_LENGTH, parseTaskQuery } from './task-query/parse.ts';
export type { ArgumentPattern, NumberSpan, TaskQuery, TaskTerm, TextValue } from './task-query/query.ts';
export {
  DEFAULT_ERROR_RULES,
  ERROR_CATEGORIES,
  ERROR_STATUSES,
  errorRule,
  errorRules,
  fingerprint,
} from './error-rules.ts';
export type { ErrorCategory, ErrorRule, ErrorStatus } from './error-rules.ts';
