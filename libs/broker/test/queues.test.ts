import { clusterDefinition, type ClusterDefinitionInput } from '@meadow/contract';
import {
  celeryEnvironment,
  freePort,
  runPython,
  startCeleryWorker,
  startChild,
  startRedis,
  waitFor,
  type CeleryWorker,
  type RedisServer,
} from '@meadow/testkit';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openQueues, type BrokerStatus, type Queues, type QueuesOptions } from '../src/index.ts';

const SEP = '\u0006\u0016';
let server: RedisServer;
let client: Redis;
let database = 0;
beforeAll(async () => {
  server = await startRedis({ args: ['--enable-debug-command', 'yes', '--databases', '64'] });
});
afterAll(async () => {
  client?.disconnect();
  await server[Symbol.asyncDispose]();
});

/** A database of its own, and a client in it. */
async function fresh(): Promise<string> {
  database++;
  client?.disconnect();
  client = new Redis(server.port, { db: database });
  await client.ping();
  return server.url.replace(/\/\d+$/, `/${database}`);
}

function open(
  broker: string,
  more: Partial<ClusterDefinitionInput> = {},
  options: Partial<QueuesOptions> = {},
): Queues {
  const definition = clusterDefinition.parse({ name: 'garden', broker, ...more });
  return openQueues(definition, { signal: AbortSignal.timeout(120_000), timeoutMs: 5_000, ...options });
}

/** Celery's own messages, put into lists by its own publisher. */
async function publish(brokerUrl: string, calls: string, settings: Record<string, unknown> = {}): Promise<void> {
  await runPython(`import garden\n${calls}`, { env: celeryEnvironment({ brokerUrl, settings }) });
}

/** An envelope as kombu writes it. */
function envelope(
  id: string,
  body: Buffer | unknown,
  more: { headers?: object; type?: string; queue?: string } = {},
): string {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  return JSON.stringify({
    ...{ body: bytes.toString('base64'), 'content-encoding': 'utf-8', 'content-type': more.type ?? 'application/json' },
    headers: { id, task: 'garden.add', ...more.headers },
    properties: {
      ...{ correlation_id: id, delivery_mode: 2, priority: 0, body_encoding: 'base64', delivery_tag: `tag-${id}` },
      delivery_info: { exchange: '', routing_key: more.queue ?? 'celery' },
    },
  });
}

const lengthOf = async (prefix: string, queue: string, steps: readonly number[], sep = SEP): Promise<number> => {
  const lengths = await Promise.all(steps.map((step) => client.llen(prefix + queue + (step === 0 ? '' : sep + step))));
  return lengths.reduce((sum, length) => sum + length, 0);
};

