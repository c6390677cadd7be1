import { describeError, type Logger } from '@meadow/runtime';
import { Counter, Gauge, type Registry } from 'prom-client';

/** Every fact about the collector that an operator may want: one function each, log and metric together. */
export interface Telemetry {
  badDefinition(message: string): void;
  watching(cluster: string, endpoint: string): void;
  forgotten(cluster: string): void;
  connected(cluster: string): void;
  failed(cluster: string, code: string, message: string): void;
  received(cluster: string, messages: number, events: number): void;
  undecodable(cluster: string, code: string): void;
  gap(cluster: string, reason: string, seconds: number, estimatedEvents: number | null): void;
  published(cluster: string, events: number, bytes: number): void;
  held(cluster: string, error: unknown, waitMs: number): void;
  lost(cluster: string, events: number, error: unknown): void;
  lag(cluster: string, seconds: number): void;
}

export function createTelemetry(log: Logger, registry: Registry): Telemetry {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name: `meadow_collector_${name}`, help, labelNames, registers });
  const messages = counter('messages_total', 'messages taken from the broker', ['cluster']);
  const events = counter('events_total', 'events decoded', ['cluster']);
  const undecodable = counter('undecodable_total', 'messages or events kept aside as poison', ['cluster', 'code']);
  const published = counter('published_events_total', 'events on disk in NATS', ['cluster']);
  const bytes = counter('published_bytes_total', 'bytes of batches on disk in NATS', ['cluster']);
  const lost = counter('lost_events_total', 'events that NATS refused for good', ['cluster']);
  const gaps = counter('gaps_total', 'spans in which events may have been missed', ['cluster', 'reason']);
  const gapSeconds = counter('gap_seconds_total', 'length of those spans', ['cluster', 'reason']);
  const retries = counter('publish_retries_total', 'publishes tried again', ['cluster']);
  const up = new Gauge({
    name: 'meadow_collector_connected',
    help: '1 while the broker is heard',
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
      log.info({ cluster }, 'no longer watched');
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
    received: (cluster, messageCount, eventCount) => {
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
    lag: (cluster, seconds) => lag.set({ cluster }, seconds),
  };
}
