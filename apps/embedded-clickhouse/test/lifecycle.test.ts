import { readdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { createClient } from '@clickhouse/client';
import { describe, expect, it } from 'vitest';
import { startServer, temporaryDir, until, type ServerProcess } from './server-process.ts';

const ENDLESS = 'SELECT max(sipHash64(number)) FROM numbers(1000000000000)';

async function ask(server: ServerProcess, query: string): Promise<string> {
  const response = await fetch(server.url, { method: 'POST', body: query });
  return (await response.text()).trim();
}

const running = (server: ServerProcess) =>
  ask(
    server,
    "SELECT count() FROM system.processes WHERE query LIKE '%1000000000000%' AND query NOT LIKE '%processes%'",
  );

describe('many at a time', () => {
  it('runs 20 queries at once, keeps answering ping while they compute, and refuses beyond its queue', async () => {
    await using dir = await temporaryDir();
    await using server = await startServer(dir.path, '--max-concurrent', '4', '--max-queued', '16');
    const sleeping = Array.from({ length: 20 }, () => ask(server, 'SELECT sleep(0.5)'));
    await until(
      'the queue is full',
      async () => (await ask(server, 'SELECT 1')).includes('TOO_MANY_SIMULTANEOUS_QUERIES'),
      2_000,
    );
    const pinged = performance.now();
    expect((await server.client.ping()).success).toBe(true);
    expect(performance.now() - pinged).toBeLessThan(300);
    expect(await Promise.all(sleeping)).toEqual(Array(20).fill('0'));
  });
});

describe('a query that is given up', () => {
  it.each([
    ['an aggregation', ENDLESS, 'JSON'],
    ['a stream that computes before its first block', ENDLESS, 'JSONEachRow'],
    ['a stream nobody reads on', 'SELECT number FROM numbers(1000000000000)', 'JSONEachRow'],
  ] as const)('stops in the engine when its client leaves: %s', async (_, query, format) => {
    await using dir = await temporaryDir();
    await using server = await startServer(dir.path, '--max-concurrent', '2');
    const leave = new AbortController();
    const asked = server.client.query({ query, format, abort_signal: leave.signal });
    asked.catch(() => undefined);
    await until('it runs', async () => (await running(server)) === '1');
    leave.abort();
    // once the answer has begun, the client leaves by closing it
    void asked.then((result) => result.close()).catch(() => undefined);
    await until('it has stopped', async () => (await running(server)) === '0', 3_000);
    expect(await Promise.all([ask(server, 'SELECT 1'), ask(server, 'SELECT 2'), ask(server, 'SELECT 3')])).toEqual([
      '1',
      '2',
      '3',
    ]);
  });

  it('leaves no rows of an INSERT whose body was cut short', async () => {
    await using dir = await temporaryDir();
    await using server = await startServer(dir.path);
    await ask(server, 'CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a');
    const upload = request(`${server.url}/?query=INSERT+INTO+t+FORMAT+JSONEachRow`, { method: 'POST' });
    upload.on('error', () => undefined);
    upload.write('{"a":1}\n'.repeat(200_000));
    await until('rows arrive', async () => (await readdir(join(dir.path, 'spool'))).length === 1);
    upload.destroy();
    await until('they are gone', async () => (await readdir(join(dir.path, 'spool'))).length === 0);
    expect(await ask(server, 'SELECT count() FROM t')).toBe('0');
  });
});

describe('limits', () => {
  it('hold for time, memory, rows sent and results rendered at once', async () => {
    await using dir = await temporaryDir();
    const limits = ['--max-query-seconds', '1', '--max-memory', String(2 ** 30), '--max-insert-bytes', '1000000'];
    await using server = await startServer(dir.path, ...limits, '--max-whole-result-bytes', '1000000');
    expect(await ask(server, ENDLESS)).toContain('(TIMEOUT_EXCEEDED)');
    const heavy = 'SELECT length(groupArray(number)) FROM numbers(400000000) SETTINGS max_execution_time = 20';
    expect(await ask(server, heavy)).toContain('(MEMORY_LIMIT_EXCEEDED)');
    // the bound of the whole engine holds for a query that lifts its own
    expect(await ask(server, `${heavy}, max_memory_usage = 0`)).toContain('(MEMORY_LIMIT_EXCEEDED)');
    expect(await ask(server, 'SELECT number FROM numbers(10000000) FORMAT JSON')).toContain('(TOO_MANY_ROWS_OR_BYTES)');
    await ask(server, 'CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a');
    const url = `${server.url}/?query=INSERT+INTO+t+FORMAT+JSONEachRow`;
    const response = await fetch(url, { method: 'POST', body: '{"a":1}\n'.repeat(200_000) });
    expect(response.status).toBe(413);
    expect(await ask(server, 'SELECT count() FROM t')).toBe('0');
  });

  it('ask for the password if there is one', async () => {
    await using dir = await temporaryDir();
    await using server = await startServer(dir.path, '--password', "s'ecret");
    expect(await ask(server, 'SELECT 1')).toContain('(AUTHENTICATION_FAILED)');
    const client = createClient({ url: server.url, username: 'anyone', password: "s'ecret" });
    expect(await (await client.query({ query: 'SELECT 1 AS a', format: 'JSONEachRow' })).json()).toEqual([{ a: 1 }]);
    await client.close();
  });
});

describe('a data directory', () => {
  it('keeps every acknowledged row when the process is killed while inserting', async () => {
    await using dir = await temporaryDir();
    let acknowledged = 0;
    for (let round = 0; round < 3; round++) {
      await using server = await startServer(dir.path);
      const create =
        'CREATE TABLE IF NOT EXISTS t (a UInt64, s String) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000';
      await ask(server, create);
      const before = acknowledged;
      const inserting = Promise.allSettled(
        [0, 1].map(async (writer) => {
          for (let batch = 0; ; batch++) {
            const values = Array.from({ length: 2_000 }, (_, index) => ({
              a: index,
              s: `${round}/${writer}/${batch}`,
            }));
            await server.client.insert({ table: 't', format: 'JSONEachRow', values });
            acknowledged += values.length;
          }
        }),
      );
      await until('some rows are acknowledged', () => Promise.resolve(acknowledged >= before + 20_000));
      await server.end('SIGKILL');
      await inserting;
    }
    await using server = await startServer(dir.path);
    const stored = Number(await ask(server, 'SELECT count() FROM t'));
    expect(stored).toBeGreaterThanOrEqual(acknowledged);
    // at most the two batches under way at each kill are stored without having been acknowledged
    expect(stored).toBeLessThanOrEqual(acknowledged + 3 * 2 * 2_000);
    expect(await ask(server, 'SELECT count() FROM (SELECT s FROM t GROUP BY s HAVING count() != 2000)')).toBe('0');
  });

  it('is refused to a second process with one clear line, and free again after SIGTERM and after SIGKILL', async () => {
    await using dir = await temporaryDir();
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGINT'] as const) {
      await using server = await startServer(dir.path);
      const refusal = await startServer(dir.path).then(
        () => null,
        (error: Error) => error.message,
      );
      expect(refusal).toContain(`in use by process ${server.child.pid}`);
      expect(refusal?.split('\n').length).toBe(1);
      expect(await ask(server, 'SELECT 1')).toBe('1');
      expect(await server.end(signal)).toBe(signal === 'SIGKILL' ? null : 0);
    }
  });

  it('is not taken for locked when the pid of its lock now belongs to someone else', async () => {
    await using dir = await temporaryDir();
    await writeFile(join(dir.path, 'lock'), JSON.stringify({ pid: process.pid, started: 'another boot:1' }));
    await using server = await startServer(dir.path);
    expect(JSON.parse(await readFile(join(dir.path, 'lock'), 'utf8'))).toMatchObject({ pid: server.child.pid });
  });

  it('lets running queries end when asked to stop, and stops those that do not', async () => {
    await using dir = await temporaryDir();
    await using server = await startServer(dir.path);
    const short = ask(server, 'SELECT sleep(1)');
    const endless = ask(server, ENDLESS).catch(() => 'cut');
    await until('they run', async () => (await running(server)) === '1');
    const ended = server.end('SIGTERM');
    expect(await short).toBe('0');
    expect(await endless).not.toMatch(/^\d+$/);
    expect(await ended).toBe(0);
  });
});
