import type { SystemStatus } from '@meadow/api';
import type { ServiceStatus } from '@meadow/contract';
import { expect, test } from 'vitest';
import { fillsOf, hopsOf, stagesOf } from './stages.ts';

const replica = (facts: Partial<ServiceStatus>): ServiceStatus => ({
  ...{ id: 'x', service: 'collector', version: '1', host: 'h', pid: 1, started_at: 0, reported_at: 0, missing: null },
  ...{ cpu: 0, rss_bytes: 1, loop_delay_seconds: 0, hops: [], buffers: [], brokers: [], stored_until: null },
  ...facts,
});

const status = (facts: Partial<SystemStatus> = {}): SystemStatus => ({
  version: '1',
  startedAt: 0,
  store: { ok: true, error: '', version: '26', rows: 10, bytes: 100, tables: [], load: null },
  bus: { ok: true, error: '', stream: { messages: 3, bytes: 900, maxBytes: 1000, oldestAt: null } },
  ingest: { delayedSeconds: 0, problems: [], lastEventAt: null },
  services: [replica({}), replica({ service: 'aggregator' })],
  viewers: 0,
  ...facts,
});
const clusters = { all: 2, connected: 2 };
const tones = (of: SystemStatus) => stagesOf(of, clusters).map(({ tone }) => tone);

test('a part that does not run is in trouble; what is not known while NATS is away is not called so', () => {
  expect(tones(status())).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
  expect(tones(status({ services: [replica({})] }))).toEqual(['ok', 'ok', 'ok', 'bad', 'ok']);
  const away = status({ services: [], bus: { ok: false, error: 'gone', stream: null } });
  expect(tones(away)).toEqual(['ok', 'idle', 'bad', 'idle', 'ok']);
});

test('rates that nobody told are not known, which is not none', () => {
  const figures = (of: SystemStatus) => stagesOf(of, clusters).map(({ figure }) => figure);
  expect(figures(status())[0]).toBe('–/s');
  const cost = { subscriptions: 1, workers: 1, missed_heartbeats: 0, clock_holes: null };
  const broker = { cluster: 'a', messages_per_second: 0, bytes_per_second: 0, events_per_second: null, ...cost };
  expect(figures(status({ services: [replica({ brokers: [broker] })] }))[0]).toBe('0/s');
});

test('the slowest of all replicas is the lag of a hop', () => {
  const hop = (lag: number | null, waiting: number) =>
    replica({ hops: [{ hop: 'collector-nats', cluster: 'a', lag_seconds: lag, waiting }] });
  const lags = hopsOf(status({ services: [hop(0.2, 1), hop(31, 7), hop(null, 0)] }));
  expect(lags.map(({ hop: name, tone, lagSeconds, waiting }) => [name, tone, lagSeconds, waiting])).toEqual([
    ['broker-collector', 'idle', null, null],
    ['collector-nats', 'warn', 31, 7],
    ['nats-aggregator', 'idle', null, null],
    ['aggregator-store', 'idle', null, null],
  ]);
});

test('the fullest buffer comes first and says how near its bound it is', () => {
  const buffers = [{ name: 'live views', cluster: '', used: 1, bound: 2000, unit: 'items' as const }];
  expect(fillsOf(status({ services: [replica({ buffers })] }))).toMatchObject([
    { name: 'Events stream', used: '900 B', bound: '1.0 KB', tone: 'warn' },
    { name: 'Live views', of: 'collector h:1', used: '1', bound: '2,000', tone: 'ok' },
  ]);
});
