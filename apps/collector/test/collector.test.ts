import { openBus, type Bus, type Bucket, type StoredBatch } from '@meadow/bus';
import {
  BUCKETS,
  clusterDefinition,
  clusterStatus,
  TaskEventReader,
  type ClusterDefinition,
  type ClusterStatus,
} from '@meadow/contract';
import {
  freePort,
  startNats,
  startRedis,
  startService,
  waitFor,
  type NatsServer,
  type RedisServer,
} from '@meadow/testkit';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';

let nats: NatsServer;
let redis: RedisServer;
let bus: Bus;
let client: Redis;
let clusters: Bucket<ClusterDefinition>;
let status: Bucket<ClusterStatus>;

beforeAll(async () => {
  [nats, redis] = await Promise.all([startNats(), startRedis()]);
  bus = await openBus({ url: nats.url, name: 'test', signal: AbortSignal.timeout(20_000) });
  await bus.events.ensure();
  clusters = await bus.bucket(BUCKETS.clusters, (value) => clusterDefinition.parse(value));
  status = await bus.bucket(BUCKETS.status, (value) => clusterStatus.parse(value), { ttlMs: 60_000 });
  client = new Redis(redis.url);
}, 40_000);

afterAll(async () => {
  client.disconnect();
  await bus[Symbol.asyncDispose]();
  await Promise.all([nats[Symbol.asyncDispose](), redis[Symbol.asyncDispose]()]);
});

const collector = (seeds: readonly { name: string; broker: string }[], env: Record<string, string> = {}) =>
  startService('collector', { natsUrl: nats.url, clickhouseUrl: '', clusters: seeds, env });

/** What kombu publishes on Redis, around the given event or text. */
function send(db: number, event: object | string, key = 'task.sent'): Promise<number> {
  const body = Buffer.from(typeof event === 'string' ? event : JSON.stringify(event)).toString('base64');
  const properties = {
    delivery_info: { exchange: 'celeryev', routing_key: key },
    body_encoding: 'base64',
    delivery_tag: '1',
  };
  const envelope = { body, 'content-encoding': 'utf-8', 'content-type': 'application/json', headers: {}, properties };
  return client.publish(`/${db}.celeryev/${key}`, JSON.stringify(envelope));
}

let clock = 0;
const task = (more: object = {}): object => ({
  type: 'task-sent',
  hostname: 'gen1@h',
  timestamp: Date.now() / 1000,
  pid: 1,
  clock: ++clock,
  uuid: randomUUID(),
  name: 'a.b',
  ...more,
});

const stateOf = async (cluster: string): Promise<ClusterStatus | null> => (await status.get(cluster))?.value ?? null;

async function connected(cluster: string): Promise<void> {
  await waitFor(async () => (await stateOf(cluster))?.state === 'connected', {
    what: `cluster ${cluster} to be connected`,
    deadlineMs: 10_000,
  });
}

/** Every row or line published for a cluster since `fromSeq`, once `count` of them are there. */
async function lines(
  cluster: string,
  fromSeq: number,
  count: number,
): Promise<{ batch: StoredBatch; line: Record<string, unknown> }[]> {
  const found: { batch: StoredBatch; line: Record<string, unknown> }[] = [];
  const reader = new TaskEventReader();
  const stop = AbortSignal.timeout(10_000);
  for await (const batch of bus.events.read(fromSeq, stop)) {
    if (batch.cluster !== cluster) continue;
    if (batch.kind === 'task') {
      reader.begin(batch.data);
      while (reader.next())
        found.push({ batch, line: { row: reader.data.toString('utf8', reader.frame, reader.frameEnd) } });
    } else {
      const texts = Buffer.from(batch.data).toString().split('\n').slice(0, -1);
      found.push(...texts.map((text) => ({ batch, line: JSON.parse(text) as Record<string, unknown> })));
    }
    if (found.length >= count) break;
  }
  return found;
}

const nextSeq = async (): Promise<number> => (await bus.events.state()).lastSeq + 1;

