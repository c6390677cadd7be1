import { gzipSync, zstdCompressSync } from 'node:zlib';
import { ClickHouseError, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, temporaryDir, until, type ServerProcess } from './server-process.ts';

let dir: Awaited<ReturnType<typeof temporaryDir>>;
let server: ServerProcess;

beforeAll(async () => {
  dir = await temporaryDir();
  server = await startServer(dir.path);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

async function rows<T>(query: string, options: object = {}): Promise<T[]> {
  const result = await server.client.query({ query, format: 'JSONEachRow', ...options });
  return (await result.json()) as T[];
}

async function post(query: string, body?: Uint8Array<ArrayBuffer> | string, headers: Record<string, string> = {}) {
  const url = `${server.url}/?query=${encodeURIComponent(query)}`;
  return fetch(url, { method: 'POST', headers, ...(body === undefined ? {} : { body }) });
}

describe('results', () => {
  it.each(['JSON', 'JSONCompact', 'XML', 'Vertical', 'Pretty', 'JSONColumns', 'Markdown'])(
    'renders %s as one document',
    async (format) => {
      const text = await (await post(`SELECT number FROM numbers(100000) LIMIT 70000 FORMAT ${format}`)).text();
      expect(text.split('<?xml').length).toBeLessThanOrEqual(2);
      expect(text.split('"meta"').length).toBeLessThanOrEqual(2);
      if (format.startsWith('JSON')) expect(() => JSON.parse(text) as unknown).not.toThrow();
    },
  );

  it.each([
    'TabSeparated',
    'CSVWithNames',
    'TSVWithNamesAndTypes',
    'JSONCompactEachRowWithNamesAndTypes',
    'RowBinaryWithNamesAndTypes',
    'Native',
  ])('gives the rows of %s, streamed in many blocks, as the engine reads them back', async (format) => {
    const bytes = await (
      await post(`SELECT number AS "a\n""b", toString(number) AS s FROM numbers(200000) FORMAT ${format}`)
    ).arrayBuffer();
    await server.client.command({
      query: 'CREATE OR REPLACE TABLE back ("a\n""b" UInt64, s String) ENGINE = MergeTree ORDER BY s',
    });
    expect((await post(`INSERT INTO back FORMAT ${format}`, new Uint8Array(bytes))).status).toBe(200);
    expect(await rows('SELECT count() AS n, uniqExact(s) AS u, sum("a\n""b") AS sum FROM back')).toEqual([
      { n: 200000, u: 200000, sum: 19999900000 },
    ]);
  });

  it('keeps the header of an empty result', async () => {
    expect(await (await post('SELECT 1 AS a WHERE 0 FORMAT CSVWithNames')).text()).toBe('"a"\n');
    expect(await (await post('SELECT 1 AS a WHERE 0 FORMAT TSV')).text()).toBe('');
  });

  it('passes Parquet through byte for byte', async () => {
    const bytes = await (await post('SELECT number AS n FROM numbers(70000) FORMAT Parquet')).arrayBuffer();
    await server.client.command({ query: 'CREATE TABLE parquet (n UInt64) ENGINE = MergeTree ORDER BY n' });
    await post('INSERT INTO parquet FORMAT Parquet', new Uint8Array(bytes));
    expect(await rows('SELECT sum(n) AS s, count() AS c FROM parquet')).toEqual([{ s: 2449965000, c: 70000 }]);
  });

  it('streams ten million rows while the reader takes its time, in little memory', async () => {
    const result = await server.client.query({ query: 'SELECT number FROM numbers(10000000)', format: 'JSONEachRow' });
    let count = 0;
    let last = '';
    for await (const chunk of result.stream()) {
      count += chunk.length;
      last = chunk.at(-1)!.text;
    }
    expect(count).toBe(10_000_000);
    expect(last).toBe('{"number":9999999}');
  });

  it('compresses an answer on request', async () => {
    const client = createClient({ url: server.url, compression: { response: true, request: true } });
    const result = await client.query({ query: 'SELECT number FROM numbers(100000)', format: 'JSONEachRow' });
    expect(result.response_headers['content-encoding']).toBe('gzip');
    expect((await result.json()).length).toBe(100_000);
    await client.close();
    const raw = await fetch(`${server.url}/?enable_http_compression=1&query=SELECT+1`, {
      headers: { 'accept-encoding': 'zstd' },
    });
    expect(raw.headers.get('content-encoding')).toBe('zstd');
  });

  it('carries the headers clients read', async () => {
    const response = await fetch(`${server.url}/?query=SELECT+1&query_id=mine&default_format=JSONEachRow`);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/x-ndjson; charset=UTF-8',
      'x-clickhouse-query-id': 'mine',
      'x-clickhouse-format': 'JSONEachRow',
      'x-clickhouse-timezone': expect.any(String) as string,
    });
    expect(await response.text()).toBe('{"1":1}\n');
  });
});

