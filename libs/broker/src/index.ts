export { openControlChannel } from './control/channel.ts';
export type {
  ControlAnswers,
  ControlAsk,
  ControlChannel,
  ControlChannelOptions,
  ControlDefinition,
} from './control/channel.ts';
export { examineBroker } from './doctor/examine.ts';
export type { Examination, ExamineOptions } from './doctor/examine.ts';
export { BROKER_ERROR_CODES, BrokerConfigError, BrokerError } from './errors.ts';
export type { BrokerErrorCode, BrokerFacts } from './errors.ts';
export { bytesOf, openEventSource, payloadOf } from './event-source.ts';
export type {
  AmqpDelivery,
  AmqpDeliveryProperties,
  BrokerDelivery,
  BrokerStatus,
  Burst,
  EventGap,
  EventSource,
  EventSourceDefinition,
  EventSourceLimits,
  EventSourceOptions,
  EventSourceTiming,
  RedisDelivery,
} from './event-source.ts';
export { maskUrl } from './mask-url.ts';
export { isTaskQueue } from './queues/queue-names.ts';
export { openQueues } from './queues/queues.ts';
export type {
  KnownQueues,
  Move,
  MoveOptions,
  PeekOptions,
  Queues,
  QueuesDefinition,
  QueuesLook,
  QueuesOptions,
  ServerLook,
} from './queues/port.ts';
export { QUEUE_REFUSAL_CODES, QueueRefusal } from './queues/refusal.ts';
export type { QueueRefusalCode } from './queues/refusal.ts';
export { parseResultBackend } from './results/backend.ts';
export type { ResultBackend, ResultDefinition } from './results/backend.ts';
export { lookupResults } from './results/lookup.ts';
export type { LookupOptions, ResultDelivery } from './results/lookup.ts';
export { openResultSource } from './results/source.ts';
export type { ResultSource, ResultSourceOptions } from './results/source.ts';
export { slabOf } from './redis/slab.ts';
export type { AbortOutcome, AbortRefusalCode } from './tasks/abort.ts';
export { SEND_ERROR_CODES, TaskSendError } from './tasks/errors.ts';
export type { SendErrorCode } from './tasks/errors.ts';
export { openTaskSender } from './tasks/sender.ts';
export type { SentTask, TaskSender, TaskSenderDefinition, TaskSenderOptions } from './tasks/sender.ts';
export { parseBrokerUrl } from './url.ts';
export type { AmqpTarget, Broker, BrokerDefinition, BrokerTls, HostPort, RedisTarget, SentinelAddress } from './url.ts';