test('secrets in args, kwargs, results, exceptions, tracebacks, custom fields and poison never reach NATS', async () => {
  await using _collector = await collector([{ name: 'masked', broker: redis.url }]);
  await connected('masked');
  const from = await nextSeq();
  const canary = 'canary-5up3r';
  await send(0, task({ args: `('x', {'api_key': '${canary}'})`, kwargs: `{'password': '${canary}'}` }));
  await send(0, task({ type: 'task-succeeded', result: `{'token': '${canary}'}`, runtime: 1 }), 'task.succeeded');
  await send(
    0,
    task({ type: 'task-failed', exception: `E('amqp://me:${canary}@h')`, traceback: `secret='${canary}'` }),
  );
  await send(0, task({ type: 'task-progress', note: { credentials: [canary] } }), 'task.progress');
  await send(0, `{"password": "${canary}", "cut`, 'task.sent');
  const published = await lines('masked', from, 5);
  expect(published.map(({ batch }) => batch.kind).sort()).toEqual(['poison', 'task', 'task', 'task', 'task']);
  expect(JSON.stringify(published.map(({ line }) => line))).not.toContain(canary);
});

test('poison of every kind is kept aside with its reason and stops nothing', async () => {
  await using _collector = await collector([{ name: 'poisoned', broker: redis.url }]);
  await connected('poisoned');
  const from = await nextSeq();
  await client.publish('/0.celeryev/task.sent', 'no json at all');
  await client.publish('/0.celeryev/task.sent', Buffer.from([0xff, 0xfe, 0x00, 0x80]));
  await client.publish('/0.celeryev/task.sent', '{"body": "%%%", "properties": {"body_encoding": "base64"}}');
  await send(0, '['.repeat(100_000));
  await send(0, [task(), { type: 'task-sent' }, task()], 'task.multi');
  await send(0, task());
  const published = await lines('poisoned', from, 8);
  const poison = published.filter(({ batch }) => batch.kind === 'poison').map(({ line }) => line['reason']);
  expect(poison).toHaveLength(5);
  expect(new Set(poison).size).toBeGreaterThanOrEqual(4);
  expect(published.filter(({ batch }) => batch.kind === 'task')).toHaveLength(3);
});

test('a cluster is added, changed and removed while the collector runs', async () => {
  await using _collector = await collector([]);
  await clusters.put(
    'runtime',
    clusterDefinition.parse({ name: 'runtime', broker: `${redis.url.replace('/0', '/3')}` }),
  );
  await connected('runtime');
  const from = await nextSeq();
  await send(3, task());
  expect(await lines('runtime', from, 1)).toHaveLength(1);
  await clusters.put(
    'runtime',
    clusterDefinition.parse({ name: 'runtime', broker: `${redis.url.replace('/0', '/4')}` }),
  );
  await waitFor(async () => (await send(4, task())) === 1, { what: 'a subscription on db 4', deadlineMs: 10_000 });
  await waitFor(async () => (await send(3, task())) === 0, { what: 'no subscription on db 3', deadlineMs: 10_000 });
  await clusters.delete('runtime');
  await waitFor(async () => (await send(4, task())) === 0, { what: 'no subscription on db 4', deadlineMs: 10_000 });
});

test('a seeded cluster is gone when the next collector is not told of it; one that a user added stays', async () => {
  await clusters.put('added', clusterDefinition.parse({ name: 'added', broker: redis.url }));
  const first = await collector([
    { name: 'kept', broker: redis.url },
    { name: 'dropped', broker: redis.url },
  ]);
  await connected('dropped');
  await first.stop();
  await using _second = await collector([{ name: 'kept', broker: redis.url }]);
  await waitFor(async () => (await clusters.get('dropped')) === null, {
    what: 'cluster dropped to go',
    deadlineMs: 10_000,
  });
  expect((await clusters.all()).map(({ key }) => key)).toEqual(expect.arrayContaining(['added', 'kept']));
  await clusters.delete('added');
});

