import {
  celeryEnvironment,
  runPython,
  startCeleryWorker,
  startMeadow,
  startRedis,
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
const workers: AsyncDisposable[] = [];
const cluster = { north: '', south: '' };

beforeAll(async () => {
  redis = await startRedis();
  cluster.north = redis.url;
  cluster.south = redis.url.replace('/0', '/1');
  const clusters = Object.entries(cluster).map(([name, broker]) => ({ name, broker }));
  meadow = await startMeadow({ services: ['aggregator', 'collector', 'control', 'gateway'], clusters });
  for (const [name, brokerUrl] of Object.entries(cluster)) workers.push(await startCeleryWorker({ brokerUrl, name }));
  browser = await openBrowser();
  page = browser.page;
  base = meadow.services.gateway?.url ?? '';
}, 90_000);

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  for (const worker of workers) await worker[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
}, 60_000);

/** Publishes tasks as an application does. */
async function publish(brokerUrl: string, script: string): Promise<void> {
  await runPython(`import garden\n${script}`, { env: celeryEnvironment({ brokerUrl }) });
}

const rowOf = (text: string): Locator => page.locator('[data-row]', { hasText: text });

/** Waits until the row shows the text; rows hold a card for narrow screens too, which is hidden on wide ones. */
const shows = (row: Locator, text: string): Promise<void> =>
  row.getByText(text).filter({ visible: true }).first().waitFor();

test('tasks of both clusters appear and change state by push, without a reload', async () => {
  await page.goto(`${base}/tasks`);
  await page.getByText('Live', { exact: true }).waitFor();
  // what the page asks is not answered from now on: it is told, or does not know
  await page.route(/\/trpc\/(?!live\.)/, () => undefined);
  await page.evaluate(() => Object.assign(window, { notReloaded: true }));
  await publish(cluster.north, 'garden.slow.delay(2.5, 5)');
  const north = rowOf('garden.slow');
  await north
    .getByText(/Started|Progress/)
    .filter({ visible: true })
    .first()
    .waitFor();
  await publish(cluster.south, 'garden.fail.delay("river is dry")');
  const south = rowOf('garden.fail');
  await shows(south, 'Failure');
  expect(await south.innerText()).toContain('south');
  expect(await north.innerText()).toContain('north');
  await shows(north, 'Success');
  expect(await page.evaluate(() => 'notReloaded' in window)).toBe(true);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
});

test('a task shows its arguments, attempts, traceback and every event in order', async () => {
  await publish(cluster.north, 'garden.flaky.delay(1, 0.2)');
  await page.goto(`${base}/tasks?query=name:garden.flaky`);
  await shows(rowOf('garden.flaky'), 'Success');
  await rowOf('garden.flaky').getByRole('link').filter({ visible: true }).first().click();
  await page.getByRole('heading', { name: 'garden.flaky' }).waitFor();
  const text = page.locator('main');
  for (const type of ['task-sent', 'task-received', 'task-started', 'task-retried', 'task-succeeded']) {
    await text.getByText(type).filter({ visible: true }).first().waitFor();
  }
  await text.getByText('OutOfWater').filter({ visible: true }).first().waitFor();
});

test('a free text finds tasks by what was passed to them', async () => {
  await publish(cluster.north, 'garden.echo.delay("needle-in-the-hay")');
  await publish(cluster.north, 'garden.echo.delay("only hay")');
  await page.goto(`${base}/tasks?query=needle-in-the-hay`);
  await shows(rowOf('needle-in-the-hay'), 'Success');
  expect(await rowOf('only hay').count()).toBe(0);
});

test('what a task brings along is shown and never run', async () => {
  const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
  await publish(cluster.north, `garden.echo.delay(${JSON.stringify(hostile)}, note=${JSON.stringify(hostile)})`);
  await page.goto(`${base}/tasks?query=name:garden.echo+onerror`);
  const row = rowOf('garden.echo');
  await shows(row, 'Success');
  expect(await row.innerText()).toContain('<img src=x');
  await row.getByRole('link').filter({ visible: true }).first().click();
  await page.getByText('<img src=x').filter({ visible: true }).first().waitFor();
  expect(await page.title()).not.toBe('owned');
  expect(await page.locator('img[src="x"]').count()).toBe(0);
});

test('workers of both clusters are online, and the overview counts what ran', async () => {
  await page.goto(`${base}/workers`);
  await shows(rowOf('north@'), 'Online');
  await shows(rowOf('south@'), 'Online');
  await page.goto(`${base}/`);
  for (const text of ['north', 'Connected', 'OutOfWater']) await shows(page.locator('main'), text);
});

test('every page fits a phone, in the dark and in the light, without an error', async () => {
  const lists = ['/', '/tasks', '/queues', '/workers', '/audit', '/system', '/run'];
  const others = ['/c/north/broker', '/queues/north/celery', '/tasks/north/no-such-task', '/nowhere'];
  for (const path of [...lists, ...others]) {
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [1440, 390]) {
        await page.setViewportSize({ width, height: 844 });
        await page.goto(`${base}${path}`);
        await page.locator('main').waitFor();
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect({ path, width, overflow }).toEqual({ path, width, overflow: Math.min(overflow, 0) });
      }
    }
  }
  // Chromium itself logs the 404 of the task that does not exist
  expect(browser.errors.filter((error) => !error.includes('404'))).toEqual([]);
}, 90_000);
