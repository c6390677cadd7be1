import type { ApiError } from '@meadow/api';
import { describeError, type Logger } from '@meadow/runtime';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Every fact about the gateway that an operator may want: one function each, log and metric together. */
export interface Telemetry {
  listening(url: string, dashboardBuilt: boolean): void;
  busWaiting(error: string, waitMs: number): void;
  busConnected(): void;
  busLost(): void;
  bucketValueInvalid(bucket: string, key: string, error: unknown): void;
  registryWaiting(error: unknown, waitMs: number): void;
  storeAnswered(question: string, seconds: number): void;
  storeFailed(question: string, error: ApiError): void;
  /** Live streams open, and NATS subscriptions that feed them. */
  viewers(count: number, subscriptions: number): void;
  liveRowsOmitted(rows: number): void;
  liveMessageInvalid(subject: string, error: unknown): void;
  requestFailed(path: string, error: unknown): void;
  streamsCut(): void;
  /** A statement of somebody has ended. `begin` and `hash` tell which it was. */
  sqlRan(run: {
    readonly action: string;
    readonly outcome: string;
    readonly rows: number;
    readonly seconds: number;
    readonly hash: string;
    readonly begin: string;
    readonly actor: string;
  }): void;
  sqlNotRecorded(error: unknown): void;
}

export function createTelemetry(log: Logger, registry: Registry): Telemetry {
  const registers = [registry];
  const questions = new Histogram({
    name: 'meadow_gateway_question_seconds',
    help: 'Time until the store answered, by question; shared answers count once',
    labelNames: ['question'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    registers,
  });
  const failures = new Counter({
    name: 'meadow_gateway_question_failures_total',
    help: 'Questions that the store did not answer, by error code',
    labelNames: ['question', 'code'],
    registers,
  });
  const viewers = new Gauge({ name: 'meadow_gateway_live_viewers', help: 'Live streams open', registers });
  const subscriptions = new Gauge({
    name: 'meadow_gateway_live_subscriptions',
    help: 'NATS subscriptions that feed the live streams',
    registers,
  });
  const omitted = new Counter({
    name: 'meadow_gateway_live_rows_omitted_total',
    help: 'Rows left out of live streams because a browser read too slowly',
    registers,
  });
  const invalid = new Counter({
    name: 'meadow_gateway_live_messages_invalid_total',
    help: 'Live messages from NATS that could not be read',
    registers,
  });
  const statements = new Histogram({
    name: 'meadow_gateway_sql_seconds',
    help: 'Time that statements of people took, by action and outcome',
    labelNames: ['action', 'outcome'],
    buckets: [0.05, 0.2, 1, 5, 20, 60],
    registers,
  });
  // told once a change: while the store is away every browser asks again and again
  let storeFault: string | null = null;

  return {
    listening(url, dashboardBuilt) {
      log.info({ event: 'listening', url, dashboardBuilt }, `listening on ${url}`);
    },
    busWaiting: (error, waitMs) => log.warn({ reason: error, waitMs }, 'waiting for NATS'),
    busConnected: () => log.info({}, 'connected to NATS'),
    busLost: () => log.warn({}, 'connection to NATS lost'),
    bucketValueInvalid: (bucket, key, error) =>
      log.warn({ bucket, key, error: describeError(error) }, 'value does not fit'),
    registryWaiting: (error, waitMs) =>
      log.warn({ error: describeError(error), waitMs }, 'waiting for the list of clusters'),
    storeAnswered(question, seconds) {
      questions.observe({ question }, seconds);
      if (storeFault !== null) log.info({}, 'ClickHouse answers');
      storeFault = null;
    },
    storeFailed(question, error) {
      failures.inc({ question, code: error.code });
      if (error.code === 'CURSOR_INVALID' || error.code === storeFault) return;
      storeFault = error.code;
      log.warn({ question, error: describeError(error) }, 'ClickHouse does not answer as asked');
    },
    viewers(count, subscribed) {
      viewers.set(count);
      subscriptions.set(subscribed);
    },
    liveRowsOmitted: (rows) => omitted.inc(rows),
    liveMessageInvalid(subject, error) {
      invalid.inc();
      log.debug({ subject, error: describeError(error) }, 'live message cannot be read');
    },
    requestFailed: (path, error) => log.error({ path, error: describeError(error) }, 'request failed unexpectedly'),
    sqlRan({ action, outcome, ...run }) {
      statements.observe({ action, outcome }, run.seconds);
      log.info({ action, outcome, ...run }, 'a statement has ended');
    },
    sqlNotRecorded: (error) => log.warn({ error: describeError(error) }, 'a statement is not in the audit'),
    streamsCut: () => log.warn({}, 'connections still open past the deadline were cut'),
  };
}
