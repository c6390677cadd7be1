// Wire formats: bytes in, facts out.
export { decodeContent } from './content.ts';
export type { Content, ContentOptions } from './content.ts';
export { amqpEnvelope, decodeRedisEnvelope, encodeRedisEnvelope } from './envelope.ts';
export type { AmqpMessage, AmqpProperties, Envelope, RedisMessage } from './envelope.ts';
export { CeleryDecodeError } from './errors.ts';
export type { CeleryDecodeErrorCode, DecodeFacts } from './errors.ts';
export { extraOf, isTaskEvent, isWorkerEvent } from './event.ts';
export type { CeleryEvent, CustomEvent, EventBase, TaskEvent, TaskEventType, WorkerEvent } from './event.ts';
export { decodeEvents } from './event-decoder.ts';
export type { DecodedEvents } from './event-decoder.ts';
export { parsePythonJson, stringifyPythonJson } from './json.ts';
export type { JsonObject, JsonValue } from './json.ts';
export { MAX_BYTES, MAX_DEPTH } from './limits.ts';
export { decodeStoredResult } from './stored-result.ts';
export type { StoredResult } from './stored-result.ts';
export { PLAIN_FLAG, PLAIN_NUMBER, PLAIN_TEXT, PlainEvents } from './plain-events.ts';
export { certificateStore, readSignedBody, verifySignedBody } from './signed.ts';
export type { CertificateStore, SignedBody } from './signed.ts';
export { decodeTaskMessage, taskHeaders } from './task-message.ts';
export type { TaskHeaders, TaskMessage } from './task-message.ts';

// Python reprs and the state they, and events, amount to.
export { isCut } from './repr/cut.ts';
export { reprToJson, reprToJsonText } from './repr/json.ts';
export type { ReprEntry, ReprNode, ReprResult } from './repr/node.ts';
export { MAX_REPR_LENGTH, parseRepr } from './repr/parse.ts';
export { MAX_ATTEMPTS } from './fold/run.ts';
export { resultState } from './fold/fact.ts';
export type { MeadowEvent, TaskFact } from './fold/fact.ts';
export { exceptionClass, failureOf } from './fold/exception.ts';
export { failureTitle, identityOf, lostIdentity } from './failure/fingerprint.ts';
export type { FailureIdentity } from './failure/fingerprint.ts';
export { emptyTask, factsOf, fold, foldAll, foldMany, MAX_FACTS } from './fold/task.ts';
export type {
  Attempt,
  AttemptState,
  CutField,
  EndSource,
  KnownTaskState,
  Progress,
  Task,
  TaskState,
} from './fold/task.ts';
export { ranUntilEvent, waitOfEvent } from './fold/view.ts';
export { foldWorker, livenessOf } from './fold/worker.ts';
export type { Liveness, Worker } from './fold/worker.ts';

// Remote control: what workers are asked and told, and what they answer.
export { controlCommand, isInspection, named, SIGNALS } from './control/command.ts';
export type { ControlCommand, ControlMethod } from './control/command.ts';
export { decodeControlReply, encodeControlRequest, refusalIn } from './control/mailbox.ts';
export type { ControlReply, ControlRequest, ReplyAddress } from './control/mailbox.ts';

// Sending tasks: what can be sent, the message it becomes, and the exact repetition of an earlier one.
export { diffOf } from './task/diff.ts';
export type { TaskChange, TaskDiff } from './task/diff.ts';
export { parseJsonTree, writeJsonTree } from './task/json-tree.ts';
export type { JsonTree } from './task/json-tree.ts';
export { amqpPublication, encodeTask } from './task/encode.ts';
export type { AmqpPublication, EncodedTask, SendFacts } from './task/encode.ts';
export { taskRequest } from './task/request.ts';
export type { TaskRequest, TaskRequestInput } from './task/request.ts';
export { retryOf } from './task/retry.ts';
export type { RetryDraft, RetrySource } from './task/retry.ts';
export type { ToldTask } from './task/retry-source.ts';
export type {
  RetryOrigin,
  RetryRefusal,
  RetryRefusalCode,
  RetryWarning,
  RetryWarningCode,
} from './task/retry-verdict.ts';
