import { describeError, type Logger } from '@meadow/runtime';
import type { StoreError } from '@meadow/store';
import { Counter, Gauge, type Registry } from 'prom-client';

/** Every fact about the aggregator that an operator may want: one function each, log and metric together. */
export interface Telemetry {
  standingBy(): void;
  started(facts: { fromSeq: number; lastSeq: number; unfinished: boolean; openTasks: number; recentIds: number }): void;
  wrote(facts: { events: number; tasks: number; dropped: number; seconds: number; lagSeconds: number }): void;
  waiting(error: unknown, waitMs: number): void;
  buried(lines: number, error: StoreError): void;
  memory(facts: { tasks: number; bytes: number }): void;
  streamReplaced(): void;
  leaseLost(error: unknown): void;
}

export function createTelemetry(log: Logger, registry: Registry): Telemetry {
  const registers = [registry];
  const events = new Counter({
    name: 'meadow_aggregator_events_total',
    help: 'events written to the store',
    registers,
  });
  const repeats = new Counter({
    name: 'meadow_aggregator_repeats_total',
    help: 'events dropped as heard before',
    registers,
  });
  const rows = new Counter({ name: 'meadow_aggregator_task_rows_total', help: 'task rows written', registers });
  const buried = new Counter({
    name: 'meadow_aggregator_buried_total',
    help: 'lines the store refused, kept aside',
    registers,
  });
  const retries = new Counter({ name: 'meadow_aggregator_retries_total', help: 'writes tried again', registers });
  const lag = new Gauge({
    name: 'meadow_aggregator_lag_seconds',
    help: 'from collected to stored, newest batch',
    registers,
  });
  const tasks = new Gauge({ name: 'meadow_aggregator_tasks_in_memory', help: 'tasks held for folding', registers });
  const bytes = new Gauge({ name: 'meadow_aggregator_task_memory_bytes', help: 'estimated size of those', registers });
  return {
    standingBy: () => log.info({}, 'standing by until the writer lease is free'),
    started: (facts) => log.info(facts, 'writing'),
    wrote: (facts) => {
      events.inc(facts.events);
      rows.inc(facts.tasks);
      repeats.inc(facts.dropped);
      lag.set(facts.lagSeconds);
      log.debug(facts, 'batch written');
    },
    waiting: (error, waitMs) => {
      retries.inc();
      log.warn({ error: describeError(error), waitMs }, 'store not available, events wait in NATS');
    },
    buried: (lines, error) => {
      buried.inc(lines);
      log.error({ lines, error: describeError(error) }, 'the store refused a row; kept in poison');
    },
    memory: (facts) => {
      tasks.set(facts.tasks);
      bytes.set(facts.bytes);
    },
    streamReplaced: () => log.warn({}, 'the events stream is a new one; starting at its beginning'),
    leaseLost: (error) =>
      log.warn({ error: describeError(error) }, 'another aggregator took over, or NATS was away too long'),
  };
}
