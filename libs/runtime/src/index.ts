export { ConfigError, readConfig } from './config.ts';
export { openHealth } from './health.ts';
export type { HealthServer, ReadyCheck } from './health.ts';
export { describeError, LOG_LEVELS, openLogger } from './logger.ts';
export type { Logger, LogLevel } from './logger.ts';
export { retry } from './retry.ts';
export type { RetryOptions } from './retry.ts';
export { portNumber, runService } from './service.ts';
export type { ServiceContext } from './service.ts';
