import type { SqlLine } from '@meadow/api';
import { insertTaskEvents, insertTasks, migrate, openStore, type Store } from '@meadow/store';
import { startMeadow, waitFor, type Meadow } from '@meadow/testkit';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, failureOf, metric, type Client } from './client.ts';
import { eventLine, linesOf as linesOfRows, writeRow } from './rows.ts';

const BOMB = 'SELECT sum(a.number * b.number) FROM numbers(1000000000) AS a, numbers(1000) AS b';

let meadow: Meadow;
let store: Store;
let client: Client;
let url: string;

beforeAll(async () => {
  meadow = await startMeadow({ services: ['gateway'], env: { MEADOW_SQL_MAX_SECONDS: '30' } });
  url = meadow.services.gateway?.url ?? '';
  client = connect(url);
  store = openStore({ url: meadow.clickhouse.url });
  await migrate(store);
  await insertTasks(store, { rows: [writeRow('one'), writeRow('two')], token: 'sql' });
  await insertTaskEvents(store, { lines: linesOfRows([eventLine('task-received', 'one')]), token: 'sql' });
}, 120_000);

afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
}, 60_000);

function post(path: string, body: object, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}${path}`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
    ...(signal === undefined ? {} : { signal }),
  });
}

async function linesOf(body: object): Promise<SqlLine[]> {
  const text = await (await post('/sql/run', body)).text();
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as SqlLine]));
}

const rowsIn = (lines: readonly SqlLine[]) => lines.flatMap((line) => (line.kind === 'rows' ? line.rows : []));

/** Seconds of CPU that the engine's process has used. */
function cpuSeconds(): number {
  const stat = readFileSync(`/proc/${meadow.clickhouse.pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) / 100;
}

test('a result comes as columns, rows and what it took', async () => {
  const lines = await linesOf({
    statement:
      "SELECT task_id, toInt64(-9007199254740993) AS n, 1.5 AS x, [map('a', nan)] AS m FROM tasks ORDER BY task_id",
  });
  expect(lines[0]).toEqual({
    kind: 'columns',
    columns: [
      { name: 'task_id', type: 'String' },
      { name: 'n', type: 'Int64' },
      { name: 'x', type: 'Float64' },
      { name: 'm', type: 'Array(Map(String, Float64))' },
    ],
  });
  expect(rowsIn(lines)).toEqual([
    ['one', '-9007199254740993', 1.5, [{ a: 'nan' }]],
    ['two', '-9007199254740993', 1.5, [{ a: 'nan' }]],
  ]);
  expect(lines.at(-1)).toMatchObject({ kind: 'end', statistics: { rows: 2, cut: false } });
});

test('of more than ten thousand rows the first are sent, and that there are more is told', async () => {
  const lines = await linesOf({ statement: 'SELECT number FROM numbers(1000000)' });
  expect(rowsIn(lines)).toHaveLength(10_000);
  expect(lines.at(-1)).toMatchObject({ kind: 'end', statistics: { rows: 10_000, cut: true } });
  const exact = await linesOf({ statement: 'SELECT number FROM numbers(10000)' });
  expect(exact.at(-1)).toMatchObject({ kind: 'end', statistics: { rows: 10_000, cut: false } });
});

test('parameters have their values beside the statement', async () => {
  const statement = 'SELECT {n:UInt8} + 1 AS n, {names:Array(String)} AS names WHERE {n:UInt8} > 1';
  const parameters = { n: '5', names: "['a','b''c']", other: 'x' };
  expect(rowsIn(await linesOf({ statement, parameters }))).toEqual([[6, ['a', "b'c"]]]);
  expect(await client.sql.check.query({ statement })).toEqual({
    problem: null,
    parameters: [
      { name: 'n', type: 'UInt8' },
      { name: 'names', type: 'Array(String)' },
    ],
  });
  const problem = async (values: object) => (await linesOf({ statement, parameters: values })).at(-1);
  expect(await problem({ n: '5' })).toMatchObject({ kind: 'problem', problem: { code: 'SQL_PARAMETER' } });
  expect(await problem({ n: 'five', names: '[]' })).toMatchObject({ problem: { code: 'SQL_PARAMETER' } });
});

