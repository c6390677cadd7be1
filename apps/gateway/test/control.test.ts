import {
  startCeleryWorker,
  startMeadow,
  startRedis,
  startService,
  waitFor,
  type CeleryWorker,
  type Meadow,
} from '@meadow/testkit';
import { hostname } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, failureOf, type Client } from './client.ts';

const stack = new AsyncDisposableStack();
const node = `tester@${hostname()}`;
let meadow: Meadow;
let url: string;
let client: Client;
let worker: CeleryWorker;

beforeAll(async () => {
  const redis = stack.use(await startRedis());
  const clusters = [{ name: 'garden', broker: redis.url }];
  meadow = stack.use(await startMeadow({ services: ['aggregator', 'collector', 'gateway'], clusters }));
  worker = stack.use(await startCeleryWorker({ brokerUrl: redis.url }));
  url = meadow.services.gateway?.url ?? '';
  client = connect(url);
}, 120_000);
afterAll(() => stack.disposeAsync(), 60_000);

const run = (command: { method: string } & Record<string, unknown>, workers: string[] | null = [node]) =>
  client.control.run.mutate({ cluster: 'garden', command, workers });

test('without a control service that is said, with the remedy', async () => {
  const { told, message } = await failureOf(run({ method: 'ping' }));
  expect(told).toBe('503 CONTROL_UNAVAILABLE');
  expect(message).toContain('start the control service');
  const { nats, clickhouse } = meadow;
  stack.use(await startService('control', { natsUrl: nats.url, clickhouseUrl: clickhouse.url }));
  await waitFor(async () => (await run({ method: 'ping' }).catch(() => null)) !== null, {
    ...{ what: 'control to answer', deadlineMs: 20_000, everyMs: 200 },
  });
}, 60_000);

test('a command is carried out, and each worker’s word is told', async () => {
  expect(await run({ method: 'pool_grow', n: 1 })).toMatchObject({
    ...{ outcome: 'done', detail: '1 of 1 worker did it' },
    workers: [{ worker: node, outcome: 'done', words: 'pool will grow' }],
  });
  expect(await run({ method: 'autoscale', max: 4, min: 1 })).toMatchObject({
    ...{ outcome: 'refused', workers: [{ outcome: 'refused', words: "ValueError('Autoscale not enabled')" }] },
  });
});

test('who did what, and what came of it, is found in the audit', async () => {
  const { request_id } = await run({ method: 'pool_shrink', n: 1 });
  const rows = await waitFor(
    async () => {
      const found = await client.audit.request.query({ cluster: 'garden', requestId: request_id });
      return found.length === 2 ? found : null;
    },
    { what: 'both records in the store', deadlineMs: 20_000, everyMs: 200 },
  );
  expect(rows.map(({ outcome }) => outcome)).toEqual(['begun', 'done']);
  expect(rows[1]).toMatchObject({
    action: 'pool_shrink',
    targets: [node],
    arguments: '{"n":1}',
    signed_in: 'anonymous',
  });
  expect(rows[1]?.address).toMatch(/127\.0\.0\.1/);
  const page = await client.audit.list.query({ action: 'pool_shrink', outcomes: ['done'] });
  expect(page.rows.map((row) => row.request_id)).toEqual([request_id]);
});

test('what cannot be is refused in words, and nothing is sent', async () => {
  const refused = await failureOf(run({ method: 'add_consumer', queue: '' }));
  expect(refused).toMatchObject({
    told: '400 CONTROL_REFUSED',
    message: expect.stringContaining('queue is empty') as string,
  });
  expect((await failureOf(run({ method: 'shutdown' }, null))).message).toContain('name those that it is for');
  expect((await failureOf(run({ method: 'ping' }, []))).told).toBe('400 INPUT_INVALID');
  expect((await run({ method: 'ping' })).outcome).toBe('done');
});

test('what workers told is there at once, with its time', async () => {
  const parts = await client.control.inspect.query({ cluster: 'garden', of: ['stats', 'conf'], workers: [node] });
  expect(parts.map(({ of, worker: told }) => [of, told])).toEqual([
    ['stats', node],
    ['conf', node],
  ]);
  expect(parts[0]?.at).toBeGreaterThan(Date.now() / 1000 - 60);
  expect(parts[0]?.value).toMatchObject({ pid: worker.pid });
});

test('a page of another site changes nothing', async () => {
  const post = (headers: Record<string, string>): Promise<Response> =>
    fetch(`${url}/trpc/control.run`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json', ...headers } },
      body: JSON.stringify({ cluster: 'garden', command: { method: 'ping' }, workers: [node] }),
    });
  expect((await post({ origin: 'https://evil.example' })).status).toBe(403);
  expect((await post({ origin: 'null' })).status).toBe(403);
  expect((await post({ 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await post({ origin: url })).status).toBe(200);
  // a command is never given by following a link
  const input = encodeURIComponent(JSON.stringify({ cluster: 'garden', command: { method: 'ping' }, workers: [node] }));
  expect((await fetch(`${url}/trpc/control.run?input=${input}`)).status).toBe(405);
});
