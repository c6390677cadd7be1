import {
  startCeleryWorker,
  startMeadow,
  startRedis,
  waitFor,
  type CeleryWorker,
  type Meadow,
  type RedisServer,
} from '@meadow/testkit';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, type Browser } from './browser.ts';

let redis: RedisServer;
let meadow: Meadow;
let browser: Browser;
let page: Page;
let base: string;
let worker: CeleryWorker;
const node = `rose@${hostname()}`;

beforeAll(async () => {
  redis = await startRedis();
  meadow = await startMeadow({
    services: ['aggregator', 'collector', 'control', 'gateway'],
    clusters: [{ name: 'garden', broker: redis.url }],
  });
  worker = await startCeleryWorker({ brokerUrl: redis.url, name: 'rose', args: ['--concurrency', '1'] });
  browser = await openBrowser();
  page = browser.page;
  base = meadow.services.gateway?.url ?? '';
}, 120_000);

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await worker[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
}, 60_000);

/** Commands as the pages do. */
const run = (command: object, workers: readonly string[] | null = [node]): Promise<Response> =>
  fetch(`${base}/trpc/control.run`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json', 'user-agent': 'gardener/1' } },
    body: JSON.stringify({ cluster: 'garden', command, workers }),
  });

const rowOf = (text: string): Locator => page.locator('[data-row]', { hasText: text });
const shows = (row: Locator, text: string): Promise<void> =>
  row.getByText(text).filter({ visible: true }).first().waitFor();
const dialog = (): Locator => page.getByRole('dialog');
const open = (query = ''): Promise<unknown> => page.goto(`${base}/audit${query}`);

test('what is done on a worker’s page is in the audit without a reload, with who, on what and the answer', async () => {
  await open();
  await page.getByText('Nothing has been commanded yet').waitFor();
  const doer = await page.context().newPage();
  await doer.goto(`${base}/workers/garden/${encodeURIComponent(node)}`);
  await doer.getByRole('button', { name: 'Actions' }).click();
  await doer.getByRole('menuitem', { name: 'Grow the pool' }).click();
  await doer.getByRole('dialog').getByRole('button', { name: 'Grow', exact: true }).click();
  await doer.getByRole('dialog').getByText('Done').waitFor();
  await doer.close();

  const row = rowOf('Grow the pool');
  for (const text of ['Done', 'pool_grow n=1', node, 'Anonymous', '1 of 1 worker did it', 'garden']) {
    await shows(row, text);
  }
  // its begin and its end are one line
  expect(await page.locator('[data-row]').count()).toBe(1);
  await row.getByRole('button').filter({ visible: true }).click();
  await dialog().getByText('pool will grow').waitFor();
  const told = await dialog().innerText();
  for (const text of ['127.0.0.1 · not signed in', '"n": 1', 'Chrom', 'Begun', `${hostname()}-`])
    expect(told).toContain(text);

  // the address is all that somebody else needs
  const address = page.url();
  await page.goto(`${base}/`);
  await page.goto(address);
  await dialog().getByText('pool will grow').waitFor();
  await dialog().getByRole('link', { name: node }).first().click();
  await page.getByRole('heading', { name: node }).waitFor();
}, 60_000);