describe('parameters', () => {
  const texts = [
    "it's",
    'a\nb',
    'tab\there',
    'back\\slash',
    '\\n',
    "'; DROP TABLE x; --",
    'naïve ☃',
    '🌾👩‍🌾',
    '',
    '\r',
    'a\0b',
    '{x:String}',
    '\\N?',
  ];
  it.each(texts)('binds %j unchanged', async (text) => {
    expect(await rows('SELECT {t:String} AS t', { query_params: { t: text } })).toEqual([{ t: text }]);
  });

  it('binds arrays, nulls, numbers, dates, maps and identifiers', async () => {
    const query_params = {
      a: texts,
      n: null,
      i: 42,
      d: new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
      m: { k: "v'1" },
      b: true,
      id: 'number',
    };
    const query = `SELECT {a:Array(String)} AS a, {n:Nullable(String)} AS n, {i:Int64} AS i, {d:DateTime('UTC')} AS d,
      {m:Map(String, String)} AS m, {b:Bool} AS b, {id:Identifier} AS id FROM numbers(1)`;
    expect(await rows(query, { query_params })).toEqual([
      { a: texts, n: null, i: 42, d: '2026-01-02 03:04:05', m: { k: "v'1" }, b: true, id: 0 },
    ]);
  });

  it('keeps those of concurrent requests apart', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        rows<{ p: string }>('SELECT {p:String} AS p', { query_params: { p: `p${index}` } }),
      ),
    );
    expect(answers.map(([row]) => row?.p)).toEqual(Array.from({ length: 40 }, (_, index) => `p${index}`));
  });
});

