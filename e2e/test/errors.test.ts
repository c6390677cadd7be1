import {
  celeryEnvironment,
  runPython,
  startCeleryWorker,
  startMeadow,
  startRedis,
  waitFor,
  type CeleryWorker,
  type Meadow,
  type RedisServer,
} from '@meadow/testkit';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, type Browser } from './browser.ts';

let redis: RedisServer;
let meadow: Meadow;
let browser: Browser;
let page: Page;
let base: string;
let worker: CeleryWorker;

beforeAll(async () => {
  redis = await startRedis();
  meadow = await startMeadow({
    services: ['aggregator', 'collector', 'control', 'gateway'],
    clusters: [{ name: 'garden', broker: redis.url }],
  });
  worker = await startCeleryWorker({ brokerUrl: redis.url, name: 'rose', args: ['--concurrency', '2'] });
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

const send = (script: string): Promise<string> =>
  runPython(`import garden\n${script}`, { env: celeryEnvironment({ brokerUrl: redis.url }) });

const rows = (): Locator => page.getByRole('grid', { name: 'Groups of errors' }).locator('[data-row]');
const samples = (): Locator => page.getByRole('grid', { name: 'Newest tasks of this group' }).locator('[data-row]');
const button = (name: string | RegExp): Locator => page.getByRole('button', { name });

test('two kinds of failures are two groups, whatever their messages say', async () => {
  await send(`
for n in range(3):
    garden.fail.delay(f"order {n} is gone")
garden.add.delay(1, "2")
`);
  await page.goto(`${base}/errors`);
  await waitFor(async () => (await rows().count()) === 2, { what: 'two groups', deadlineMs: 30_000 });
  const gone = rows().filter({ hasText: 'OutOfWater: order # is gone' });
  await waitFor(async () => /\b3\b/.test(await gone.innerText()), { what: 'three failures', deadlineMs: 30_000 });
  expect(await gone.innerText()).toContain('garden.fail');
  expect(await rows().filter({ hasText: 'TypeError' }).innerText()).toContain('garden.add');
}, 90_000);

test('a group tells its traceback, its tasks and where they ran', async () => {
  await rows().filter({ hasText: 'OutOfWater' }).getByRole('link').first().click();
  await page.getByRole('heading', { name: 'OutOfWater: order # is gone' }).waitFor();
  await page.getByText('raise OutOfWater(message)').first().waitFor();
  expect(await samples().count()).toBe(3);
  const told = await page.locator('main').innerText();
  for (const text of ['celery.garden.fail', 'Open', 'rose@', 'py-celery']) expect(told).toContain(text);
}, 60_000);

test('one that is resolved is open again as a regression after a new failure', async () => {
  await button('Assign or note').click();
  await page.getByLabel('Assigned to').fill('ann');
  await page.getByLabel('Note').fill('the well is dry');
  await button('Save').click();
  await page.getByText('the well is dry').waitFor();
  await button('Resolve').click();
  await page.locator('main').getByText('Resolved', { exact: true }).first().waitFor();

  await page.goto(`${base}/errors?status=resolved`);
  await rows().filter({ hasText: 'OutOfWater' }).waitFor();
  await send('garden.fail.delay("order 99 is gone")');
  await page.goto(`${base}/errors`);
  await rows().filter({ hasText: 'Regression' }).filter({ hasText: 'OutOfWater' }).waitFor({ timeout: 30_000 });
  await rows().filter({ hasText: 'OutOfWater' }).getByRole('link').first().click();
  await page.getByText('failed again since').waitFor();
  expect(await page.locator('main').innerText()).toContain('ann');

  await page.goto(`${base}/audit`);
  const record = page.locator('[data-row]', { hasText: 'Resolve, ignore or note errors' });
  await record.first().waitFor({ timeout: 30_000 });
  await page.goBack();
}, 120_000);

test('two of its tasks are retried, and fail once more in the same group', async () => {
  await waitFor(async () => (await samples().count()) === 4, { what: 'all four tasks', deadlineMs: 30_000 });
  for (const index of [0, 1]) await samples().nth(index).getByRole('checkbox').first().check();
  const chosen = page.getByRole('region', { name: 'Chosen tasks' });
  await chosen.getByText('2 tasks chosen').waitFor();
  await chosen.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Retry…' }).click();
  await page.getByRole('button', { name: 'Retry 2 tasks' }).click();
  await page.locator('[data-stage="over"] [data-count="done"]', { hasText: '2' }).waitFor({ timeout: 30_000 });
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  await waitFor(async () => (await samples().count()) === 6, { what: 'their failures', deadlineMs: 30_000 });
}, 120_000);

test('the whole group can be retried, as its tasks are found by their group', async () => {
  await button('Retry all…').click();
  await waitFor(async () => /\b6\b/.test(await page.locator('[data-count="ready"]').innerText()), {
    ...{ what: 'six tasks that can be repeated', deadlineMs: 30_000 },
  });
  await page.keyboard.press('Escape');
}, 60_000);

test('a task that failed leads to its group', async () => {
  await samples().first().getByRole('link').first().click();
  await page.getByRole('link', { name: 'All errors like this' }).click();
  await page.getByRole('heading', { name: 'OutOfWater' }).waitFor();
  expect(browser.errors).toEqual([]);
}, 60_000);
