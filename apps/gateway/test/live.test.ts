import { openBus, type Bus } from '@meadow/bus';
import { liveTasksSubject } from '@meadow/contract';
import { freePort, startChild, startNats, waitFor, type Child, type NatsServer } from '@meadow/testkit';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { connect, metric, watch } from './client.ts';
import { listRow, liveTasks } from './rows.ts';

let nats: NatsServer;
let bus: Bus;
let gateway: Child;
let url: string;

beforeAll(async () => {
  nats = await startNats();
  bus = await openBus({ url: nats.url, name: 'test', signal: AbortSignal.timeout(20_000) });
});

afterAll(async () => {
  await bus[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
});

beforeEach(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  gateway = await startChild({
    name: 'gateway',
    command: process.execPath,
    args: [fileURLToPath(new URL('../src/main.ts', import.meta.url))],
    // no store: the live feed needs none
    env: { MEADOW_GATEWAY_PORT: String(port), MEADOW_NATS_URL: nats.url, MEADOW_CLICKHOUSE_URL: 'http://127.0.0.1:9' },
    ready: async () => (await (await fetch(`${url}/readyz`)).text()).split('\n').length === 2,
  });
});

afterEach(() => gateway.kill9());

const viewers = (): Promise<number> => metric(url, 'meadow_gateway_live_viewers');
const publish = (cluster: string, ...ids: string[]): void =>
  bus.publish(liveTasksSubject(cluster), liveTasks(cluster, ids.map((id) => listRow(id, { cluster })))); // prettier-ignore

test('shows browsers the clusters they look at, from the first message on, and forgets who left', async () => {
  const client = connect(url);
  const one = watch(client, { cluster: 'prod' });
  const two = watch(client, { clusters: ['prod', 'test'] });
  const all = watch(client, {});
  const watching = [one, two, all];
  await waitFor(() => watching.every(({ messages }) => messages.length > 0), { what: 'the first messages' });
  expect(one.messages[0]).toMatchObject({ rows: [], omitted: 0 });
  for (const cluster of ['prod', 'test', 'unheard-of']) publish(cluster, `${cluster}-1`);
  await waitFor(() => one.rows.size === 1 && two.rows.size === 2 && all.rows.size === 3, { what: 'rows for all' });
  expect([...one.rows.keys(), ...two.rows.keys()].sort()).toEqual(['prod-1', 'prod-1', 'test-1']);
  for (const each of watching) each.stop();
  await waitFor(async () => (await viewers()) === 0, { what: 'no viewers' });
});

test('costs NATS one subscription a cluster however many look on, and none when nobody does', async () => {
  const subscriptions = (): Promise<number> => metric(url, 'meadow_gateway_live_subscriptions');
  const watching = Array.from({ length: 10 }, () => watch(connect(url), { cluster: 'prod' }));
  await waitFor(() => watching.every(({ messages }) => messages.length > 0), { what: 'ten viewers' });
  expect([await viewers(), await subscriptions()]).toEqual([10, 1]);
  for (const each of watching) each.stop();
  await waitFor(async () => (await subscriptions()) === 0, { what: 'no subscription' });
});

test('goes on after a message that cannot be read', async () => {
  const watched = watch(connect(url), { cluster: 'prod' });
  await waitFor(() => watched.messages.length > 0, { what: 'the first message' });
  bus.publish(liveTasksSubject('prod'), 'not JSON');
  bus.publish(liveTasksSubject('prod'), '{"rows":1}');
  publish('prod', 'after');
  await waitFor(() => watched.rows.has('after'), { what: 'the row after' });
  expect(await metric(url, 'meadow_gateway_live_messages_invalid_total')).toBe(2);
  watched.stop();
});

test('a browser that does not read costs bounded memory, and then gets the newest states', async () => {
  const response = await openStream();
  response.pause();
  await waitFor(async () => (await viewers()) === 1, { what: 'the viewer' });
  const padding = 'x'.repeat(1_000);
  // 60 MB for a reader of nothing: far past what sockets hold
  for (let round = 0; round < 120; round++) {
    const rows = Array.from({ length: 500 }, (_, index) => listRow(`t${round}-${index}`, { args: padding }));
    bus.publish(liveTasksSubject('prod'), liveTasks('prod', rows));
    if (round % 10 === 0) await delay(20);
  }
  const omitted = 'meadow_gateway_live_rows_omitted_total';
  await waitFor(async () => (await metric(url, omitted)) > 30_000, { what: 'rows left out' });
  expect(await metric(url, 'process_resident_memory_bytes')).toBeLessThan(400_000_000);
  let text = '';
  response.setEncoding('utf8').on('data', (part: string) => (text += part));
  response.resume();
  publish('prod', 'the-last');
  await waitFor(() => text.includes('"the-last"'), { what: 'the newest row' });
  expect(text.length).toBeLessThan(40_000_000);
  response.destroy();
});

test('streams end with a word to come back when NATS goes away, and resume by themselves', async () => {
  const watched = watch(connect(url), { cluster: 'prod' });
  await waitFor(() => watched.messages.length > 0, { what: 'the first message' });
  await nats.stop();
  await waitFor(() => watched.states.includes('connecting BUS_UNAVAILABLE'), { what: 'the end of the stream' });
  await nats.restart();
  await waitFor(() => bus.connected && (publish('prod', 'again'), watched.rows.has('again')), {
    what: 'rows after NATS is back',
    deadlineMs: 20_000,
    everyMs: 200,
  });
  watched.stop();
});

test('stops in time while browsers look on, telling them to come back', async () => {
  const response = await openStream();
  let text = '';
  response.setEncoding('utf8').on('data', (part: string) => (text += part));
  await waitFor(() => text.includes('"rows":[]'), { what: 'the stream' });
  const stuck = await openStream();
  stuck.pause();
  const began = performance.now();
  const ended = new Promise((resolve) => response.once('close', resolve));
  process.kill(gateway.pid, 'SIGTERM');
  await ended;
  expect(text).toContain('GATEWAY_STOPPING');
  await waitFor(() => gateway.ended(), { what: 'the end of the gateway' });
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(gateway.log()).toContain('"msg":"stopped"');
});

function openStream(): Promise<IncomingMessage> {
  const path = `${url}/trpc/live.tasks?input=${encodeURIComponent('{"cluster":"prod"}')}`;
  return new Promise((resolve, reject) => {
    const headers = { accept: 'text/event-stream', 'accept-encoding': 'br, gzip' };
    get(path, { headers }, (response) => {
      response.on('error', () => undefined);
      expect(response.headers['content-type']).toBe('text/event-stream');
      expect(response.headers['content-encoding']).toBeUndefined();
      resolve(response);
    }).once('error', reject);
  });
}
