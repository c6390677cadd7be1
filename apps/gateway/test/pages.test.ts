import { openLogger } from '@meadow/runtime';
import { openSqlConsole, openStore, type SqlConsole, type Store } from '@meadow/store';
import { tempFolder, removeFolder } from '@meadow/testkit';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openGateway } from '../src/gateway.ts';
import { connect, failureOf, watch } from './client.ts';

let folder: string;
let store: Store;
let sql: SqlConsole;
let gateway: Awaited<ReturnType<typeof openGateway>>;

/** Neither NATS nor ClickHouse is there. */
beforeAll(async () => {
  folder = tempFolder('dashboard');
  const url = 'http://127.0.0.1:9';
  store = openStore({ url });
  const limits = { seconds: 1, memoryBytes: 1e8, threads: 1 };
  const user = { username: 'default', password: '', restricted: false };
  sql = openSqlConsole({ url, database: 'meadow', ...user, store, limits });
  gateway = await openGateway({
    ...{ host: '127.0.0.1', port: 0, natsUrl: 'nats://127.0.0.1:9', dashboardDir: folder, store, version: '1.2.3' },
    sql: { console: sql, limits, docs: '' },
    ...{ log: openLogger('gateway', 'error'), metrics: new Registry() },
  });
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await sql[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await removeFolder(folder);
});

function build(): void {
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>dashboard</title>');
  writeFileSync(join(folder, 'meadow.svg'), '<svg/>');
  writeFileSync(join(folder, 'assets', 'index-Ab3_x9Zk.js'), 'console.log("meadow");'.repeat(500));
  writeFileSync(join(folder, '.env'), 'SECRET=1');
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** As typed, without the tidying that `fetch` does to a path. */
function ask(path: string, headers: Readonly<Record<string, string>> = { accept: 'text/html' }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    get(`${gateway.url}/`, { path, headers }, (response) => {
      let text = '';
      response.setEncoding('latin1').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    }).once('error', reject);
  });
}

test('answers before NATS and ClickHouse do, and says what is missing', async () => {
  const ready = await ask('/readyz');
  expect(ready.status).toBe(503);
  expect(ready.text).toMatch(/NATS[^]*\nClickHouse does not answer/);
  expect((await ask('/livez')).status).toBe(200);
  const client = connect(gateway.url);
  expect((await failureOf(client.overview.get.query({ range: '1h' }))).told).toBe('503 STORE_UNAVAILABLE');
  expect((await failureOf(client.clusters.list.query())).told).toBe('503 STORE_UNAVAILABLE');
  const status = await client.system.status.query();
  expect(status).toMatchObject({ version: '1.2.3', store: { ok: false }, bus: { ok: false } });
  expect(status.bus.error).toContain('NATS');
  const watched = watch(client, {});
  await expect.poll(() => watched.states).toContain('connecting BUS_UNAVAILABLE');
  watched.stop();
});

test('says how to build the dashboard while there is none, and serves it as soon as it is built', async () => {
  const missing = await ask('/');
  expect([missing.status, missing.headers['cache-control']]).toEqual([503, 'no-store']);
  expect(missing.text).toContain('npm run build');
  build();
  expect((await ask('/')).text).toContain('<title>dashboard');
  rmSync(join(folder, 'index.html'));
  expect((await ask('/tasks')).status).toBe(503);
});

test('every address of a page is the dashboard, and nothing else is', async () => {
  build();
  for (const path of ['/', '/tasks', '/tasks/prod/a.b-c', '/workers/celery@w1.example.org?range=1h']) {
    const page = await ask(path);
    expect([path, page.status, page.headers['content-type']]).toEqual([path, 200, 'text/html; charset=utf-8']);
    expect(page.headers['cache-control']).toBe('no-cache');
  }
  const paths = [
    '/assets/gone-12345678.js',
    '/trpc',
    '/api/tasks',
    '/.env',
    '/../package.json',
    '/%2e%2e/package.json',
  ];
  for (const path of paths) {
    const answer = await ask(path, { accept: '*/*' });
    expect([path, [403, 404].includes(answer.status ?? 0), answer.text.includes('SECRET')]).toEqual([
      path,
      true,
      false,
    ]);
  }
  expect((await fetch(`${gateway.url}/tasks`, { method: 'POST', headers: { accept: 'text/html' } })).status).toBe(404);
});

test('files with a digest in their name are kept for good and travel compressed', async () => {
  build();
  const asset = await ask('/assets/index-Ab3_x9Zk.js', { 'accept-encoding': 'gzip, br' });
  expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  expect(asset.headers['content-encoding']).toBe('br');
  expect(asset.text.length).toBeLessThan(500);
  expect((await ask('/meadow.svg')).headers['cache-control']).toBe('no-cache');
});

test('every answer forbids what a page here never does', async () => {
  build();
  for (const path of ['/', '/tasks', '/assets/index-Ab3_x9Zk.js', '/readyz', '/trpc/system.status', '/nothing']) {
    const { headers } = await ask(path);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' });
  }
  expect((await ask('/trpc/system.status')).headers['cache-control']).toBe('no-store');
});

test('offers its metrics', async () => {
  const { status, text } = await ask('/metrics');
  expect(status).toBe(200);
  expect(text).toContain('meadow_gateway_live_viewers 0');
});
