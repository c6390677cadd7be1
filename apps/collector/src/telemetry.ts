import { describeError, type Logger } from '@meadow/runtime';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { LossFigures } from './loss.ts';

/** Every fact about the collector that an operator may want: one function each, log and metric together. */
export interface Telemetry {
  badDefinition(message: string): void;
  watching(cluster: string, endpoint: string): void;
  forgotten(cluster: string): void;
  standingBy(cluster: string): void;
  holding(cluster: string): void;
  released(cluster: string): void;
  connected(cluster: string): void;
  failed(cluster: string, code: string, message: string): void;
  /** Of the cluster's queue on RabbitMQ; null where they cannot be known. */
  otherBounds(cluster: string, actual: { readonly maxLength: number; readonly maxBytes: number } | null): void;
  received(cluster: string, messages: number, events: number, bytes: number): void;
  /** Totals since the cluster is held. */
  unheard(cluster: string, figures: LossFigures): void;
  undecodable(cluster: string, code: string): void;
  gap(cluster: string, reason: string, seconds: number, estimatedEvents: number | null): void;
  published(cluster: string, events: number, bytes: number): void;
  held(cluster: string, error: unknown, waitMs: number): void;
  lost(cluster: string, events: number, error: unknown): void;
  results(cluster: string, count: number): void;
  resultUnreadable(cluster: string, code: string): void;
  resultsDropped(cluster: string, count: number): void;
  resultsState(cluster: string, state: string, detail: string): void;
  lag(cluster: string, seconds: number): void;
  doctorDeaf(cluster: string, error: unknown): void;
}

export function createTelemetry(log: Logger, registry: Registry): Telemetry {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name: `meadow_collector_${name}`, help, labelNames, registers });
  const messages = counter('messages_total', 'messages taken from the broker', ['cluster']);
  const taken = counter('received_bytes_total', 'bytes taken from the broker', ['cluster']);
  const events = counter('events_total', 'events decoded', ['cluster']);
  const undecodable = counter('undecodable_total', 'messages or events kept aside as poison', ['cluster', 'code']);
  const published = counter('published_events_total', 'events on disk in NATS', ['cluster']);
  const bytes = counter('published_bytes_total', 'bytes of batches on disk in NATS', ['cluster']);
  const lost = counter('lost_events_total', 'events that NATS refused for good', ['cluster']);
  const gaps = counter('gaps_total', 'spans in which events may have been missed', ['cluster', 'reason']);
  const gapSeconds = counter('gap_seconds_total', 'length of those spans', ['cluster', 'reason']);
  const results = counter('results_total', 'results taken from the result backend', ['cluster']);
  const unreadable = counter('results_unreadable_total', 'results that cannot be read', ['cluster', 'code']);
  const dropped = counter('results_dropped_total', 'results that came faster than they were taken', ['cluster']);
  const retries = counter('publish_retries_total', 'publishes tried again', ['cluster']);
  const up = new Gauge({
    name: 'meadow_collector_connected',
    help: '1 while the broker is heard',
    labelNames: ['cluster'],
    registers,
  });
  const held = new Gauge({
    name: 'meadow_collector_held',
    help: '1 while this collector publishes the cluster, 0 while it stands by',
    labelNames: ['cluster'],
    registers,
  });
  const missed = new Gauge({
    name: 'meadow_collector_missed_heartbeats',
    help: 'heartbeats that should have come while the cluster is held: lost, or never sent by a blocked worker',
    labelNames: ['cluster'],
    registers,
  });
  const holes = new Gauge({
    name: 'meadow_collector_clock_holes',
    help: 'at most so many events of workers with a steady clock were never heard while the cluster is held',
    labelNames: ['cluster'],
    registers,
  });
  const lag = new Gauge({
    name: 'meadow_collector_lag_seconds',
    help: 'from the sender to the collector, newest event; holds the difference of their clocks',
    labelNames: ['cluster'],
    registers,
  });
  // a broker that stays away is tried again and again, and told once
  const told = new Map<string, string>();
  return {
    badDefinition: (message) => log.error({}, message),
    watching: (cluster, endpoint) => log.info({ cluster, endpoint }, 'watching'),
    forgotten: (cluster) => {
      told.delete(cluster);
      up.remove({ cluster });
      lag.remove({ cluster });
      held.remove({ cluster });
      log.info({ cluster }, 'no longer watched');
    },
    standingBy: (cluster) => {
      held.set({ cluster }, 0);
      log.info({ cluster }, 'standing by');
    },
    holding: (cluster) => {
      held.set({ cluster }, 1);
      log.info({ cluster }, 'holding');
    },
    unheard: (cluster, { missedHeartbeats, clockHoles }) => {
      missed.set({ cluster }, missedHeartbeats);
      if (clockHoles !== null) holes.set({ cluster }, clockHoles);
    },
    released: (cluster) => {
      missed.remove({ cluster });
      holes.remove({ cluster });
      held.remove({ cluster });
      lag.remove({ cluster });
      log.info({ cluster }, 'released');
    },
    connected: (cluster) => {
      told.delete(cluster);
      up.set({ cluster }, 1);
      log.info({ cluster }, 'connected');
    },
    failed: (cluster, code, message) => {
      up.set({ cluster }, 0);
      if (told.get(cluster) === code) return log.debug({ cluster, code }, message);
      told.set(cluster, code);
      log.warn({ cluster, code }, message);
    },
    otherBounds: (cluster, actual) => {
      const queue = `meadow.events.${cluster}`;
      if (actual === null) log.warn({ cluster }, `the bounds of ${queue} are not known: it may overflow unnoticed`);
      else
        log.warn({ cluster, ...actual }, `eventQueue has no effect on ${queue}, which exists: delete it when few wait`);
    },
    received: (cluster, messageCount, eventCount, byteCount) => {
      taken.inc({ cluster }, byteCount);
      messages.inc({ cluster }, messageCount);
      events.inc({ cluster }, eventCount);
    },
    undecodable: (cluster, code) => undecodable.inc({ cluster, code }),
    gap: (cluster, reason, seconds, estimatedEvents) => {
      gaps.inc({ cluster, reason });
      gapSeconds.inc({ cluster, reason }, seconds);
      log.warn({ cluster, reason, seconds, estimatedEvents }, 'events may have been missed');
    },
    published: (cluster, count, size) => {
      published.inc({ cluster }, count);
      bytes.inc({ cluster }, size);
    },
    held: (cluster, error, waitMs) => {
      retries.inc({ cluster });
      log.warn({ cluster, error: describeError(error), waitMs }, 'NATS does not take events, holding back');
    },
    lost: (cluster, count, error) => {
      lost.inc({ cluster }, count);
      log.error({ cluster, events: count, error: describeError(error) }, 'NATS refused a batch for good');
    },
    results: (cluster, count) => results.inc({ cluster }, count),
    resultUnreadable: (cluster, code) => unreadable.inc({ cluster, code }),
    resultsDropped: (cluster, count) => {
      dropped.inc({ cluster }, count);
      log.warn({ cluster, count }, 'results came faster than they were taken; asked for where an end is missing');
    },
    resultsState: (cluster, state, detail) => {
      if (state === 'failed' || state === 'unreadable') log.warn({ cluster, state, detail }, 'results are not read');
      else log.info({ cluster, state }, 'result backend');
    },
    lag: (cluster, seconds) => lag.set({ cluster }, seconds),
    doctorDeaf: (cluster, error) =>
      log.warn({ cluster, error: describeError(error) }, "the doctor's questions are not heard"),
  };
}
