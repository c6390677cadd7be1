import { encodeTask } from '@meadow/celery';
import { startCeleryWorker, startRedis, waitFor, type RedisServer } from '@meadow/testkit';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTaskSender, type TaskSender, type TaskSenderDefinition } from '../src/index.ts';
import { definitionOf } from './listening.ts';

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
});

function open(more: Partial<TaskSenderDefinition> = {}): TaskSender {
  const definition = { ...definitionOf(server.url), controlExchange: 'celery', resultBackend: server.url, ...more };
  return openTaskSender(definition, { signal: new AbortController().signal });
}

const keyOf = (id: string): string => `celery-task-meta-${id}`;
const meta = (status: string, more: object = {}): string => JSON.stringify({ status, result: null, ...more });

test('a task that looks ends as aborted; one that has ended is not touched', async () => {
  await using worker = await startCeleryWorker({ brokerUrl: server.url, backendUrl: server.url });
  await using sender = open();
  const facts = { nowMs: Date.now(), newId: 'running', origin: 'meadow@test' };
  await sender.send(encodeTask({ name: 'garden.abortable', queue: 'celery', args: '[20]' }, facts));
  await waitFor(async () => (await redis.get(keyOf('running')))?.includes('STARTED'), { what: 'its begin' });
  expect(await sender.abort(['running'])).toEqual([{ taskId: 'running', kind: 'aborted', before: 'STARTED' }]);
  const ended = await waitFor(async () => /SUCCESS.*aborted/.exec((await redis.get(keyOf('running'))) ?? ''), {
    what: 'its polite end',
  });
  expect(await sender.abort(['running'])).toMatchObject([{ kind: 'refused', code: 'ABORT_TASK_ENDED' }]);
  expect(await redis.get(keyOf('running'))).toBe(ended.input);
  expect(worker.log()).not.toContain('Unrecoverable');
}, 60_000);

test('what is stored lives as long as before, at least a day, and is told on its channel', async () => {
  await redis.set(keyOf('without-end'), meta('STARTED'));
  await redis.setex(keyOf('short'), 60, meta('PROGRESS', { result: { current: 1 } }));
  await redis.setex(keyOf('long'), 300_000, meta('RETRY'));
  const heard: string[] = [];
  const listener = new Redis(server.url);
  listener.on('pmessage', (_pattern: string, channel: string, text: string) => heard.push(`${channel} ${text}`));
  await listener.psubscribe('celery-task-meta-*');
  await using sender = open();
  const outcomes = await sender.abort(['without-end', 'short', 'long', 'unknown']);
  expect(outcomes.map((outcome) => 'before' in outcome && outcome.before)).toEqual([
    'STARTED',
    'PROGRESS',
    'RETRY',
    null,
  ]);
  const lives = await Promise.all(['without-end', 'short', 'long', 'unknown'].map((id) => redis.ttl(keyOf(id))));
  expect(lives.map((seconds) => Math.ceil(seconds / 1000))).toEqual([-0, 87, 300, 87]);
  const aborted = {
    status: 'ABORTED',
    result: null,
    traceback: null,
    children: null,
    date_done: null,
    task_id: 'short',
  };
  expect(JSON.parse((await redis.get(keyOf('short'))) ?? '')).toEqual(aborted);
  await waitFor(() => heard.length === 4, { what: 'four messages' });
  expect(heard[1]).toBe(`${keyOf('short')} ${JSON.stringify(aborted)}`);
  listener.disconnect();
});

/** A way to Redis on which something is done just before each write passes. */
async function startWay(beforeWrite: () => Promise<unknown>): Promise<AsyncDisposable & { readonly url: string }> {
  const sockets = new Set<Socket>();
  const way = createServer((near) => {
    const far = connect(server.port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    far.pipe(near);
    near.on('data', (bytes) => {
      const passing = bytes.includes('eval') ? beforeWrite() : Promise.resolve();
      void passing.then(() => far.write(bytes));
    });
    near.on('close', () => far.destroy());
  }).listen(0, '127.0.0.1');
  await once(way, 'listening');
  return {
    url: `redis://127.0.0.1:${(way.address() as AddressInfo).port}/0`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => way.close(done));
    },
  };
}

test('an end that is stored between look and write stays', async () => {
  await redis.set(keyOf('close'), meta('STARTED'));
  await using way = await startWay(() => redis.set(keyOf('close'), meta('SUCCESS')));
  await using sender = open({ resultBackend: way.url });
  expect(await sender.abort(['close'])).toMatchObject([{ kind: 'refused', code: 'ABORT_TASK_ENDED' }]);
  expect(await redis.get(keyOf('close'))).toBe(meta('SUCCESS'));
});

test('a task that stores something new each time is given up', async () => {
  let writes = 0;
  await redis.set(keyOf('busy'), meta('STARTED'));
  await using way = await startWay(() => redis.set(keyOf('busy'), meta('PROGRESS', { result: writes++ })));
  await using sender = open({ resultBackend: way.url });
  expect(await sender.abort(['busy'])).toMatchObject([{ code: 'ABORT_CONTENDED' }]);
  expect(writes).toBe(5);
});

test('what cannot be read is left alone, with the reason', async () => {
  await redis.set(keyOf('pickled'), Buffer.from([0x80, 5, 0x2e]));
  await using sender = open();
  expect(await sender.abort(['pickled'])).toMatchObject([{ code: 'ABORT_RESULT_UNREADABLE' }]);
  expect(await redis.getBuffer(keyOf('pickled'))).toEqual(Buffer.from([0x80, 5, 0x2e]));
  await using unread = open({ resultBackend: 'db+postgresql://u:secret@h/db' });
  expect(await unread.abort(['a', 'b'])).toMatchObject([
    { taskId: 'a', code: 'ABORT_NO_BACKEND', reason: expect.stringContaining('database') as string },
    { taskId: 'b', code: 'ABORT_NO_BACKEND' },
  ]);
  const { resultBackend: _, ...without } = {
    ...definitionOf(server.url),
    controlExchange: 'celery',
    resultBackend: '',
  };
  await using none = openTaskSender(without, { signal: new AbortController().signal });
  expect(await none.abort(['a'])).toMatchObject([{ code: 'ABORT_NO_BACKEND' }]);
  await using away = open({ resultBackend: 'redis://127.0.0.1:1/0' });
  await expect(away.abort(['a'])).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' });
});
