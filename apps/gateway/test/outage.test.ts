import { migrate, openStore } from '@meadow/store';
import { startMeadow, waitFor, type Meadow } from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, failureOf } from './client.ts';

let meadow: Meadow;
let url: string;

beforeAll(async () => {
  meadow = await startMeadow({ services: ['gateway'] });
  url = meadow.services.gateway?.url ?? '';
  await using store = openStore({ url: meadow.clickhouse.url });
  await migrate(store);
}, 60_000);

afterAll(() => meadow[Symbol.asyncDispose]());

test('a store that hangs is answered for within its deadline, and everything works again after', async () => {
  const client = connect(url);
  await client.workers.list.query({});
  process.kill(meadow.clickhouse.pid, 'SIGSTOP');
  const began = performance.now();
  try {
    const [list, task, overview, status] = await Promise.all([
      failureOf(client.tasks.list.query({})),
      failureOf(client.tasks.get.query({ cluster: 'prod', taskId: 'x' })),
      failureOf(client.overview.get.query({ range: '1h' })),
      client.system.status.query(),
    ]);
    for (const { told } of [list, task, overview]) expect(told).toBe('504 STORE_TIMEOUT');
    expect(status.store).toMatchObject({ ok: false, error: 'ClickHouse did not answer in time (info)' });
    expect(performance.now() - began).toBeLessThan(9_000);
  } finally {
    process.kill(meadow.clickhouse.pid, 'SIGCONT');
  }
  await waitFor(() => client.workers.list.query({}), { what: 'an answer after the hang' });
});

test('a store that is down is told at once, by its code and on /readyz', async () => {
  const client = connect(url);
  await meadow.clickhouse.stop();
  const began = performance.now();
  const failure = await failureOf(client.tasks.list.query({ cluster: 'prod' }));
  expect(failure).toEqual({ told: '503 STORE_UNAVAILABLE', message: 'ClickHouse does not answer (task list)' });
  expect(performance.now() - began).toBeLessThan(1_000);
  // the answer of a moment ago is kept for a second
  const ready = await waitFor(async () => {
    const answer = await fetch(`${url}/readyz`);
    return answer.ok ? null : answer;
  }, { what: 'not ready' }); // prettier-ignore
  expect([ready.status, await ready.text()]).toEqual([503, 'ClickHouse does not answer (ping)\n']);
  expect((await client.system.status.query()).bus.ok).toBe(true);
  // what can be found out without the store is told all the same
  const checks = (await client.clusters.doctor.query({ cluster: 'prod' })).map(({ check, verdict }) => [
    check,
    verdict,
  ]);
  expect(checks).toEqual([
    ['collector', 'fail'],
    ['traffic', 'unknown'],
  ]);
  await meadow.clickhouse.restart();
  await waitFor(() => client.workers.list.query({}), { what: 'an answer after the restart' });
  await waitFor(async () => (await fetch(`${url}/readyz`)).ok, { what: 'ready again' });
});
