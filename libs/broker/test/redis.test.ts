import { runPython, startRedis, startRedisSentinel, waitFor, type RedisServer } from '@meadow/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  openEventSource,
  type EventGap,
  type EventSource,
  type EventSourceDefinition,
  type EventSourceLimits,
} from '../src/index.ts';
import { eventSourceConformance, range, type BrokerUnderTest } from './conformance.ts';
import { definitionOf, listen, numberIn } from './listening.ts';

async function startBroker(): Promise<BrokerUnderTest> {
  const server = await startRedis({ password: 'right' });
  const withClient = async <T>(work: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis(server.url);
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  };
  return {
    server,
    transport: 'redis',
    url: server.url,
    wrongPasswordUrl: server.url.replace('right', 'wrong-secret'),
    wrongPlace: { url: server.url.replace(/0$/, '99'), code: 'BROKER_DB_INVALID', remedy: /databases/ },
    publish: (exchange, routingKey, numbers) =>
      withClient(async (client) => {
        const pipeline = client.pipeline();
        for (const n of numbers) pipeline.publish(`/0.${exchange}/${routingKey}`, envelope(n));
        await pipeline.exec();
      }),
    connections: (clientName) =>
      withClient(async (client) => {
        const list = String(await client.client('LIST'));
        return list.split('\n').filter((line) => line.includes(` name=${clientName} `)).length;
      }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const envelope = (n: number): string => {
  const body = Buffer.from(JSON.stringify({ n })).toString('base64');
  return JSON.stringify({ body, properties: { body_encoding: 'base64' } });
};

eventSourceConformance('redis', startBroker);

describe('redis', () => {
  let redis: RedisServer;
  let client: Redis;
  beforeAll(async () => {
    redis = await startRedis({
      acl: ['watcher on >see -@all +psubscribe +ping &/0.celeryev/*', 'blind on >see -@all +ping'],
    });
    client = new Redis(redis.url);
  });
  afterAll(async () => {
    client.disconnect();
    await redis[Symbol.asyncDispose]();
  });

  test('the span of a lost connection is told as a gap, with the rate to estimate by', async () => {
    await using heard = await listen(definitionOf(redis.url), { timing: { silenceMs: 600 } });
    await heard.reach('connected');
    await client.publish('/0.celeryev/task.multi', envelope(1));
    await heard.count(1);
    await waitFor(() => client.call('CLIENT', 'KILL', 'TYPE', 'PUBSUB'), { what: 'a moment later' });
    await waitFor(() => heard.gaps.length === 1, { what: 'the gap' });
    const [gap] = heard.gaps;
    expect(gap).toMatchObject({ reason: 'disconnected', lost: null });
    expect(gap?.fromMs).toBeGreaterThanOrEqual(heard.deliveries[0]?.receivedAtMs ?? Infinity);
    expect(gap?.toMs).toBeGreaterThanOrEqual(gap?.fromMs ?? Infinity);
    await heard.reach('connected');
  });

  test('a consumer that stops is buffered up to the bound, then loses the oldest, and is told how many', async () => {
    const limits = { waitingMessages: 100, burstMessages: 10 };
    const stop = new AbortController();
    const gaps: { reason: string; lost: number | null }[] = [];
    await using source = await openEventSource(definitionOf(redis.url), {
      signal: stop.signal,
      limits,
      onGap: (gap) => gaps.push(gap),
    });
    await waitFor(() => source.status.state === 'connected', { what: 'the connection' });
    const pipeline = client.pipeline();
    for (const n of range(1, 1000)) pipeline.publish('/0.celeryev/task.multi', envelope(n));
    await pipeline.exec();
    await waitFor(() => gaps.length > 0, { what: 'the overflow' });
    expect(gaps).toMatchObject([{ reason: 'overflow', lost: 900 }]);
    const channels: number[] = [];
    for await (const { deliveries } of source.bursts) {
      channels.push(deliveries.length);
      if (channels.length === 10) break;
    }
    expect(channels).toEqual(Array.from({ length: 10 }, () => 10));
  });

  const standBy = async (
    gaps: EventGap[],
    limits: Partial<EventSourceLimits> = {},
  ): Promise<{ source: EventSource; take(count: number): Promise<number[]> }> => {
    const source = await openEventSource(definitionOf(redis.url), {
      signal: AbortSignal.timeout(25_000),
      standby: true,
      limits,
      onGap: (gap) => gaps.push(gap),
      timing: { minBackoffMs: 50 },
    });
    await waitFor(() => source.ready, { what: 'the subscription' });
    return {
      source,
      async take(count) {
        const numbers: number[] = [];
        for await (const { deliveries } of source.bursts) {
          numbers.push(...deliveries.map(numberIn));
          if (numbers.length >= count) break;
        }
        return numbers;
      },
    };
  };
  const publishRange = async (from: number, to: number): Promise<void> => {
    for (const n of range(from, to)) await client.publish('/0.celeryev/task.multi', envelope(n));
  };

  test('a standby hands out what came in before it went live, then what comes', async () => {
    const gaps: EventGap[] = [];
    const heardUntilMs = Date.now() + 5;
    const { source, take } = await standBy(gaps);
    await using _source = source;
    await publishRange(1, 50);
    source.goLive(Math.max(heardUntilMs, Date.now()));
    await publishRange(51, 60);
    expect(await take(60)).toEqual(range(1, 60));
    expect(gaps).toEqual([]);
  });

  test('a standby that could not keep enough tells the gap between what was heard before and what it kept', async () => {
    const gaps: EventGap[] = [];
    const heardUntilMs = Date.now();
    const { source, take } = await standBy(gaps, { waitingMessages: 10 });
    await using _source = source;
    await publishRange(1, 50);
    source.goLive(heardUntilMs);
    const [first = 0, ...rest] = await take(10);
    // the last message may arrive after going live
    expect(first).toBeGreaterThanOrEqual(40);
    expect(rest).toEqual(range(first + 1, first + rest.length));
    expect(gaps).toMatchObject([{ reason: 'collector-down', fromMs: heardUntilMs, lost: null }]);
    expect(gaps[0]?.toMs).toBeGreaterThan(heardUntilMs);
  });

  test('what the first of all that stand by could not keep is a gap, as nobody else heard it', async () => {
    const gaps: EventGap[] = [];
    const { source, take } = await standBy(gaps, { waitingMessages: 10 });
    await using _source = source;
    await publishRange(1, 50);
    await client.publish('/0.celeryev/task.multi', envelope(51));
    await waitFor(() => source.probe().then((untilMs) => untilMs !== null), { what: 'all of it to have come' });
    source.goLive(null);
    expect(await take(10)).toEqual(range(42, 51));
    expect(gaps).toMatchObject([{ reason: 'overflow', lost: 41 }]);
  });

  test('going live before there is a connection tells the gap once there is one; interruptions before it are none', async () => {
    const gaps: EventGap[] = [];
    const heardUntilMs = Date.now() - 5_000;
    await using source = await openEventSource(definitionOf(redis.url), {
      signal: AbortSignal.timeout(20_000),
      standby: true,
      onGap: (gap) => gaps.push(gap),
    });
    source.goLive(heardUntilMs);
    await waitFor(() => gaps.length === 1, { what: 'the gap' });
    expect(gaps).toMatchObject([{ reason: 'collector-down', fromMs: heardUntilMs }]);

    const interrupted: EventGap[] = [];
    const standby = await standBy(interrupted);
    await using _standby = standby.source;
    await client.call('CLIENT', 'KILL', 'TYPE', 'PUBSUB');
    await waitFor(() => !standby.source.ready, { what: 'the loss' });
    await waitFor(() => standby.source.ready, { what: 'the subscription again' });
    expect(interrupted).toEqual([]);
  });

  test.each([
    ['without prefix', { transportOptions: { fanout_prefix: false } }, 'celeryev/task.sent'],
    ['with a prefix of its own', { transportOptions: { fanout_prefix: 'farm-{db}.' } }, 'farm-0.celeryev/task.sent'],
    ['without patterns', { transportOptions: { fanout_patterns: false } }, '/0.celeryev'],
    ['with a global prefix', { transportOptions: { global_keyprefix: '[x]*:' } }, '[x]*:/0.celeryev/task.sent'],
    ['through an exchange of its own', { eventExchange: 'gardenev' }, '/0.gardenev/task.sent'],
  ] satisfies [string, Partial<EventSourceDefinition>, string][])(
    'events published %s are heard',
    async (_title, more, channel) => {
      await using heard = await listen(definitionOf(redis.url, more));
      await heard.reach('connected');
      await client.publish(`${channel}x`, envelope(0));
      await client.publish(channel, envelope(1));
      await waitFor(() => heard.numbers().includes(1), { what: 'the event' });
      const numbers = channel.endsWith('/task.sent') ? [0, 1] : [1];
      expect(heard.numbers()).toEqual(numbers);
    },
  );

  test('another database is another cluster', async () => {
    await using third = await listen(definitionOf(redis.url.replace(/0$/, '3')));
    await third.reach('connected');
    await client.publish('/0.celeryev/task.sent', envelope(0));
    await client.publish('/3.celeryev/task.sent', envelope(3));
    await third.count(1);
    expect(third.numbers()).toEqual([3]);
  });

  test('a burst stays as it came while its taker is slow, whatever comes meanwhile', async () => {
    await using source = await openEventSource(definitionOf(redis.url), { signal: AbortSignal.timeout(20_000) });
    await waitFor(() => source.status.state === 'connected', { what: 'the connection' });
    const send = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n++)
        await client.publish('/0.celeryev/task.sent', `${envelope(n)}${' '.repeat(20_000)}`);
    };
    await send(0, 50);
    let next = 0;
    for await (const { deliveries } of source.bursts) {
      // 4 MB: more than lies between two uses of the same memory
      if (next === 0) await send(50, 250);
      for (const delivery of deliveries) expect(numberIn(delivery)).toBe(next++);
      if (next >= 250) break;
    }
  });

  test('a user who may do nothing but listen can listen', async () => {
    await using heard = await listen(definitionOf(redis.url.replace('redis://', 'redis://watcher:see@')));
    await heard.reach('connected');
    await client.publish('/0.celeryev/task.sent', envelope(1));
    await heard.count(1);
  });

  test('a user without the channel is told which right is missing', async () => {
    await using heard = await listen(definitionOf(redis.url.replace('redis://', 'redis://blind:see@')));
    const error = await heard.failure();
    expect(error).toMatchObject({ code: 'BROKER_PERMISSION_DENIED' });
    expect(error.remedy).toMatch(/ACL SETUSER blind/);
  });

  test('a list of brokers is tried one after the other', async () => {
    await using heard = await listen(definitionOf(`redis://127.0.0.1:1/0;${redis.url}`));
    await heard.reach('connected', 3000);
  });

  test('a unix socket', async () => {
    await using server = await startRedis({ unixSocket: true });
    await using heard = await listen(definitionOf(`redis+socket://${server.socketPath ?? ''}?virtual_host=2`));
    await heard.reach('connected');
    const publisher = new Redis(server.url);
    await publisher.publish('/2.celeryev/task.sent', envelope(1));
    publisher.disconnect();
    await heard.count(1);
    await using missing = await listen(definitionOf('redis+socket:///no/such.sock'));
    expect((await missing.failure()).code).toBe('BROKER_UNREACHABLE');
  });

  describe('tls', () => {
    test('a certificate is verified by default, against the authority that is given', async () => {
      await using server = await startRedis({ tls: true });
      const ca = server.certificates?.ca ?? '';
      await using trusting = await listen(definitionOf(`${server.url}?ssl_ca_certs=${encodeURIComponent(ca)}`));
      await trusting.reach('connected');
      const publisher = new Redis(server.url, { tls: { rejectUnauthorized: false } });
      for (let n = 0; n < 100; n++) await publisher.publish('/0.celeryev/task.sent', envelope(n));
      publisher.disconnect();
      await trusting.count(100);
      expect(trusting.numbers()).toEqual(Array.from({ length: 100 }, (_, n) => n));
      await using careless = await listen(definitionOf(`${server.url}?ssl_cert_reqs=none`));
      await careless.reach('connected');
      await using strict = await listen(definitionOf(server.url));
      const error = await strict.failure();
      expect(error.code).toBe('BROKER_TLS_FAILED');
      expect(error.remedy).toMatch(/tls\.ca/);
      await using plain = await listen(definitionOf(server.url.replace('rediss', 'redis')));
      expect(['BROKER_CLOSED', 'BROKER_REFUSED']).toContain((await plain.failure()).code);
      await using missing = await listen(definitionOf(`${server.url}?ssl_ca_certs=/no/such.pem`));
      expect((await missing.failure()).message).toMatch(/"\/no\/such.pem" cannot be read/);
    });

    test('a client certificate is shown where the server asks for one', async () => {
      await using server = await startRedis({ tls: 'mutual' });
      const { ca = '', clientCert = '', clientKey = '' } = server.certificates ?? {};
      await using known = await listen(
        definitionOf(server.url, { tls: { ca, cert: clientCert, key: clientKey, verify: true } }),
      );
      await known.reach('connected');
      await using unknown = await listen(definitionOf(server.url, { tls: { ca, verify: true } }));
      expect((await unknown.failure()).code).toMatch(/BROKER_(TLS_FAILED|CLOSED)/);
    });

    test('a certificate for another host is refused, unless the name is not looked at', async () => {
      await using server = await startRedis({ tls: 'stranger' });
      const tls = { ca: server.certificates?.ca ?? '', verify: true };
      await using strict = await listen(definitionOf(server.url, { tls }));
      const error = await strict.failure();
      expect(error).toMatchObject({ code: 'BROKER_TLS_FAILED' });
      expect(error.message).toMatch(/another host/);
      await using lax = await listen(definitionOf(`${server.url}?ssl_check_hostname=false`, { tls }));
      await lax.reach('connected');
    });

    test('a port without tls is told as such', async () => {
      const timing = { connectTimeoutMs: 1000 };
      await using heard = await listen(definitionOf(redis.url.replace('redis:', 'rediss:')), { timing });
      // Redis takes the first bytes of TLS for the beginning of a command and waits for more.
      expect((await heard.failure()).message).toMatch(/tls on one side only/);
    });
  });

  describe('sentinel', () => {
    test('the master is found, also past sentinels that are down, and both prefixes are heard', async () => {
      await using master = await startRedis({ password: 'inner' });
      await using sentinel = await startRedisSentinel(master, { password: 'outer' });
      const broker = `sentinel://:inner@127.0.0.1:1/2;${sentinel.url}`;
      const transportOptions = { master_name: sentinel.masterName, sentinel_kwargs: { password: 'outer' } };
      await using heard = await listen(definitionOf(broker, { transportOptions }));
      await heard.reach('connected');
      const publisher = new Redis(master.url);
      await publisher.publish('/2.celeryev/task.sent', envelope(1));
      await publisher.publish('/{db}.celeryev/task.sent', envelope(2));
      publisher.disconnect();
      await heard.count(2);
      expect(heard.numbers()).toEqual([1, 2]);

      await using locked = await listen(definitionOf(broker, { transportOptions: { master_name: 'mymaster' } }));
      expect((await locked.failure()).code).toBe('BROKER_SENTINEL_FAILED');
      const misnamed = { ...transportOptions, master_name: 'nobody' };
      await using lost = await listen(definitionOf(broker, { transportOptions: misnamed }));
      const error = await lost.failure();
      expect(error.message).toMatch(/no sentinel knows the master "nobody"/);
    });

    test('it follows the sentinels to a new master while the old one still answers', async () => {
      await using first = await startRedis();
      await using second = await startRedis();
      await using sentinel = await startRedisSentinel(first);
      const transportOptions = { master_name: sentinel.masterName };
      await using heard = await listen(definitionOf(sentinel.url, { transportOptions }), {
        timing: { silenceMs: 900 },
      });
      await heard.reach('connected');
      const boss = new Redis(sentinel.port);
      await boss.call('SENTINEL', 'REMOVE', sentinel.masterName);
      await boss.call('SENTINEL', 'MONITOR', sentinel.masterName, '127.0.0.1', String(second.port), '1');
      boss.disconnect();
      const publisher = new Redis(second.url);
      await waitFor(async () => (await publisher.publish('/0.celeryev/task.sent', envelope(5))) > 0, {
        what: 'a listener',
      });
      publisher.disconnect();
      await heard.count(1);
      expect(heard.gaps).toMatchObject([{ reason: 'disconnected' }]);
    });
  });

  test('kombu itself publishes where we listen', async () => {
    const options = { global_keyprefix: 'app:', fanout_prefix: 'p{db}-' };
    await using heard = await listen(definitionOf(redis.url.replace(/0$/, '4'), { transportOptions: options }));
    await heard.reach('connected');
    await runPython(`
from celery import Celery
app = Celery(broker='${redis.url.replace(/0$/, '4')}')
app.conf.broker_transport_options = ${JSON.stringify(options)}
with app.events.default_dispatcher() as dispatcher:
    dispatcher.send('garden-opened', n=11)
`);
    await heard.count(1);
    expect(heard.numbers()).toEqual([11]);
  });
});
