import { clusterDefinition, judgeTraffic, type ClusterDefinitionInput, type Finding } from '@meadow/contract';
import { celeryEnvironment, freePort, runPython, startCeleryWorker, startRabbitmq, startRedis } from '@meadow/testkit';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { examineBroker, type Examination } from '../src/index.ts';

const examine = (broker: string, more: Partial<ClusterDefinitionInput> = {}, listenMs = 0) => {
  const definition = clusterDefinition.parse({ name: 'garden', broker, ...more });
  return examineBroker(definition, { signal: AbortSignal.timeout(30_000), timeoutMs: 2_000, listenMs });
};
const verdicts = (findings: readonly Finding[]) =>
  Object.fromEntries(findings.map(({ check, verdict }) => [check, verdict]));
const of = ({ findings }: Examination, check: string) => findings.find((each) => each.check === check);

describe('a healthy cluster passes', () => {
  const healthy = { workers: 'pass', 'task-events': 'pass', 'task-sent': 'pass', heartbeats: 'pass', versions: 'pass' };

  async function look(brokerUrl: string): Promise<Record<string, string>> {
    await using _worker = await startCeleryWorker({ brokerUrl });
    const examining = examine(brokerUrl, {}, 6_000);
    const env = celeryEnvironment({ brokerUrl });
    await runPython('import garden, time\nfor n in range(8):\n  garden.add.delay(n, n)\n  time.sleep(0.5)', { env });
    const { findings, traffic } = await examining;
    expect(traffic).toMatchObject({ workers: 1, quietWorkers: 0, skewed: [] });
    return { ...verdicts(findings), ...(traffic === null ? {} : verdicts(judgeTraffic(traffic))) };
  }

  test('over redis', async () => {
    await using redis = await startRedis({ args: ['--client-output-buffer-limit', 'pubsub 256mb 64mb 60'] });
    expect(await look(redis.url)).toMatchObject({
      ...healthy,
      ...{
        definition: 'pass',
        reachable: 'pass',
        credentials: 'pass',
        place: 'pass',
        permissions: 'pass',
        clocks: 'pass',
      },
      ...{
        version: 'pass',
        'event-exchange': 'pass',
        eviction: 'pass',
        'pubsub-buffer': 'pass',
        'priority-steps': 'pass',
      },
      ...{ 'reply-queues': 'pass', 'result-backend': 'warn' },
    });
  }, 60_000);

  test('over rabbitmq', async () => {
    await using rabbit = await startRabbitmq();
    expect(await look(rabbit.amqpUrl)).toMatchObject({
      ...healthy,
      ...{
        definition: 'pass',
        reachable: 'pass',
        credentials: 'pass',
        place: 'pass',
        permissions: 'pass',
        clocks: 'pass',
      },
      ...{ version: 'pass', 'event-exchange': 'pass', 'event-queue': 'unknown' },
    });
    // it leaves nothing behind
    expect(await rabbit.rabbitmqctl(['list_queues', 'name'])).not.toContain('meadow.doctor');
  }, 90_000);
});