test('figures equal what Redis holds with three workers, with none, and with three again', async () => {
  const brokerUrl = await fresh();
  const transportOptions = { global_keyprefix: 'te*am:', priority_steps: [0, 2, 5, 8], sep: '|' };
  const settings = { broker_transport_options: transportOptions };
  const all = ['celery', 'prio', 'slow/é'];
  const workers = () =>
    Promise.all(
      ['a', 'b', 'c'].map((name) =>
        startCeleryWorker({ brokerUrl, settings, name, args: ['-c', '1', '-Q', all.join(','), '--without-gossip'] }),
      ),
    );
  await using queues = open(brokerUrl, { transportOptions });

  /** Redis's own figures: lists by LLEN, and what workers hold by the routing keys in kombu's hash. */
  async function truth(): Promise<Record<string, readonly [ready: number, unacked: number]>> {
    const held = (await client.hvals('te*am:unacked')).map((entry) => (JSON.parse(entry) as string[])[2]);
    const lengths = await Promise.all(all.map((queue) => lengthOf('te*am:', queue, [0, 2, 5, 8], '|')));
    return Object.fromEntries(
      all.map((queue, n) => [queue, [lengths[n] ?? 0, held.filter((each) => each === queue).length] as const]),
    );
  }
  async function told(): Promise<Record<string, readonly [ready: number | null, unacked: number | null]>> {
    const { queues: figures, degraded } = await queues.figures(all);
    expect(degraded).toBeNull();
    return Object.fromEntries(figures.map(({ name, ready, unacked }) => [name, [ready, unacked] as const]));
  }

  let running: CeleryWorker[] = await workers();
  const held = () => client.hlen('te*am:unacked');
  await publish(
    brokerUrl,
    `for queue in ['celery', 'prio', 'slow/é']:
  for n in range(4):
    garden.add.apply_async((n, n), queue=queue, countdown=600)`,
    settings,
  );
  await waitFor(async () => (await held()) === 12, { what: 'tasks that wait in workers', deadlineMs: 20_000 });
  await publish(brokerUrl, "for n in range(12): garden.linger.apply_async((60,), queue='celery')", settings);
  const begun = await waitFor(async () => (await held()) >= 15 && truth(), {
    what: 'tasks that run',
    deadlineMs: 20_000,
  });
  expect(begun['celery']?.[0]).toBeGreaterThan(0);
  await waitFor(async () => JSON.stringify(await told()) === JSON.stringify(await truth()), {
    what: 'the same figures',
  });

  await Promise.all(running.map((worker) => worker.kill9()));
  await publish(
    brokerUrl,
    `for priority in range(10):
  for n in range(priority + 1):
    garden.add.apply_async((n, n), queue='prio', priority=priority)`,
    settings,
  );
  const { queues: figures } = await queues.figures(['prio']);
  expect(figures[0]).toMatchObject({
    ...{ name: 'prio', kind: 'list', source: 'redis', exists: true, delayed: false, ready: 55, unacked: 4 },
    ...{ consumers: null, rates: null, nextSentAt: null },
  });
  expect(figures[0]?.byPriority?.filter(({ ready }) => ready > 0)).toEqual([
    { step: 0, served: true, ready: 3 },
    { step: 2, served: true, ready: 12 },
    { step: 5, served: true, ready: 21 },
    { step: 8, served: true, ready: 19 },
  ]);
  expect(figures[0]?.bytes).toBeGreaterThan(55 * 400);
  expect(Object.keys(figures[0]?.unknown ?? {}).toSorted()).toEqual(['consumers', 'nextSentAt', 'rates']);
  expect(await told()).toEqual(await truth());
  expect((await queues.names()).names).toEqual(all);
  const { unacked, unackedSince } = await queues.facts();
  expect(unacked).toBe(await client.hlen('te*am:unacked'));
  expect(Math.abs((unackedSince ?? 0) - Date.now() / 1000)).toBeLessThan(120);

  const waiting = (await truth())['celery']?.[0];
  expect(await queues.purge('celery')).toBe(waiting);
  running = await workers();
  await waitFor(async () => (await truth())['prio']?.[0] === 0, { what: 'the tasks to be done', deadlineMs: 20_000 });
  await waitFor(async () => JSON.stringify(await told()) === JSON.stringify(await truth()), {
    what: 'the same figures',
  });
  await Promise.all(running.map((worker) => worker.kill9()));
}, 120_000);

test('messages at priorities that are no steps of the definition are counted, shown and told as such', async () => {
  const brokerUrl = await fresh();
  await publish(brokerUrl, 'for n in range(10): garden.add.apply_async((n, n), priority=n)', {
    broker_transport_options: { priority_steps: [...Array(10).keys()] },
  });
  await using queues = open(brokerUrl);
  const [figures] = (await queues.figures(['celery'])).queues;
  expect(figures?.ready).toBe(10);
  expect(figures?.byPriority?.filter(({ served }) => !served).map(({ step, ready }) => [step, ready])).toEqual(
    [1, 2, 4, 5, 7, 8].map((step) => [step, 1]),
  );
  const { messages } = await queues.peek('celery');
  expect(messages.map(({ priority }) => priority)).toEqual([0, 3, 6, 9, 1, 2, 4, 5, 7, 8]);
  expect(await queues.purge('celery')).toBe(10);
  expect(await client.keys('*')).toEqual(['_kombu.binding.celery']);
});

test('what workers took by way of an exchange is counted at its queue, and where that is doubtful nothing is', async () => {
  const brokerUrl = await fresh();
  await client.sadd('_kombu.binding.topics', `report.#${SEP}^report\\..*?$${SEP}reports`, `log.#${SEP}^log$${SEP}logs`);
  await client.sadd('_kombu.binding.topics', `log.eu${SEP}^log\\.eu$${SEP}eu`);
  const held = (tag: string, exchange: string, key: string) =>
    client.hset('unacked', tag, JSON.stringify([{}, exchange, key]));
  await held('1', 'topics', 'report.day');
  await held('2', 'topics', 'report.night');
  await held('3', 'topics', 'log.eu');
  await held('4', '', 'plain');
  await using queues = open(brokerUrl);
  const { queues: figures } = await queues.figures(['reports', 'logs', 'eu', 'plain', 'other']);
  expect(figures.map(({ unacked }) => unacked)).toEqual([2, null, null, 1, 0]);
  expect(figures[1]?.unknown.unacked).toMatch(/several queues/);
  // an empty list is no key: whether there is such a queue is not known
  expect(figures[4]).toMatchObject({ ready: 0, exists: null, unknown: { exists: /no key/ } });
});

