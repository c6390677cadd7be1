import {
  celeryEnvironment,
  runPython,
  startCeleryWorker,
  startRabbitmq,
  startRedis,
  waitFor,
  type CeleryWorker,
} from '@meadow/testkit';
import { Redis } from 'ioredis';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openControlChannel, type ControlChannel, type ControlDefinition } from '../src/index.ts';

const never = new AbortController().signal;

function definitionOf(broker: string, more: Partial<ControlDefinition> = {}): ControlDefinition {
  return { name: 'garden', broker, transportOptions: {}, controlExchange: 'celery', ...more };
}

const nodeOf = (name: string): string => `${name}@${hostname()}`;
const namesIn = (replies: readonly { readonly worker: string }[]): string[] =>
  replies.map(({ worker }) => worker).sort();

/** What holds on either broker. */
function conformance(broker: () => Promise<{ readonly url: string } & AsyncDisposable>): void {
  const stack = new AsyncDisposableStack();
  const workers: CeleryWorker[] = [];
  let brokerUrl = '';
  let channel: ControlChannel;

  beforeAll(async () => {
    brokerUrl = stack.use(await broker()).url;
    channel = stack.use(openControlChannel(definitionOf(brokerUrl), { signal: never }));
    // the first declares what the second would declare too
    for (const name of ['one', 'two']) workers.push(stack.use(await startCeleryWorker({ brokerUrl, name })));
  }, 120_000);
  afterAll(() => stack.disposeAsync(), 60_000);

  const ping = (waitMs = 5_000, awaited?: string[]) =>
    channel.ask({ command: { method: 'ping' }, destination: null, waitMs, ...(awaited && { awaited }) });

  test('all workers answer, and nothing is waited for after them', async () => {
    const both = [nodeOf('one'), nodeOf('two')];
    const began = performance.now();
    const { replies, ended } = await ping(30_000, both);
    expect(namesIn(replies)).toEqual(both);
    expect(replies.map(({ value }) => value)).toEqual([{ ok: 'pong' }, { ok: 'pong' }]);
    expect(ended).toBe('answered');
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test('only those who are meant answer', async () => {
    const ask = { command: { method: 'stats' }, destination: [nodeOf('two')], waitMs: 10_000 } as const;
    const { replies, ended } = await channel.ask(ask);
    expect(namesIn(replies)).toEqual([nodeOf('two')]);
    expect(replies[0]?.value).toMatchObject({ pool: { 'max-concurrency': 2 } });
    expect(ended).toBe('answered');
  });

  test('of one who is not there nothing comes, until the deadline', async () => {
    const { replies, ended } = await channel.ask({
      ...{ command: { method: 'ping' }, destination: [nodeOf('one'), nodeOf('nobody')], waitMs: 700 },
    });
    expect({ names: namesIn(replies), ended }).toEqual({ names: [nodeOf('one')], ended: 'deadline' });
  });

  test('a refusal is told in the worker’s own words', async () => {
    const { replies } = await channel.ask({
      ...{ command: { method: 'autoscale', max: 4, min: 1 }, destination: [nodeOf('one')], waitMs: 5_000 },
    });
    expect(replies[0]?.value).toEqual({ error: "ValueError('Autoscale not enabled')" });
  });

  test('many requests at a time are not mixed up', async () => {
    const asks = Array.from({ length: 200 }, async (_, index) => {
      const name = nodeOf(index % 2 === 0 ? 'one' : 'two');
      const { replies } = await channel.ask({ command: { method: 'ping' }, destination: [name], waitMs: 20_000 });
      return { name, heard: namesIn(replies) };
    });
    for (const { name, heard } of await Promise.all(asks)) expect(heard).toEqual([name]);
  }, 30_000);

  test('what is malformed never leaves', async () => {
    const asks = [
      { command: { method: 'add_consumer', queue: '' }, destination: null, waitMs: 100 },
      { command: { method: 'ping' }, destination: [], waitMs: 100 },
      { command: { method: 'shutdown', now: true }, destination: null, waitMs: 100 },
      { command: { method: 'hello' }, destination: null, waitMs: 100 },
    ] as unknown as Parameters<ControlChannel['ask']>[0][];
    for (const ask of asks) await expect(channel.ask(ask)).rejects.toThrow();
    expect(namesIn((await ping(5_000, [nodeOf('one'), nodeOf('two')])).replies)).toHaveLength(2);
  });

  test('the caller stops the waiting', async () => {
    const stop = AbortSignal.timeout(300);
    const { ended } = await channel.ask({
      ...{ command: { method: 'ping' }, destination: [nodeOf('nobody')], waitMs: 60_000, signal: stop },
    });
    expect(ended).toBe('stopped');
  });

  test('a worker that stands still answers late, which harms nobody', async () => {
    const pid = workers[0]?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    try {
      const { replies, ended } = await channel.ask({
        ...{ command: { method: 'ping' }, destination: [nodeOf('one'), nodeOf('two')], waitMs: 1_000 },
      });
      expect({ names: namesIn(replies), ended }).toEqual({ names: [nodeOf('two')], ended: 'deadline' });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    const after = await ping(10_000, [nodeOf('one'), nodeOf('two')]);
    expect({ names: namesIn(after.replies), ended: after.ended }).toEqual({
      names: [nodeOf('one'), nodeOf('two')],
      ended: 'answered',
    });
  }, 30_000);

  test('what was told has its effect in the worker', async () => {
    await channel.ask({ command: { method: 'pool_grow', n: 2 }, destination: [nodeOf('one')], waitMs: 5_000 });
    // `max-concurrency` stays what it was at the start
    const size = async (): Promise<number | undefined> => {
      const { replies } = await channel.ask({
        ...{ command: { method: 'stats' }, destination: [nodeOf('one')], waitMs: 5_000 },
      });
      return (replies[0]?.value as { pool?: { processes?: unknown[] } }).pool?.processes?.length;
    };
    await waitFor(async () => (await size()) === 4, { what: 'a pool of four', everyMs: 200 });
    const told = await channel.ask({
      ...{ command: { method: 'add_consumer', queue: 'weeds' }, destination: [nodeOf('one')], waitMs: 5_000 },
    });
    expect(told.replies[0]?.value).toEqual({ ok: 'add consumer weeds' });
    await waitFor(
      async () => {
        const { replies } = await channel.ask({
          ...{ command: { method: 'active_queues' }, destination: [nodeOf('one')], waitMs: 5_000 },
        });
        return JSON.stringify(replies[0]?.value).includes('"weeds"');
      },
      { what: 'the queue among those of the worker', everyMs: 200 },
    );
  }, 30_000);

  test('a worker that is told to end does, and answers nothing', async () => {
    const third = await startCeleryWorker({ brokerUrl, name: 'three' });
    const { replies, ended } = await channel.ask({
      ...{ command: { method: 'shutdown' }, destination: [nodeOf('three')], waitMs: 0 },
    });
    expect({ replies, ended }).toEqual({ replies: [], ended: 'deadline' });
    await waitFor(() => third.ended(), { what: 'the end of the worker', deadlineMs: 20_000, everyMs: 200 });
    await third[Symbol.asyncDispose]();
    expect(namesIn((await ping(5_000, [nodeOf('one'), nodeOf('two')])).replies)).toHaveLength(2);
  }, 60_000);

  test('ten thousand requests leave nothing behind', async () => {
    const names = [nodeOf('one'), nodeOf('two')];
    for (let round = 0; round < 100; round++) {
      const asks = Array.from({ length: 100 }, () =>
        channel.ask({ command: { method: 'ping' }, destination: names, waitMs: 60_000 }),
      );
      for (const { replies } of await Promise.all(asks)) expect(namesIn(replies)).toEqual(names);
    }
  }, 300_000);
}

describe('over redis', () => {
  let url = '';
  conformance(async () => {
    const redis = await startRedis();
    url = redis.url;
    return redis;
  });

  test('one list of answers is there, which ends by itself', async () => {
    const client = new Redis(url);
    const keys = await client.keys('*reply*');
    expect(keys).toEqual([expect.stringMatching(/^meadow\.[0-9a-f-]{36}\.reply\.celery\.pidbox$/)]);
    const [key = ''] = keys;
    expect(await client.lrange(key, 0, -1)).toEqual(['meadow']);
    const ttl = await client.ttl(key);
    expect(ttl).toBeGreaterThan(200);
    expect(ttl).toBeLessThanOrEqual(300);
    expect(await client.smembers('_kombu.binding.reply.celery.pidbox')).toEqual([]);
    client.disconnect();
  });

  test('with a prefix of one’s own, in another database', async () => {
    await using redis = await startRedis();
    const brokerUrl = redis.url.replace(/\/0$/, '/3');
    const transportOptions = { global_keyprefix: 'team:' };
    await using _worker = await startCeleryWorker({
      brokerUrl,
      settings: { broker_transport_options: transportOptions, control_exchange: 'orders' },
    });
    await using channel = openControlChannel(definitionOf(brokerUrl, { transportOptions, controlExchange: 'orders' }), {
      signal: never,
    });
    const { replies, heard, ended } = await channel.ask({
      ...{ command: { method: 'ping' }, destination: null, waitMs: 10_000 },
    });
    expect({ names: namesIn(replies), heard, ended }).toEqual({
      names: [nodeOf('tester')],
      heard: 1,
      ended: 'answered',
    });
  }, 60_000);

  test('where no worker listens, that is known at once', async () => {
    await using redis = await startRedis();
    await using channel = openControlChannel(definitionOf(redis.url), { signal: never });
    expect(await channel.ask({ command: { method: 'ping' }, destination: null, waitMs: 60_000 })).toEqual({
      ...{ replies: [], heard: 0, ended: 'answered' },
    });
  });

  test('a broker that comes back is used again', async () => {
    await using redis = await startRedis();
    await using _worker = await startCeleryWorker({ brokerUrl: redis.url });
    await using channel = openControlChannel(definitionOf(redis.url), { signal: never });
    const ping = () => channel.ask({ command: { method: 'ping' }, destination: [nodeOf('tester')], waitMs: 10_000 });
    expect((await ping()).ended).toBe('answered');
    const client = new Redis(redis.url);
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    client.disconnect();
    await waitFor(async () => (await ping().catch(() => null))?.ended === 'answered', {
      what: 'an answer over the new connection',
      deadlineMs: 20_000,
      everyMs: 100,
    });
  }, 60_000);
});

describe('over rabbitmq', () => {
  let url = '';
  conformance(async () => {
    const rabbit = await startRabbitmq();
    url = rabbit.amqpUrl;
    return Object.assign(Object.create(rabbit) as typeof rabbit, { url: rabbit.amqpUrl });
  });

  test('Celery’s own control works beside it', async () => {
    const script = 'import garden; print(sorted(garden.app.control.inspect(timeout=3).ping() or {}))';
    const out = await runPython(script, { env: celeryEnvironment({ brokerUrl: url }) });
    expect(out).toContain(nodeOf('two'));
  }, 30_000);

  test('where no worker has ever been, that is known at once', async () => {
    await using rabbit = await startRabbitmq();
    await using channel = openControlChannel(definitionOf(rabbit.amqpUrl), { signal: never });
    const ask = { command: { method: 'ping' }, destination: null, waitMs: 60_000 } as const;
    expect(await channel.ask(ask)).toEqual({ replies: [], heard: 0, ended: 'answered' });
    // asking has not hurt the connection
    expect(channel.status.state).toBe('connected');
    expect(await channel.ask(ask)).toEqual({ replies: [], heard: 0, ended: 'answered' });
  }, 120_000);
});

test('a broker that swallows everything is not waited for', async () => {
  const sockets = new Set<{ destroy(): void }>();
  const hole = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve));
  const { port } = hole.address() as { port: number };
  for (const scheme of ['redis', 'amqp']) {
    const channel = openControlChannel(definitionOf(`${scheme}://127.0.0.1:${port}/`), { signal: never });
    const began = performance.now();
    await expect(channel.ask({ command: { method: 'ping' }, destination: null, waitMs: 1_000 })).rejects.toMatchObject({
      code: 'BROKER_TIMEOUT',
    });
    expect(performance.now() - began).toBeLessThan(8_000);
    await channel[Symbol.asyncDispose]();
  }
  for (const socket of sockets) socket.destroy();
  hole.close();
}, 40_000);

test('a broker that is not there is told with its remedy', async () => {
  await using channel = openControlChannel(definitionOf('redis://127.0.0.1:1/'), { signal: never });
  await expect(channel.ask({ command: { method: 'ping' }, destination: null, waitMs: 1_000 })).rejects.toMatchObject({
    ...{ code: 'BROKER_UNREACHABLE', remedy: expect.stringContaining('check host') as string },
  });
});
