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
  worker = await startCeleryWorker({ brokerUrl: redis.url, backendUrl: backendUrl() });
  browser = await openBrowser();
  page = browser.page;
  page.setDefaultTimeout(30_000);
  base = meadow.services.gateway?.url ?? '';
}, 120_000);

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await worker[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
}, 60_000);

const backendUrl = (): string => redis.url.replace('/0', '/1');

/** Sends tasks as an application does; returns the lines that the script prints. */
async function publish(script: string): Promise<string[]> {
  const env = celeryEnvironment({ brokerUrl: redis.url, backendUrl: backendUrl() });
  const printed = await runPython(`import garden, time\nfrom celery import chain, chord, group\n${script}`, { env });
  return printed.trim().split('\n');
}

/** Runs a statement of ClickHouse. */
async function sql(statement: string): Promise<void> {
  const answer = await fetch(meadow.clickhouse.url, { method: 'POST', body: statement });
  if (!answer.ok) throw new Error(await answer.text());
}

const head = (): Locator => page.getByRole('main').locator('header').first();
const rows = (): Locator => page.getByRole('treeitem');
const dialog = (): Locator => page.getByRole('dialog');

/** Chromium itself logs the 404 of what is not there, or not yet. */
const failures = (): string[] => browser.errors.filter((error) => !error.includes('404'));

/** Opens a workflow, and waits until it is in a state and has so many tasks. */
async function open(rootId: string, state: string, tasks: number): Promise<void> {
  await waitFor(
    async () => {
      await page.goto(`${base}/workflows/garden/${rootId}`);
      const count = page.locator('[data-count="tasks"]', { hasText: new RegExp(`^${tasks}$`) });
      return Promise.all([
        head().getByText(state, { exact: true }).waitFor({ timeout: 3_000 }),
        count.waitFor({ timeout: 3_000 }),
      ]).then(
        () => true,
        () => false,
      );
    },
    { what: `workflow ${rootId} to be ${state} with ${tasks} tasks`, deadlineMs: 60_000 },
  );
}

/** Names of the tasks shown, with their levels. */
const tree = (): Promise<string[]> =>
  rows().evaluateAll((nodes) =>
    nodes.map(
      (node) => `${node.getAttribute('aria-level') ?? ''} ${node.querySelector('.name .cut')?.textContent ?? ''}`,
    ),
  );

test('a chain with a chord in it is one tree, found from any of its tasks', async () => {
  const [rootId = '', lastId = ''] = await publish(`
last = chain(
    garden.add.s(1, 1),
    chord([garden.add.s(1), garden.add.s(2), garden.flaky.si(1, 1.5)], garden.total.s()),
    garden.echo.s(),
).apply_async()
first = last
while first.parent is not None:
    first = first.parent
print(first.id, last.id, sep="\\n")`);
  await open(rootId, 'Succeeded', 6);
  // what follows the chord hangs on the task of it that ended last
  expect((await tree()).toSorted()).toEqual([
    '1 garden.add',
    '2 garden.add',
    '2 garden.add',
    '2 garden.flaky',
    '3 garden.total',
    '4 garden.echo',
  ]);
  const path = page.getByRole('region', { name: 'Critical path' }).getByRole('listitem');
  expect(await path.getByRole('link').allInnerTexts()).toEqual([
    ...['garden.add', 'garden.flaky', 'garden.total', 'garden.echo'],
  ]);

  await page.getByRole('link', { name: 'Graph' }).click();
  await page.locator('[data-kind="one"]').nth(5).waitFor();
  await page.getByRole('link', { name: 'Gantt' }).click();
  const flaky = rows().filter({ hasText: 'garden.flaky' });
  // it was run twice
  expect(await flaky.locator('.bar.run').count()).toBe(2);
  await page.getByRole('button', { name: 'Zoom in' }).click();
  await flaky.getByRole('link').click();
  await page.getByRole('heading', { name: 'garden.flaky' }).waitFor();
  await page.getByRole('link', { name: 'part of a workflow of 6 tasks' }).click();
  await head().getByText('garden.add').waitFor();

  await page.goto(`${base}/tasks/garden/${lastId}`);
  await page.getByRole('link', { name: 'part of a workflow of 6 tasks' }).waitFor();
  await page.goto(`${base}/workflows?cluster=garden`);
  const line = page.locator('[data-row]', { hasText: 'garden.add' });
  await line.getByText('Succeeded').filter({ visible: true }).first().waitFor();
  expect(failures()).toEqual([]);
}, 180_000);