test('names are found among many results over several calls, and only those of queues', async () => {
  const brokerUrl = await fresh();
  await client.lpush(`waiting${SEP}9`, envelope('1', [[], {}, null]));
  {
    await using _worker = await startCeleryWorker({ brokerUrl, args: ['-c', '1', '-Q', 'bound'] });
    await runPython('import garden; garden.app.control.ping(timeout=1)', { env: celeryEnvironment({ brokerUrl }) });
  }
  await client.lpush('w1.reply.celery.pidbox', 'x');
  await client.lpush('celery-taskset-meta-1.j', 'x');
  await client.call('DEBUG', 'POPULATE', '250000', 'celery-task-meta-');
  await using queues = open(brokerUrl);
  const first = await queues.names();
  expect(first.incomplete).toMatch(/not all/);
  await queues.names();
  const last = await queues.names();
  expect(last).toEqual({ names: ['bound', 'waiting'], incomplete: null });
  // what is gone is forgotten once everything has been looked at again
  await client.del(`waiting${SEP}9`);
  await queues.names();
  await queues.names();
  expect((await queues.names()).names).toEqual(['bound']);
}, 60_000);

test('a peek shows what waits in the order in which it is served, and changes nothing', async () => {
  const brokerUrl = await fresh();
  await publish(
    brokerUrl,
    `import datetime
for n in range(30):
  garden.echo.apply_async((n, 'ü'), {'deep': {'n': 10**20}}, priority=9 if n < 10 else 0, retries=n, expires=3600)
garden.echo.apply_async(('later',), countdown=3600, compression='zlib')`,
  );
  await client.lpush('celery', envelope('timed', [[], {}, null], { headers: { timestamp: 1_700_000_000 } }));
  const before = [await client.lrange('celery', 0, -1), await client.lrange(`celery${SEP}9`, 0, -1)];
  await using queues = open(brokerUrl);
  const first = await queues.peek('celery', { limit: 20 });
  expect(first).toMatchObject({ ready: 32, requeues: false });
  expect(first.messages.map(({ task }) => task?.retries)).toEqual([...Array(20).keys()].map((n) => n + 10));
  expect(first.messages[0]).toMatchObject({
    ...{ position: 0, priority: 0, contentType: 'application/json', redelivered: false, sentAt: null, problem: null },
    task: { task: 'garden.echo', argsrepr: "(10, 'ü')", eta: null, expires: /^20/, origin: /^gen/ },
    args: { text: '[10,"ü"]', cut: false },
    kwargs: { text: '{"deep":{"n":100000000000000000000}}', cut: false },
  });
  const rest = await queues.peek('celery', { offset: 20, limit: 100 });
  expect(rest.messages.map(({ position }) => position)).toEqual([...Array(12).keys()].map((n) => n + 20));
  expect(rest.messages[0]).toMatchObject({
    compression: 'application/x-gzip',
    task: { eta: /^20/ },
    args: { text: '["later"]' },
  });
  expect(rest.messages[1]).toMatchObject({ sentAt: 1_700_000_000 });
  expect(rest.messages.at(-1)).toMatchObject({ priority: 9, task: { retries: 9 } });
  expect([await client.lrange('celery', 0, -1), await client.lrange(`celery${SEP}9`, 0, -1)]).toEqual(before);
  const [figures] = (await queues.figures(['celery'])).queues;
  expect(figures?.nextId).toBe(first.messages[0]?.task?.id);
});

