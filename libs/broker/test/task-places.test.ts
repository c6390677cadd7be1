import { encodeTask, type TaskRequestInput } from '@meadow/celery';
import { startCeleryWorker, startRabbitmq, startRedis, waitFor, type RedisServer } from '@meadow/testkit';
import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTaskSender, type TaskSender, type TaskSenderDefinition, type TaskSenderOptions } from '../src/index.ts';
import { definitionOf } from './listening.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

function open(
  broker: string,
  more: Partial<TaskSenderDefinition> = {},
  options: Partial<TaskSenderOptions> = {},
): TaskSender {
  const definition = { ...definitionOf(broker), controlExchange: 'celery', ...more };
  return openTaskSender(definition, { signal: new AbortController().signal, ...options });
}

const encode = (request: Partial<TaskRequestInput> = {}) =>
  encodeTask(
    { name: 'garden.echo', queue: 'celery', ...request },
    { nowMs: Date.now(), newId: randomUUID(), origin: 'meadow@test' },
  );

/** Ids of tasks in the order in which a worker of one process began them. */
async function began(log: () => string, count: number): Promise<string[]> {
  const ids = () => [...log().matchAll(/Task garden\.echo\[([\w-]+)\] received/g)].map((match) => match[1] ?? '');
  await waitFor(() => ids().length >= count, { what: `${count} tasks`, deadlineMs: 30_000 });
  return ids();
}

const ONE = ['--pool', 'solo', '--prefetch-multiplier', '1'];

test('redis: a worker takes the lowest priority first, through its own steps, separator and prefix', async () => {
  const transportOptions = { global_keyprefix: 'team:', priority_steps: [0, 5, 7], sep: ':' };
  await using sender = open(redis.url, { transportOptions });
  for (const [id, priority] of [
    ['nine', 9],
    ['six', 6],
    ['four', 4],
    ['none', null],
    ['huge', 255],
  ] as const) {
    await sender.send(encode({ id, priority, queue: 'prio' }));
  }
  const client = new Redis(redis.url);
  const keys = await client.keys('*prio*');
  expect(keys.toSorted()).toEqual(['team:prio', 'team:prio:5', 'team:prio:7']);
  client.disconnect();
  await using worker = await startCeleryWorker({
    ...{ brokerUrl: redis.url, args: [...ONE, '-Q', 'prio'] },
    settings: { broker_transport_options: transportOptions },
  });
  expect(await began(worker.log, 5)).toEqual(['four', 'none', 'six', 'nine', 'huge']);
}, 60_000);

test('rabbitmq: a worker takes the highest priority first, and runs what a quorum queue holds', async () => {
  await using rabbit = await startRabbitmq();
  const connection = await connect(rabbit.amqpUrl);
  const channel = await connection.createChannel();
  await channel.assertQueue('prio', { durable: true, arguments: { 'x-max-priority': 10 } });
  await channel.assertQueue('sturdy', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await using sender = open(rabbit.amqpUrl);
  for (const [id, priority] of [
    ['none', null],
    ['four', 4],
    ['ten', 10],
    ['nine', 9],
  ] as const) {
    await sender.send(encode({ id, priority, queue: 'prio' }));
  }
  const queues = {
    prio: { arguments: { 'x-max-priority': 10 } },
    sturdy: { arguments: { 'x-queue-type': 'quorum' } },
  };
  const start = (queue: string, settings: object) =>
    startCeleryWorker({
      ...{ brokerUrl: rabbit.amqpUrl, name: queue, settings: { ...settings }, args: ['--pool', 'solo', '-Q', queue] },
      env: { GARDEN_QUEUES: JSON.stringify(queues) },
    });
  await using worker = await start('prio', { worker_prefetch_multiplier: 1 });
  expect(await began(worker.log, 4)).toEqual(['ten', 'nine', 'four', 'none']);
  // Celery 5.2 limits what it takes in a way that quorum queues do not know
  await using sturdy = await start('sturdy', { worker_prefetch_multiplier: 0 });
  const id = await sender.send(encode({ queue: 'sturdy', priority: 9, expires: 60 }));
  expect(await began(sturdy.log, 1)).toEqual([id.taskId]);
  await connection.close();
}, 120_000);

test('rabbitmq: a full queue, a user who may not, and a missing queue are refusals, and the next task is sent', async () => {
  const reader = {
    name: 'reader',
    password: 'pw',
    permissions: [{ vhost: '/', configure: '', write: '', read: '.*' }],
  };
  await using rabbit = await startRabbitmq({ users: [reader] });
  const connection = await connect(rabbit.amqpUrl);
  const channel = await connection.createChannel();
  const full = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };
  await channel.assertQueue('full', { durable: true, arguments: full });
  await channel.assertQueue('celery', { durable: true });
  await using sender = open(rabbit.amqpUrl);
  await sender.send(encode({ queue: 'full' }));
  await expect(sender.send(encode({ queue: 'full' }))).rejects.toMatchObject({ code: 'SEND_REFUSED' });
  const many = Array.from({ length: 200 }, (_, index) => encode({ queue: index % 2 === 0 ? 'celery' : 'nowhere' }));
  const outcomes = await Promise.allSettled(many.map((task) => sender.send(task)));
  expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(100);
  expect(await channel.checkQueue('celery')).toMatchObject({ messageCount: 100 });
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'SEND_UNROUTABLE' });

  await using denied = open(rabbit.amqpUrl.replace('guest:guest', 'reader:pw'));
  await expect(denied.send(encode())).rejects.toMatchObject({
    code: 'SEND_REFUSED',
    message: expect.stringContaining('403') as string,
  });
  await connection.close();
}, 90_000);

