import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { startMeadow, startRabbitmq, startRedis, waitFor, type Meadow } from '@meadow/testkit';
import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOSTILE, HOSTILE_ENVELOPES, ODD_HEADERS, type Hostile } from './hostile-messages.ts';

/** Good events a second, all the while. */
const GOOD_PER_SECOND = 500;
/** Of a message of 20 MB a process may hold several copies at a time, and of one that comes while they last again. */
const PEAK_MB = 900;

let meadow: Meadow;
let store: ClickHouseClient;
let redis: Publisher;
let rabbitmq: Publisher;
const servers: AsyncDisposable[] = [];

/** Publishes as Celery does, and what it never would. */
interface Publisher extends AsyncDisposable {
  readonly cluster: string;
  event(body: string): Promise<unknown>;
  hostile(message: Hostile): Promise<unknown>;
}

beforeAll(async () => {
  const [redisServer, rabbitmqServer] = await Promise.all([startRedis(), startRabbitmq()]);
  servers.push(redisServer, rabbitmqServer);
  meadow = await startMeadow({
    services: ['aggregator', 'collector'],
    clusters: [
      { name: 'redis', broker: redisServer.url },
      { name: 'rabbit', broker: rabbitmqServer.amqpUrl },
    ],
  });
  store = createClient({ url: meadow.clickhouse.url, database: 'meadow', log: { level: ClickHouseLogLevel.OFF } });
  redis = onRedis(redisServer.url);
  rabbitmq = await onRabbitmq(rabbitmqServer.amqpUrl);
}, 90_000);

afterAll(async () => {
  await redis[Symbol.asyncDispose]();
  await rabbitmq[Symbol.asyncDispose]();
  await store.close();
  await meadow[Symbol.asyncDispose]();
  for (const server of servers) await server[Symbol.asyncDispose]();
}, 60_000);

function onRedis(url: string): Publisher {
  const client = new Redis(url);
  const send = (message: Partial<Hostile> & { body: Buffer }): Promise<unknown> =>
    client.publish(
      '/0.celeryev/task.multi',
      JSON.stringify({
        body: message.body.toString('base64'),
        'content-encoding': message.contentEncoding ?? 'utf-8',
        'content-type': message.contentType ?? 'application/json',
        headers: message.headers ?? {},
        properties: { body_encoding: 'base64', delivery_info: { exchange: 'celeryev', routing_key: 'task.multi' } },
      }),
    );
  return {
    cluster: 'redis',
    event: (body) => send({ body: Buffer.from(body) }),
    hostile: async (message) => {
      await send(message);
      // the envelopes come once, with the first
      if (message === HOSTILE[0]) {
        for (const [, payload] of HOSTILE_ENVELOPES) await client.publish('/0.celeryev/task.sent', payload);
      }
    },
    [Symbol.asyncDispose]: async () => client.disconnect(),
  };
}

async function onRabbitmq(url: string): Promise<Publisher> {
  const connection = await connect(url);
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange('celeryev', 'topic', { durable: true });
  const send = async (message: Partial<Hostile> & { body: Buffer }): Promise<void> => {
    channel.publish('celeryev', 'task.multi', message.body, {
      contentType: message.contentType ?? 'application/json',
      contentEncoding: message.contentEncoding ?? 'utf-8',
      headers: message.headers ?? ODD_HEADERS,
    });
    await channel.waitForConfirms();
  };
  return {
    cluster: 'rabbit',
    event: (body) => send({ body: Buffer.from(body) }),
    hostile: send,
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

const good = (name: string): string =>
  JSON.stringify({
    ...{ type: 'task-received', uuid: randomUUID(), hostname: 'celery@good', pid: 2, clock: ++clock },
    ...{ timestamp: Date.now() / 1000, name, args: '()', kwargs: '{}', retries: 0 },
  });
let clock = 0;

async function query<Row>(sql: string): Promise<Row[]> {
  return (await store.query({ query: sql, format: 'JSONEachRow' })).json<Row>();
}

const count = async (cluster: string, name: string): Promise<number> => {
  const where = `cluster = '${cluster}' AND name = '${name}'`;
  const [row] = await query<{ n: string }>(`SELECT count() AS n FROM task_events WHERE ${where}`);
  return Number(row?.n);
};

/** Good events at a steady rate until told to stop; the number published. */
function keepPublishing(publisher: Publisher): { stop(): Promise<number> } {
  let stopped = false;
  let published = 0;
  const publishing = (async () => {
    const began = performance.now();
    while (!stopped) {
      const due = ((performance.now() - began) / 1000) * GOOD_PER_SECOND;
      for (; published < due; published++) await publisher.event(good('good.task'));
      await delay(10);
    }
    return published;
  })();
  return {
    stop: () => {
      stopped = true;
      return publishing;
    },
  };
}

function peakMb(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

function histogram(reasons: readonly (readonly [string, number])[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [reason, n] of reasons) counts[reason] = (counts[reason] ?? 0) + n;
  return counts;
}

test.each(['redis', 'rabbit'] as const)(
  'hostile messages on %s stop nothing: each is kept aside or kept, every good event counts once, and lag recovers',
  async (cluster) => {
    const publisher = cluster === 'redis' ? redis : rabbitmq;
    // heard at all
    await waitFor(async () => (await publisher.event(good('probe')), (await count(cluster, 'probe')) > 0), {
      what: `the collector to hear ${cluster}`,
      deadlineMs: 30_000,
      everyMs: 200,
    });
    const flow = keepPublishing(publisher);
    for (const message of HOSTILE) {
      await publisher.hostile(message);
      await publisher.event(good(`after ${message.what}`));
      // what comes next is taken however the message before it ends
      await waitFor(async () => (await count(cluster, `after ${message.what}`)) === 1, {
        what: `the event after ${message.what}`,
        deadlineMs: 30_000,
        everyMs: 100,
      });
    }
    const published = await flow.stop();
    await waitFor(async () => (await count(cluster, 'good.task')) >= published, {
      what: `${published} good events`,
      deadlineMs: 30_000,
      everyMs: 200,
    });
    expect(await count(cluster, 'good.task')).toBe(published);

    const expected = [
      ...HOSTILE.flatMap(({ poison = {} }) => Object.entries(poison)),
      ...(cluster === 'redis' ? HOSTILE_ENVELOPES.map(([reason]) => [reason, 1] as const) : []),
    ];
    const poison = await query<{ reason: string; n: string }>(
      `SELECT reason, count() AS n FROM poison WHERE cluster = '${cluster}' GROUP BY reason`,
    );
    expect(histogram(poison.map(({ reason, n }) => [reason, Number(n)] as const))).toEqual(histogram(expected));
    const ids = HOSTILE.flatMap(({ tasks = [] }) => tasks);
    const odd = await query<{ task_id: string; traceback: string }>(
      `SELECT task_id, substring(traceback, 1, 100000) AS traceback FROM task_events
       WHERE cluster = '${cluster}' AND worker = 'celery@odd' AND task_id != 'odd-1970'`,
    );
    expect(odd.map(({ task_id }) => task_id).sort()).toEqual(ids.toSorted());
    const long = odd.find(({ task_id }) => task_id === 'odd-traceback')?.traceback ?? '';
    expect(long).toContain('characters cut by Meadow');
    expect(long.length).toBeLessThan(70_000);

    const { collector, aggregator } = meadow.services;
    for (const [name, service] of Object.entries({ collector, aggregator })) {
      const peak = peakMb(service?.pid ?? 0);
      expect({ name, peak, bounded: peak < PEAK_MB }).toMatchObject({ bounded: true });
    }
  },
  300_000,
);