test('hostile messages are told as what they are, in time and in bounds', async () => {
  const brokerUrl = await fresh();
  const bomb = deflateSync(Buffer.alloc(60 * 1024 * 1024, '[1],'));
  const hostile: [string, string, string | null][] = [
    ['not json', 'hello', 'CELERY_ENVELOPE_INVALID'],
    ['no utf-8', '\u00ff\u00fe', 'CELERY_TEXT_INVALID'],
    [
      'pickle',
      envelope('pickle', Buffer.from('\x80\x05.'), { type: 'application/x-python-serialize' }),
      'CELERY_PICKLE_REFUSED',
    ],
    ['bomb', envelope('bomb', bomb, { headers: { compression: 'application/x-gzip' } }), 'CELERY_TOO_LARGE'],
    ['deep', envelope('deep', Buffer.from('['.repeat(100_000))), 'CELERY_TOO_DEEP'],
    ['no id', envelope('', [[], {}, null]), 'CELERY_TASK_INVALID'],
    ['half a body', envelope('half', [[]]), 'CELERY_TASK_INVALID'],
    ['huge', envelope('huge', [['x'.repeat(2 * 1024 * 1024)], {}, null]), 'QUEUE_PEEK_BOUND'],
    ['long', envelope('long', [['x'.repeat(10_000)], {}, null], { headers: { argsrepr: 'y'.repeat(50_000) } }), null],
    ['proto', envelope('proto', Buffer.from('[[],{"__proto__":{"a":1}},{}]')), null],
  ];
  for (const [, payload] of hostile) await client.lpush('celery', Buffer.from(payload, 'latin1'));
  await using queues = open(brokerUrl);
  const began = performance.now();
  const { messages } = await queues.peek('celery');
  expect(performance.now() - began).toBeLessThan(3_000);
  expect(messages.map(({ problem }) => problem?.code ?? null)).toEqual(hostile.map(([, , code]) => code));
  // headers tell what they can
  expect(messages[2]?.task).toMatchObject({ id: 'pickle', task: 'garden.add' });
  expect(messages[8]?.args).toMatchObject({ cut: true });
  expect(messages[8]?.task?.argsrepr).toHaveLength(1_101);
  expect(messages[9]?.kwargs?.text).toBe('{"__proto__":{"a":1}}');
  expect(JSON.stringify(messages).length).toBeLessThan(20_000);

  // many small bombs do not add up
  await client.del('celery');
  const small = envelope('small', deflateSync(Buffer.alloc(4_000_000, '[1],')), { headers: { compression: 'zlib' } });
  for (let n = 0; n < 100; n++) await client.lpush('celery', small);
  const beganAgain = performance.now();
  const many = await queues.peek('celery', { limit: 100 });
  expect(performance.now() - beganAgain).toBeLessThan(4_000);
  expect(many.messages).toHaveLength(100);
}, 30_000);

test('one message is removed by its handle, wherever it is by then, and no other', async () => {
  const brokerUrl = await fresh();
  await publish(brokerUrl, 'for n in range(20): garden.add.apply_async((n, n), priority=3)');
  await using queues = open(brokerUrl);
  const { messages } = await queues.peek('celery');
  const [gone, wanted] = [messages[2], messages[9]];
  await client.rpop(`celery${SEP}3`, 5);
  const left = await client.lrange(`celery${SEP}3`, 0, -1);
  expect(await queues.remove('celery', wanted?.handle ?? '')).toBe(true);
  expect(await queues.remove('celery', wanted?.handle ?? '')).toBe(false);
  expect(await queues.remove('celery', gone?.handle ?? '')).toBe(false);
  const after = await client.lrange(`celery${SEP}3`, 0, -1);
  expect(after).toEqual(left.filter((payload) => !payload.includes(wanted?.task?.id ?? '?')));
  expect(after).toHaveLength(14);
  for (const handle of ['', 'x', '99-0-1-' + '0'.repeat(40), '0-0-1-abc']) {
    await expect(queues.remove('celery', handle).then(() => null)).rejects.toMatchObject({
      code: 'QUEUE_HANDLE_INVALID',
    });
  }
});

test('a purge removes what waits at every priority, and nothing else', async () => {
  const brokerUrl = await fresh();
  await publish(brokerUrl, 'for n in range(40): garden.add.apply_async((n, n), priority=n % 10)');
  await client.hset('unacked', 'tag', JSON.stringify([{}, '', 'celery']));
  await client.set('session:1', 'x');
  await client.set(`half${SEP}9`, 'x');
  await client.lpush('half', 'x');
  await using queues = open(brokerUrl);
  expect(await queues.purge('celery')).toBe(40);
  expect(await queues.purge('celery')).toBe(0);
  const others = ['_kombu.binding.celery', 'half', `half${SEP}9`, 'session:1', 'unacked'];
  expect((await client.keys('*')).toSorted()).toEqual(others);
  for (const name of ['session:1', 'half']) {
    await expect(queues.purge(name)).rejects.toMatchObject({ name: 'QueueRefusal', code: 'QUEUE_KIND_UNSUITED' });
    await expect(queues.peek(name)).rejects.toMatchObject({ code: 'QUEUE_KIND_UNSUITED' });
    await expect(queues.move('celery', name)).rejects.toMatchObject({ code: 'QUEUE_KIND_UNSUITED', queue: name });
    expect((await queues.figures([name])).queues[0]).toMatchObject({ ready: null, exists: false });
  }
  expect((await client.keys('*')).toSorted()).toEqual(others);
});

