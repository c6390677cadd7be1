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
import { hostname } from 'node:os';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, type Browser } from './browser.ts';

let redis: RedisServer;
let meadow: Meadow;
let browser: Browser;
let page: Page;
let base: string;
const workers = new Map<string, CeleryWorker>();
const nodeOf = (name: string): string => `${name}@${hostname()}`;

beforeAll(async () => {
  redis = await startRedis();
  meadow = await startMeadow({
    services: ['aggregator', 'collector', 'control', 'gateway'],
    clusters: [{ name: 'garden', broker: redis.url }],
  });
  const start = async (name: string, args: readonly string[]): Promise<void> => {
    workers.set(name, await startCeleryWorker({ brokerUrl: redis.url, name, args: [...args, '-Q', name] }));
  };
  await start('prefork', ['--concurrency', '2']);
  await start('threads', ['--pool', 'threads', '--concurrency', '2']);
  await start('gone', ['--pool', 'solo']);
  await workers.get('gone')?.stop();
  browser = await openBrowser();
  page = browser.page;
  base = meadow.services.gateway?.url ?? '';
}, 120_000);

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  for (const worker of workers.values()) await worker[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
}, 60_000);

const open = async (worker: string, tab = ''): Promise<void> => {
  await page.goto(`${base}/workers/garden/${encodeURIComponent(nodeOf(worker))}${tab === '' ? '' : `?tab=${tab}`}`);
  await page.getByRole('heading', { name: nodeOf(worker) }).waitFor();
};

const dialog = (): Locator => page.getByRole('dialog');

async function choose(action: string): Promise<void> {
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: action }).click();
  await dialog().waitFor();
}

/** Waits for what the worker is told to have done, and closes the dialog as the keyboard does. */
async function done(worker: string, words: string): Promise<void> {
  const line = dialog().locator('[data-outcome]', { hasText: nodeOf(worker) });
  await line.getByText('Done').waitFor();
  expect(await line.innerText()).toContain(words);
  await page.keyboard.press('Escape');
  await dialog().waitFor({ state: 'detached' });
}

/** What the worker itself says. */
async function inspect<Answer>(method: string, worker: string): Promise<Answer> {
  const script = `import garden, json; print(json.dumps(garden.app.control.inspect(['${nodeOf(worker)}'], timeout=2).${method}))`;
  const answer = await runPython(script, { env: celeryEnvironment({ brokerUrl: redis.url }) });
  return (JSON.parse(answer) as Record<string, Answer>)[nodeOf(worker)]!;
}

test('a worker is pinged, grows, is given a rate limit and is shut down by hand', async () => {
  await open('prefork');
  await choose('Ping');
  await dialog().getByRole('button', { name: 'Ping' }).click();
  await done('prefork', 'pong');

  await choose('Grow the pool');
  await dialog().getByText('2 → 3 processes').waitFor();
  await dialog().getByRole('textbox', { name: 'By how many' }).fill('2');
  await dialog().getByText('2 → 4 processes').waitFor();
  await page.keyboard.press('Enter');
  await done('prefork', 'pool will grow');
  const size = async () =>
    (await inspect<{ pool: { processes: number[] } }>('stats()', 'prefork')).pool.processes.length;
  await waitFor(async () => (await size()) === 4, { what: 'a pool of four', everyMs: 200 });
  await page.getByText('of 4', { exact: true }).waitFor();

  await open('prefork', 'registered');
  await page.getByRole('searchbox', { name: 'Find a task' }).fill('garden.echo');
  await page.getByRole('button', { name: 'Set the rate limit of garden.echo' }).click();
  await dialog().getByRole('textbox', { name: 'Rate limit' }).fill('fast');
  await page.keyboard.press('Enter');
  await dialog().getByText('such as 30/m').first().waitFor();
  await dialog().getByRole('textbox', { name: 'Rate limit' }).fill('30/m');
  await page.keyboard.press('Enter');
  await done('prefork', 'new rate limit set successfully');
  expect(await inspect<string[]>('registered()', 'prefork')).toContain('garden.echo [rate_limit=30/m]');
  await page.locator('[data-row]', { hasText: 'garden.echo' }).getByText('30/m').filter({ visible: true }).waitFor();

  await choose('Shut down');
  const button = dialog().getByRole('button', { name: 'Shut down' });
  expect(await button.isDisabled()).toBe(true);
  await page.keyboard.type(nodeOf('prefork'));
  expect(await button.isDisabled()).toBe(false);
  await button.click();
  await done('prefork', 'it answers no more');
  const log = (): string => workers.get('prefork')?.log() ?? '';
  await waitFor(() => log().includes('Got shutdown from remote'), {
    what: 'the worker to say that it was told to end',
  });
  await waitFor(() => workers.get('prefork')?.ended() === true, { what: 'the worker to end', deadlineMs: 20_000 });
  await page.getByText('Offline', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menu').getByText('It is offline: nobody would hear it.').waitFor();
}, 120_000);

test('what a worker cannot do is told with the reason before anything is sent', async () => {
  await open('threads');
  await page.getByText('Threads', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Actions' }).click();
  const grow = page.getByRole('menuitem', { name: 'Grow the pool' });
  await grow.getByText('keeps the size').waitFor();
  // as a hand does that does not read
  await grow.click({ force: true });
  expect(await dialog().count()).toBe(0);
  await page.getByRole('menuitem', { name: 'Autoscaler’s range' }).getByText('without --autoscale').waitFor();
});

test('of several workers the preview names who is touched and who is left out, and each tells its own', async () => {
  await page.goto(`${base}/workers?view=workers`);
  await page.getByRole('checkbox', { name: /that stopped/ }).check();
  for (const name of ['gone', 'threads']) {
    await page
      .getByRole('checkbox', { name: `Choose ${nodeOf(name)}` })
      .filter({ visible: true })
      .check();
  }
  await page.getByText('2 workers chosen').waitFor();
  await page.getByText('1 offline, left out of whatever is done').waitFor();
  await choose('Ping');
  await dialog().getByText('For 1 worker', { exact: true }).waitFor();
  await dialog().getByText('1 worker left out').waitFor();
  expect(
    await dialog()
      .locator('li', { hasText: nodeOf('gone') })
      .innerText(),
  ).toContain('It is offline');
  await page.keyboard.press('Enter');
  await done('threads', 'pong');
  expect(browser.errors).toEqual([]);
});

test('every part of a worker’s page fits a phone and a desk, in the dark and in the light', async () => {
  for (const tab of ['', 'queues', 'tasks', 'registered', 'revoked', 'configuration', 'history']) {
    for (const [width, colorScheme] of [
      [390, 'dark'],
      [1440, 'light'],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      await open('threads', tab);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect({ tab, width, overflow }).toEqual({ tab, width, overflow: Math.min(overflow, 0) });
    }
  }
  expect(browser.errors).toEqual([]);
}, 60_000);