describe('each fault is named with its remedy', () => {
  test('of redis', async () => {
    await using redis = await startRedis({ args: ['--requirepass', 'secret-word'] });
    const port = await freePort();
    const closed = await examine(`redis://127.0.0.1:${port}/0`);
    expect(verdicts(closed.findings)).toMatchObject({ definition: 'pass', reachable: 'fail', credentials: 'unknown' });
    const { port: open } = new URL(redis.url);
    const locked = await examine(`redis://:wrong@127.0.0.1:${open}/0`);
    expect(verdicts(locked.findings)).toMatchObject({ reachable: 'pass', credentials: 'fail', place: 'unknown' });
    const nowhere = await examine(`redis://:secret-word@127.0.0.1:${open}/99`);
    expect(verdicts(nowhere.findings)).toMatchObject({ credentials: 'pass', place: 'fail' });
    expect(of(nowhere, 'place')?.remedy).toContain('databases');
    const odd = await examine('gopher://host');
    expect(of(odd, 'definition')).toMatchObject({ verdict: 'fail' });
    expect(JSON.stringify([closed, locked, nowhere, odd])).not.toContain('secret-word');
  });

  test('a redis that hangs after it let us in', async () => {
    const hung = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => /client/i.test(bytes.toString()) && socket.write('+OK\r\n'));
    }).listen(0, '127.0.0.1');
    await once(hung, 'listening');
    const { findings } = await examine(`redis://127.0.0.1:${(hung.address() as AddressInfo).port}/0`);
    expect(verdicts(findings)).toMatchObject({ definition: 'pass', reachable: 'fail', credentials: 'unknown' });
    hung.close();
  }, 15_000);

  test('a redis that evicts, cuts listeners off, and holds orphans', async () => {
    await using redis = await startRedis({
      args: [
        '--maxmemory',
        '100mb',
        '--maxmemory-policy',
        'allkeys-lru',
        '--client-output-buffer-limit',
        'pubsub 8mb 2mb 60',
      ],
    });
    const client = new Redis(redis.url);
    await client.lpush('0f3c.reply.celery.pidbox', 'x');
    await client.lpush('celery\u0006\u00163', 'x');
    await client.lpush('celery\u0006\u00169', 'x');
    client.disconnect();
    const silent = await examine(redis.url, { resultBackend: 'rpc://' }, 500);
    expect(verdicts(silent.findings)).toMatchObject({
      ...{
        eviction: 'fail',
        'pubsub-buffer': 'warn',
        'reply-queues': 'warn',
        'event-exchange': 'warn',
        'result-backend': 'warn',
      },
    });
    expect(of(silent, 'eviction')?.remedy).toBe('CONFIG SET maxmemory-policy noeviction');
    expect(of(silent, 'priority-steps')?.says).toBe('0, 3, 9 in use');
    const traffic = silent.traffic;
    expect(traffic === null ? {} : verdicts(judgeTraffic(traffic))).toMatchObject({
      workers: 'fail',
      'task-sent': 'unknown',
    });
  });

  test('of rabbitmq', async () => {
    await using rabbit = await startRabbitmq({
      users: [
        {
          name: 'reader',
          password: 'secret-word',
          permissions: [{ vhost: '/', configure: '^$', write: '^$', read: '.*' }],
        },
      ],
    });
    const { port } = new URL(rabbit.amqpUrl);
    const at = (login: string, vhost: string) => `amqp://${login}@127.0.0.1:${port}/${vhost}`;
    expect(verdicts((await examine(at('guest:wrong', ''))).findings)).toMatchObject({ credentials: 'fail' });
    expect(verdicts((await examine(at('guest:guest', 'nowhere'))).findings)).toMatchObject({ place: 'fail' });
    const bare = await examine(at('guest:guest', '%2F'));
    expect(verdicts(bare.findings)).toMatchObject({ 'event-exchange': 'warn', permissions: 'unknown' });
    const reader = await examine(at('reader:secret-word', '%2F'));
    expect(verdicts(reader.findings)).toMatchObject({ place: 'pass', permissions: 'fail' });
    expect(of(reader, 'permissions')?.remedy).toContain('set_permissions');
    expect(JSON.stringify(reader)).not.toContain('secret-word');
  }, 90_000);
});

test('what workers send, or do not, is judged', () => {
  const traffic = {
    seconds: 60,
    workers: 3,
    quietWorkers: 0,
    sent: 0,
    received: 9,
    started: 9,
    versions: ['5.4.0'],
    skewed: [],
  };
  expect(verdicts(judgeTraffic(traffic))).toMatchObject({ 'task-sent': 'warn', clocks: 'pass', versions: 'pass' });
  const odd = {
    ...traffic,
    quietWorkers: 2,
    versions: ['4.4.7', '5.4.0'],
    skewed: [{ worker: 'celery@a', seconds: -30 }],
  };
  const judged = judgeTraffic(odd);
  expect(verdicts(judged)).toMatchObject({ heartbeats: 'warn', versions: 'warn', clocks: 'warn' });
  expect(judged.find(({ check }) => check === 'clocks')?.says).toBe('celery@a 30.0 s ahead');
  const idle = { ...traffic, received: 0, started: 0 };
  expect(verdicts(judgeTraffic(idle))).toMatchObject({
    workers: 'pass',
    'task-events': 'warn',
    'task-sent': 'unknown',
  });
});
