import { clusterDefinition, type ClusterDefinitionInput } from '@meadow/contract';
import {
  celeryEnvironment,
  freePort,
  runPython,
  startCeleryWorker,
  startChild,
  startRabbitmq,
  waitFor,
  type CeleryWorker,
  type RabbitmqServer,
} from '@meadow/testkit';
import { connect, type ConfirmChannel, type GetMessage, type Options } from 'amqplib';
import { once } from 'node:events';
import { createServer as createWebServer, type RequestListener } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openQueues, type Queues, type QueuesOptions } from '../src/index.ts';

const VHOST = 'a/b ü';
let rabbit: RabbitmqServer;
beforeAll(async () => {
  rabbit = await startRabbitmq({
    management: true,
    vhosts: [VHOST],
    users: [{ name: 'untagged', password: 'secret-word' }],
  });
  await rabbit.rabbitmqctl(['await_startup']);
  await waitFor(async () => (await fetch(`${management()}/api/overview`, { headers: GUEST })).ok, {
    what: 'the management api',
    deadlineMs: 60_000,
  });
}, 120_000);
afterAll(() => rabbit[Symbol.asyncDispose]());

const GUEST = { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` };
const management = (): string => (rabbit.managementUrl ?? '').replace('guest:guest@', '');
const urlOf = (vhost = '/'): string => `${rabbit.amqpUrl}${vhost === '/' ? '' : encodeURIComponent(vhost)}`;

function open(more: Partial<ClusterDefinitionInput> = {}, options: Partial<QueuesOptions> = {}): Queues {
  const definition = clusterDefinition.parse({ name: 'garden', broker: urlOf(), management: management(), ...more });
  return openQueues(definition, { signal: AbortSignal.timeout(170_000), timeoutMs: 5_000, ...options });
}

/** RabbitMQ's own figures, by name. */
async function truth(vhost = '/'): Promise<Record<string, readonly number[]>> {
  const columns = ['messages_ready', 'messages_unacknowledged', 'consumers'];
  const list = await rabbit.rabbitmqctl(['-p', vhost, 'list_queues', 'name', ...columns, '--no-table-headers']);
  const rows = list.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')]));
  return Object.fromEntries(rows.map(([name = '', ...figures]) => [name, figures.map(Number)]));
}

/** On a channel of its own. */
async function onChannel<T>(work: (channel: ConfirmChannel) => Promise<T>, vhost = '/'): Promise<T> {
  const model = await connect(urlOf(vhost), { noDelay: true });
  try {
    return await work(await model.createConfirmChannel());
  } finally {
    await model.close();
  }
}

/** Puts numbered messages into a queue that is made for it. */
async function fill(queue: string, count: number, options: Options.Publish = {}, args: object = {}): Promise<void> {
  await onChannel(async (channel) => {
    await channel.assertQueue(queue, { durable: true, arguments: args });
    for (let n = 0; n < count; n++) {
      const headers = { id: `${queue}-${n}`, task: 'garden.add', retries: n, ...(options.headers as object) };
      const body = Buffer.from(JSON.stringify([[n, n], {}, null]));
      const properties = { contentType: 'application/json', contentEncoding: 'utf-8', deliveryMode: 2 };
      channel.sendToQueue(queue, body, { ...properties, ...options, headers });
    }
    await channel.waitForConfirms();
  });
}

/** Takes all messages out of a queue. */
async function drain(queue: string): Promise<GetMessage[]> {
  return onChannel(async (channel) => {
    const taken: GetMessage[] = [];
    for (let one = await channel.get(queue); one !== false; one = await channel.get(queue)) {
      taken.push(one);
      channel.ack(one);
    }
    await channel.close();
    return taken;
  });
}
const retriesOf = ({ properties }: GetMessage): unknown => properties.headers?.['retries'];

test('figures equal RabbitMQ with three workers, with none, and with three again; also without the management api', async () => {
  const brokerUrl = urlOf(VHOST);
  const all = ['celery', 'prio', 'slow/é?#%'];
  const settings = { task_queue_max_priority: 10 };
  const workers = () =>
    Promise.all(
      ['a', 'b', 'c'].map((name) =>
        startCeleryWorker({ brokerUrl, settings, name, args: ['-c', '1', '-Q', all.join(','), '--without-gossip'] }),
      ),
    );
  const publish = (calls: string) =>
    runPython(`import garden\n${calls}`, { env: celeryEnvironment({ brokerUrl, settings }) });
  await using managed = open({ broker: brokerUrl });
  await using bare = open({ broker: brokerUrl, management: `http://127.0.0.1:${await freePort()}` });

  async function sameFigures(): Promise<Record<string, readonly number[]>> {
    return waitFor(
      async () => {
        const own = await truth(VHOST);
        const { queues, degraded } = await managed.figures(all);
        expect(degraded).toBeNull();
        expect(queues.map(({ ready, unacked, consumers }) => [ready, unacked, consumers])).toEqual(
          all.map((name) => own[name]),
        );
        const declared = await bare.figures(all);
        expect(declared.degraded?.code).toBe('BROKER_MANAGEMENT_UNREACHABLE');
        expect(declared.queues.map(({ ready, unacked, consumers }) => [ready, unacked, consumers])).toEqual(
          all.map((name) => [own[name]?.[0], null, own[name]?.[2]]),
        );
        return own;
      },
      // the management api tells what queues told it at most five seconds ago
      { what: 'the same figures', deadlineMs: 60_000, everyMs: 300 },
    );
  }

  const running: CeleryWorker[] = await workers();
  await publish(`for queue in ['celery', 'prio', 'slow/é?#%']:
  for n in range(4):
    garden.add.apply_async((n, n), queue=queue, countdown=600)`);
  const held = async () => Object.values(await truth(VHOST)).reduce((sum, [, unacked = 0]) => sum + unacked, 0);
  await waitFor(async () => (await held()) === 12, { what: 'tasks that wait in workers', deadlineMs: 60_000 });
  await publish("for n in range(12): garden.linger.apply_async((90,), queue='celery')");
  await waitFor(async () => (await held()) > 12, { what: 'tasks that run', deadlineMs: 60_000 });
  const busy = await sameFigures();
  expect(busy['celery']?.[0]).toBeGreaterThan(0);
  expect(busy['celery']?.[1]).toBeGreaterThan(4);
  expect(busy['prio']).toEqual([0, 4, 3]);

  await Promise.all(running.map((worker) => worker.kill9()));
  await publish(`for priority in range(10):
  for n in range(priority + 1):
    garden.add.apply_async((n, n), queue='prio', priority=priority)`);
  await waitFor(async () => (await truth(VHOST))['prio']?.[2] === 0, { what: 'no consumer', deadlineMs: 60_000 });
  const idle = await sameFigures();
  expect(idle['prio']).toEqual([59, 0, 0]);
  const { queues } = await managed.figures(['prio', 'nowhere']);
  expect(queues[0]).toMatchObject({
    kind: 'classic',
    source: 'management',
    exists: true,
    byPriority: null,
    nextId: null,
  });
  expect(queues[0]?.bytes).toBeGreaterThan(59 * 50);
  expect(queues[0]?.rates?.published).toBeGreaterThanOrEqual(0);
  expect(queues[1]).toMatchObject({ exists: false, ready: null, unknown: { ready: /no such queue/ } });
  expect((await managed.names()).names).toEqual(all);

  expect(await managed.purge('celery')).toBe(idle['celery']?.[0]);
  const again = await workers();
  await waitFor(async () => (await truth(VHOST))['prio']?.[0] === 0, {
    what: 'the tasks to be done',
    deadlineMs: 60_000,
  });
  expect((await sameFigures())['prio']?.[2]).toBe(3);
  await Promise.all(again.map((worker) => worker.kill9()));
}, 300_000);

