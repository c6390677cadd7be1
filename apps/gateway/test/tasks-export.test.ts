import type { TaskRow } from '@meadow/contract';
import { insertTasks, migrate, openStore, type Store } from '@meadow/store';
import { startMeadow, type Meadow } from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { metric } from './client.ts';
import { writeRow } from './rows.ts';

let meadow: Meadow;
let store: Store;
let url: string;
const NOW = Math.floor(Date.now() / 1000);
const MANY = 20_000;
/** So that all of them together are 60 MB. */
const LONG = `Traceback (most recent call last):\n${'  File "/app/tasks.py", line 7, in run\n'.repeat(75)}`;

beforeAll(async () => {
  meadow = await startMeadow({ services: ['gateway'] });
  url = meadow.services.gateway?.url ?? '';
  store = openStore({ url: meadow.clickhouse.url });
  const early = await fetch(`${url}/export/tasks.csv`);
  expect([early.status, await early.text()]).toEqual([503, expect.stringContaining('STORE_NOT_READY')]);
  await migrate(store);
  for (let from = 0; from < MANY; from += 5_000) {
    const rows = Array.from({ length: 5_000 }, (_, index) =>
      writeRow(`t${from + index}`, {
        ...{ cluster: 'many', first_seen_at: NOW - 86_400 - (from + index) * 0.25, traceback: LONG },
        state: (from + index) % 2 === 0 ? 'FAILURE' : 'SUCCESS',
      }),
    );
    await insertTasks(store, { rows, token: `many ${from}` });
  }
}, 120_000);

afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
}, 60_000);

const linesOf = (ndjson: string): TaskRow[] =>
  ndjson.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as TaskRow]));

test('a task arrives whole, its texts as they are and none as a formula', async () => {
  const run = { retries: 0, worker: 'celery@w1', received_at: null, started_at: null, ended_at: null };
  const nasty = writeRow('=1+1', {
    ...{
      cluster: 'nasty',
      first_seen_at: NOW - 10.186502,
      args: '=HYPERLINK("http://evil")',
      kwargs: "{'a': 'b,\"c\"'}",
    },
    ...{ exception: '-1+1', traceback: 'a\r\nb', result: '@SUM(A1)', runtime_seconds: 0.25, cut: ['args'] },
    attempt_log: [{ ...run, number: 1, state: 'RETRY', exception: '', redelivered: false }],
  });
  await insertTasks(store, { rows: [nasty], token: 'nasty' });
  const csv = await fetch(`${url}/export/tasks.csv?cluster=nasty`);
  expect(csv.headers.get('content-disposition')).toMatch(
    /^attachment; filename="meadow-tasks-nasty-\d{4}-\d\d-\d\d\.csv"$/,
  );
  const text = await csv.text();
  expect(text).toContain(`,'=1+1,`);
  expect(text).toContain(`"'=HYPERLINK(""http://evil"")","{'a': 'b,""c""'}",'@SUM(A1),'-1+1,`);
  expect(text).toContain('"a\r\nb"');
  expect(text).toContain(`${new Date((NOW - 11) * 1000).toISOString().slice(0, 19)}.813498Z`);
  expect(text).toContain('"[""args""]"');
  const [row] = linesOf(await (await fetch(`${url}/export/tasks.ndjson?cluster=nasty`)).text());
  expect(row).toMatchObject({ task_id: '=1+1', args: nasty.args, traceback: 'a\r\nb', attempt_log: nasty.attempt_log });
});

test('what is exported is what the query finds, and what cannot be read is refused with its place', async () => {
  const ids = async (query: string): Promise<string[]> =>
    linesOf(await (await fetch(`${url}/export/tasks.ndjson?cluster=many&${query}`)).text()).map(
      ({ task_id }) => task_id,
    );
  expect(await ids(`query=${encodeURIComponent('id:t2,t3,t5 state:success')}`)).toEqual(['t3', 't5']);
  expect(await ids('range=1h')).toEqual([]);
  expect(await ids(`from=${NOW - 86_401}&to=${NOW - 86_400.5}`)).toEqual(['t3', 't4']);
  const refusal = async (query: string): Promise<string> => {
    const answer = await fetch(`${url}/export/tasks.csv?${query}`);
    return `${answer.status} ${await answer.text()}`;
  };
  expect(await refusal('query=nmae:x')).toMatch(/^400 QUERY_INVALID: there is no field 'nmae': did you mean name\?/);
  expect(await refusal('from=yesterday')).toMatch(/^400 [^]*from/);
  expect(await refusal('range=1h&from=1')).toContain('use either range or from');
  expect(await refusal('qurey=x')).toMatch(/^400 [^]*"qurey"/);
});

test('many tasks stream, each once, and the gateway needs no more memory for them', async () => {
  const memory = () => metric(url, 'process_resident_memory_bytes');
  // what is loaded and compiled with the first export counts as no growth
  await (await fetch(`${url}/export/tasks.ndjson?cluster=many&to=${NOW - 86_400 - MANY * 0.2}`)).text();
  const before = await memory();
  let most = 0;
  const seen = new Uint8Array(MANY);
  const answer = await fetch(`${url}/export/tasks.ndjson?cluster=many`);
  let rest = '';
  let chunks = 0;
  let bytes = 0;
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) seen[Number(/"task_id":"t(\d+)"/.exec(line)?.[1])]! += 1;
    bytes += chunk.length;
    if (++chunks % 50 === 0) most = Math.max(most, await memory());
  }
  expect(rest).toBe('');
  expect(seen.every((times) => times === 1)).toBe(true);
  expect(bytes).toBeGreaterThan(60e6);
  expect(most).toBeGreaterThan(before / 2);
  expect(most - before).toBeLessThan(100e6);
}, 240_000);
