import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import type { AttemptRow, TaskRow } from '@meadow/contract';
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
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 150_000, maxConcurrency: 6 });

/** As short as it makes sense; what the rules add is 10 s of silence, 5 s of thinning, 10 s to settle, 10 s to look. */
const LOST_AFTER = 3;
const VISIBILITY_SECONDS = 5;
const DEADLINE_MS = 100_000;

let redis: RedisServer;
let other: RedisServer;
let meadow: Meadow;
let store: ClickHouseClient;

type Cluster = 'plain' | 'backed' | 'cut';
const brokers = (): Record<Cluster, string> => ({
  plain: redis.url,
  backed: redis.url.replace(/\/0$/, '/1'),
  cut: other.url,
});
const backend = () => redis.url.replace(/\/0$/, '/2');
const clusters = () => [
  { name: 'plain', broker: brokers().plain },
  { name: 'backed', broker: brokers().backed, resultBackend: backend() },
  { name: 'cut', broker: brokers().cut },
];

beforeAll(async () => {
  [redis, other] = await Promise.all([startRedis(), startRedis()]);
  meadow = await startMeadow({
    services: ['aggregator', 'collector'],
    clusters: clusters(),
    env: { MEADOW_LOST_AFTER_SECONDS: String(LOST_AFTER) },
  });
  store = createClient({ url: meadow.clickhouse.url, database: 'meadow', log: { level: ClickHouseLogLevel.OFF } });
});
afterAll(async () => {
  await store.close();
  await meadow[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

const settingsOf = (cluster: Cluster) => ({
  brokerUrl: brokers()[cluster],
  ...(cluster === 'backed' ? { backendUrl: backend() } : {}),
  settings: { broker_transport_options: { visibility_timeout: VISIBILITY_SECONDS } },
});

/** A worker of a queue that has its name. */
const worker = (cluster: Cluster, name: string, args: readonly string[] = []): Promise<CeleryWorker> =>
  startCeleryWorker({
    ...settingsOf(cluster),
    name,
    args: ['--concurrency', '2', '--without-gossip', '--without-mingle', '-Q', name, ...args],
  });

/** Publishes one task to a worker's queue; `call` is the Python of its arguments. @returns its id */
async function send(cluster: Cluster, queue: string, task: string, call = ''): Promise<string> {
  const id = randomUUID();
  const script = `import garden; garden.${task}.apply_async(${call}${call === '' ? '' : ','} task_id='${id}', queue='${queue}')`;
  await runPython(script, { env: celeryEnvironment(settingsOf(cluster)) });
  return id;
}

async function rows<Row>(query: string): Promise<Row[]> {
  return (await store.query({ query, format: 'JSONEachRow' })).json<Row>();
}

async function taskOf(id: string): Promise<TaskRow | null> {
  const [row] = await rows<TaskRow & { attempt_log: string }>(`SELECT * FROM tasks WHERE task_id = '${id}'`);
  if (row === undefined) return null;
  return { ...row, attempt_log: row.attempt_log === '' ? [] : (JSON.parse(row.attempt_log) as AttemptRow[]) };
}

/** Waits until the task is as wished, and returns it. */
async function reach(id: string, wish: (task: TaskRow) => boolean, what: string): Promise<TaskRow> {
  let last: TaskRow | null = null;
  const look = async (): Promise<TaskRow | false> => {
    last = await taskOf(id);
    return last !== null && wish(last) && last;
  };
  try {
    return await waitFor(look, { what, deadlineMs: DEADLINE_MS, everyMs: 250 });
  } catch (error) {
    throw new Error(`${what}: ${JSON.stringify(last)}\n${meadow.services.aggregator?.log().slice(-2000) ?? ''}`, {
      cause: error,
    });
  }
}

const inState = (id: string, state: string): Promise<TaskRow> =>
  reach(id, (task) => task.state === state, `task to be ${state}`);

describe.concurrent('a task does not stay open when', () => {
  test('its worker was killed', async () => {
    await using killed = await worker('plain', 'killed');
    const id = await send('plain', 'killed', 'slow', '(300, 1)');
    await inState(id, 'STARTED');
    await killed.kill9();
    const task = await inState(id, 'LOST');
    expect(task).toMatchObject({ end_source: 'derived', end_reason: 'worker-lost', is_final: true });
  });

  test('its worker was shut down cold, whether it says goodbye or not', async () => {
    await using cold = await worker('plain', 'cold');
    const id = await send('plain', 'cold', 'slow', '(300, 1)');
    await inState(id, 'STARTED');
    process.kill(cold.pid, 'SIGQUIT');
    const task = await inState(id, 'LOST');
    expect(task.end_source).toBe('derived');
    expect(['worker-offline', 'worker-lost']).toContain(task.end_reason);
  });

  test('another process took the name of its worker', async () => {
    await using first = await worker('plain', 'phoenix');
    const id = await send('plain', 'phoenix', 'slow', '(300, 1)');
    await inState(id, 'STARTED');
    await first.kill9();
    await using _second = await worker('plain', 'phoenix');
    const task = await inState(id, 'LOST');
    expect(task).toMatchObject({ end_source: 'derived', end_reason: 'worker-restarted' });
  });

  test('it raised Ignore or met a hard time limit; but what still runs is left alone', async () => {
    await using _quiet = await worker('plain', 'quiet');
    await using _busy = await worker('plain', 'busy');
    const running = await send('plain', 'busy', 'slow', '(300, 1)');
    const overdue = await send('plain', 'quiet', 'slow', '(300, 1), time_limit=2');
    const ignored = await send('plain', 'quiet', 'ignore');
    const failed = await inState(overdue, 'FAILURE');
    expect(failed).toMatchObject({ end_source: 'event', exception_type: 'TimeLimitExceeded' });
    expect(await inState(ignored, 'LOST')).toMatchObject({ end_source: 'derived', end_reason: 'no-end' });
    expect((await taskOf(running))?.state).toBe('STARTED');
  });

  test('it raised Ignore on a worker that is never idle, all of whose other tasks are left alone', async () => {
    await using _restless = await worker('plain', 'restless');
    const ignored = randomUUID();
    const lingering = (count: number): string =>
      `[garden.linger.apply_async((3,), queue='restless') for _ in range(${count})]`;
    const ignoring = `garden.ignore.apply_async(task_id='${ignored}', queue='restless')`;
    const script = `import garden; ${lingering(4)}; ${ignoring}; ${lingering(76)}`;
    await runPython(script, { env: celeryEnvironment(settingsOf('plain')) });
    expect(await inState(ignored, 'LOST')).toMatchObject({ end_source: 'derived', end_reason: 'no-end' });
    const states = `SELECT state, count() AS n FROM tasks WHERE cluster = 'plain' AND name = 'garden.linger' AND queue = 'restless' GROUP BY state`;
    const counts = new Map(
      (await rows<{ state: string; n: string }>(states)).map(({ state, n }) => [state, Number(n)]),
    );
    // two, unless one has just ended
    expect(counts.get('STARTED') ?? 0).toBeGreaterThan(0);
    expect(counts.get('LOST')).toBeUndefined();
  });

  test('its message was delivered again: that is a second attempt of the same task', async () => {
    await using first = await worker('plain', 'tide');
    const id = await send('plain', 'tide', 'linger', '(8,)');
    await inState(id, 'STARTED');
    await first.kill9();
    // a worker gives back what is past its visibility timeout when it begins, and then after 100 s only
    await delay(VISIBILITY_SECONDS * 1000);
    await using _second = await worker('plain', 'tide');
    const task = await inState(id, 'SUCCESS');
    expect(task.attempts).toBe(2);
    expect(task.attempt_log).toMatchObject([
      { number: 1, retries: 0, redelivered: false },
      { number: 2, retries: 0, redelivered: true, state: 'SUCCESS' },
    ]);
    expect(await rows(`SELECT 1 FROM tasks WHERE task_id = '${id}'`)).toHaveLength(1);
  });

  test('the broker was away for 30 s meanwhile, and nothing is concluded from that', async () => {
    await using _worker = await worker('cut', 'islander');
    const id = await send('cut', 'islander', 'slow', '(75, 1)');
    await inState(id, 'STARTED');
    process.kill(other.pid, 'SIGSTOP');
    await delay(30_000);
    process.kill(other.pid, 'SIGCONT');
    const task = await inState(id, 'SUCCESS');
    expect(task.end_source).toBe('event');
    expect(await rows(`SELECT * FROM task_events WHERE cluster = 'cut' AND type = 'meadow-lost'`)).toEqual([]);
  });
});

test('a result backend shows progress as it comes, and results in full with secrets hidden', async () => {
  await using _worker = await worker('backed', 'scribe');
  const slow = await send('backed', 'scribe', 'slow', '(6, 3)');
  const told = await reach(slow, (task) => task.state === 'PROGRESS', 'progress');
  expect(JSON.parse(told.progress)).toMatchObject({ total: 3 });
  const long = await send('backed', 'scribe', 'echo', `(), dict(password='hunter2', text='x' * 3000, amount=1.0)`);
  const task = await reach(long, ({ state, cut }) => state === 'SUCCESS' && !cut.includes('result'), 'whole result');
  expect(task.result).toContain('x'.repeat(3000));
  expect(task.result).toContain("'amount': 1.0");
  expect(task.result).toContain("'password': '***'");
  const stored = await rows<{ type: string }>(`SELECT * FROM task_events WHERE task_id = '${long}' ORDER BY timestamp`);
  expect(stored.map(({ type }) => type)).toContain('meadow-result-SUCCESS');
  expect(JSON.stringify(stored)).not.toContain('hunter2');
  // Meadow's own events are in no count of Celery's
  const ofCelery = `SELECT count() AS n FROM task_events WHERE cluster = 'backed' AND startsWith(type, 'task-')`;
  const counted = `SELECT sum(events) AS n FROM task_rates WHERE cluster = 'backed'`;
  await inState(slow, 'SUCCESS');
  await expect.poll(async () => (await rows(counted))[0]).toEqual((await rows(ofCelery))[0]);
});

test('a result backend closes a task whose end was not heard, with the whole result', async () => {
  await using _worker = await worker('backed', 'deaf');
  const id = await send('backed', 'deaf', 'recite', '(6, 3000)');
  await inState(id, 'STARTED');
  await meadow.services.collector?.kill9();
  await delay(10_000);
  const options = { natsUrl: meadow.nats.url, clickhouseUrl: meadow.clickhouse.url, clusters: clusters() };
  await using _collector = await startService('collector', options);
  const task = await inState(id, 'SUCCESS');
  expect(task).toMatchObject({ end_source: 'result-backend', result: `'${'x'.repeat(3000)}'`, cut: [] });
});