test.each([
  ['SELECT count()\nFRM tasks WHERE 1', 'SQL_SYNTAX', { line: 2, column: 5 }],
  ['-- Straße\nSELECT 1 FROM', 'SQL_SYNTAX', { line: 2, column: 14 }],
  ["SELECT 1,\n  file('/etc/passwd')", 'SQL_REFUSED', { line: 2, column: 3 }],
  ['SELECT * FROM system.tables', 'SQL_REFUSED', { line: 1, column: 22 }],
  ['SELECT 1; SELECT 2', 'SQL_REFUSED', { line: 1, column: 9 }],
] as const)('%s: tells what is wrong and where', async (statement, code, position) => {
  const { problem } = await client.sql.check.query({ statement });
  expect(problem).toMatchObject({ code, position });
  expect((await linesOf({ statement })).at(-1)).toEqual({ kind: 'problem', problem });
});

test('how a statement would be run is told instead of running it', async () => {
  const statement = 'SELECT name FROM task_events';
  for (const explain of ['plan', 'pipeline', 'estimate'] as const) {
    const lines = await linesOf({ statement, explain });
    expect([lines[0]?.kind, lines.at(-1)?.kind]).toEqual(['columns', 'end']);
  }
  expect(rowsIn(await linesOf({ statement, explain: 'plan' })).join('\n')).toContain('ReadFromMergeTree');
});

test('what is stopped uses no more of the processor', async () => {
  const stop = new AbortController();
  const answer = await post('/sql/run', { statement: BOMB }, stop.signal);
  const reader = answer.body!.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toContain('"kind":"progress"');
  const begun = cpuSeconds();
  await waitFor(() => cpuSeconds() - begun > 0.5, { what: 'the engine to work', deadlineMs: 20_000 });
  stop.abort();
  await waitFor(
    async () => {
      const before = cpuSeconds();
      await delay(1_000);
      return cpuSeconds() - before < 0.1;
    },
    { what: 'the engine to rest', deadlineMs: 15_000 },
  );
});

test('pages and ingest stay quick while two statements take all they can, and a third waits for its turn', async () => {
  const slowest = async (what: string): Promise<number> => {
    const times: number[] = [];
    for (let n = 0; n < 10; n += 1) {
      const began = performance.now();
      const lines = linesOfRows([eventLine('task-received', `${what}-${n}`)]);
      await insertTaskEvents(store, { lines, token: `${what} ${n}` });
      await client.tasks.list.query({ limit: 50 });
      times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[8]!;
  };
  const alone = await slowest('alone');
  const stop = new AbortController();
  const bombs = [1, 2].map(async () => {
    const reader = (await post('/sql/run', { statement: BOMB }, stop.signal)).body!.getReader();
    await reader.read();
  });
  await Promise.all(bombs);
  const beside = await slowest('beside');
  const third = (await linesOf({ statement: 'SELECT 1' })).at(-1);
  stop.abort();
  expect(beside).toBeLessThan(alone * 5 + 1_000);
  expect(third).toMatchObject({ kind: 'problem', problem: { code: 'SQL_BUSY' } });
  await waitFor(async () => (await linesOf({ statement: 'SELECT 1' })).at(-1)?.kind === 'end', {
    ...{ what: 'a place', deadlineMs: 20_000 },
  });
}, 60_000);

const MANY = 1_000_000;
const exportOf = (format: string, statement: string): Promise<Response> =>
  fetch(`${url}/sql/export?${new URLSearchParams({ format, statement }).toString()}`);

test('a million rows stream into a file, and the gateway needs no more memory for them than for half of them', async () => {
  /** Reads the file. @returns its lines, and the most memory that the gateway had meanwhile, bytes */
  const read = async (format: string, rows: number): Promise<{ lines: number; most: number }> => {
    const statement = `SELECT number, toString(cityHash64(number)) AS text, repeat('x', 300) AS wide FROM numbers(${rows})`;
    const answer = await exportOf(format, statement);
    expect(answer.headers.get('content-disposition')).toMatch(
      new RegExp(`^attachment; filename="meadow-sql-.*\\.${format}"$`),
    );
    let lines = 0;
    let most = 0;
    let chunks = 0;
    for await (const chunk of answer.body!) {
      for (const byte of chunk as Uint8Array) if (byte === 10) lines += 1;
      if (++chunks % 50 === 0) most = Math.max(most, await metric(url, 'process_resident_memory_bytes'));
    }
    return { lines, most };
  };
  for (const [format, more] of [
    ['csv', 1],
    ['ndjson', 0],
    ['json', 2],
  ] as const) {
    const few = await read(format, MANY / 2);
    const many = await read(format, MANY);
    expect([few.lines, many.lines]).toEqual([MANY / 2 + more, MANY + more]);
    expect(few.most).toBeGreaterThan(0);
    // half of the file is 170 MB
    expect(many.most - few.most).toBeLessThan(100e6);
  }
}, 240_000);

test('files are what their names say, and none is a formula', async () => {
  const statement = "SELECT '=1+1' AS a, toInt64(-5) AS b, [1, 2] AS c, NULL AS d, 'x\"y' AS e";
  expect(await (await exportOf('csv', statement)).text()).toBe(`a,b,c,d,e\r\n'=1+1,-5,"[1,2]",,"x""y"\r\n`);
  expect(await (await exportOf('json', statement)).json()).toEqual([
    { a: '=1+1', b: '-5', c: [1, 2], d: null, e: 'x"y' },
  ]);
  expect(await (await exportOf('json', 'SELECT 1 WHERE 0')).json()).toEqual([]);
  const parquet = Buffer.from(
    await (await post('/sql/export?format=parquet', { statement: 'SELECT 1 AS a' })).arrayBuffer(),
  );
  expect([parquet.toString('latin1', 0, 4), parquet.toString('latin1', parquet.length - 4)]).toEqual(['PAR1', 'PAR1']);
  const refused = await exportOf('csv', "SELECT file('/etc/passwd')");
  expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('SQL_REFUSED')]);
  expect((await exportOf('xlsx', 'SELECT 1')).status).toBe(400);
});

