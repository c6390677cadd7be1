import { runPython, startRabbitmq, waitFor, type RabbitmqServer } from '@meadow/testkit';
import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEventSource } from '../src/index.ts';
import { eventSourceConformance, range, type BrokerUnderTest } from './conformance.ts';
import { definitionOf, listen, numberIn } from './listening.ts';

async function publish(url: string, exchange: string, routingKey: string, numbers: readonly number[]): Promise<void> {
  const model = await connect(url);
  const channel = await model.createConfirmChannel();
  for (const n of numbers) {
    const properties = { contentType: 'application/json', contentEncoding: 'utf-8', deliveryMode: 1 };
    channel.publish(exchange, routingKey, Buffer.from(JSON.stringify({ n })), properties);
  }
  await channel.waitForConfirms();
  await model.close();
}

async function startBroker(): Promise<BrokerUnderTest> {
  const server = await startRabbitmq();
  const url = server.amqpUrl;
  return {
    server,
    transport: 'amqp',
    url,
    wrongPasswordUrl: url.replace(':guest@', ':wrong-secret@'),
    wrongPlace: { url: `${url}nowhere`, code: 'BROKER_VHOST_NOT_FOUND', remedy: /add_vhost 'nowhere'/ },
    publish: (exchange, routingKey, numbers) => publish(url, exchange, routingKey, numbers),
    async connections(clientName) {
      const list = await server.rabbitmqctl(['list_connections', 'client_properties']);
      return list.split('\n').filter((line) => line.includes(`"${clientName}"`)).length;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

eventSourceConformance('rabbitmq', startBroker);

describe('rabbitmq', () => {
  let rabbit: RabbitmqServer;
  beforeAll(async () => {
    rabbit = await startRabbitmq({
      vhosts: ['prod', '/prod', 'a/b'],
      users: [
        { name: 'nobody', password: 'x', permissions: [] },
        { name: 'reader', password: 'x', permissions: [{ vhost: '/', configure: '^$', write: '^$', read: '.*' }] },
      ],
      tls: true,
    });
  }, 90_000);
  afterAll(() => rabbit[Symbol.asyncDispose]());

  let tests = 0;
  const own = (url = rabbit.amqpUrl, more: object = {}) => {
    tests += 1;
    return definitionOf(url, { name: `r${tests}`, eventExchange: `events${tests}`, ...more });
  };
  const queueInfo = async (cluster: string, column: string): Promise<string | undefined> => {
    const list = await rabbit.rabbitmqctl(['list_queues', 'name', column]);
    return list
      .split('\n')
      .find((line) => line.startsWith(`meadow.events.${cluster}\t`))
      ?.split('\t')[1];
  };

  test('events are kept while nobody listens, and delivered to the next who does', async () => {
    const definition = own();
    {
      await using heard = await listen(definition);
      await heard.reach('connected');
    }
    await publish(rabbit.amqpUrl, definition.eventExchange, 'task.multi', range(1, 5000));
    await using heard = await listen(definition);
    await heard.count(5000);
    expect(heard.numbers()).toEqual(range(1, 5000));
    expect(heard.gaps).toEqual([]);
    await waitFor(async () => (await queueInfo(definition.name, 'messages')) === '0', { what: 'an empty queue' });
  });

  test('what is not settled is delivered again, to the last message', async () => {
    const definition = own();
    {
      await using careless = await listen(definition, { settle: false });
      await careless.reach('connected');
      await publish(rabbit.amqpUrl, definition.eventExchange, 'task.multi', range(1, 50));
      await careless.count(50);
    }
    await using heard = await listen(definition);
    await heard.count(50);
    expect(heard.numbers()).toEqual(range(1, 50));
    expect(heard.deliveries.every(({ redelivered }) => redelivered)).toBe(true);
  });

  test('settling one burst settles it and all before, and nothing after', async () => {
    const definition = own();
    const limits = { burstMessages: 10 };
    {
      await using source = await openEventSource(definition, { signal: new AbortController().signal, limits });
      await waitFor(() => source.status.state === 'connected', { what: 'the connection' });
      await publish(rabbit.amqpUrl, definition.eventExchange, 'task.multi', range(1, 30));
      let taken = 0;
      for await (const burst of source.bursts) {
        taken += burst.deliveries.length;
        if (burst.deliveries.some((delivery) => numberIn(delivery) === 15)) burst.settle();
        if (taken === 30) break;
      }
    }
    await using heard = await listen(definition);
    await waitFor(() => heard.numbers().at(-1) === 30, { what: 'the last' });
    const numbers = heard.numbers();
    expect(numbers[0]).toBeGreaterThan(15);
    expect(numbers).toEqual(range(numbers[0] ?? 0, 30));
    expect(numbers.length).toBeLessThanOrEqual(15);
  });

  test('what is settled between the abort and the disposal counts', async () => {
    const definition = own();
    const stop = new AbortController();
    {
      await using source = await openEventSource(definition, { signal: stop.signal });
      await waitFor(() => source.status.state === 'connected', { what: 'the connection' });
      await publish(rabbit.amqpUrl, definition.eventExchange, 'task.multi', [1]);
      for await (const burst of source.bursts) {
        stop.abort();
        burst.settle();
      }
    }
    expect(await queueInfo(definition.name, 'messages')).toBe('0');
  });

  test('no more than the bound is handed out to a consumer that does not settle', async () => {
    const definition = own();
    await using heard = await listen(definition, { settle: false, limits: { unsettledMessages: 40 } });
    await heard.reach('connected');
    await publish(rabbit.amqpUrl, definition.eventExchange, 'task.multi', range(1, 500));
    await heard.count(40);
    expect(await queueInfo(definition.name, 'messages_ready')).toBe('460');
    expect(heard.deliveries).toHaveLength(40);
  });

  test('connections cut in mid-stream lose nothing', async () => {
    const definition = own();
    await using heard = await listen(definition);
    await heard.reach('connected');
    for (const round of range(0, 4)) {
      const publishing = publish(
        rabbit.amqpUrl,
        definition.eventExchange,
        'task.multi',
        range(round * 1000 + 1, round * 1000 + 1000),
      );
      await publishing;
      await cutConnections(definition.name);
    }
    await waitFor(() => new Set(heard.numbers()).size === 5000, { what: 'all 5000', deadlineMs: 20_000 });
    expect(heard.gaps).toEqual([]);
    expect(heard.statuses.filter(({ state }) => state === 'connected').length).toBeGreaterThan(1);
  }, 60_000);

  async function cutConnections(reason: string): Promise<void> {
    await rabbit.rabbitmqctl(['close_all_connections', reason]);
  }

  test('our queue is durable and bounded, and at the bound the oldest go and a gap is told', async () => {
    const definition = own(rabbit.amqpUrl, { eventQueue: { maxLength: 1000, maxBytes: 10_000_000 } });
    {
      await using heard = await listen(definition);
      await heard.reach('connected');
      expect(await queueInfo(definition.name, 'durable')).toBe('true');
      expect(await queueInfo(definition.name, 'arguments')).toContain('{"x-max-length",1000}');
    }
    await publish(rabbit.amqpUrl, definition.eventExchange, 'task.multi', range(1, 1500));
    await using heard = await listen(definition);
    await heard.count(1000);
    expect(heard.numbers()).toEqual(range(501, 1500));
    expect(heard.gaps).toMatchObject([{ reason: 'queue-overflow', lost: null }]);
  });

  test('a source that stands by takes nothing, and knows afterwards what came in while nobody listened', async () => {
    const definition = own(rabbit.amqpUrl, { eventQueue: { maxLength: 1000, maxBytes: 10_000_000 } });
    {
      await using heard = await listen(definition);
      await heard.reach('connected');
    }
    const heardUntilMs = Date.now();
    await using waiting = await listen(definition, { standby: true });
    await publish(rabbit.amqpUrl, definition.eventExchange, 'task.multi', range(1, 1500));
    expect(waiting.source.ready).toBe(true);
    expect(await queueInfo(definition.name, 'messages')).toBe('1000');
    expect(waiting.statuses).toEqual([]);
    waiting.source.goLive(heardUntilMs);
    await waiting.count(1000);
    expect(waiting.gaps).toMatchObject([{ reason: 'queue-overflow', fromMs: heardUntilMs, kept: 1000 }]);
  });

  test('a bound in bytes that drops the oldest is told as well, once it is known how big messages are', async () => {
    const definition = own(rabbit.amqpUrl, { eventQueue: { maxLength: 100_000, maxBytes: 5_000 } });
    {
      await using heard = await listen(definition);
      await heard.reach('connected');
    }
    const heardUntilMs = Date.now();
    await publish(rabbit.amqpUrl, definition.eventExchange, 'task.multi', range(10_000, 11_000));
    await using heard = await listen(definition, { standby: true });
    heard.source.goLive(heardUntilMs);
    await waitFor(() => heard.gaps.length > 0, { what: 'the gap', deadlineMs: 20_000 });
    expect(heard.numbers().length).toBeLessThan(500);
    expect(heard.gaps).toMatchObject([{ reason: 'queue-overflow', fromMs: heardUntilMs }]);
  }, 30_000);

  test('a queue whose bounds were raised in vain is told as such, and its overflow noticed', async () => {
    const definition = own(rabbit.amqpUrl, { eventQueue: { maxLength: 100, maxBytes: 100_000 } });
    {
      await using heard = await listen(definition);
      await heard.reach('connected');
    }
    await publish(rabbit.amqpUrl, definition.eventExchange, 'task.multi', range(1, 150));
    const told: unknown[] = [];
    const raised = { ...definition, eventQueue: { maxLength: 5_000, maxBytes: 5_000_000 } };
    await using heard = await listen(raised, { onOtherBounds: (actual) => told.push(actual) });
    await heard.count(100);
    expect(told).toEqual([{ maxLength: 100, maxBytes: 100_000 }]);
    expect(heard.gaps).toMatchObject([{ reason: 'queue-overflow' }]);
  });

  test('a changed bound does not stop the old queue from being used', async () => {
    const definition = own();
    {
      await using heard = await listen(definition);
      await heard.reach('connected');
      await publish(rabbit.amqpUrl, definition.eventExchange, 'task.multi', [1]);
      await heard.count(1);
    }
    await using heard = await listen({ ...definition, eventQueue: { maxLength: 5000, maxBytes: 5_000_000 } });
    await heard.reach('connected');
    await publish(rabbit.amqpUrl, definition.eventExchange, 'task.multi', [2]);
    await heard.count(1);
    expect(heard.numbers()).toEqual([2]);
  });

  test('an exchange that was declared otherwise is used as it is', async () => {
    const definition = own();
    const model = await connect(rabbit.amqpUrl);
    const channel = await model.createChannel();
    await channel.assertExchange(definition.eventExchange, 'topic', { durable: false, autoDelete: false });
    await model.close();
    await using heard = await listen(definition);
    await heard.reach('connected');
    await publish(rabbit.amqpUrl, definition.eventExchange, 'task.sent', [1]);
    await heard.count(1);
  });

  test('a queue deleted under us is declared again, and told as a gap', async () => {
    const definition = own();
    await using heard = await listen(definition);
    await heard.reach('connected');
    await rabbit.rabbitmqctl(['delete_queue', `meadow.events.${definition.name}`]);
    await waitFor(() => heard.gaps.length > 0, { what: 'the gap' });
    await heard.reach('connected');
    await publish(rabbit.amqpUrl, definition.eventExchange, 'task.sent', [1]);
    await heard.count(1);
    expect(heard.gaps).toMatchObject([{ reason: 'broker-restarted', lost: null }]);
  });

  test('transient events that waited are lost with a restart of the broker, and that is told', async () => {
    await using server = await startRabbitmq();
    const definition = definitionOf(server.amqpUrl, { name: 'restarted' });
    {
      await using heard = await listen(definition);
      await heard.reach('connected');
    }
    await publish(server.amqpUrl, 'celeryev', 'task.multi', range(1, 100));
    await server.restart();
    await using heard = await listen(definition);
    await heard.reach('connected');
    expect(heard.gaps).toMatchObject([{ reason: 'broker-restarted', fromMs: null }]);
    await publish(server.amqpUrl, 'celeryev', 'task.multi', [101]);
    await heard.count(1);
    expect(heard.numbers()).toEqual([101]);
  }, 60_000);

  test.each([
    ['prod', 'prod'],
    ['%2Fprod', '/prod'],
    ['/prod', '/prod'],
    ['a%2Fb', 'a/b'],
    ['a/b', 'a/b'],
    ['%2F', '/'],
    ['/', '/'],
  ])('the virtual host at the end of …:5672/%s is "%s"', async (path, vhost) => {
    const definition = own(rabbit.amqpUrl.replace(/\/$/, `/${path}`));
    await using heard = await listen(definition);
    await heard.reach('connected');
    const url = rabbit.amqpUrl.replace(/\/$/, `/${encodeURIComponent(vhost)}`);
    await publish(url, definition.eventExchange, 'task.sent', [1]);
    await heard.count(1);
  });

  test('a user without the virtual host, and one without rights in it, are told what to grant', async () => {
    await using nobody = await listen(own(rabbit.amqpUrl.replace('guest:guest', 'nobody:x')));
    expect((await nobody.failure()).remedy).toMatch(/set_permissions -p '\/' 'nobody'/);
    await using reader = await listen(
      own(rabbit.amqpUrl.replace('guest:guest', 'reader:x'), { eventExchange: 'amq.topic' }),
    );
    const error = await reader.failure();
    expect(error.code).toBe('BROKER_PERMISSION_DENIED');
    expect(error.remedy).toMatch(/set_permissions -p '\/' 'reader'/);
  });

  test('a user who may only read uses the queue that an administrator declared and bound', async () => {
    const definition = own();
    {
      await using admin = await listen(definition);
      await admin.reach('connected');
    }
    await using heard = await listen({ ...definition, broker: rabbit.amqpUrl.replace('guest:guest', 'reader:x') });
    await heard.reach('connected');
    await publish(rabbit.amqpUrl, definition.eventExchange, 'task.sent', [1]);
    await heard.count(1);
  });

  test('amqps is verified by default', async () => {
    const url = rabbit.amqpsUrl ?? '';
    const ca = rabbit.certificates?.ca ?? '';
    await using trusting = await listen(own(url, { tls: { ca, verify: true } }));
    await trusting.reach('connected');
    await using careless = await listen(own(url, { tls: { verify: false } }));
    await careless.reach('connected');
    await using strict = await listen(own(url));
    expect((await strict.failure()).code).toBe('BROKER_TLS_FAILED');
    await using plain = await listen(own(url.replace('amqps', 'amqp')), { timing: { connectTimeoutMs: 2000 } });
    expect((await plain.failure()).code).toMatch(/BROKER_(CLOSED|TIMEOUT)/);
    await using overPlain = await listen(own(rabbit.amqpUrl.replace('amqp', 'amqps')), {
      timing: { connectTimeoutMs: 2000 },
    });
    expect((await overPlain.failure()).code).toMatch(/BROKER_(TLS_FAILED|CLOSED)/);
  });

  test('a list of brokers is tried one after the other', async () => {
    const definition = own(`amqp://127.0.0.1:1//;${rabbit.amqpUrl}`);
    await using heard = await listen(definition);
    await heard.reach('connected', 5000);
    expect(heard.statuses.map(({ state }) => state)).toEqual(['connecting', 'failed', 'connected']);
  });

  test('celery itself publishes where we listen, and can still declare its exchange after us', async () => {
    const definition = definitionOf(`${rabbit.amqpUrl}prod`, { name: 'kombu' });
    await using heard = await listen(definition);
    await heard.reach('connected');
    await runPython(`
from celery import Celery
app = Celery(broker='${rabbit.amqpUrl}prod')
with app.events.default_dispatcher() as dispatcher:
    dispatcher.send('garden-opened', n=11)
`);
    await heard.count(1);
    expect(heard.numbers()).toEqual([11]);
    expect(heard.deliveries[0]).toMatchObject({
      kind: 'amqp',
      exchange: 'celeryev',
      routingKey: 'garden.opened',
      properties: { contentType: 'application/json', contentEncoding: 'utf-8' },
    });
  });
});