test.each([
  ['', 'QUEUE_NAME_INVALID'],
  ['a\nb', 'QUEUE_NAME_INVALID'],
  ['\ud800', 'QUEUE_NAME_INVALID'],
  ['é'.repeat(128), 'QUEUE_NAME_INVALID'],
  ['unacked', 'QUEUE_NOT_FOR_TASKS'],
  ['_kombu.binding.celery', 'QUEUE_NOT_FOR_TASKS'],
  ['w@host.celery.pidbox', 'QUEUE_NOT_FOR_TASKS'],
  ['celery_delayed_3', 'QUEUE_DELAYED'],
])('the queue %j is refused before the broker hears of it: %s', async (name, code) => {
  // nothing listens there, so that only a refusal can be this quick
  await using queues = open('redis://127.0.0.1:1/0');
  await Promise.all(
    [queues.peek(name), queues.purge(name), queues.move(name, 'b'), queues.move('b', name)].map((work) =>
      expect(work).rejects.toMatchObject({ name: 'QueueRefusal', code }),
    ),
  );
});

test('a move keeps order, priority and every byte but the address, and workers run what was moved', async () => {
  const brokerUrl = await fresh();
  await publish(
    brokerUrl,
    `for n in range(250):
  garden.echo.apply_async((n,), {'big': 10**30, 'nan': float('nan')}, priority=n % 10)`,
  );
  const malformed = '{"body": "x", "properties": {}}';
  await client.rpush('celery', malformed);
  await client.lpush('target', envelope('first', [[1, 1], {}, null], { queue: 'target' }));
  const steps = ['', `${SEP}3`, `${SEP}6`, `${SEP}9`];
  const lists = (queue: string) => Promise.all(steps.map((step) => client.lrange(queue + step, 0, -1)));
  const before = await lists('celery');
  await using queues = open(brokerUrl);
  await expect(queues.move('celery', 'celery')).rejects.toMatchObject({ code: 'QUEUE_SAME' });
  const progress: number[] = [];
  const part = await queues.move('celery', 'target', { limit: 40, onProgress: (moved) => progress.push(moved) });
  expect(part).toMatchObject({
    moved: 40,
    ended: 'limit',
    left: 1,
    leftBecause: /not as kombu/,
    error: null,
    doubled: 0,
  });
  const rest = await queues.move('celery', 'target', { onProgress: (moved) => progress.push(moved) });
  expect(rest).toMatchObject({ moved: 210, ended: 'all', left: 1 });
  expect(progress.at(-1)).toBe(210);
  expect((await lists('celery')).flat()).toEqual([malformed]);
  const address = '"routing_key": "celery"';
  const after = await lists('target');
  expect(after[0]?.pop()).toContain('"first"');
  expect(after).toEqual(
    before.map((list) =>
      list.filter((one) => one !== malformed).map((one) => one.replace(address, address.replace('celery', 'target'))),
    ),
  );

  // moved where workers are: they take each of them, and acknowledge it
  await using worker = await startCeleryWorker({ brokerUrl, args: ['-c', '2', '-Q', 'other', '--without-gossip'] });
  expect(await queues.move('target', 'other')).toMatchObject({ moved: 251, ended: 'all' });
  await waitFor(async () => (await client.llen('other')) === 0 && (await client.hlen('unacked')) === 0, {
    what: 'the moved tasks to be done',
    deadlineMs: 20_000,
  });
  expect(worker.log()).not.toMatch(/Unrecoverable|error/i);
}, 60_000);