test('what is no queue of tasks is left out, and delayed delivery is told and not touched', async () => {
  await onChannel(async (channel) => {
    for (const name of ['celery_delayed_3', 'meadow.events.garden', 'w@h.celery.pidbox', 'plain']) {
      await channel.assertQueue(name, { durable: true });
    }
    await channel.assertQueue('mine-alone', { exclusive: true });
    await using queues = open();
    const { names, incomplete } = await queues.names();
    expect(incomplete).toBeNull();
    expect(names.filter((name) => /delayed|meadow|pidbox|plain|mine/.test(name))).toEqual([
      'celery_delayed_3',
      'plain',
    ]);
    expect((await queues.figures(['celery_delayed_3', 'plain'])).queues.map(({ delayed }) => delayed)).toEqual([
      true,
      false,
    ]);
    await Promise.all(
      [queues.purge('celery_delayed_3'), queues.peek('celery_delayed_3'), queues.move('celery_delayed_3', 'plain')].map(
        (work) => expect(work).rejects.toMatchObject({ code: 'QUEUE_DELAYED' }),
      ),
    );
    await expect(queues.remove('plain', 'x')).rejects.toMatchObject({ code: 'QUEUE_UNSUPPORTED' });
  });
});

test('each failure of the management api has its name, and figures come from AMQP then', async () => {
  await fill('fallback', 3);
  const web = async (answer: RequestListener) => {
    const server = createWebServer(answer).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}/`, [Symbol.dispose]: () => (server.closeAllConnections(), server.close()) };
  };
  using broken = await web((_, response) => response.writeHead(502).end('<html>Bad Gateway</html>'));
  using other = await web((_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello</html>'),
  );
  using elsewhere = await web((_, response) => response.writeHead(301, { location: 'https://x/' }).end('{}'));
  using silent = await web(() => undefined);
  using endless = await web((_, response) => {
    response.writeHead(200).write('[');
    const timer = setInterval(() => response.write(`${'1,'.repeat(500_000)}`), 1);
    response.on('close', () => clearInterval(timer));
  });
  using slow = await web((_, response) => {
    response.writeHead(200).write('[');
  });
  const untagged = management().replace('http://', 'http://untagged:secret-word@');
  for (const [given, code] of [
    [management().replace('http://', 'http://guest:wrong-secret@'), 'BROKER_MANAGEMENT_AUTH_FAILED'],
    [untagged, 'BROKER_MANAGEMENT_AUTH_FAILED'],
    [broken.url, 'BROKER_MANAGEMENT_FAILED'],
    [other.url, 'BROKER_MANAGEMENT_UNREADABLE'],
    [elsewhere.url, 'BROKER_MANAGEMENT_UNREADABLE'],
    [endless.url, 'BROKER_MANAGEMENT_UNREADABLE'],
    [silent.url, 'BROKER_MANAGEMENT_TIMEOUT'],
    [slow.url, 'BROKER_MANAGEMENT_TIMEOUT'],
    [`http://127.0.0.1:${await freePort()}`, 'BROKER_MANAGEMENT_UNREACHABLE'],
    [management().replace('http:', 'https:'), 'BROKER_MANAGEMENT_TLS_FAILED'],
  ] as const) {
    await using queues = open({ management: given }, { timeoutMs: 1_500 });
    const { queues: figures, degraded } = await queues.figures(['fallback', 'nowhere']);
    expect(degraded?.code, given).toBe(code);
    expect(figures[0]).toMatchObject({ source: 'amqp', ready: 3, consumers: 0, unacked: null, exists: true });
    expect(figures[0]?.unknown.unacked).toContain(degraded?.message);
    expect(figures[1]).toMatchObject({ source: 'amqp', exists: false, ready: null });
    expect(await queues.names()).toMatchObject({
      names: [],
      incomplete: expect.stringContaining('management') as string,
    });
    expect(String(degraded?.message)).not.toMatch(/secret/);
  }
  await using nowhere = open({ broker: urlOf('nowhere') });
  expect((await nowhere.names()).incomplete).toMatch(/no virtual host "nowhere"/);
  await expect(nowhere.figures(['fallback'])).rejects.toMatchObject({ code: 'BROKER_VHOST_NOT_FOUND' });
}, 60_000);

