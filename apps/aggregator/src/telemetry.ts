import { describeError, type Logger } from '@meadow/runtime';
import type { LossRow, StoreError } from '@meadow/store';
import type { StoredBatch } from '@meadow/bus';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { AggregatorFlow } from './flow.ts';

/** Every fact about the aggregator that an operator may want: one function each, log and metric together. */
export interface Telemetry {
  /** By partition, up to where it is in the store; and how far the stream reached when the term began. */
  holds(partitions: ReadonlyMap<number, number>, lastSeq: number): void;
  recovering(writer: string, partitions: readonly number[]): void;
  /** Messages of the stream that were gone before they were read. */
  missed(messages: number): void;
  took(message: StoredBatch): void;
  /** `collectedUntil`: Unix seconds at which the newest event of the batch was collected; 0 when it had none. */
  wrote(facts: {
    events: number;
    tasks: number;
    dropped: number;
    seconds: number;
    lagSeconds: number;
    collectedUntil: number;
  }): void;
  waiting(error: unknown, waitMs: number): void;
  lossMeasured(rows: readonly LossRow[]): void;
  lossWaiting(error: unknown, waitMs: number): void;
  /** Tasks given up: nobody will tell their end. */
  gaveUp(cluster: string, worker: string, reason: string, tasks: number): void;
  /** Tasks whose end was not heard and that the result backend knew. */
  endsFound(cluster: string, tasks: number): void;
  endsUnanswered(cluster: string, error: unknown): void;
  endsWaiting(error: unknown, waitMs: number): void;
  buried(lines: number, error: StoreError): void;
  memory(facts: { tasks: number; bytes: number; bound: number }): void;
  streamReplaced(): void;
  termFailed(error: unknown, waitMs: number): void;
}

export function createTelemetry(log: Logger, registry: Registry, flow: AggregatorFlow): Telemetry {
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
  const bytes = new Gauge({
    name: 'meadow_aggregator_task_memory_bytes',
    help: 'events of those that are idle',
    registers,
  });
  const partitions = new Gauge({
    name: 'meadow_aggregator_partitions',
    help: 'partitions that this replica writes',
    registers,
  });
  const recoveries = new Counter({
    name: 'meadow_aggregator_recoveries_total',
    help: 'writers whose last batch was written again because they were gone',
    registers,
  });
  const missed = new Counter({
    name: 'meadow_aggregator_missed_messages_total',
    help: 'messages that the stream dropped before they were written',
    registers,
  });
  const expected = new Counter({
    name: 'meadow_aggregator_starts_expected_total',
    help: 'starts that workers counted, of the workers that could be measured',
    labelNames: ['cluster'],
    registers,
  });
  const heard = new Counter({
    name: 'meadow_aggregator_starts_heard_total',
    help: 'starts that were heard of these workers',
    labelNames: ['cluster'],
    registers,
  });
  const unmeasured = new Counter({
    name: 'meadow_aggregator_starts_unmeasured_total',
    help: 'starts counted by workers whose task events are not heard at all',
    labelNames: ['cluster'],
    registers,
  });
  const lost = new Gauge({
    name: 'meadow_aggregator_starts_lost',
    help: 'starts never heard since this replica measures: expected less heard',
    labelNames: ['cluster'],
    registers,
  });
  const gaveUp = new Counter({
    name: 'meadow_aggregator_tasks_lost_total',
    help: 'tasks concluded to be lost',
    labelNames: ['cluster', 'reason'],
    registers,
  });
  const found = new Counter({
    name: 'meadow_aggregator_ends_found_total',
    help: 'ends that were not heard and that the result backend knew',
    labelNames: ['cluster'],
    registers,
  });
  return {
    took: (message) => flow.took(message),
    holds: (positions, lastSeq) => {
      partitions.set(positions.size);
      if (positions.size === 0) flow.rests();
      log.info({ partitions: Object.fromEntries(positions), lastSeq }, 'partitions held, each written up to here');
    },
    recovering: (writer, held) => {
      recoveries.inc();
      log.warn({ writer, partitions: held }, 'a writer is gone; its last batch is written again');
    },
    missed: (messages) => {
      missed.inc(messages);
      log.error({ messages }, 'events were dropped by the stream before they were written: too old for its bound');
    },
    wrote: (facts) => {
      events.inc(facts.events);
      rows.inc(facts.tasks);
      repeats.inc(facts.dropped);
      lag.set(facts.lagSeconds);
      flow.stored(facts.lagSeconds, facts.collectedUntil);
      log.debug(facts, 'batch written');
    },
    lossMeasured: (rows) => {
      for (const { cluster, ...row } of rows) {
        expected.inc({ cluster }, row.expected);
        heard.inc({ cluster }, row.heard);
        unmeasured.inc({ cluster }, row.unmeasured);
        // a start that fell between counting and telling is made good by the next window
        lost.inc({ cluster }, row.expected - row.heard);
        if (row.expected > row.heard) log.warn({ cluster, ...row }, 'fewer starts were heard than workers counted');
      }
    },
    lossWaiting: (error, waitMs) => log.warn({ error: describeError(error), waitMs }, 'loss cannot be measured now'),
    gaveUp: (cluster, worker, reason, count) => {
      gaveUp.inc({ cluster, reason }, count);
      log.info({ cluster, worker, reason, tasks: count }, 'tasks will not tell their end: lost');
    },
    endsFound: (cluster, count) => {
      found.inc({ cluster }, count);
      log.info({ cluster, tasks: count }, 'ends that were not heard are in the result backend');
    },
    endsUnanswered: (cluster, error) =>
      log.warn({ cluster, error: describeError(error) }, 'the result backend does not answer; open tasks are left so'),
    endsWaiting: (error, waitMs) =>
      log.warn({ error: describeError(error), waitMs }, 'open tasks cannot be looked at now'),
    waiting: (error, waitMs) => {
      retries.inc();
      flow.held();
      log.warn({ error: describeError(error), waitMs }, 'store not available, events wait in NATS');
    },
    buried: (lines, error) => {
      buried.inc(lines);
      log.error({ lines, error: describeError(error) }, 'the store refused a row; kept in poison');
    },
    memory: (facts) => {
      tasks.set(facts.tasks);
      bytes.set(facts.bytes);
      flow.memory({ used: facts.bytes, bound: facts.bound });
    },
    streamReplaced: () => log.warn({}, 'the events stream is a new one; starting at its beginning'),
    termFailed: (error, waitMs) => {
      partitions.set(0);
      log.warn(
        { error: describeError(error), waitMs },
        'begins anew: taken over by another aggregator, or NATS was away',
      );
    },
  };
}
