import { startRedis, startRedisSentinel, waitFor, type RedisServer } from '@meadow/testkit';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openResultSource, parseResultBackend, type BrokerStatus, type ResultDelivery } from '../src/index.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis({ password: 'pw' });
});
afterAll(() => server[Symbol.asyncDispose]());

const database3 = (url: string): string => url.replace(/(\/\d+)?$/, '/3');

/** As Celery's backend does it: the key and the channel of one name. */
async function store(prefix: string, id: string, text: string, to = new Redis(database3(server.url))): Promise<void> {
  const key = `${prefix}celery-task-meta-${id}`;
  await to.multi().setex(key, 60, text).publish(key, text).exec();
  to.disconnect();
}

test('results are heard as they are written, across reconnects, and looked up', async () => {
  const stop = new AbortController();
  const statuses: BrokerStatus['state'][] = [];
  const backend = parseResultBackend({
    ...{ name: 'c', resultBackend: database3(server.url) },
    resultTransportOptions: { global_keyprefix: 'te*am' },
  });
  if (backend?.kind !== 'redis') throw new Error('not a redis backend');
  await using source = openResultSource(backend, {
    ...{ cluster: 'c', signal: stop.signal, clientName: 'test' },
    onStatus: ({ state }) => statuses.push(state),
    onDropped: () => undefined,
  });
  const heard: ResultDelivery[] = [];
  const taking = (async () => {
    for await (const burst of source.bursts) heard.push(...burst);
  })();
  await waitFor(() => statuses.at(-1) === 'connected', { what: 'the subscription' });
  await store('te*am_', 'one', '1');
  await store('te-am_', 'foreign', '2');
  await store('te*am_', 'two', '3');
  await waitFor(() => heard.length === 2, { what: 'two results' });
  expect(heard.map(({ taskId, payload }) => [taskId, payload.toString()])).toEqual([
    ['one', '1'],
    ['two', '3'],
  ]);

  const ids = ['two', ...Array.from({ length: 250 }, (_, index) => `absent-${index}`), 'one'];
  const found = await source.lookup(ids, stop.signal);
  expect(found.map(({ taskId, payload }) => [taskId, payload.toString()])).toEqual([
    ['two', '3'],
    ['one', '1'],
  ]);

  await server.restart();
  await waitFor(() => statuses.lastIndexOf('connected') > 2, { what: 'another subscription', deadlineMs: 20_000 });
  await store('te*am_', 'three', '4');
  await waitFor(() => heard.length === 3, { what: 'a result after the restart' });
  stop.abort();
  await taking;
});

test.each(['tls', 'sentinel'])('results behind %s are heard and looked up', async (behind) => {
  await using redis = await startRedis({ tls: behind === 'tls' });
  await using sentinel = behind === 'tls' ? null : await startRedisSentinel(redis);
  const tls = { ca: redis.certificates?.ca ?? '', verify: true };
  const backend = parseResultBackend(
    sentinel === null
      ? { name: 'c', resultBackend: database3(redis.url), tls }
      : {
          ...{ name: 'c', resultBackend: database3(sentinel.url) },
          resultTransportOptions: { master_name: sentinel.masterName },
        },
  );
  if (backend?.kind !== 'redis') throw new Error('not a redis backend');
  const stop = new AbortController();
  let status: BrokerStatus | null = null as BrokerStatus | null;
  await using source = openResultSource(backend, {
    ...{ cluster: 'c', signal: stop.signal, clientName: 'test' },
    onStatus: (now) => (status = now),
    onDropped: () => undefined,
  });
  const heard: ResultDelivery[] = [];
  const taking = (async () => {
    for await (const burst of source.bursts) heard.push(...burst);
  })();
  await waitFor(() => status?.state === 'connected', { what: 'the subscription' });
  const unverified = sentinel === null ? { tls: { rejectUnauthorized: false } } : {};
  await store('', 'one', '1', new Redis(database3(redis.url), unverified));
  await waitFor(() => heard.length === 1, { what: 'a result' });
  expect(heard[0]).toMatchObject({ taskId: 'one', payload: Buffer.from('1') });
  const found = await source.lookup(['absent', 'one'], stop.signal);
  expect(found.map(({ taskId, payload }) => [taskId, payload.toString()])).toEqual([['one', '1']]);
  stop.abort();
  await taking;
});

test('a backend that hangs after it let us in holds up neither the end of the source nor that of a look-up', async () => {
  const asked: string[] = [];
  const hung = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const command = /\r\n([a-z]+)\r\n/i.exec(bytes.toString())?.[1]?.toLowerCase() ?? '';
      asked.push(command);
      if (command === 'client') socket.write('+OK\r\n');
    });
  }).listen(0, '127.0.0.1');
  await once(hung, 'listening');
  const { port } = hung.address() as AddressInfo;
  const backend = parseResultBackend({
    ...{ name: 'c', resultBackend: `redis://127.0.0.1:${port}/0`, resultTransportOptions: {} },
  });
  if (backend?.kind !== 'redis') throw new Error('not a redis backend');
  const source = openResultSource(backend, {
    ...{ cluster: 'c', signal: AbortSignal.timeout(30_000), clientName: 'test' },
    ...{ onStatus: () => undefined, onDropped: () => undefined },
  });
  const looked = source.lookup(['one'], AbortSignal.timeout(30_000)).catch((error: unknown) => error);
  await waitFor(() => asked.includes('psubscribe') && asked.includes('mget'), { what: 'both questions' });
  const began = performance.now();
  await source[Symbol.asyncDispose]();
  expect(await looked).toBeInstanceOf(Error);
  expect(performance.now() - began).toBeLessThan(1_000);
  hung.close();
});