test('a peek shows what waits, says that it puts it back, and leaves the queue as it was', async () => {
  await runPython(
    `import garden
for n in range(12):
  garden.echo.apply_async((n, 'ü'), {'deep': {'n': 10**20}}, queue='seen', retries=n, expires=3600)
garden.echo.apply_async((1,), queue='seen', serializer='pickle')`,
    { env: celeryEnvironment({ brokerUrl: urlOf(), settings: { accept_content: ['json', 'pickle'] } }) },
  );
  await onChannel(async (channel) => {
    channel.sendToQueue('seen', Buffer.alloc(2 * 1024 * 1024, ' '), {
      contentType: 'application/json',
      headers: { id: 'big', task: 't' },
    });
    channel.sendToQueue('seen', Buffer.from([0xff]), { timestamp: 1_700_000_000 });
    await channel.waitForConfirms();
  });
  await using queues = open();
  for (let round = 0; round < 2; round++) {
    const { ready, requeues, messages } = await queues.peek('seen', { limit: 100 });
    expect({ ready, requeues }).toEqual({ ready: 15, requeues: true });
    expect(messages.slice(0, 12).map(({ task }) => task?.retries)).toEqual([...Array(12).keys()]);
    expect(messages[3]).toMatchObject({
      ...{ position: 3, handle: null, contentType: 'application/json', redelivered: round > 0, problem: null },
      task: { task: 'garden.echo', argsrepr: "(3, 'ü')", eta: null, expires: /^20/ },
      args: { text: '[3,"ü"]', cut: false },
    });
    expect(messages[12]).toMatchObject({ problem: { code: 'CELERY_PICKLE_REFUSED' }, task: { task: 'garden.echo' } });
    expect(messages[13]).toMatchObject({
      problem: { code: 'QUEUE_PEEK_BOUND' },
      task: { id: 'big' },
      bytes: 2 * 1024 * 1024,
    });
    expect(messages[14]).toMatchObject({ problem: { code: 'CELERY_CONTENT_UNSUPPORTED' }, sentAt: 1_700_000_000 });
  }
  expect((await queues.peek('seen', { offset: 10, limit: 3 })).messages.map(({ position }) => position)).toEqual([
    10, 11, 12,
  ]);
  expect((await truth())['seen']).toEqual([15, 0, 0]);
  await expect(queues.peek('seen', { offset: 200 })).rejects.toMatchObject({ code: 'QUEUE_UNSUPPORTED' });
  await expect(queues.peek('nowhere')).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
  expect(await queues.purge('seen')).toBe(15);
  await expect(queues.purge('nowhere')).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
}, 30_000);

