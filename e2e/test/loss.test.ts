import { createClient, type ClickHouseClient } from '@clickhouse/client';
import {
  celeryEnvironment,
  runPython,
  startCeleryWorker,
  startMeadow,
  startRedis,
  startService,
  waitFor,
  type CeleryWorker,
  type Meadow,
  type RedisServer,
} from '@meadow/testkit';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';

// One broker, watched twice: directly, and through a line that can be cut. What the first hears is the truth.
let redis: RedisServer;
let line: Line;
let meadow: Meadow;
let store: ClickHouseClient;
const alongside: AsyncDisposable[] = [];

/** A TCP line to the broker that can be cut: connections break, and new ones are refused until it is mended. */
class Line implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  cut = false;

  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect(port, '127.0.0.1');
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        // prettier-ignore
        this.#sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => void (this.#sockets.delete(socket), other.destroy()));
      }
      near.pipe(far).pipe(near);
      if (this.cut) near.destroy();
    });
  }

  async open(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  break(): void {
    this.cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.break();
    this.#server.close();
  }
}

beforeAll(async () => {
  redis = await startRedis();
  line = new Line(redis.port);
  const clusters = [
    { name: 'whole', broker: redis.url },
    { name: 'cut', broker: `redis://127.0.0.1:${await line.open()}/0` },
  ];
  meadow = await startMeadow({ services: ['aggregator', 'collector', 'gateway'], clusters });
  // two of each: what both heard must not be counted twice, and one of them only measures
  const urls = { natsUrl: meadow.nats.url, clickhouseUrl: meadow.clickhouse.url };
  alongside.push(await startService('collector', { ...urls, clusters }), await startService('aggregator', urls));
  store = createClient({ url: meadow.clickhouse.url, database: 'meadow' });
}, 90_000);

afterAll(async () => {
  await store.close();
  for (const service of alongside) await service[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
  await line[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
}, 60_000);

/** Has tasks run: of 10, one fails and one is retried twice, which makes 12 starts. */
async function run(tens: number): Promise<void> {
  const script = `
import garden
for ten in range(${tens}):
    for index in range(8): garden.add.delay(1, index)
    garden.fail.delay()
    garden.flaky.delay(2, 0.05)`;
  await runPython(script, { env: celeryEnvironment({ brokerUrl: redis.url }) });
}

async function one<Row>(query: string): Promise<Row> {
  const answer = await store.query({ query, format: 'JSONEachRow' });
  return (await answer.json<Row>())[0] as Row;
}

async function starts(cluster: string): Promise<number> {
  const where = `cluster = '${cluster}' AND type = 'task-started'`;
  return Number((await one<{ n: string }>(`SELECT count() AS n FROM task_events WHERE ${where}`)).n);
}

interface Loss {
  readonly expected: number;
  readonly heard: number;
  readonly lost: number;
  readonly unmeasured: number;
  readonly until: number;
}

const measured = async (cluster: string): Promise<Loss> => {
  const row = await one<Record<keyof Loss, string>>(`
    SELECT sum(expected) AS expected, sum(heard) AS heard, sum(lost) AS lost, sum(unmeasured) AS unmeasured,
           toUInt32(max(ended_at)) AS until
    FROM ingest_loss FINAL WHERE cluster = '${cluster}'`);
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)])) as unknown as Loss;
};

/** Starts of so many tens, and of nothing else, have been heard by the direct line. */
const ran = (tens: number): Promise<unknown> =>
  waitFor(async () => (await starts('whole')) === tens * 12, { what: `${tens * 12} starts`, deadlineMs: 60_000 });

const heartbeatAfter = async (cluster: string, at: number): Promise<unknown> =>
  waitFor(
    async () =>
      Number(
        (
          await one<{ n: string }>(
            `SELECT count() AS n FROM worker_samples WHERE cluster = '${cluster}' AND collected_at > ${at} AND processed IS NOT NULL`,
          )
        ).n,
      ) > 0,
    { what: `a heartbeat in ${cluster}`, deadlineMs: 30_000 },
  );

test('what is lost on the way is measured to the last start; what is not lost, a restart among it, measures zero', async () => {
  const settings = { brokerUrl: redis.url, name: 'tester' };
  let worker: CeleryWorker = await startCeleryWorker(settings);
  try {
    await heartbeatAfter('cut', Date.now() / 1000);
    await run(5);
    await ran(5);
    await heartbeatAfter('cut', Date.now() / 1000);

    line.break();
    await run(8);
    await ran(13);
    line.cut = false;
    await heartbeatAfter('cut', Date.now() / 1000);
    await run(4);
    await ran(17);

    // a goodbye with the last count, and a new process that counts from zero
    await worker.stop();
    worker = await startCeleryWorker(settings);
    await heartbeatAfter('cut', Date.now() / 1000);
    await run(3);
    await ran(20);
    await heartbeatAfter('cut', Date.now() / 1000);
    const truth = (await starts('whole')) - (await starts('cut'));
    expect(truth).toBeGreaterThan(50);

    const end = Date.now() / 1000;
    const cut = await waitFor(async () => {
      const loss = await measured('cut');
      return loss.until > end ? loss : null;
    }, { what: 'the measured loss', deadlineMs: 120_000, everyMs: 1_000 }); // prettier-ignore
    expect(cut).toMatchObject({ expected: 240, heard: 240 - truth, lost: truth, unmeasured: 0 });
    expect(await measured('whole')).toMatchObject({ expected: 240, heard: 240, lost: 0, unmeasured: 0 });

    const { loss } = await overview();
    expect(loss).toMatchObject([
      { cluster: 'cut', expected: 240, lost: truth },
      { cluster: 'whole', expected: 240, lost: 0, windows: [] },
    ]);
    expect(await metric('meadow_aggregator_starts_lost{cluster="cut"}')).toBe(truth);
    expect(await metric('meadow_aggregator_starts_lost{cluster="whole"}')).toBe(0);
  } finally {
    await worker.kill9();
  }
}, 280_000);

async function overview(): Promise<{ loss: unknown }> {
  const input = encodeURIComponent(JSON.stringify({ range: '1h' }));
  const answer = await fetch(`${meadow.services.gateway?.url}/trpc/overview.get?input=${input}`);
  return ((await answer.json()) as { result: { data: { loss: unknown } } }).result.data;
}

/** Of whichever aggregator measures. */
async function metric(name: string): Promise<number> {
  const aggregators = [meadow.services.aggregator, ...alongside.filter((each) => 'url' in each)] as { url: string }[];
  const pages = await Promise.all(aggregators.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
  const lines = pages.flatMap((page) => page.split('\n')).filter((each) => each.startsWith(`${name} `));
  expect(lines).toHaveLength(1);
  return Number(lines[0]?.slice(name.length));
}
