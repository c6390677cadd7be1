import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { waitFor } from '@meadow/testkit';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import {
  insertTaskEvents,
  insertTasks,
  openSqlConsole,
  type RunStep,
  type SqlConsole,
  type SqlError,
  type Store,
} from '../src/index.ts';
import { event, linesOf, openMigratedStore, task } from './database.ts';

const LIMITS = { seconds: 3, memoryBytes: 300e6, threads: 1 };
const NEVER = new AbortController().signal;

let store: Store;
let sql: SqlConsole;
let leaf: string;

beforeAll(async () => {
  store = await openMigratedStore();
  const now = Date.now() / 1000;
  const rows = ['mine', 'other'].flatMap((cluster) =>
    Array.from({ length: 50 }, (_, n) => task(`${cluster}-${n}`, now - n, { cluster, args: `secret of ${cluster}` })),
  );
  await insertTasks(store, { rows, token: 'hostile' });
  const lines = linesOf(
    ['mine', 'other'].map((cluster) =>
      event('task-received', `${cluster}-1`, now - 60, { cluster, name: 'app.add', args: `secret of ${cluster}` }),
    ),
  );
  await insertTaskEvents(store, { lines, token: 'hostile' });
  sql = openConsole({});
  leaf = `${tmpdir()}/meadow-hostile-${process.pid}`;
});
afterAll(async () => {
  await sql[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

function openConsole({ seconds = LIMITS.seconds, patienceMs = 5_000 }): SqlConsole {
  const { database } = store;
  const user = { username: 'default', password: '', restricted: false };
  const limits = { ...LIMITS, seconds };
  return openSqlConsole({ store, url: inject('clickhouseUrl'), database, ...user, limits, patienceMs });
}

/** Rows that a statement gives, or the code that it was refused with. */
async function outcome(statement: string, clusters: readonly string[] | null = null, on: SqlConsole = sql) {
  const input = { statement: own(statement), parameters: {}, clusters, maxRows: 100, maxBytes: 1e6 };
  const rows: unknown[] = [];
  try {
    for await (const step of on.run(input, NEVER)) if (step.kind === 'rows') rows.push(...step.rows);
    return { code: 'OK', message: '', rows };
  } catch (error) {
    const { code, message } = error as SqlError;
    return { code, message, rows };
  }
}

/** Of the database of this test. */
const own = (statement: string): string =>
  statement.replaceAll('meadow.', `${store.database}.`).replaceAll('/LEAF', leaf);

const REFUSED = [
  // files and networks, as functions and as tables
  "SELECT file('/etc/hostname')",
  "SELECT FILE('/etc/hostname')",
  "SELECT `file`('/etc/hostname')",
  'SELECT "file"(\'/etc/hostname\')',
  "SELECT/**/file/**/('/etc/hostname')",
  "SELECT file\n--\n('/etc/hostname')",
  "SELECT * APPLY(file) FROM (SELECT '/etc/hostname')",
  "SELECT * APPLY(x -> file(x)) FROM (SELECT '/etc/hostname')",
  "SELECT COLUMNS('.') APPLY(file) FROM (SELECT '/etc/hostname')",
  "SELECT * REPLACE(file('/etc/hostname') AS a) FROM (SELECT 1 AS a)",
  "SELECT arrayMap(x -> file(x), ['/etc/hostname'])",
  "WITH (p -> file(p)) AS f SELECT f('/etc/hostname')",
  "SELECT 1 ORDER BY file('/etc/hostname')",
  "SELECT 1 ORDER BY 1 WITH FILL FROM length(file('/etc/hostname')) TO 9",
  "SELECT 1 AS a ORDER BY a WITH FILL INTERPOLATE (b AS file('/etc/hostname'))",
  "SELECT 1 LIMIT length(file('/etc/hostname'))",
  "SELECT 1 LIMIT 1 BY file('/etc/hostname')",
  "SELECT count() OVER (PARTITION BY file('/etc/hostname'))",
  "SELECT count() OVER w WINDOW w AS (ORDER BY file('/etc/hostname'))",
  "SELECT 1 QUALIFY file('/etc/hostname') = ''",
  "SELECT DISTINCT ON (file('/etc/hostname')) 1",
  "SELECT 1 GROUP BY GROUPING SETS ((file('/etc/hostname')))",
  "SELECT quantile(length(file('/etc/hostname')))(1)",
  "SELECT a FROM (SELECT 1 AS a) AS x JOIN (SELECT 1 AS b) AS y ON x.a = y.b AND file('/etc/hostname') != ''",
  "SELECT * FROM (SELECT 1) ARRAY JOIN [file('/etc/hostname')] AS a",
  "SELECT * FROM meadow.tasks PREWHERE file('/etc/hostname') = ''",
  "SELECT sumIf(1, file('/etc/hostname') = '')",
  "SELECT CASE WHEN file('/etc/hostname') = '' THEN 1 END",
  "SELECT (file('/etc/hostname'), 1) IN ((1, 2))",
  "SELECT EXISTS (SELECT file('/etc/hostname'))",
  "EXPLAIN SELECT file('/etc/hostname')",
  "EXPLAIN SELECT (SELECT file('/etc/hostname'))",
  "SELECT * FROM file('/etc/passwd', 'LineAsString')",
  "SELECT * FROM fileCluster('default', '/etc/passwd', 'LineAsString')",
  'SELECT * FROM `/etc/hostname`',
  'SELECT * FROM default.`/etc/hostname`',
  "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
  "SELECT * FROM URL('http://127.0.0.1:1/', 'LineAsString')",
  "SELECT * FROM s3('http://127.0.0.1:1/x', 'CSV')",
  "SELECT * FROM remote('127.0.0.1:9000', system.one)",
  "SELECT * FROM remoteSecure('127.0.0.1:9000', system.one)",
  "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
  "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
  "SELECT * FROM mongodb('127.0.0.1:1', 'd', 't', 'u', 'p', 'a Int8')",
  "SELECT * FROM redis('127.0.0.1:1', 'k', 'k String')",
  "SELECT * FROM sqlite('/tmp/x', 't')",
  "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', 'CSV')",
  "SELECT * FROM jdbc('jdbc:x', 't')",
  "SELECT * FROM executable('id', 'TSV', 'a String')",
  "SELECT * FROM iceberg('http://127.0.0.1:1/x')",
  "SELECT * FROM format('CSV', '1')",
  "SELECT * FROM input('a Int8')",
  "SELECT catboostEvaluate('/etc/hostname', 1)",
  "SELECT aiGenerate('x', 'y')",
  "SELECT chdb('SELECT 1')",
  // writing
  "SELECT 1 INTO OUTFILE '/LEAF'",
  "(SELECT 1) INTO OUTFILE '/LEAF'",
  "SELECT 1 INTO/**/OUTFILE '/LEAF' FORMAT CSV",
  "SELECT 1 UNION ALL SELECT 2 INTO OUTFILE '/LEAF'",
  "SELECT 1) INTO OUTFILE '/LEAF' --",
  "INSERT INTO FUNCTION file('/LEAF') SELECT 1",
  'INSERT INTO meadow.tasks_raw (task_id) VALUES (1)',
  'INSERT INTO meadow.poison FORMAT CSV\n1\n\nDROP TABLE meadow.poison',
  'EXPLAIN INSERT INTO meadow.poison FORMAT CSV\n1\n\nDROP TABLE meadow.poison',
  '(INSERT INTO meadow.poison FORMAT CSV\n1\n\nDROP TABLE meadow.poison)',
  'WITH 1 AS a INSERT INTO meadow.poison SELECT a',
  'SELECT 1) UNION ALL (INSERT INTO meadow.poison FORMAT CSV\n1\n\nDROP TABLE meadow.poison',
  'CREATE TABLE meadow.mine (a Int8) ENGINE = Memory',
  'CREATE TEMPORARY TABLE mine (a Int8)',
  "CREATE FUNCTION mine AS () -> file('/etc/hostname')",
  'DROP TABLE meadow.tasks_raw',
  'ALTER TABLE meadow.tasks_raw DELETE WHERE 1',
  'DELETE FROM meadow.tasks_raw WHERE 1',
  'TRUNCATE TABLE meadow.tasks_raw',
  'OPTIMIZE TABLE meadow.tasks_raw FINAL',
  "BACKUP TABLE meadow.tasks_raw TO File('/LEAF')",
  'SYSTEM SHUTDOWN',
  'KILL QUERY WHERE 1',
  "EXPLAIN SELECT 1 INTO OUTFILE '/LEAF'",
  // settings, formats, several statements
  'SELECT 1 SETTINGS max_execution_time = 0',
  'SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0)',
  'SELECT * FROM meadow.tasks SETTINGS additional_table_filters = map()',
  'SET readonly = 0',
  'SELECT 1 FORMAT Native',
  'SELECT 1 FORMAT Null SETTINGS readonly = 0',
  'SELECT 1; SELECT 2',
  "SELECT 1; INSERT INTO FUNCTION file('/LEAF') SELECT 1",
  'SELECT 1 /*',
  'SELECT 1;;SELECT 2',
  'EXPLAIN AST SELECT 1',
  'EXPLAIN SYNTAX SELECT 1',
  'EXPLAIN QUERY TREE SELECT 1',
  'EXPLAIN TABLE OVERRIDE mysql()',
  'EXPLAIN CURRENT TRANSACTION',
  'EXPLAIN EXPLAIN SELECT 1',
  'SELECT * FROM (EXPLAIN SELECT 1)',
  "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))",
  'SELECT 1 PARALLEL WITH SELECT 2',
  'DESCRIBE TABLE meadow.tasks_raw',
  'SHOW TABLES',
  'USE system',
  'EXECUTE AS default SELECT 1',
  // what is not public
  'SELECT * FROM system.tables',
  'SELECT * FROM SYSTEM.TABLES',
  'SELECT * FROM `system`.`processes`',
  'SELECT * FROM "system"."query_log"',
  'SELECT * FROM `system.tables`',
  'SELECT * FROM system/**/./**/one',
  'SELECT * FROM information_schema.tables',
  'SELECT * FROM meadow.tasks_raw',
  'SELECT * FROM tasks_raw',
  'SELECT * FROM meadow.audit_in',
  'SELECT 1 UNION ALL SELECT count() FROM system.one',
  'SELECT 1 EXCEPT SELECT count() FROM system.one',
  'SELECT 1 INTERSECT SELECT count() FROM system.one',
  'SELECT (SELECT count() FROM system.one)',
  'SELECT 1 WHERE 1 IN (SELECT 1 FROM system.one)',
  'SELECT 0 IN system.one',
  'SELECT 0 IN (system.one)',
  'SELECT 0 GLOBAL IN system.one',
  'SELECT notIn(0, system.one)',
  "SELECT 'x' IN tasks_raw",
  'SELECT * FROM meadow.tasks AS t JOIN system.one AS o ON 1',
  'WITH x AS (SELECT * FROM system.one) SELECT * FROM x',
  'WITH tasks_raw AS (SELECT 1) SELECT * FROM (SELECT 2) UNION ALL SELECT * FROM tasks_raw',
  'SELECT * FROM (WITH tasks_raw AS (SELECT 1) SELECT * FROM tasks_raw) AS a, tasks_raw AS b',
  'WITH `system.one` AS (SELECT 1) SELECT * FROM system.one',
  'WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n FROM t JOIN system.one ON 1) SELECT * FROM t',
  "SELECT * FROM merge('system', '.*')",
  "SELECT * FROM merge('.*')",
  "SELECT * FROM cluster('default', system.one)",
  "SELECT * FROM clusterAllReplicas('default', system.one)",
  'SELECT * FROM view(SELECT * FROM system.one)',
  'SELECT * FROM viewIfPermitted(SELECT 1 ELSE null())',
  "SELECT * FROM dictionary('d')",
  'SELECT * FROM loop(system.one)',
  "SELECT * FROM generateRandom('a Int8')",
  "SELECT * FROM mergeTreeIndex('meadow', 'tasks_raw')",
  "SELECT * FROM mergeTreeProjection('meadow', 'tasks_raw', 'p')",
  'SELECT * FROM {t:Identifier}',
  "SELECT dictGet('d', 'a', 1)",
  "SELECT joinGet('meadow.tasks_raw', 'args', 1)",
  "SELECT hasColumnInTable('system', 'one', 'dummy')",
  "SELECT getSetting('max_threads')",
  "SELECT getServerSetting('max_server_memory_usage')",
  "SELECT getMacro('x')",
  'SELECT currentUser()',
  'SELECT @@version',
  'SELECT hostName(), version(), serverUUID()',
  "SELECT initializeAggregation('sum', 1)",
  "SELECT arrayReduce('sum', [1])",
  "SELECT CAST(unhex('00'), 'AggregateFunction(groupArray, String)')",
  "SELECT unhex('00')::AggregateFunction(groupBitmap, UInt64)",
  "SELECT CAST(unhex('00'), concat('Aggregate', 'Function(uniq, String)'))",
  "SELECT JSONExtract('{}', 'a', concat('Aggregate', 'Function(uniq, String)'))",
  "SELECT * FROM values('a AggregateFunction(uniq, String)', 'x')",
  "SELECT formatQuery('SELECT 1')",
  'SELECT sleep(3)',
  'SELECT sleepEachRow(1) FROM numbers(3)',
  // texts that are meant to be read otherwise than they look
  'SELECT `a (children 1)\n     Identifier b`',
  'SELECT 1 AS `x) (children 0)\nTableExpression`',
  'SELECT 1 AS "a\\nb"',
  'SELECT ‘a’',
  'SELECT $$a$$',
  'SELECT $a$ file $a$',
  'SELECT 1 # comment\n, 2',
  'SELECT\u00a01',
  'SELECT 1\u0000',
  "SELECT 'a\\",
  'SELECT ｆile(1)',
  "SELECT fıle('/etc/hostname')",
] as const;

const BOMBS = [
  'SELECT count() FROM numbers(1000000000000)',
  'SELECT count() FROM numbers(100000000) AS a CROSS JOIN numbers(100000000) AS b',
  'SELECT sum(a.number * b.number) FROM numbers(10000000) AS a, numbers(10000000) AS b, numbers(100000) AS c',
  'SELECT groupArray(number) FROM numbers(1000000000)',
  "SELECT length(groupConcat(',')(toString(number))) FROM numbers(1000000000)",
  "SELECT repeat(repeat(repeat('x', 1000000), 1000), 1000)",
  "SELECT length(replaceRegexpAll(repeat('a', 1000000), '(a|a)*b', 'x')) FROM numbers(100000)",
  "SELECT sum(length(extractAll(repeat('ab', 100000), '(.*?)b'))) FROM numbers(1000000)",
  'SELECT range(500000000)',
  'SELECT arrayMap(x -> range(100000), range(100000))',
  'SELECT sum(length(range(10000))) FROM numbers(100000000)',
  'WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t',
  'WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + a.number FROM t, numbers(10) AS a) SELECT count() FROM t',
  'SELECT number, count() FROM numbers(1000000000) GROUP BY number',
  'SELECT number FROM numbers(1000000000) ORDER BY rand(number) LIMIT 1 BY number',
  'SELECT DISTINCT number FROM numbers(1000000000) ORDER BY number DESC',
  'SELECT uniqExact(number) FROM numbers(1000000000)',
  'SELECT arrayWithConstant(1000000000, 1)',
  'SELECT arrayResize([1], 1000000000)',
  "SELECT leftPad('x', 1000000000)",
  'SELECT randomString(2000000000)',
  'SELECT sumResample(0, 1000000000, 1)(number, number) FROM numbers(10)',
  'SELECT topK(60000)(number) FROM numbers(10000000000)',
  'SELECT a.number FROM numbers(1000000000) AS a LEFT JOIN numbers(1000000000) AS b ON a.number = b.number',
  'SELECT number, sum(number) OVER (ORDER BY number) FROM numbers(1000000000) ORDER BY 2 DESC',
  'SELECT number FROM numbers(10) ORDER BY number WITH FILL FROM 0 TO 100000000000',
  `WITH ${['range(1000) AS a0', ...Array.from({ length: 30 }, (_, n) => `arrayConcat(a${n}, a${n}) AS a${n + 1}`)].join(', ')} SELECT length(a30)`,
  `WITH 1 AS a0, ${Array.from({ length: 40 }, (_, n) => `a${n} + a${n} AS a${n + 1}`).join(', ')} SELECT a40`,
  `SELECT ${'('.repeat(99)}1${')'.repeat(99)} + ${'['.repeat(99)}1${']'.repeat(99)}`,
  `SELECT ${'-'.repeat(1)}${'(-'.repeat(5000)}1${')'.repeat(5000)}`,
  `SELECT ${'not '.repeat(20000)}1`,
  `SELECT ${Array.from({ length: 15000 }, (_, n) => n).join(' + ')}`,
  `SELECT ${'if(1, '.repeat(90)}1${', 2)'.repeat(90)}`,
  `SELECT ${'(SELECT '.repeat(95)}1${')'.repeat(95)}`,
  `SELECT '${'x'.repeat(90000)}' IN (${Array.from({ length: 20000 }, (_, n) => n).join(',')})`,
  `SELECT ${'a.'.repeat(20000)}a`,
  `SELECT ${'CASE WHEN 1 THEN '.repeat(300)}1${' END'.repeat(300)}`,
  `SELECT 1 ${'UNION ALL SELECT 1 '.repeat(5000)}`,
  `SELECT ${'x -> '.repeat(5000)} 1`,
  `SELECT multiMatchAny('x', ['${'(a{1,100}){1,100}'.repeat(50)}'])`,
  `SELECT match('x', '${'((a{1,100}){1,100}){1,100}'}')`,
];

const HONEST = [
  'SELECT 1',
  'select 1;',
  "SELECT 'a''b', 'a\\'b', \"an x\" -- a comment\nFROM (SELECT 1 AS `an x`) /* another */",
  'SELECT count() FROM meadow.tasks',
  'SELECT count() FROM tasks',
  'SELECT t.name, t.* FROM meadow.tasks AS t LIMIT 1',
  'SELECT name AS `Task name`, count() AS "Number of tasks" FROM meadow.tasks GROUP BY name',
  'FROM meadow.tasks SELECT count()',
  'WITH x AS (SELECT * FROM meadow.tasks) SELECT count() FROM x',
  'WITH tasks AS (SELECT 1 AS a) SELECT a FROM tasks',
  'WITH x AS (SELECT 1 AS a), y AS (SELECT a + 1 AS b FROM x) SELECT * FROM x, y',
  'WITH x(a, b) AS (SELECT 1, 2) SELECT a + b FROM x',
  'WITH 5 AS five SELECT five',
  "WITH ['mine'] AS names SELECT count() FROM meadow.tasks WHERE has(names, cluster)",
  'WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT max(n) FROM t',
  'SELECT 1 UNION ALL SELECT 2',
  'SELECT 1 UNION DISTINCT SELECT 2',
  '(SELECT 1) EXCEPT (SELECT 2)',
  'SELECT 1 INTERSECT SELECT 1',
  'SELECT * FROM (SELECT task_id FROM meadow.tasks) AS a JOIN (SELECT task_id FROM meadow.tasks) AS b USING (task_id)',
  'SELECT count() FROM meadow.tasks AS a LEFT JOIN meadow.task_events AS b ON a.task_id = b.task_id',
  'SELECT a.number FROM numbers(3) AS a CROSS JOIN numbers(3) AS b',
  'SELECT a.number FROM numbers(3) AS a INNER JOIN numbers(3) AS b ON a.number = b.number AND a.number > 0',
  'SELECT arrayJoin([1, 2, 3]) AS a WHERE a IN (1, 2)',
  'SELECT a FROM (SELECT [1, 2] AS list) ARRAY JOIN list AS a',
  'SELECT number FROM numbers(10) WHERE number IN (SELECT arrayJoin([1, 2]))',
  "SELECT count() FROM meadow.tasks WHERE (cluster, state) IN (('mine', 'RECEIVED'), ('x', 'y'))",
  'SELECT count() FROM meadow.tasks WHERE task_id IN (WITH x AS (SELECT task_id FROM meadow.tasks) SELECT task_id FROM x)',
  'SELECT name, count() OVER (PARTITION BY name ORDER BY first_seen_at ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM tasks',
  'SELECT row_number() OVER w, lagInFrame(task_id) OVER w FROM tasks WINDOW w AS (PARTITION BY name ORDER BY task_id)',
  'SELECT task_id FROM tasks QUALIFY row_number() OVER (ORDER BY task_id) = 1',
  'SELECT state, countIf(attempts > 1), quantilesExact(0.5, 0.9)(attempts), uniq(name), argMax(name, attempts) FROM tasks GROUP BY ALL',
  'SELECT cluster, state, count() FROM tasks GROUP BY GROUPING SETS ((cluster), (state))',
  'SELECT cluster, count() AS n FROM tasks GROUP BY cluster WITH ROLLUP HAVING n > 0 ORDER BY n DESC NULLS LAST LIMIT 1 WITH TIES',
  'SELECT toStartOfMinute(first_seen_at) AS t, count() FROM tasks GROUP BY t ORDER BY t WITH FILL STEP INTERVAL 1 MINUTE',
  'SELECT number AS a, number AS b FROM numbers(3) ORDER BY a WITH FILL FROM 0 TO 5 INTERPOLATE (b AS b + 1)',
  'SELECT DISTINCT ON (name) name, task_id FROM tasks ORDER BY name, task_id LIMIT 1 OFFSET 0',
  'SELECT * FROM tasks LIMIT 1 BY cluster LIMIT 1',
  'SELECT * EXCEPT (args, kwargs) FROM tasks LIMIT 1',
  'SELECT * REPLACE (lower(name) AS name) FROM tasks LIMIT 1',
  "SELECT COLUMNS('_at$') FROM tasks LIMIT 1",
  'SELECT count() FROM meadow.workers FINAL WHERE NOT offline HAVING count() = 0',
  "SELECT count() FROM meadow.task_events PREWHERE timestamp > now() - INTERVAL 1 DAY WHERE name != ''",
  "SELECT CASE state WHEN 'SUCCESS' THEN 1 ELSE 0 END, CASE WHEN attempts > 1 THEN 'again' END, if(attempts = 1, 'once', '') FROM tasks LIMIT 1",
  "SELECT attempts::String, CAST(attempts AS Nullable(Float64)), CAST('1', 'UInt8'), toDecimal64(attempts, 2), DATE '2026-01-01', TIMESTAMP '2026-01-01 00:00:00' FROM tasks LIMIT 1",
  'SELECT arrayMap(x -> x * 2, arrayFilter((x, y) -> y, [1, 2], [0, 1])), map(1, 2), (1, 2).1, [1, 2][1], tuple(1, 2)',
  "SELECT name LIKE 'app%', name ILIKE '%ADD', match(name, 'a.d'), extract(name, '(a+)'), replaceRegexpAll(name, '[0-9]+', 'N'), splitByChar('.', name) FROM tasks LIMIT 1",
  "SELECT JSONExtractString('{\"a\": 1}', 'a'), JSONExtract('{\"a\": 1}', 'a', 'UInt8'), JSON_VALUE('{}', '$.a')",
  "SELECT EXTRACT(HOUR FROM first_seen_at), dateDiff('second', first_seen_at, now()), formatDateTime(first_seen_at, '%F'), toTimeZone(first_seen_at, 'Europe/Berlin') FROM tasks LIMIT 1",
  "SELECT attempts BETWEEN 1 AND 2 AND name IS NOT NULL OR NOT has(['a'], name), attempts > 1 ? 'x' : 'y', -attempts % 3 FROM tasks LIMIT 1",
  'SELECT (SELECT count() FROM tasks) AS all, EXISTS (SELECT 1 FROM tasks WHERE attempts > 100)',
  "SELECT * FROM values('a UInt8, b String', (1, 'x'), (2, 'y'))",
  'SELECT * FROM generate_series(1, 3)',
  'EXPLAIN SELECT count() FROM tasks',
  "EXPLAIN PLAN indexes = 1, actions = 1 SELECT * FROM meadow.task_events WHERE cluster = 'mine'",
  'explain pipeline (SELECT count() FROM tasks)',
  'EXPLAIN ESTIMATE WITH x AS (SELECT * FROM tasks) SELECT * FROM x',
  `SELECT ${'1 + '.repeat(100)}1`,
  `SELECT count() FROM tasks WHERE task_id IN (${Array.from({ length: 2_000 }, (_, n) => `'${n}'`).join(',')})`,
];

describe('what is not allowed', () => {
  test('there is much of it', () => expect(REFUSED.length + BOMBS.length).toBeGreaterThan(60));

  test.each(REFUSED)('%s', async (statement) => {
    const { code, rows } = await outcome(statement);
    expect(rows).toEqual([]);
    expect(['SQL_REFUSED', 'SQL_SYNTAX']).toContain(code);
  });
});

test('nothing was written', async () => {
  const written = (await readdir(tmpdir())).filter((name) => leaf.endsWith(name));
  expect(written).toEqual([]);
  const tables =
    "SELECT name FROM system.tables WHERE name = 'mine' OR database = {database:String} AND name = 'poison'";
  expect(await store.query('tables', tables, { database: store.database }, {})).toEqual([{ name: 'poison' }]);
});

const shorten = (statement: string): string => (statement.length > 100 ? `${statement.slice(0, 100)}…` : statement);

describe('what takes more than one statement may', () => {
  test.each(BOMBS.map((statement) => [shorten(statement), statement]))('%s', async (_, statement) => {
    const beganMs = performance.now();
    const { code } = await outcome(statement);
    const seconds = (performance.now() - beganMs) / 1000;
    expect(seconds).toBeLessThan(LIMITS.seconds + 5);
    expect(['OK', 'SQL_TOO_LONG', 'SQL_TOO_LARGE', 'SQL_REFUSED', 'SQL_FAILED', 'SQL_SYNTAX']).toContain(code);
    await waitFor(async () => (await running()) === 0, { what: 'the end of it', deadlineMs: 30_000 });
  });
});

describe('what is allowed', () => {
  test('there is much of it', () => expect(HONEST.length).toBeGreaterThan(40));

  test.each(HONEST.map((statement) => [shorten(statement), statement]))('%s', async (_, statement) => {
    const { code, message, rows } = await outcome(statement);
    expect({ code, message }).toEqual({ code: 'OK', message: '' });
    expect(rows.length).toBeGreaterThan(0);
  });
});

describe('rows of other clusters', () => {
  const READS = [
    'SELECT DISTINCT cluster FROM tasks',
    'SELECT DISTINCT cluster FROM meadow.tasks AS t',
    'SELECT DISTINCT cluster FROM meadow.tasks AS tasks_raw',
    'SELECT min(cluster), max(cluster) FROM tasks',
    "SELECT args FROM tasks WHERE cluster = 'other'",
    "SELECT args FROM task_events PREWHERE cluster = 'other'",
    "SELECT args FROM tasks WHERE task_id = 'other-1' OR 1",
    "SELECT 'mine' AS cluster, args FROM tasks",
    "SELECT args FROM (SELECT *, 'mine' AS cluster FROM (SELECT args, task_id FROM tasks))",
    'SELECT args FROM tasks AS a JOIN (SELECT DISTINCT task_id FROM tasks) AS b USING (task_id)',
    'SELECT b.args FROM numbers(5) AS a LEFT JOIN tasks AS b ON 1',
    "SELECT b.args FROM tasks AS b RIGHT JOIN (SELECT arrayJoin(['mine-1', 'other-1']) AS id) AS a ON a.id = b.task_id",
    'WITH x AS (SELECT * FROM tasks) SELECT DISTINCT args FROM x',
    'SELECT (SELECT groupUniqArray(args) FROM tasks)',
    "SELECT number FROM numbers(50) WHERE concat('other-', toString(number)) IN (SELECT task_id FROM tasks)",
    "SELECT number FROM numbers(50) WHERE concat('other-', toString(number)) IN (SELECT task_id FROM tasks AS t)",
    "SELECT number FROM numbers(9) AS n WHERE EXISTS (SELECT 1 FROM tasks WHERE cluster = 'other')",
    "SELECT args FROM tasks WHERE args LIKE '%other%' UNION ALL SELECT args FROM tasks WHERE cluster != 'mine'",
    'SELECT DISTINCT cluster FROM task_events',
    'SELECT DISTINCT cluster FROM task_rates',
    "SELECT groupUniqArrayIf(args, cluster = 'other') AS a FROM tasks HAVING notEmpty(a)",
    'SELECT any(args) OVER (PARTITION BY cluster) FROM tasks',
    'WITH RECURSIVE t AS (SELECT 1 AS n, args FROM tasks UNION ALL SELECT n + 1, b.args FROM t JOIN tasks AS b ON 1 WHERE n < 2) SELECT DISTINCT args FROM t',
  ];

  test.each(READS)('%s', async (statement) => {
    const all = await outcome(statement);
    const mine = await outcome(statement, ['mine']);
    expect([all.code, mine.code]).toEqual(['OK', 'OK']);
    expect(JSON.stringify(mine.rows)).not.toContain('other');
    if (statement.startsWith('SELECT number')) expect(mine.rows).toEqual([]);
    else expect(JSON.stringify(all.rows)).toContain('other');
    expect(JSON.stringify((await outcome(statement, [])).rows)).not.toMatch(/other|secret/);
  });

  test('are not counted', async () => {
    const count = async (clusters: readonly string[] | null) =>
      (await outcome('SELECT count() FROM tasks', clusters)).rows;
    expect([await count(null), await count(['mine']), await count([])]).toEqual([['["100"]'], ['["50"]'], ['["0"]']]);
  });
});

/** Statements of this console that ClickHouse computes now. */
async function running(): Promise<number> {
  const rows = await store.query<{ n: number }>(
    'running',
    "SELECT count() AS n FROM system.processes WHERE Settings['max_block_size'] = '8192'",
    {},
    {},
  );
  return rows[0]!.n;
}

describe('an end', () => {
  const input = { parameters: {}, clusters: null, maxRows: 10, maxBytes: 1e6 };

  test('comes at once when it is asked for', async () => {
    const stop = new AbortController();
    const statement = 'SELECT count() FROM numbers(1000000000000)';
    const steps = sql.run({ ...input, statement }, stop.signal);
    const first = await steps.next();
    expect(first.value).toMatchObject({ kind: 'progress' });
    expect(await running()).toBe(1);
    stop.abort();
    await expect(steps.next()).rejects.toMatchObject({ code: 'SQL_STOPPED' });
    await waitFor(async () => (await running()) === 0, { what: 'the end of it', deadlineMs: 2_000 });
  });

  test('comes with the last row that is shown, and says that there are more', async () => {
    const steps: RunStep[] = [];
    const statement = 'SELECT number FROM numbers(1e12)';
    for await (const step of sql.run({ ...input, statement }, NEVER)) steps.push(step);
    const rows = steps.flatMap((step) => (step.kind === 'rows' ? step.rows : []));
    expect(rows).toEqual(Array.from({ length: 10 }, (_, n) => `["${n}"]`));
    expect(steps.at(-1)).toMatchObject({ kind: 'end', statistics: { rows: 10, cut: true } });
    await waitFor(async () => (await running()) === 0, { what: 'the end of it', deadlineMs: 2_000 });
  });

  test('is waited for by those who are over the number, and not for ever', async () => {
    const stop = new AbortController();
    const bomb = () => sql.run({ ...input, statement: 'SELECT count() FROM numbers(1e12)' }, stop.signal);
    const two = [bomb(), bomb()];
    await Promise.all(two.map((steps) => steps.next()));
    const third = outcome('SELECT 1');
    stop.abort();
    await Promise.allSettled(two.map((steps) => steps.next()));
    expect((await third).code).toBe('OK');
  });

  test('that cannot come within a block keeps a place until it has', async () => {
    await using impatient = openConsole({ seconds: 1, patienceMs: 100 });
    const statement = "SELECT sum(countMatches(materialize(repeat('x', 10000)), 'x*y|x')) FROM numbers(60)";
    const results = await Promise.all([1, 2].map(() => outcome(statement, null, impatient)));
    expect(results.map(({ code }) => code)).toEqual(['SQL_TOO_LONG', 'SQL_TOO_LONG']);
    expect((await outcome('SELECT 1', null, impatient)).code).toBe('SQL_BUSY');
    await waitFor(async () => (await outcome('SELECT 1', null, impatient)).code === 'OK', {
      ...{ what: 'a place', deadlineMs: 100_000 },
    });
    expect(await running()).toBeLessThan(2);
  }, 120_000);
});
