import { insertTaskEvents, openStore, type Store } from '@meadow/store';
import { startMeadow, waitFor, type Meadow } from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, failureOf, type Client } from './client.ts';
import { eventLine, linesOf } from './rows.ts';

const stack = new AsyncDisposableStack();
let meadow: Meadow;
let store: Store;
let client: Client;

const exception = "ValueError('order 17 is gone')";
const fingerprint = 'a'.repeat(16);
const group = { cluster: 'prod', fingerprint };
let writes = 0;

async function fail(more: Parameters<typeof eventLine>[2] = {}): Promise<void> {
  const told = { fingerprint, exception, exception_type: 'ValueError', name: 'shop.buy', queue: 'q', ...more };
  await insertTaskEvents(store, {
    lines: linesOf([eventLine('task-failed', `t${(writes += 1)}`, told)]),
    token: `w${writes}`,
  });
}

beforeAll(async () => {
  const clusters = [{ name: 'prod', broker: 'redis://127.0.0.1:1/0' }];
  meadow = stack.use(await startMeadow({ services: ['aggregator', 'collector', 'gateway'], clusters }));
  store = stack.use(openStore({ url: meadow.clickhouse.url }));
  client = connect(meadow.services.gateway?.url ?? '');
  await waitFor(async () => (await client.clusters.list.query()).length === 1, {
    ...{ what: 'the cluster to be known', deadlineMs: 30_000 },
  });
  // another than is asked below: answers are kept for a second
  const asked = { cluster: 'prod', range: '7d' } as const;
  await waitFor(async () => (await client.errors.list.query(asked)).groups.length === 0, {
    ...{ what: 'the aggregator to have made the tables', deadlineMs: 30_000 },
  });
  await fail();
  await fail({ fingerprint: 'b'.repeat(16), type: 'meadow-lost', end_reason: 'no-end' });
}, 120_000);
afterAll(() => stack.disposeAsync(), 60_000);

test('groups are listed with a title, and a group tells its tasks', async () => {
  const { groups, totals } = await client.errors.list.query({ cluster: 'prod', range: '1h' });
  expect(groups.map(({ title, category }) => [title, category]).sort()).toEqual([
    ['LOST: no-end', 'worker-lost'],
    ['ValueError: order # is gone', 'validation'],
  ]);
  expect(totals).toHaveLength(2);
  const detail = await client.errors.get.query(group);
  expect(detail).toMatchObject({ title: 'ValueError: order # is gone', names: [{ value: 'shop.buy', failures: 1 }] });
  expect(detail.samples).toHaveLength(1);
  const { series } = await client.errors.categories.query({ range: '24h' });
  expect(series.map((each) => [each.category, each.points.reduce((sum, count) => sum + count, 0)])).toEqual([
    ['validation', 1],
    ['worker-lost', 1],
  ]);
});

test('what nobody knows or nobody can mean is refused', async () => {
  const unknown = { cluster: 'prod', fingerprint: '0'.repeat(16) };
  expect(await failureOf(client.errors.get.query(unknown))).toMatchObject({ told: '404 ERROR_NOT_FOUND' });
  expect(await failureOf(client.errors.update.mutate({ ...unknown, note: 'x' }))).toMatchObject({
    told: '404 ERROR_NOT_FOUND',
  });
  const refused: (() => Promise<unknown>)[] = [
    () => client.errors.update.mutate(group),
    () => client.errors.update.mutate({ ...group, fingerprint: 'x', note: '' }),
    () => client.errors.update.mutate({ ...group, status: 'closed' as 'open' }),
    () => client.errors.rules.set.mutate({ rules: [{ category: 'timeout', exception: '', message: '', name: '' }] }),
    () =>
      client.errors.rules.set.mutate({
        rules: [{ category: 'odd' as 'other', exception: 'x', message: '', name: '' }],
      }),
    () => client.errors.list.query({ limit: 501 }),
  ];
  for (const call of refused) expect((await failureOf(call())).told).toBe('400 INPUT_INVALID');
});

test('a change is kept, told at once, and found in the audit with its end', async () => {
  await client.errors.update.mutate({ ...group, status: 'resolved', note: 'fixed in 1.2', assignee: ' ann ' });
  expect(await client.errors.get.query(group)).toMatchObject({
    ...{ status: 'resolved', note: 'fixed in 1.2', assignee: 'ann', regressed: false },
    changes: [{ status: 'resolved', note: 'fixed in 1.2', assignee: 'ann' }],
  });
  await fail({ timestamp: Date.now() / 1000 + 0.001, collected_at: Date.now() / 1000 + 0.5 });
  expect(await client.errors.get.query(group)).toMatchObject({ status: 'open', regressed: true, failures: 2 });
  const rows = await waitFor(
    async () => {
      const { rows: found } = await client.audit.list.query({ cluster: 'prod', action: 'errors.*' });
      return found.length === 2 ? found : null;
    },
    { what: 'both records in the audit', deadlineMs: 30_000 },
  );
  expect(rows.map((row) => [row.action, row.outcome, row.target_kind, row.targets])).toEqual([
    ['errors.update', 'done', 'error', [fingerprint]],
    ['errors.update', 'begun', 'error', [fingerprint]],
  ]);
  expect(JSON.parse(rows[0]?.arguments ?? '')).toEqual({ status: 'resolved', note: 'fixed in 1.2', assignee: 'ann' });
  expect(rows[0]?.request_id).toBe(rows[1]?.request_id);
});

test('rules that are edited count for the past, and the edit is in the audit of each cluster', async () => {
  const { rules } = await client.errors.rules.get.query();
  const mine = { category: 'permission' as const, exception: '', message: '*order*', name: 'shop.*' };
  const answer = await client.errors.rules.set.mutate({ rules: [mine, ...rules] });
  expect(answer.rules[0]).toEqual(mine);
  await waitFor(async () => (await client.errors.get.query(group)).category === 'permission', {
    ...{ what: 'the new rules to be in force', deadlineMs: 30_000 },
  });
  const found = await waitFor(
    async () => (await client.audit.list.query({ action: 'errors.rules', outcomes: ['done'] })).rows[0] ?? null,
    { what: 'the edit in the audit', deadlineMs: 30_000 },
  );
  expect(found).toMatchObject({ cluster: 'prod', target_kind: 'cluster', targets: [] });
});

test('without NATS nothing is changed, and that is said', async () => {
  await meadow.nats.stop();
  const { told } = await failureOf(client.errors.update.mutate({ ...group, status: 'ignored' }));
  expect(told).toBe('503 BUS_UNAVAILABLE');
  expect(await client.errors.get.query(group)).toMatchObject({ status: 'open' });
}, 60_000);