test('a move takes what workers have not taken meanwhile, stops when told, and does not run after a publisher', async () => {
  const brokerUrl = await fresh();
  const messages = Array.from({ length: 2_000 }, (_, n) => envelope(String(n), [[n], {}, null]));
  await client.lpush('celery', ...messages);
  await using queues = open(brokerUrl);
  const stop = new AbortController();
  const taken: (string | null)[] = [];
  const taking = (async () => {
    for (let n = 0; n < 300; n++) taken.push(await client.rpop('celery'));
  })();
  const first = await queues.move('celery', 'target', {
    signal: stop.signal,
    onProgress: (moved) => {
      if (moved >= 500) stop.abort();
    },
  });
  await taking;
  expect(first.ended).toBe('stopped');
  expect(first.moved).toBe(await client.llen('target'));
  expect((await client.llen('celery')) + first.moved + taken.filter((one) => one !== null).length).toBe(2_000);

  const publisher = setInterval(
    () => void client.lpush('celery', envelope('new', [[], {}, null])).catch(() => undefined),
    1,
  );
  const second = await queues.move('celery', 'target');
  clearInterval(publisher);
  expect(second.ended).toBe('all');
  const inOrder = (await client.lrange('target', 0, -1))
    .toReversed()
    .map((payload) => Number((JSON.parse(payload) as { headers: { id: string } }).headers.id))
    .filter((n) => !Number.isNaN(n));
  expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
});

test('a move that is killed in the middle has moved each message or has not', async () => {
  const brokerUrl = await fresh();
  const total = 20_000;
  for (let n = 0; n < total; n += 1_000) {
    await client.lpush(
      'celery',
      ...Array.from({ length: 1_000 }, (_, k) => envelope(String(n + k), [[n + k], {}, null])),
    );
  }
  const child = await startChild({
    name: 'a move',
    command: process.execPath,
    args: [fileURLToPath(new URL('moving.ts', import.meta.url)), brokerUrl, 'celery', 'target'],
    ready: ({ log }) => /moved [1-9]\d{3}/.test(log()),
  });
  await child.kill9();
  const [left, moved] = [await client.lrange('celery', 0, -1), await client.lrange('target', 0, -1)];
  expect(left.length).toBeGreaterThan(0);
  expect(moved.length).toBeGreaterThan(0);
  const ids = [...left, ...moved].map((payload) => (JSON.parse(payload) as { headers: { id: string } }).headers.id);
  expect(ids).toHaveLength(total);
  expect(new Set(ids).size).toBe(total);
}, 60_000);

test('a broker that is not there, says nothing, or hangs after it let us in fails each operation in time', async () => {
  const hung = async (answer: boolean) => {
    const listener = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => answer && /client/i.test(bytes.toString()) && socket.write('+OK\r\n'));
    }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return {
      url: `redis://127.0.0.1:${(listener.address() as AddressInfo).port}/0`,
      [Symbol.dispose]: () => listener.close(),
    };
  };
  using silent = await hung(false);
  using deaf = await hung(true);
  for (const [url, code] of [
    [`redis://127.0.0.1:${await freePort()}/0`, 'BROKER_UNREACHABLE'],
    [silent.url, 'BROKER_TIMEOUT'],
    [deaf.url, 'BROKER_TIMEOUT'],
  ] as const) {
    await using queues = open(url, {}, { timeoutMs: 700 });
    const began = performance.now();
    const works = [
      queues.names(),
      queues.figures(['a']),
      queues.peek('a'),
      queues.purge('a'),
      queues.move('a', 'b'),
      queues.facts(),
    ];
    await Promise.all(works.map((work) => expect(work).rejects.toMatchObject({ name: 'BrokerError', code })));
    expect(performance.now() - began).toBeLessThan(2_500);
  }
  const gone = new AbortController();
  await using queues = open(silent.url, {}, { timeoutMs: 20_000 });
  const asked = queues.peek('a', { signal: gone.signal });
  gone.abort(new Error('nobody waits any more'));
  await expect(asked).rejects.toThrow('nobody waits');
}, 30_000);

