export { BROKER_ERROR_CODES, BrokerConfigError, BrokerError } from './errors.ts';
export type { BrokerErrorCode, BrokerFacts } from './errors.ts';
export { openEventSource } from './event-source.ts';
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
export { parseBrokerUrl } from './url.ts';
export type { AmqpTarget, Broker, BrokerDefinition, BrokerTls, HostPort, RedisTarget, SentinelAddress } from './url.ts';