test('queries are kept, changed, found and removed', async () => {
  const query = { name: 'Slow tasks', statement: 'SELECT {n:UInt8}', parameters: { n: '1' }, shared: true };
  const saved = await client.sql.save.mutate(query);
  expect(await client.sql.savedQuery.query({ id: saved.id })).toEqual(saved);
  const changed = await client.sql.save.mutate({ ...query, id: saved.id, name: 'Slower tasks' });
  expect(await client.sql.saved.query({ text: 'slower' })).toEqual([changed]);
  expect(await client.sql.saved.query({ text: 'nothing like it' })).toEqual([]);
  await client.sql.remove.mutate({ id: saved.id });
  expect(await client.sql.saved.query({})).toEqual([]);
  const { told } = await failureOf(client.sql.savedQuery.query({ id: saved.id }));
  expect(told).toBe('404 SAVED_QUERY_NOT_FOUND');
});

test('what there is to ask is told with what it means', async () => {
  const { tables, examples, functions } = await client.sql.schema.query();
  const tasks = tables.find(({ name }) => name === 'tasks');
  expect(tasks?.columns[0]).toEqual({
    ...{ name: 'cluster', type: 'LowCardinality(String)', comment: 'Name of the Celery cluster' },
  });
  expect(tables.find(({ name }) => name === 'task_events')?.sortingKey).toEqual([
    ...['cluster', 'toStartOfHour(timestamp)', 'task_id', 'timestamp'],
  ]);
  expect(tables.map(({ name }) => name)).not.toContain('tasks_raw');
  expect(examples.length).toBeGreaterThanOrEqual(20);
  expect([functions.includes('count'), functions.includes('file')]).toEqual([true, false]);
});

test('every run is in the audit, with what it was and never with what it gave', async () => {
  const statement = "SELECT 'in the result only: ' || 'xyz' AS a";
  await linesOf({ statement });
  await linesOf({ statement: "SELECT file('/etc/passwd') AS refused_run" });
  const rows = await waitFor(
    async () => {
      const { rows: found } = await client.audit.list.query({ action: 'sql.*', limit: 200 });
      const own = found.filter(({ arguments: text }) => text.includes('in the result') || text.includes('refused_run'));
      return own.length === 2 && own;
    },
    { what: 'two records', deadlineMs: 30_000 },
  );
  const of = (outcome: string) => rows.find((row) => row.outcome === outcome);
  expect(of('done')).toMatchObject({ cluster: '', action: 'sql.run', target_kind: 'database', targets: ['meadow'] });
  expect(of('refused')?.detail).toContain('SQL_REFUSED');
  expect(JSON.stringify(rows)).not.toContain('only: xyz');
  expect(JSON.parse(of('done')!.arguments)).toMatchObject({ statement, rows: 1 });
  expect(await client.audit.request.query({ cluster: '', requestId: of('done')!.request_id })).toHaveLength(1);
});