test('a workflow is followed while it runs, folded by the keyboard, and what failed of it is retried', async () => {
  const [rootId = ''] = await publish(
    'print(chain(garden.slow.si(6, 2), garden.fail.si("dry")).apply_async().parent.id)',
  );
  await open(rootId, 'Running', 1);
  // by itself
  await head().getByText('Failed', { exact: true }).waitFor();
  await rows().nth(1).waitFor();
  await rows().first().focus();
  await page.keyboard.press('ArrowLeft');
  await rows().nth(1).waitFor({ state: 'detached' });
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  expect(await page.evaluate(() => document.activeElement?.textContent)).toContain('garden.fail');

  await page.getByRole('button', { name: 'Actions' }).click();
  const revoke = page.getByRole('menuitem', { name: /^Revoke/ });
  expect(await revoke.innerText()).toContain('All of its tasks have ended');
  await page.getByRole('menuitem', { name: /^Retry/ }).click();
  await dialog().getByText(`root:${rootId}`).waitFor();
  await dialog().getByRole('button', { name: 'Retry 1 task' }).click();
  await dialog().locator('[data-stage="over"]').waitFor();
  expect(await dialog().locator('[data-count="done"]').innerText()).toBe('1');
  expect(failures()).toEqual([]);
}, 180_000);

/** How long it takes from the list of workflows until a row is drawn, milliseconds: the best of five times. */
async function opening(name: string, row: number): Promise<number> {
  const took: number[] = [];
  for (let turn = 0; turn < 5; turn++) {
    await page.goto(`${base}/workflows?cluster=garden`);
    const link = page.locator('[data-row]', { hasText: name }).getByRole('link').filter({ visible: true }).first();
    await link.waitFor();
    const began = Date.now();
    await link.click();
    await rows().nth(row).waitFor();
    took.push(Date.now() - began);
  }
  return Math.min(...took);
}

test('five thousand children open in a second, of which those in view are drawn', async () => {
  const columns = 'cluster, task_id, name, state, queue, worker, root_id, parent_id, attempts, is_final, version';
  const times = 'sent_at, received_at, started_at, finished_at, updated_at, first_seen_at, keep_until';
  await sql(`INSERT INTO meadow.tasks_raw (${columns}, ${times})
    SELECT 'garden', multiIf(number = 0, 'wide-root', number = 5001, 'few-root', 'wide-' || toString(number)),
           multiIf(number = 0, 'shop.fan', number = 5001, 'shop.few', 'shop.step'),
           multiIf(number % 50 = 7, 'FAILURE', 'SUCCESS'), 'celery', 'celery@w' || toString(number % 8), if(number > 5000, 'few-root', 'wide-root') AS root,
           if(number IN (0, 5001), '', root), 1, true, 1, now64(6) - 600 + number / 20 AS at, at, at + 1, at + 3, at + 3, at,
           now() + INTERVAL 1 DAY
    FROM numbers(5004)`);
  // what this machine needs for a workflow of three tasks, among whatever else it does now, is not counted
  const small = await opening('shop.few', 2);
  const wide = await opening('shop.fan', 10);
  expect(await page.locator('[data-count="tasks"]').innerText()).toBe('5,001');
  expect(await rows().count()).toBeLessThan(80);
  expect(wide - small).toBeLessThan(1_000);

  await rows().first().focus();
  await page.keyboard.press('End');
  await page.locator('[data-task="wide-5000"]').waitFor();
  await page.getByRole('link', { name: 'Graph' }).click();
  await page.locator('[data-kind="alike"]', { hasText: '× 5,000' }).getByRole('button').click();
  await page.locator('[data-kind="rest"]', { hasText: '+ 4,960' }).waitFor();
  await page.getByRole('link', { name: 'Gantt' }).click();
  await rows().nth(10).waitFor();
  expect(await rows().count()).toBeLessThan(80);
  expect(failures()).toEqual([]);
}, 120_000);

test('a task that is sent every two seconds is recognised, and the run that was left out is told', async () => {
  await publish(`
due = time.time()
for turn in range(16):
    if turn != 9:
        garden.echo.delay("tick")
    due += 2
    time.sleep(max(0, due - time.time()))`);
  await page.goto(`${base}/types?cluster=garden&q=echo`);
  const line = page.locator('[data-row]', { hasText: 'garden.echo' });
  await line.getByRole('link').filter({ visible: true }).first().click();
  await page.getByRole('heading', { name: 'garden.echo' }).waitFor();
  const schedule = page.getByRole('region', { name: 'Schedule' });
  await schedule.locator('[data-schedule]', { hasText: 'every 2 s' }).waitFor({ timeout: 60_000 });
  await schedule.getByText(/expected and not seen/).waitFor();
  expect(failures()).toEqual([]);
}, 180_000);

test('the pages of workflows and task types fit a phone and a desk, in the dark and in the light', async () => {
  const workflow = '/workflows/garden/wide-root';
  const pages = [
    '/workflows',
    workflow,
    `${workflow}?view=graph`,
    `${workflow}?view=gantt`,
    '/types',
    '/types/garden/shop.no',
  ];
  for (const path of [...pages, '/types/garden/garden.echo', '/workflows/garden/nobody']) {
    for (const [width, colorScheme] of [
      [390, 'dark'],
      [1440, 'light'],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      await page.goto(`${base}${path}`);
      await page.locator('main').waitFor();
      await page.waitForLoadState('networkidle');
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect({ path, width, overflow }).toEqual({ path, width, overflow: Math.min(overflow, 0) });
    }
  }
  expect(failures()).toEqual([]);
}, 120_000);