test('quorum queues are looked at and moved as others are; streams are refused', async () => {
  await fill('quorum', 30, {}, { 'x-queue-type': 'quorum' });
  await fill('target', 0);
  await onChannel((channel) =>
    channel.assertQueue('stream', { durable: true, arguments: { 'x-queue-type': 'stream' } }),
  );
  await using queues = open();
  const figures = await waitFor(
    async () => {
      const told = (await queues.figures(['quorum', 'stream'])).queues;
      return told[0]?.ready === 30 && told;
    },
    { what: 'the figures', deadlineMs: 15_000 },
  );
  expect(figures.map(({ kind }) => kind)).toEqual(['quorum', 'stream']);
  const deliveries = async () => {
    const { messages } = await queues.peek('quorum', { limit: 30 });
    return new Set(messages.map((message) => message.deliveries));
  };
  expect(await deliveries()).toEqual(new Set([0]));
  expect(await deliveries()).toEqual(new Set([1]));
  expect(await queues.move('quorum', 'target')).toMatchObject({ moved: 30, ended: 'all' });
  const moved = await drain('target');
  expect(moved.map(retriesOf).toSorted((a, b) => Number(a) - Number(b))).toEqual([...Array(30).keys()]);
  expect(moved.some(({ properties }) => 'x-delivery-count' in (properties.headers ?? {}))).toBe(false);
  for (const work of [
    () => queues.peek('stream'),
    () => queues.purge('stream'),
    () => queues.move('stream', 'target'),
  ]) {
    await waitFor(() => queues.status.state === 'connected', { what: 'the connection' });
    await expect(work()).rejects.toMatchObject({ code: 'QUEUE_KIND_UNSUITED' });
  }
}, 40_000);