describe('inserts', () => {
  beforeAll(() =>
    server.client.command({
      query: "CREATE TABLE t (a UInt64, s String DEFAULT concat('d', toString(a))) ENGINE = MergeTree ORDER BY a",
    }),
  );
  const take = async () => {
    const found = await rows('SELECT a, s FROM t ORDER BY a');
    await server.client.command({ query: 'TRUNCATE TABLE t' });
    return found;
  };

  it('takes an array of rows', async () => {
    const { summary } = await server.client.insert({
      table: 't',
      format: 'JSONEachRow',
      values: [{ a: 1, s: 'é\n' }, { a: 2 }],
    });
    expect(summary?.written_rows).toBe('2');
    expect(await take()).toEqual([
      { a: 1, s: 'é\n' },
      { a: 2, s: 'd2' },
    ]);
  });

  it('takes a stream of CSV and a compressed stream', async () => {
    const { Readable } = await import('node:stream');
    await server.client.insert({
      table: 't',
      format: 'CSV',
      values: Readable.from(['1,"x\ny"\n', '2,z\n'], { objectMode: false }),
    });
    const client = createClient({ url: server.url, compression: { request: true } });
    await client.insert({ table: 't', format: 'JSONEachRow', values: [{ a: 3 }] });
    await client.close();
    expect(await take()).toEqual([
      { a: 1, s: 'x\ny' },
      { a: 2, s: 'z' },
      { a: 3, s: 'd3' },
    ]);
  });

  it('takes the statement and its rows in one body, and rows beside a statement in the parameter', async () => {
    await fetch(server.url, { method: 'POST', body: "INSERT INTO t VALUES (1, 'FORMAT; x'), (2, 'b')" });
    await fetch(server.url, { method: 'POST', body: 'INSERT INTO t (s, a) FORMAT TSV\nx\t3\ny\t4' });
    await post('INSERT INTO t FORMAT JSONEachRow', gzipSync('{"a":5}'), { 'content-encoding': 'gzip' });
    await post('INSERT INTO t FORMAT JSONEachRow', zstdCompressSync('{"a":6}') as Uint8Array<ArrayBuffer>, {
      'content-encoding': 'zstd',
    });
    await post("INSERT INTO t SELECT 7, 'sel'");
    expect((await take()).map((row) => Object.values(row as object))).toEqual([
      [1, 'FORMAT; x'],
      [2, 'b'],
      [3, 'x'],
      [4, 'y'],
      [5, 'd5'],
      [6, 'd6'],
      [7, 'sel'],
    ]);
  });

  it('takes an empty INSERT', async () => {
    expect((await post('INSERT INTO t FORMAT JSONEachRow', '')).status).toBe(200);
  });

  it('takes an INSERT larger than it holds in memory', async () => {
    const line = Buffer.from(`{"a":1,"s":"${'x'.repeat(1000)}"}\n`);
    const count = 45_000;
    const response = await post(
      'INSERT INTO t SETTINGS max_insert_threads = 1 FORMAT JSONEachRow',
      Buffer.alloc(line.length * count, line) as Uint8Array<ArrayBuffer>,
    );
    expect(await response.text()).toBe('');
    expect(await rows('SELECT count() AS n, min(length(s)) AS l FROM t')).toEqual([{ n: count, l: 1000 }]);
    await take();
  });

  it('takes blank lines in rows for what the format says, never for the end of the rows or for SQL', async () => {
    await post('INSERT INTO t FORMAT JSONEachRow', '\n{"a":1}\n\n{"a":2}\n\n');
    await post('INSERT INTO t FORMAT CSV', '3,"x\n\nDROP TABLE t"\n4,y\n');
    await post('INSERT INTO t (s) FORMAT LineAsString', 'x\n\nDROP TABLE t\n');
    await post('INSERT INTO t (s) FORMAT RawBLOB', 'SELECT 1\n\nDROP TABLE t');
    const found = (await take()).map((row) => Object.values(row as object));
    const byText = (a: unknown[], b: unknown[]) => String(a).localeCompare(String(b));
    const expected = [
      ...[
        [0, ''],
        [0, 'DROP TABLE t'],
        [0, 'SELECT 1\n\nDROP TABLE t'],
        [0, 'x'],
      ],
      ...[
        [1, 'd1'],
        [2, 'd2'],
        [3, 'x\n\nDROP TABLE t'],
        [4, 'y'],
      ],
    ];
    expect(found.toSorted(byText)).toEqual(expected.toSorted(byText));
  });

  it('never runs what follows the rows of an INSERT, not even of an explained one', async () => {
    const tails = [
      'FORMAT CSV\n1,a\n\nDROP TABLE t',
      'FORMAT TSV\n1\ta\n\nDROP TABLE t',
      "VALUES (1, 'a');DROP TABLE t",
      "VALUES (1, 'a')\n\nDROP TABLE t",
    ];
    const starts = [
      'EXPLAIN AST INSERT INTO t',
      'EXPLAIN SYNTAX INSERT INTO t',
      'EXPLAIN INSERT INTO t',
      'WITH 1 AS x INSERT INTO t',
      'INSERT INTO t',
    ];
    const quotes = [
      "EXPLAIN AST INSERT INTO “t'” FORMAT CSV\n1\n\nDROP TABLE t --'",
      'EXPLAIN AST INSERT INTO t$$ FORMAT CSV\n1\n\nDROP TABLE t -- $$',
    ];
    for (const query of [...starts.flatMap((start) => tails.map((tail) => `${start} ${tail}`)), ...quotes]) {
      for (const format of ['JSON', 'TabSeparated']) {
        await fetch(`${server.url}/?default_format=${format}`, { method: 'POST', body: query });
        expect(await (await post('EXISTS TABLE t')).text(), query).toBe('1\n');
      }
    }
    expect(await (await post('EXPLAIN AST INSERT INTO t FORMAT CSV\n1')).text()).toContain('InsertQuery');
    await take();
  });

  it('takes INSERT … SELECT with empty lines in it', async () => {
    expect(await (await post("INSERT INTO t\n\nSELECT\n\n1, 'a'")).text()).toBe('');
    expect(await take()).toEqual([{ a: 1, s: 'a' }]);
  });

  it('takes rows with parameters and with async_insert', async () => {
    await server.client.command({
      query: 'INSERT INTO t VALUES ({a:UInt64}, {s:String})',
      query_params: { a: 1, s: "it's" },
    });
    const clickhouse_settings = { async_insert: 1, wait_for_async_insert: 1 } as const;
    await server.client.insert({ table: 't', format: 'JSONEachRow', values: [{ a: 2 }], clickhouse_settings });
    expect(await take()).toEqual([
      { a: 1, s: "it's" },
      { a: 2, s: 'd2' },
    ]);
  });

  it('inserts once what is sent twice with one token, into the table and into a view fed by it', async () => {
    const command = (query: string) => server.client.command({ query });
    await command(
      'CREATE TABLE src (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100',
    );
    await command(
      'CREATE TABLE sums (k UInt64, n UInt64) ENGINE = SummingMergeTree ORDER BY k SETTINGS non_replicated_deduplication_window = 100',
    );
    await command('CREATE MATERIALIZED VIEW mv TO sums AS SELECT a % 2 AS k, count() AS n FROM src GROUP BY k');
    const insert = (token: string) =>
      server.client.insert({
        table: 'src',
        format: 'JSONEachRow',
        values: [{ a: 1 }, { a: 2 }, { a: 3 }],
        clickhouse_settings: {
          insert_deduplication_token: token,
          deduplicate_blocks_in_dependent_materialized_views: 1,
        },
      });
    await insert("one'\\");
    await insert("one'\\");
    await insert('two');
    expect(await rows('SELECT count() AS n FROM src')).toEqual([{ n: 6 }]);
    expect(await rows('SELECT sum(n) AS n FROM sums')).toEqual([{ n: 6 }]);
  });
});