test('bad brokers are told in one line with cluster and remedy, and delay nobody', async () => {
  const silent = createServer(() => undefined);
  const port = await freePort();
  await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve));
  const closed = await freePort();
  await using locked = await startRedis({ password: 'right' });
  await using running = await collector(
    [
      { name: 'silent', broker: `redis://127.0.0.1:${port}/0` },
      { name: 'closed', broker: `redis://127.0.0.1:${closed}/0` },
      { name: 'scheme', broker: 'gopher://h/0' },
      { name: 'password', broker: locked.url.replace('right', 'hunter2') },
      { name: 'database', broker: `${redis.url.replace('/0', '/99')}` },
      { name: 'Bad Name', broker: redis.url },
      { name: 'fine', broker: redis.url },
    ],
    { MEADOW_CLUSTERS_FILE: '/nonexistent/clusters.yaml' },
  );
  const began = performance.now();
  await connected('fine');
  expect(performance.now() - began).toBeLessThan(3_000);
  const from = await nextSeq();
  await send(0, task());
  expect(await lines('fine', from, 1)).toHaveLength(1);

  const expected: Record<string, string> = {
    closed: 'BROKER_UNREACHABLE',
    scheme: 'BROKER_SCHEME_UNKNOWN',
    password: 'BROKER_AUTH_FAILED',
    database: 'BROKER_DB_INVALID',
  };
  for (const [cluster, code] of Object.entries(expected)) {
    await waitFor(async () => (await stateOf(cluster))?.error?.code === code, {
      what: `cluster ${cluster} to be told as ${code}`,
      deadlineMs: 15_000,
    });
    const { error } = (await stateOf(cluster))!;
    expect(error?.message).toContain(`cluster ${cluster}`);
    expect(error?.message).not.toContain('\n');
  }
  const log = running.log();
  // told once, however often it is tried
  expect(log.match(/"code":"BROKER_AUTH_FAILED"/g)).toHaveLength(1);
  expect(log).toContain('cluster number 6: name: use 1 to 63 of a-z');
  expect(log).toContain('MEADOW_CLUSTERS_FILE: ENOENT');
  expect(log).not.toContain('hunter2');
  silent.close();
}, 60_000);

test('heartbeats are thinned to the newest of each worker, while online and offline pass at once', async () => {
  await using _collector = await collector([{ name: 'beats', broker: redis.url }]);
  await connected('beats');
  const from = await nextSeq();
  const beat = (worker: number, active: number): object => ({
    type: 'worker-heartbeat',
    hostname: `w${worker}@h`,
    timestamp: Date.now() / 1000,
    pid: 1,
    clock: ++clock,
    freq: 2,
    active,
  });
  for (let round = 0; round < 20; round++) {
    for (let worker = 0; worker < 100; worker++) await send(0, beat(worker, round), 'worker.heartbeat');
  }
  await send(
    0,
    { type: 'worker-online', hostname: 'new@h', timestamp: Date.now() / 1000, pid: 2, clock: ++clock },
    'worker.online',
  );
  const published = await lines('beats', from, 101);
  expect(published.length).toBeLessThan(301);
  const newest = new Map(published.map(({ line }) => [line['worker'], line['active']]));
  expect(newest.size).toBe(101);
  expect(newest.get('w42@h')).toBe(19);
}, 30_000);

test('SIGTERM publishes what was taken before it ends, and the heartbeats that it held', async () => {
  const running = await collector([{ name: 'ending', broker: redis.url }]);
  await connected('ending');
  const from = await nextSeq();
  const beat = { type: 'worker-heartbeat', hostname: 'w@h', timestamp: Date.now() / 1000, pid: 1, clock: ++clock };
  await send(0, beat, 'worker.heartbeat');
  for (let index = 0; index < 500; index++) await send(0, task());
  await running.stop();
  expect(await lines('ending', from, 501)).toHaveLength(501);
});