test('a connection that is cut comes back, and what was asked meanwhile fails as such', async () => {
  await using redis = await startRedis({ password: 'secret-word', acl: ['watcher on >pw ~a* +@read +ping +info'] });
  const states: BrokerStatus['state'][] = [];
  await using queues = open(redis.url, {}, { onStatus: ({ state }) => states.push(state), timeoutMs: 1_500 });
  expect(await queues.names()).toEqual({ names: [], incomplete: null });
  await redis.stop();
  const failure: unknown = await queues.names().catch((error: unknown) => error);
  expect(failure).toMatchObject({ name: 'BrokerError', code: /BROKER_(?:UNREACHABLE|CLOSED)/ });
  expect(String(failure)).not.toContain('secret-word');
  await redis.restart();
  await waitFor(() => queues.status.state === 'connected', { what: 'the connection', deadlineMs: 15_000 });
  expect(await queues.purge('a')).toBe(0);

  await using watcher = open(`redis://watcher:pw@127.0.0.1:${redis.port}/0`);
  await expect(watcher.purge('a')).rejects.toMatchObject({
    code: 'BROKER_PERMISSION_DENIED',
    remedy: /ACL SETUSER watcher ~\*/,
  });
}, 40_000);

test('the rights that the README and the remedy name are all that is needed', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, look = '', change = ''] =
    /Rights needed\. Redis: `(\+scan[^`]*)`, to change `([^`]*)`/.exec(readme.replaceAll('\n', ' ')) ?? [];
  await using redis = await startRedis({ acl: [`looker on >pw ~* ${look}`, `mover on >pw ~* ${look} ${change}`] });
  const as = (user: string) => open(`redis://${user}:pw@127.0.0.1:${redis.port}/0`);
  const direct = new Redis(redis.url);
  await direct.lpush('a', envelope('1', [[], {}, null]), envelope('2', [[], {}, null]));
  await direct.sadd('_kombu.binding.a', `a${SEP}${SEP}a`);
  await direct.hset('unacked', 'tag', JSON.stringify([{}, '', 'a']));
  await direct.zadd('unacked_index', 1_700_000_000, 'tag');
  await using looker = as('looker');
  expect((await looker.names()).names).toEqual(['a']);
  const [figures] = (await looker.figures(['a'])).queues;
  expect(figures).toMatchObject({ ready: 2, unacked: 1, nextId: '1', bytes: expect.any(Number) as number });
  expect((await looker.peek('a')).messages).toHaveLength(2);
  expect(await looker.facts()).toMatchObject({ unacked: 1, unackedSince: 1_700_000_000 });
  const refused: unknown = await looker.move('a', 'b').catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'BROKER_PERMISSION_DENIED' });
  expect(await direct.llen('a')).toBe(2);
  await using mover = as('mover');
  expect(await mover.move('a', 'b', { limit: 1 })).toMatchObject({ moved: 1 });
  const [message] = (await mover.peek('b')).messages;
  expect(await mover.remove('b', message?.handle ?? '')).toBe(true);
  expect(await mover.purge('a')).toBe(1);
  const { remedy } = refused as { remedy: string };
  for (const right of `${look} ${change}`.split(' ')) expect(remedy).toContain(right);
  direct.disconnect();
}, 30_000);

test('the facts are those of INFO, and what endangers messages is an alarm', async () => {
  await using redis = await startRedis({ args: ['--maxmemory', '2mb', '--maxmemory-policy', 'allkeys-lru'] });
  await using own = open(redis.url);
  const facts = await own.facts();
  const direct = new Redis(redis.url);
  const info = await direct.info();
  const of = (name: string) => new RegExp(`\\n${name}:(.*)\\r`).exec(info)?.[1];
  expect(facts).toMatchObject({
    ...{ kind: 'redis', source: 'redis', product: 'Redis', version: of('redis_version'), role: 'master', replicas: 0 },
    ...{ memoryLimitBytes: 2 * 1024 * 1024, evictionPolicy: 'allkeys-lru', rejectedConnections: 0, unacked: 0 },
    ...{ unackedSince: null, rates: null, nodes: null, degraded: null },
  });
  expect(facts.connections).toBeGreaterThan(0);
  expect(facts.uptimeSeconds).toBeLessThan(60);
  expect(facts.unknown).toMatchObject({ rates: expect.any(String) as string, nodes: expect.any(String) as string });
  expect(facts.unknown).not.toHaveProperty('version');
  expect(facts.alarms?.map(({ alarm }) => alarm)).toContain('eviction');

  await using replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(redis.port)] });
  await using behind = open(replica.url);
  expect((await behind.facts()).alarms?.map(({ alarm }) => alarm)).toContain('replica');
  await direct.config('SET', 'maxmemory', '0');
  const unlimited = await own.facts();
  expect(unlimited).toMatchObject({ memoryLimitBytes: null, alarms: [] });
  expect(unlimited.unknown).not.toHaveProperty('memoryLimitBytes');
  direct.disconnect();
}, 30_000);
