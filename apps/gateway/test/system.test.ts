import { openBus, serviceReports, type Bucket, type Bus } from '@meadow/bus';
import { batchSubject, BUCKETS, clusterStatus, type ServiceStatus } from '@meadow/contract';
import { insertLoss, migrate, openStore } from '@meadow/store';
import { startMeadow, waitFor, type Meadow } from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from './client.ts';

let meadow: Meadow;
let bus: Bus;
let reports: Bucket<ServiceStatus>;
let client: ReturnType<typeof connect>;

beforeAll(async () => {
  meadow = await startMeadow({ services: ['gateway'] });
  bus = await openBus({ url: meadow.nats.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  await bus.events.ensure();
  reports = await serviceReports(bus);
  client = connect(meadow.services.gateway?.url ?? '');
  await using store = openStore({ url: meadow.clickhouse.url });
  await migrate(store);
}, 60_000);

afterAll(async () => {
  await bus[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
});

const now = (): number => Date.now() / 1000;

/** What an aggregator tells that has stored everything collected before `storedUntil`. */
const aggregator = (storedUntil: number): ServiceStatus => ({
  ...{ id: 'aggregator-test', service: 'aggregator', version: '1', host: 'h', pid: 1, started_at: 0, missing: null },
  ...{ reported_at: now(), cpu: 0.5, rss_bytes: 1e8, loop_delay_seconds: 0.01, buffers: [], brokers: [] },
  hops: [{ hop: 'nats-aggregator', cluster: '', lag_seconds: now() - storedUntil, waiting: 3 }],
  stored_until: storedUntil,
});

test('the gateway tells of itself, and passes on what other services tell, until they fall silent or say goodbye', async () => {
  const names = async () => (await client.system.status.query()).services.map(({ service }) => service);
  await waitFor(async () => (await names()).includes('gateway'), { what: "the gateway's own report" });
  await reports.put('aggregator-test', aggregator(now()));
  const both = await waitFor(async () => ((await names()).length === 2 ? names() : null), { what: 'both' });
  expect(both).toEqual(['aggregator', 'gateway']);
  await reports.delete('aggregator-test');
  await waitFor(async () => (await names()).join() === 'gateway', { what: 'the goodbye' });
  await reports.put('aggregator-test', { ...aggregator(now()), reported_at: now() - 60 });
  expect(await names()).toEqual(['gateway']);
});

test('the stream and the store are told with their bounds and their load', async () => {
  const before = (await client.system.status.query()).bus.stream;
  const batch = { id: 'one', count: 1, collector: 'test' };
  await bus.events.publish(batchSubject('worker', 'prod', 0), Buffer.from('{}\n'), batch);
  const { bus: told, store } = await client.system.status.query();
  expect(told.stream).toMatchObject({ messages: (before?.messages ?? 0) + 1, maxBytes: 8_000_000_000 });
  expect(Math.abs((told.stream?.oldestAt ?? 0) - now())).toBeLessThan(60);
  expect(store.load).toMatchObject({ merges: expect.any(Number) as number, inserts_delayed: 0 });
  expect(store.load?.disk_total_bytes).toBeGreaterThan(store.load?.disk_free_bytes ?? Infinity);
});

test('ingest is delayed while what is stored is behind what was heard, and no longer', async () => {
  const status = await bus.bucket(BUCKETS.status, (value) => clusterStatus.parse(value), { ttlMs: 60_000 });
  const heard = (): Promise<number> =>
    status.put('prod', {
      ...{ cluster: 'prod', collector: 'c', state: 'connected', since: now(), error: null, endpoint: 'e' },
      ...{ transport: 'redis', events: 1, rejected: 0, gaps: 0, lastEventAt: now(), reportedAt: now() },
    });
  await bus.events.publish(batchSubject('worker', 'prod', 0), Buffer.from('{}\n'), {
    id: 'two',
    count: 1,
    collector: 't',
  });
  // one that began long ago and stored nothing since
  await reports.put('aggregator-test', { ...aggregator(now()), stored_until: null });
  const late = await waitFor(
    async () => {
      await heard();
      const state = await client.system.ingest.query();
      return (state.delayedSeconds ?? 0) > 10 ? state : null;
    },
    { what: 'the delay', deadlineMs: 25_000, everyMs: 500 },
  );
  expect(late.problems).toMatchObject([{ at: 'nats-aggregator', tone: 'warn' }]);
  await reports.put('aggregator-test', aggregator(now()));
  await waitFor(async () => (await client.system.ingest.query()).delayedSeconds === 0, { what: 'the end of it' });
  expect((await client.system.ingest.query()).problems).toEqual([]);
}, 40_000);

test('NATS that is there and answers no question is a problem, which goes away with it', async () => {
  const said = async (): Promise<string> => (await client.system.ingest.query()).problems[0]?.says ?? '';
  process.kill(meadow.nats.pid, 'SIGSTOP');
  await waitFor(async () => (await said()).includes('JetStream does not answer'), { what: 'it', deadlineMs: 9_000 });
  process.kill(meadow.nats.pid, 'SIGCONT');
  await waitFor(async () => (await said()) === '', { what: 'the end of it', deadlineMs: 25_000 });
}, 40_000);

test('a store that is away is a problem, which goes away with it', async () => {
  await meadow.clickhouse.stop();
  const problems = await waitFor(
    async () => {
      const state = await client.system.ingest.query();
      return state.problems.length > 0 ? state.problems : null;
    },
    { what: 'the problem' },
  );
  expect(problems[0]).toMatchObject({ at: 'store', tone: 'bad' });
  await meadow.clickhouse.restart();
  const gone = async () => !(await client.system.ingest.query()).problems.some(({ at }) => at === 'store');
  await waitFor(gone, { what: 'no problem' });
});

test('measured loss is told by cluster; what was not measured has no line', async () => {
  expect(await client.system.loss.query({ range: '1h' })).toEqual([]);
  const started_at = Math.floor(now() / 60) * 60 - 120;
  await using store = openStore({ url: meadow.clickhouse.url });
  const row = { cluster: 'prod', started_at, ended_at: started_at + 30, workers: 1, unmeasured: 4 };
  await insertLoss(store, { rows: [{ ...row, expected: 100, heard: 97 }], token: 'loss' });
  const loss = { cluster: 'prod', expected: 100, lost: 3, unmeasured: 4 };
  await waitFor(async () => (await client.system.loss.query({ range: '1h' })).length > 0, { what: 'the loss' });
  expect(await client.system.loss.query({ range: '1h' })).toMatchObject([loss]);
  expect((await client.overview.get.query({ range: '1h' })).loss).toMatchObject([{ ...loss, windows: [{ lost: 3 }] }]);
});
