import { freePort, startChild, startRedis, tempFolder, waitFor, type Child, type RedisServer } from '@meadow/testkit';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, '..', 'src', 'main.ts');

let redis: RedisServer;
let meadow: Child;
let url: string;
let sql: string;
let health: number;
const data = tempFolder('standalone');

const options = async (): Promise<string[]> => [
  ...['--data', data, '--port', String(await freePort())],
  ...['--nats-port', String(await freePort()), '--clickhouse-port', String(await freePort())],
];

const start = (args: readonly string[]): Promise<Child> =>
  startChild({
    name: 'standalone',
    command: process.execPath,
    args: [MAIN, ...args],
    // whoever runs the tests may ask for colours
    env: { FORCE_COLOR: undefined, NO_COLOR: '1', MEADOW_HEALTH_PORT: String(health) },
    ready: (child) => child.log().includes('Meadow is ready'),
    deadlineMs: 60_000,
  });

beforeAll(async () => {
  redis = await startRedis();
  health = await freePort();
  const brokers = ['--broker', `good=${redis.url}`, '--broker', 'bad=smtp://user:hunter2@nowhere'];
  meadow = await start([...(await options()), ...brokers]);
  url = /Meadow is ready after [\d.]+ s: {2}(\S+)/.exec(meadow.log())![1]!;
  sql = /SQL at +(\S+)/.exec(meadow.log())![1]!;
}, 90_000);

afterAll(async () => {
  await meadow.kill9();
  await redis[Symbol.asyncDispose]();
});

test('everything is ready when it says so', async () => {
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const answer = await fetch(`${sql}/?query=SELECT+count()+FROM+meadow.tasks`);
  expect([answer.status, (await answer.text()).trim()]).toEqual([200, '0']);
});

test('the supervisor tells of its processes', async () => {
  const ask = async (path: string) => fetch(`http://127.0.0.1:${health}${path}`);
  expect([(await ask('/livez')).status, (await ask('/readyz')).status]).toEqual([200, 200]);
  const metrics = await (await ask('/metrics')).text();
  for (const name of ['nats-server', 'clickhouse', 'collector', 'aggregator', 'control', 'gateway']) {
    expect(metrics).toContain(`meadow_standalone_process_up{process="${name}"} 1`);
  }
});

test('a broker that cannot be watched is told in one line, without its password, while the others are watched', async () => {
  await waitFor(() => /collector .*connected cluster=good/.test(meadow.log()), { what: 'the good cluster' });
  const lines = meadow.log().split('\n');
  expect(lines.filter((line) => /(warn|error) .*bad/.test(line))).toHaveLength(1);
  expect(meadow.log()).not.toContain('hunter2');
});

test('a second instance on the same data is refused in one line that names the first', async () => {
  const second = spawnSync(process.execPath, [MAIN, ...(await options())], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect(second.status).toBe(1);
  expect(second.stderr.trim()).toMatch(/^meadow: \S+ is in use by another Meadow \(pid \d+, port \d+\)$/);
});

test('a port that is taken is told with the option that chooses another', async () => {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const args = [MAIN, '--data', tempFolder('standalone-port'), '--port', String(port)];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 });
  server.close();
  expect([status, stderr.trim()]).toEqual([
    1,
    `meadow: port ${port} on 127.0.0.1 is in use by another program; choose another: --port ${port + 1}`,
  ]);
});

test('a service that is killed comes back, and the history is still there', async () => {
  const gateway = pidsOf('gateway/src/main.ts')[0]!;
  process.kill(gateway, 'SIGKILL');
  await waitFor(async () => pidsOf('gateway/src/main.ts')[0] !== gateway && (await fetch(`${url}/readyz`)).ok, {
    what: 'the gateway to be back',
    deadlineMs: 20_000,
  });
  expect(meadow.log()).toMatch(/gateway was ended by SIGKILL, starting it again/);
});

test('a collector that is killed publishes again as soon as it is back, as the one before it is known to be dead', async () => {
  const holdings = (): number => meadow.log().match(/collector .*holding cluster=good/g)?.length ?? 0;
  const listening = (): number => meadow.log().match(/collector .*standing by cluster=good/g)?.length ?? 0;
  const [held, listened] = [holdings(), listening()];
  process.kill(pidsOf('collector/src/main.ts')[0]!, 'SIGKILL');
  await waitFor(() => listening() > listened, { what: 'the collector to be back', deadlineMs: 20_000 });
  // a lease runs out after six seconds, a member is missed as late
  await waitFor(() => holdings() > held, { what: 'it to publish', deadlineMs: 3_000 });
}, 30_000);

test('SIGTERM stops everything within seconds and leaves nothing running', async () => {
  // by number: whoever outlives its parent is nobody's descendant any more
  const before = pidsOf('');
  expect(before.length).toBeGreaterThanOrEqual(5);
  await meadow.stop();
  expect(before.filter(isAlive)).toEqual([]);
  // its last line may be read after its end
  await waitFor(() => /meadow +stopped/.test(meadow.log()), { what: 'the last word' });
  expect(meadow.log()).not.toMatch(/killing it/);
  expect(existsSync(join(data, 'clickhouse'))).toBe(true);
}, 40_000);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Processes whose command line holds the text, and that descend from what this test started. */
function pidsOf(text: string): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  const rows = lines.map((line) => /^ *(\d+) +(\d+) (.*)$/.exec(line) ?? []);
  const family = new Set([meadow.pid]);
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const [, pid, parent] of rows) if (family.has(Number(parent))) family.add(Number(pid));
  }
  return rows
    .filter(([, pid, , args]) => family.has(Number(pid)) && args?.includes(text) === true)
    .map(([, pid]) => Number(pid))
    .filter((pid) => pid !== meadow.pid);
}