test('a move keeps order, properties and headers, and drops what was of the old way', async () => {
  await fill('source', 120, {
    ...{ priority: 4, correlationId: 'c', replyTo: 'r', expiration: '3600000', messageId: 'm', appId: 'a', type: 't' },
    headers: {
      ...{
        'x-death': [{ count: 1 }],
        'x-first-death-queue': 'q',
        CC: ['copies'],
        timelimit: [null, 5],
        stamps: { a: ['b'] },
      },
      ...{ eta: null, 'x-own': Buffer.from([0, 255]), float: 1.5, long: 2 ** 40 },
    },
  });
  await fill('copies', 0);
  await fill('source', 1, { headers: { trace: 2 ** 60 } });
  await fill('target', 0);
  await drain('copies');
  await using queues = open();
  await expect(queues.move('source', 'nowhere')).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND', queue: 'nowhere' });
  await expect(queues.move('nowhere', 'source')).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND', queue: 'nowhere' });
  expect(await queues.move('source', 'target', { limit: 30 })).toMatchObject({ moved: 30, ended: 'limit', left: 0 });
  const stop = new AbortController();
  const part = await queues.move('source', 'target', { signal: stop.signal, onProgress: () => stop.abort() });
  expect(part).toMatchObject({ moved: 25, ended: 'stopped', error: null });
  const rest = await queues.move('source', 'target');
  expect(rest).toMatchObject({ moved: 65, ended: 'all', left: 1, leftBecause: /headers/ });
  expect((await truth())['source']).toEqual([1, 0, 0]);
  expect((await truth())['copies']).toEqual([0, 0, 0]);
  const moved = await drain('target');
  expect(moved.map(retriesOf)).toEqual([...Array(120).keys()]);
  expect(moved[7]?.properties).toMatchObject({
    ...{ priority: 4, correlationId: 'c', replyTo: 'r', expiration: '3600000', messageId: 'm', appId: 'a', type: 't' },
    ...{ contentType: 'application/json', contentEncoding: 'utf-8', deliveryMode: 2 },
  });
  expect(moved[7]?.properties.headers).toEqual({
    ...{ id: 'source-7', task: 'garden.add', retries: 7, timelimit: [null, 5], stamps: { a: ['b'] }, eta: null },
    ...{ 'x-own': Buffer.from([0, 255]), float: 1.5, long: 2 ** 40 },
  });
  expect(moved[7]?.content.toString()).toBe('[[7,7],{},null]');
}, 40_000);

test('a target that takes no more leaves the rest where it is', async () => {
  await fill('many', 100);
  await fill('small', 0, {}, { 'x-max-length': 30, 'x-overflow': 'reject-publish' });
  await using queues = open();
  const told = await queues.move('many', 'small');
  expect(told).toMatchObject({ ended: 'failed', moved: 30, doubled: 0, error: { code: 'QUEUE_FULL', queue: 'small' } });
  const { many, small } = await waitFor(
    async () => {
      const now = await truth();
      return now['many']?.[1] === 0 && now;
    },
    { what: 'the messages to be back' },
  );
  expect([many?.[0], small?.[0]]).toEqual([70, 30]);
}, 30_000);

test('a target that is deleted meanwhile ends a move, and what it did not take stays', async () => {
  await fill('many-more', 2_000);
  await fill('doomed', 0);
  await using queues = open();
  const told = await onChannel(async (channel) => {
    const deleted: Promise<unknown>[] = [];
    const move = await queues.move('many-more', 'doomed', {
      onProgress: () => deleted.length === 0 && deleted.push(channel.deleteQueue('doomed')),
    });
    await Promise.all(deleted);
    return move;
  });
  expect(told).toMatchObject({
    ended: 'failed',
    error: { name: 'QueueRefusal', code: 'QUEUE_NOT_FOUND', queue: 'doomed' },
  });
  await waitFor(async () => (await truth())['many-more']?.[1] === 0, { what: 'the messages to be back' });
  expect((await truth())['many-more']?.[0]).toBe(2_000 - told.moved);
}, 30_000);

test('a move that is killed in the middle loses nothing', async () => {
  await fill('long', 6_000);
  await fill('other', 0);
  const child = await startChild({
    name: 'a move',
    command: process.execPath,
    args: [fileURLToPath(new URL('moving.ts', import.meta.url)), urlOf(), 'long', 'other'],
    ready: ({ log }) => /moved [1-9]\d{2}/.test(log()),
  });
  await child.kill9();
  await waitFor(async () => (await truth())['long']?.[1] === 0, { what: 'the messages to be back' });
  const [left, moved] = [await drain('long'), await drain('other')];
  expect(left.length).toBeGreaterThan(0);
  expect(moved.length).toBeGreaterThanOrEqual(100);
  const ids = [...left, ...moved].map(retriesOf);
  expect(new Set(ids).size).toBe(6_000);
  expect(ids.length - 6_000).toBeLessThanOrEqual(25);
}, 60_000);

