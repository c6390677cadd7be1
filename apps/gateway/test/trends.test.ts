import { insertTaskEvents, migrate, openStore, type Store } from '@meadow/store';
import { startMeadow, type Meadow } from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, failureOf, metric, type Client } from './client.ts';
import { eventLine, linesOf } from './rows.ts';

let meadow: Meadow;
let store: Store;
let client: Client;
let url: string;
const now = Date.now() / 1000;

beforeAll(async () => {
  meadow = await startMeadow({ services: ['gateway'] });
  url = meadow.services.gateway?.url ?? '';
  client = connect(url);
  store = openStore({ url: meadow.clickhouse.url });
  await migrate(store);
  const known = { name: 'shop.charge', queue: 'mail', worker: 'celery@w1' };
  const at = (ago: number) => ({ ...known, timestamp: now - ago, collected_at: now - ago });
  const events = [
    eventLine('task-started', 'a', { ...at(70), wait_seconds: 4 }),
    eventLine('task-succeeded', 'a', { ...at(65), runtime: 2 }),
    eventLine('task-failed', 'b', { ...at(64), exception: "KeyError('x')", exception_type: 'KeyError' }),
    eventLine('task-succeeded', 'old', { ...at(3_700), runtime: 8 }),
  ];
  await insertTaskEvents(store, { token: 'events', lines: linesOf(events) });
}, 60_000);

afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
});

test('every trend is told of its scope, beside the span before where that is asked for', async () => {
  const { trends } = client;
  const { now: last, before } = await trends.throughput.query({ range: '1h', compare: true });
  expect(last.total).toMatchObject({ started: 1, succeeded: 1, failed: 1 });
  expect(before?.total).toMatchObject({ started: 0, succeeded: 1 });
  expect((await trends.throughput.query({ range: '1h', task: 'other' })).now.total.succeeded).toBe(0);
  const durations = await trends.durations.query({ range: '6h', queue: 'mail' });
  expect(durations).toMatchObject({
    before: null,
    now: { total: { runtime: { count: 2, max: 8 }, wait: { p95: 4 } } },
  });
  expect((await trends.concurrency.query({ range: '1h' })).now.busy_seconds).toBe(2);
  expect((await trends.tasks.query({ range: '1h' })).tasks).toMatchObject([{ name: 'shop.charge', failed: 1 }]);
  expect((await trends.queues.query({ range: '1h' })).queues).toMatchObject([{ queue: 'mail', wait_avg: 4 }]);
  expect((await trends.workers.query({ range: '1h' })).workers).toMatchObject([{ worker: 'celery@w1', started: 1 }]);
  expect((await trends.heatMap.query({ range: '1h' })).cells).toMatchObject([{ row: 1, tasks: 1 }]);
  const hours = await trends.hours.query({ range: '24h', timeZone: 'Asia/Kolkata' });
  expect(hours.reduce((sum, { ended }) => sum + ended, 0)).toBe(3);
  expect(await trends.scopes.query({ range: '1h' })).toMatchObject({ tasks: ['shop.charge'], queues: ['mail'] });
});

test('what many ask alike is asked of the store once', async () => {
  const asked = (): Promise<number> => metric(url, 'meadow_gateway_question_seconds_count{question="trend queues"}');
  const before = await asked();
  await Promise.all(Array.from({ length: 20 }, () => client.trends.queues.query({ range: '24h' })));
  expect((await asked()) - before).toBe(1);
});

test.each([
  ['no span', {}],
  ['two spans', { range: '1h', from: 1, to: 2 }],
  ['an end before its begin', { from: 2, to: 1 }],
  ['more than is kept', { from: 0, to: now }],
  ['a range that there is not', { range: '2w' }],
  ['too many points', { range: '1h', points: 5_000 }],
  ['a misspelt scope', { range: '1h', tsak: 'x' }],
])('refuses %s', async (_, input) => {
  expect((await failureOf(client.trends.throughput.query(input as { range: '1h' }))).told).toBe('400 INPUT_INVALID');
});

test('refuses a time zone that there is not', async () => {
  for (const timeZone of ['Nowhere/Land', '+02:00']) {
    expect((await failureOf(client.trends.hours.query({ range: '1h', timeZone }))).told).toBe('400 INPUT_INVALID');
  }
});

test('a mark is posted, listed with its span, and taken back', async () => {
  const post = (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
    fetch(`${url}/marks`, { method: 'POST', headers, body });
  const answer = await post(JSON.stringify({ title: 'shop 2.4.1', url: 'https://ci.example/7', cluster: 'prod' }));
  const mark = (await answer.json()) as { id: string; at: number };
  expect(answer.status).toBe(201);
  expect(mark).toMatchObject({ title: 'shop 2.4.1', kind: 'deployment', cluster: 'prod' });
  expect((await client.trends.notes.query({ range: '15m' })).marks).toEqual([mark]);
  expect((await client.trends.notes.query({ range: '15m', cluster: 'other' })).marks).toEqual([]);
  expect(await client.marks.list.query({ from: mark.at - 1, to: mark.at + 1 })).toEqual([mark]);
  await client.marks.remove.mutate({ id: mark.id });
  expect((await client.trends.notes.query({ range: '15m' })).marks).toEqual([]);
  expect((await failureOf(client.marks.remove.mutate({ id: mark.id }))).told).toBe('404 MARK_NOT_FOUND');

  const json = { 'content-type': 'application/json' };
  const foreign = { ...json, 'sec-fetch-site': 'cross-site' };
  const refused = await Promise.all([
    post('{}'),
    post('{"title":"x","url":"javascript:alert(1)"}'),
    post('{"title":"x","kind":"rumour"}'),
    post('{"title":"x"}', { 'content-type': 'text/plain' }),
    post('{"title":"x"}', foreign),
  ]);
  expect(refused.map(({ status }) => status)).toEqual([400, 400, 400, 400, 403]);
});