test('what was refused is there with its reason, and filters find each', async () => {
  expect((await run({ method: 'add_consumer', queue: '' })).status).toBe(400);
  expect((await run({ method: 'shutdown' }, null)).status).toBe(400);
  expect((await run({ method: 'revoke', task_id: ['t-1', 't-2', 't-3'] }, null)).status).toBe(200);
  expect((await run({ method: 'pool_shrink', n: 1 }, [`${node}0`])).status).toBe(200);
  await open();
  await shows(rowOf('Add a queue'), 'Refused');
  await shows(rowOf('Add a queue'), 'queue is empty');
  await shows(rowOf('Shut down'), 'the whole cluster');
  await shows(rowOf('Revoke tasks'), '+2 more');
  await shows(rowOf('Shrink the pool'), 'No answer');

  const rows = page.locator('[data-row]');
  await page.getByRole('button', { name: 'Refused' }).click();
  await expect.poll(() => rows.count()).toBe(2);
  expect(page.url()).toContain('outcome=refused');
  await page.getByRole('combobox', { name: 'Action' }).selectOption('add_consumer');
  await expect.poll(() => rows.count()).toBe(1);
  await page.goBack();
  await expect.poll(() => rows.count()).toBe(2);
  await page.getByRole('button', { name: 'Clear' }).click();
  await expect.poll(() => rows.count()).toBe(5);
  await page.getByRole('searchbox').fill('t-2');
  await expect.poll(() => rows.count()).toBe(1);
  await shows(rowOf('Revoke tasks'), 'Done');
  await open('?target=T-3&who=127.0&range=15m');
  await expect.poll(() => rows.count()).toBe(1);
  await open('?from=2020-01-01&to=2020-12-31');
  await page.getByText('No command matches').waitFor();
  await open('?cluster=orchard');
  await page.getByText('Nothing has been commanded yet').waitFor();
}, 60_000);

test('a worker’s page leads to what was done to it, and to nothing of another with a longer name', async () => {
  await page.goto(`${base}/workers/garden/${encodeURIComponent(node)}?range=6h`);
  await page.getByRole('link', { name: 'what was done to it' }).click();
  await page.getByRole('button', { name: node }).filter({ visible: true }).first().waitFor();
  for (const text of ['Grow the pool', 'Revoke tasks', 'Add a queue']) await rowOf(text).waitFor();
  expect(await rowOf('Shrink the pool').count()).toBe(0);
  expect(await rowOf('Shut down').count()).toBe(0);
});

test('what the filter finds is given as a file', async () => {
  await open('?outcome=refused');
  await rowOf('Add a queue').waitFor();
  const file = async (name: string): Promise<string> => {
    const link = page.getByRole('link', { name, exact: true });
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    expect(download.suggestedFilename()).toMatch(/^meadow-audit-\d{4}-\d\d-\d\d\.(?:csv|ndjson)$/);
    return readFileSync(await download.path(), 'utf8');
  };
  const lines = (await file('NDJSON')).trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { action: string; outcome: string }).action).sort()).toEqual([
    'add_consumer',
    'shutdown',
  ]);
  const csv = await file('CSV');
  expect(csv).toMatch(/^id,at,cluster,actor,/);
  expect(csv.trim().split('\r\n')).toHaveLength(3);
});

test('older commands are loaded when asked for, and every one is there once', async () => {
  for (let batch = 0; batch < 12; batch++) {
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => run({ method: 'rate_limit', queue: batch * 10 + index })),
    );
  }
  const stored = async (): Promise<number> => {
    const text = await (await fetch(`${base}/export/audit.ndjson?action=rate_limit`)).text();
    return text.split('\n').length - 1;
  };
  await waitFor(async () => (await stored()) === 120, { what: 'all of them in the store', everyMs: 200 });
  await open('?action=rate_limit');
  const rows = page.locator('[data-row]');
  await expect.poll(() => rows.count(), { timeout: 15_000 }).toBe(100);
  await page.getByRole('button', { name: 'Load older' }).click();
  await expect.poll(() => rows.count()).toBe(120);
  expect(await page.getByRole('button', { name: 'Load older' }).count()).toBe(0);
}, 60_000);

test('the page and an open command fit a phone and a desk, in the dark and in the light', async () => {
  await open('?action=pool_grow');
  await rowOf('Grow the pool').getByRole('button').filter({ visible: true }).click();
  await dialog().getByText('pool will grow').waitFor();
  const opened = new URL(page.url()).search;
  for (const query of ['', opened, '?range=15m&outcome=done']) {
    for (const [width, colorScheme] of [
      [390, 'dark'],
      [1440, 'light'],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      await open(query);
      await page.locator('[data-row]').first().waitFor();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect({ query, width, overflow }).toEqual({ query, width, overflow: Math.min(overflow, 0) });
    }
  }
  expect(browser.errors).toEqual([]);
}, 60_000);