describe('errors', () => {
  const failure = async (query: string): Promise<ClickHouseError> => {
    const error = await server.client.query({ query }).then(
      (result) => result.text(),
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(ClickHouseError);
    return error as ClickHouseError;
  };

  it.each([
    ['SELEC 1', '62', 'SYNTAX_ERROR'],
    ['SELECT FROM WHERE', '62', 'SYNTAX_ERROR'],
    ['SELECT * FROM nowhere', '60', 'UNKNOWN_TABLE'],
    ['SELECT nothing', '47', 'UNKNOWN_IDENTIFIER'],
    ["SELECT 1 + toDate('x')", '38', 'CANNOT_PARSE_DATE'],
    ['SELECT 1 + [1]', '43', 'ILLEGAL_TYPE_OF_ARGUMENT'],
    ['SELECT 1; SELECT 2', '62', 'SYNTAX_ERROR'],
    ["SELECT 1 INTO OUTFILE '/nowhere/x'", '358', 'INTO_OUTFILE_NOT_ALLOWED'],
    ['SELECT {p:String}', '456', 'UNKNOWN_QUERY_PARAMETER'],
  ])('%s is %s %s', async (query, code, type) => {
    expect(await failure(query)).toMatchObject({ code, type });
  });

  it('answers with the status, header and text ClickHouse gives', async () => {
    const response = await post('SELECT * FROM nowhere');
    expect(response.status).toBe(404);
    expect(response.headers.get('x-clickhouse-exception-code')).toBe('60');
    expect(await response.text()).toMatch(
      /^Code: 60\. DB::Exception: .*nowhere.*\. \(UNKNOWN_TABLE\) \(version 26\.[^()]+\)\n$/,
    );
  });

  it('refuses rows that do not fit, and writes none of them', async () => {
    await server.client.command({ query: 'CREATE TABLE strict (a UInt8) ENGINE = MergeTree ORDER BY a' });
    const response = await post('INSERT INTO strict FORMAT JSONEachRow', '{"a":1}\n{"a":"x"}\n');
    expect(response.status).toBe(400);
    const text = await response.text();
    expect(text).toContain('(at row 2)');
    expect(text).not.toContain(dir.path);
    expect(await rows('SELECT count() AS n FROM strict')).toEqual([{ n: 0 }]);
  });

  it('refuses an INSERT from input(), which the engine would take and not write', async () => {
    expect((await post("INSERT INTO strict SELECT a FROM input('a UInt8') FORMAT JSONEachRow", '{"a":1}')).status).toBe(
      501,
    );
  });

  it('reports an error in the middle of a stream to the client', async () => {
    const query = "SELECT throwIf(number = 1500000, 'boom') FROM numbers(3000000)";
    for (const compression of [false, true]) {
      const client = createClient({ url: server.url, compression: { response: compression } });
      const read = async () => {
        const result = await client.query({ query, format: 'JSONEachRow' });
        for await (const chunk of result.stream()) void chunk;
      };
      // decompression may hand the client the exception in two pieces, which it reports as a malformed one
      const reported = { type: 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO' };
      await expect(read()).rejects.toMatchObject(compression ? { message: expect.any(String) as string } : reported);
      await client.close();
    }
    await expect(post(query).then((response) => response.text())).rejects.toThrow();
    const waited = await fetch(`${server.url}/?wait_end_of_query=1`, { method: 'POST', body: query });
    expect(waited.status).toBe(500);
    expect(await waited.text()).toContain('(FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)');
  });
});

describe('settings and statements', () => {
  it('holds for one request only', async () => {
    const setting = "SELECT getSetting('max_threads') AS v, getSetting('readonly') AS r, currentDatabase() AS d";
    const database = createClient({
      url: server.url,
      database: 'system',
      clickhouse_settings: { max_threads: 3, readonly: '1' },
    });
    const own = await (await database.query({ query: setting, format: 'JSONEachRow' })).json();
    expect(own).toEqual([{ v: 3, r: 1, d: 'system' }]);
    await expect(
      database.command({ query: 'CREATE TABLE default.no (a UInt8) ENGINE = Memory' }),
    ).rejects.toMatchObject({ code: '164' });
    await database.close();
    for (let round = 0; round < 12; round++)
      expect((await rows<{ v: number; r: number; d: string }>(setting))[0]).toMatchObject({ r: 0, d: 'default' });
    await expect(rows(setting, { clickhouse_settings: { no_such_setting: 1 } })).rejects.toMatchObject({
      type: 'UNKNOWN_SETTING',
    });
  });

  it('lets GET read only', async () => {
    const response = await fetch(
      `${server.url}/?query=${encodeURIComponent('CREATE TABLE g (a UInt8) ENGINE = Memory')}`,
    );
    expect(await response.text()).toContain('READONLY');
    expect(await (await fetch(`${server.url}/?query=SELECT+1%3B&max_threads=2`)).text()).toBe('1\n');
  });

  it('answers ping, greeting, SHOW, DESCRIBE, EXISTS and EXPLAIN', async () => {
    expect((await server.client.ping()).success).toBe(true);
    expect((await server.client.ping({ select: true })).success).toBe(true);
    for (const path of ['/', '/ping', '/replicas_status'])
      expect(await (await fetch(server.url + path)).text()).toBe('Ok.\n');
    expect((await fetch(`${server.url}/nothing`)).status).toBe(404);
    expect(await (await post('SHOW DATABASES')).text()).toContain('system\n');
    expect(await (await post('DESCRIBE system.one')).text()).toContain('dummy\tUInt8');
    expect(await (await post('EXISTS TABLE system.one')).text()).toBe('1\n');
    expect(await (await post('EXPLAIN AST SELECT 1')).text()).toContain('SelectQuery');
  });

  it('refuses what a web page of another origin sends, and foreign host names', async () => {
    expect((await post('SELECT 1', undefined, { origin: 'https://example.org' })).status).toBe(403);
  });

  it('merges parts in the background', async () => {
    await server.client.command({ query: 'CREATE TABLE parts (a UInt64) ENGINE = MergeTree ORDER BY a' });
    for (let index = 0; index < 30; index++) await post('INSERT INTO parts VALUES', `(${index})`);
    const active = "SELECT count() AS n FROM system.parts WHERE table = 'parts' AND active";
    await until('parts are merged', async () => (await rows<{ n: number }>(active))[0]!.n < 15);
    expect(await rows('SELECT count() AS n FROM parts')).toEqual([{ n: 30 }]);
  });
});