test('rabbitmq: short of memory it is sent nothing more, and what it has not confirmed is said to be unknown', async () => {
  await using rabbit = await startRabbitmq();
  const connection = await connect(rabbit.amqpUrl);
  const channel = await connection.createChannel();
  await channel.assertQueue('celery', { durable: true });
  await using sender = open(rabbit.amqpUrl);
  await sender.send(encode());
  await rabbit.rabbitmqctl(['set_vm_memory_high_watermark', '0.0000001']);
  // it is told with the first task after it was found out
  const outcome = () => sender.send(encode()).catch((error: { code: string }) => error.code);
  const unknown = () =>
    waitFor(async () => (await outcome()) === 'SEND_OUTCOME_UNKNOWN', { what: 'the alarm', everyMs: 200 });
  await unknown();
  expect(await outcome()).toBe('SEND_BLOCKED');
  await rabbit.rabbitmqctl(['set_vm_memory_high_watermark', '0.8']);
  await waitFor(async () => typeof (await outcome()) === 'object', { what: 'the next task', everyMs: 200 });
  await connection.close();
}, 90_000);

test('redis: what is no queue, and a user who may not, are refusals with their reasons', async () => {
  const acl = [
    'tasks on >pw ~celery &* +@connection +lpush +smembers -select',
    'reader on >pw ~* &* +@read +@connection',
  ];
  await using server = await startRedis({ acl });
  const client = new Redis(server.url);
  await client.set('text', 'no list');
  client.disconnect();
  const as = (user: string, db = 0) => server.url.replace(/redis:\/\/(.*)\/0$/, `redis://${user}:pw@$1/${db}`);
  await using sender = open(server.url);
  await expect(sender.send(encode({ queue: 'text' }))).rejects.toMatchObject({
    code: 'SEND_REFUSED',
    message: expect.stringMatching('WRONGTYPE') as string,
  });
  await using tasks = open(as('tasks'));
  expect(await tasks.send(encode())).toMatchObject({ queues: ['celery'] });
  await expect(tasks.send(encode({ queue: 'other' }))).rejects.toMatchObject({
    code: 'SEND_REFUSED',
    message: expect.stringMatching('NOPERM') as string,
  });
  await using reader = open(as('reader'));
  await expect(reader.send(encode())).rejects.toMatchObject({
    code: 'SEND_REFUSED',
    message: expect.stringMatching('NOPERM') as string,
  });
  // in the wrong database nobody would ever find the task
  await using misplaced = open(as('tasks', 2));
  await expect(misplaced.send(encode())).rejects.toMatchObject({ code: 'BROKER_PERMISSION_DENIED' });
}, 60_000);

test('a broker that is away is told at once, and used again once it is there', async () => {
  await using server = await startRedis();
  await using sender = open(server.url);
  await sender.send(encode());
  await server.stop();
  await waitFor(() => sender.status.state === 'failed', { what: 'the loss' });
  await expect(sender.send(encode())).rejects.toMatchObject({ name: 'BrokerError', code: 'BROKER_UNREACHABLE' });
  await server.restart();
  await waitFor(() => sender.status.state === 'connected', { what: 'the connection', deadlineMs: 20_000 });
  expect(await sender.send(encode())).toMatchObject({ queues: ['celery'] });
}, 60_000);

test('where no answer comes it is said that the task may run', async () => {
  await using server = await startRedis();
  await using sender = open(server.url, {}, { sendTimeoutMs: 500 });
  await sender.send(encode());
  const client = new Redis(server.url);
  await client.call('CLIENT', 'PAUSE', '3000', 'WRITE');
  await expect(sender.send(encode())).rejects.toMatchObject({ code: 'SEND_OUTCOME_UNKNOWN' });
  await client.call('CLIENT', 'UNPAUSE');
  await waitFor(() => sender.send(encode()), { what: 'the next task', deadlineMs: 20_000 });
  client.disconnect();
}, 60_000);

test('the end of a sender does not wait for a broker that hangs', async () => {
  const hung = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(hung, 'listening');
  const { port } = hung.address() as AddressInfo;
  for (const url of [`redis://127.0.0.1:${port}/0`, `amqp://127.0.0.1:${port}//`]) {
    const sender = open(url, {}, { sendTimeoutMs: 300 });
    await expect(sender.send(encode())).rejects.toMatchObject({ code: 'BROKER_TIMEOUT' });
    const sending = sender.send(encode()).catch((error: unknown) => error);
    const begin = performance.now();
    await sender[Symbol.asyncDispose]();
    await sending;
    expect(performance.now() - begin).toBeLessThan(1_500);
  }
  hung.close();
});
