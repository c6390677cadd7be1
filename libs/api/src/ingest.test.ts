import type { ServiceStatus } from '@meadow/contract';
import { expect, test } from 'vitest';
import { ingestState, type IngestFacts } from './ingest.ts';

const NOW = 1_700_000_000;
const stream = { messages: 5, bytes: 10, maxBytes: 1_000, oldestAt: NOW - 3 };

const service = (facts: Partial<ServiceStatus> = {}): ServiceStatus => ({
  ...{ id: 'a', service: 'aggregator', version: '1', host: 'h', pid: 1, started_at: NOW - 600, reported_at: NOW - 2 },
  ...{ missing: null, cpu: 0.1, rss_bytes: 1, loop_delay_seconds: 0, hops: [], buffers: [], brokers: [] },
  stored_until: NOW - 3,
  ...facts,
});

const facts = (more: Partial<IngestFacts> = {}): IngestFacts => ({
  ...{ now: NOW, since: NOW - 600, bus: null, store: null, stream, services: [service()], lastEventAt: NOW - 1 },
  ...more,
});

test('all is well when what is stored is about as new as what was heard', () => {
  expect(ingestState(facts())).toEqual({ delayedSeconds: 0, problems: [] });
  // nothing happens for an hour: that is no delay
  const quiet = { services: [service({ stored_until: NOW - 3_600 })], lastEventAt: NOW - 3_599 };
  expect(ingestState(facts(quiet))).toEqual({ delayedSeconds: 0, problems: [] });
});

test('the first event after a quiet hour is no delay: what was before it is not in the stream any more', () => {
  const services = [service({ stored_until: NOW - 3_600 })];
  expect(ingestState(facts({ services, lastEventAt: NOW - 1 }))).toEqual({ delayedSeconds: 0, problems: [] });
  const empty = { ...stream, messages: 0, oldestAt: null };
  expect(ingestState(facts({ services, stream: empty, lastEventAt: NOW }))).toMatchObject({ delayedSeconds: 0 });
});

test('where nothing was ever stored, what waits is a delay as well', () => {
  const waits = { stream: { ...stream, oldestAt: NOW - 25 }, lastEventAt: NOW - 1 };
  const never = (more: Partial<ServiceStatus> = {}): IngestFacts =>
    facts({ ...waits, services: [service({ stored_until: null, ...more })] });
  expect(ingestState(never())).toMatchObject({
    delayedSeconds: 25,
    problems: [{ at: 'nats-aggregator', tone: 'warn', says: 'Events wait in NATS longer than usual' }],
  });
  // it has just begun: what it stored before its restart is not known
  expect(ingestState(never({ started_at: NOW - 5 }))).toEqual({ delayedSeconds: 0, problems: [] });
  expect(ingestState(facts({ ...waits, services: [] }))).toMatchObject({
    delayedSeconds: 25,
    problems: [{ at: 'nats-aggregator', says: 'No aggregator is running' }],
  });
});

test('a store that is behind is a delay, told with the hop that holds events up', () => {
  const hop = { hop: 'nats-aggregator', cluster: '', lag_seconds: 80, waiting: 900 } as const;
  const waiting = { ...stream, oldestAt: NOW - 50 };
  const behind = facts({ stream: waiting, services: [service({ stored_until: NOW - 49, hops: [hop] })] });
  expect(ingestState(behind)).toMatchObject({
    delayedSeconds: 49,
    problems: [{ at: 'nats-aggregator', tone: 'warn' }],
  });
  const unexplained = facts({ stream: waiting, services: [service({ stored_until: NOW - 90 })] });
  expect(ingestState(unexplained).problems).toHaveLength(1);
});

test('one aggregator that stands still is a delay, however far the others are', () => {
  const stuck = facts({ stream: { ...stream, oldestAt: NOW - 300 } });
  expect(ingestState(stuck)).toMatchObject({
    delayedSeconds: 300,
    problems: [{ at: 'nats-aggregator', tone: 'warn' }],
  });
});

test('a part that is away is told once, with what happens to events meanwhile', () => {
  const hop = { hop: 'aggregator-store', cluster: '', lag_seconds: 80, waiting: null } as const;
  const { problems } = ingestState(facts({ store: 'ClickHouse does not answer (ping)', services: [service({ hops: [hop] })] })); // prettier-ignore
  expect(problems).toMatchObject([{ at: 'store', tone: 'bad', says: 'The store is away: ClickHouse does not answer' }]);
  expect(problems[0]?.effect).toContain('NATS, which is 1 % full');
  const away = ingestState(facts({ bus: 'connection lost', stream: null, services: [], lastEventAt: null }));
  expect(away).toMatchObject({ delayedSeconds: null, problems: [{ at: 'nats', tone: 'bad' }] });
});

test('a stream near its bound is told before it refuses', () => {
  const at = (bytes: number) => ingestState(facts({ stream: { ...stream, bytes } })).problems;
  expect(at(700)).toEqual([]);
  expect(at(850)).toMatchObject([{ at: 'nats', tone: 'warn', says: 'The events stream in NATS is 85 % full' }]);
  expect(at(999)).toMatchObject([{ at: 'nats', tone: 'bad' }]);
});

test('an aggregator is missed only after it had time to tell', () => {
  expect(ingestState(facts({ services: [], since: NOW - 5 })).problems).toEqual([]);
  expect(ingestState(facts({ services: [] })).problems).toMatchObject([{ at: 'nats-aggregator', tone: 'bad' }]);
});