test('the facts are those of the broker, alarms included; without the management api only who it is', async () => {
  await using queues = open();
  const version = (await rabbit.rabbitmqctl(['version'])).trim();
  const facts = await waitFor(
    async () => {
      const told = await queues.facts();
      return told.memoryUsedBytes !== null && told.connections !== null && told;
    },
    { what: 'the facts', deadlineMs: 15_000 },
  );
  expect(facts).toMatchObject({
    ...{ kind: 'amqp', source: 'management', product: 'RabbitMQ', version, degraded: null, alarms: [] },
    ...{ memoryLimitBytes: 512_000_000, operations: null, evictionPolicy: null },
    nodes: [{ name: rabbit.nodeName, running: true }],
  });
  expect(facts.unknown.operations).toMatch(/no such figure/);
  expect(facts.unknown).not.toHaveProperty('version');

  await rabbit.rabbitmqctl(['set_vm_memory_high_watermark', '0.000001']);
  const alarmed = await waitFor(
    async () => {
      const { alarms } = await queues.facts();
      return alarms !== null && alarms.length > 0 && alarms;
    },
    { what: 'the alarm', deadlineMs: 60_000, everyMs: 300 },
  );
  expect(alarmed).toMatchObject([{ alarm: 'memory', says: expect.stringContaining(rabbit.nodeName) as string }]);
  await rabbit.rabbitmqctl(['set_vm_memory_high_watermark', 'absolute', '512MB']);

  await using bare = open({ management: `http://127.0.0.1:${await freePort()}` });
  const little = await bare.facts();
  expect(little).toMatchObject({
    source: 'amqp',
    product: 'RabbitMQ',
    version,
    connections: null,
    alarms: null,
    nodes: null,
  });
  expect(little.degraded?.code).toBe('BROKER_MANAGEMENT_UNREACHABLE');
  expect(little.unknown.alarms).toMatch(/management/);
}, 60_000);

test('a user who may not see the nodes is told so, and sees the rest', async () => {
  await rabbit.rabbitmqctl(['set_user_tags', 'untagged', 'management']);
  await using queues = open({ management: management().replace('http://', 'http://untagged:secret-word@') });
  const facts = await queues.facts();
  expect(facts).toMatchObject({
    source: 'management',
    nodes: null,
    alarms: null,
    degraded: { code: 'BROKER_MANAGEMENT_AUTH_FAILED' },
  });
  expect(facts.version).toMatch(/^\d/);
  expect(facts.unknown.nodes).toMatch(/set_user_tags/);
  await rabbit.rabbitmqctl(['set_user_tags', 'untagged']);
});

test('a user who may only look is told what to grant', async () => {
  await fill('guarded', 3);
  await rabbit.rabbitmqctl(['set_permissions', 'untagged', '^$', '^$', '^$']);
  await using queues = open({ broker: urlOf().replace('guest:guest', 'untagged:secret-word') });
  for (const work of [
    () => queues.purge('guarded'),
    () => queues.peek('guarded'),
    () => queues.move('guarded', 'target'),
  ]) {
    const failure: unknown = await work().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'BROKER_PERMISSION_DENIED', remedy: /set_permissions -p '\/' 'untagged'/ });
    expect(String(failure)).not.toContain('secret-word');
  }
  await rabbit.rabbitmqctl(['set_permissions', 'untagged', '^meadow\\.', '^(meadow\\.|amq\\.default$)', '.*']);
  await fill('granted', 0);
  expect((await queues.peek('guarded')).ready).toBe(3);
  expect(await queues.move('guarded', 'granted')).toMatchObject({ moved: 3, ended: 'all' });
  expect(await queues.purge('granted')).toBe(3);
});

test('a broker that is not there or says nothing fails each operation in time', async () => {
  const silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  for (const [broker, code] of [
    [`amqp://127.0.0.1:${port}//`, 'BROKER_TIMEOUT'],
    [`amqp://127.0.0.1:${await freePort()}//`, 'BROKER_UNREACHABLE'],
  ] as const) {
    await using queues = open({ broker, management: `http://127.0.0.1:${port}` }, { timeoutMs: 700 });
    const began = performance.now();
    const works = [queues.figures(['a']), queues.peek('a'), queues.purge('a'), queues.move('a', 'b'), queues.facts()];
    await Promise.all(works.map((work) => expect(work).rejects.toMatchObject({ name: 'BrokerError', code })));
    expect((await queues.names()).incomplete).toMatch(/did not answer/);
    expect(performance.now() - began).toBeLessThan(3_500);
  }
  silent.close();
}, 20_000);
