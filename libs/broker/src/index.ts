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
export { parseResultBackend } from './results/backend.ts';
export type { ResultBackend, ResultDefinition } from './results/backend.ts';
export { openResultSource } from './results/source.ts';
export type { ResultDelivery, ResultSource, ResultSourceOptions } from './results/source.ts';
export { slabOf } from './redis/slab.ts';
export { parseBrokerUrl } from './url.ts';
export type { AmqpTarget, Broker, BrokerDefinition, BrokerTls, HostPort, RedisTarget, SentinelAddress } from './url.ts';
