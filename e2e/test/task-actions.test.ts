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
  worker = await startCeleryWorker({ brokerUrl: redis.url, args: ['--concurrency', '1'] });
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

const dialog = (): Locator => page.getByRole('dialog');
const header = (): Locator => page.getByRole('main').locator('header').first();

/** Sends tasks as an application does; returns the ids that the script prints. */
async function publish(script: string): Promise<string[]> {
  const printed = await runPython(`import garden\n${script}`, { env: celeryEnvironment({ brokerUrl: redis.url }) });
  return printed.trim().split('\n');
}

/** Opens a task's page, and waits until it is in a state. */
async function open(id: string, state: string): Promise<void> {
  await waitFor(
    async () => {
      await page.goto(`${base}/tasks/garden/${id}`);
      const known = header().getByText(state, { exact: true });
      return known.waitFor({ timeout: 3_000 }).then(
        () => true,
        () => false,
      );
    },
    { what: `task ${id} to be ${state}`, deadlineMs: 60_000 },
  );
}

/** How often the worker began a task of which the log line holds this. */
const received = (text: string): number =>
  worker
    .log()
    .split('\n')
    .filter((line) => line.includes(text)).length;

/** Waits until the worker, which runs one task at a time, has run all that was sent. */
async function ranUpToNow(): Promise<void> {
  const [last = ''] = await publish('print(garden.echo.delay().id)');
  await waitFor(() => received(`garden.echo[${last}] succeeded`) === 1, {
    what: 'a task sent later',
    deadlineMs: 30_000,
  });
}

test('failed tasks are repeated together: first it is looked which can be, then they run', async () => {
  const script = 'print(*[garden.fail.delay(each).id for each in ["one", "two", "three", "x" * 3000]], sep="\\n")';
  const [, , , cut = ''] = await publish(script);
  await open(cut, 'Failure');
  await page.goto(`${base}/tasks?query=name:garden.fail`);
  await page.locator('[data-row]').nth(3).waitFor();
  const before = received('garden.fail[');
  await page.getByRole('checkbox', { name: 'Choose all tasks shown' }).check();
  await page.getByText('4 tasks chosen').waitFor();
  await page.getByRole('button', { name: 'Choose all that match' }).click();
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Retry' }).click();

  await dialog()
    .getByText('All tasks on every cluster, that match name:garden.fail, first seen in the last hour.')
    .waitFor();
  const go = dialog().getByRole('button', { name: 'Retry 3 tasks' });
  await go.waitFor();
  const refusal = dialog().locator('[data-code]');
  expect(await refusal.count()).toBe(1);
  expect(await refusal.getAttribute('data-code')).toBe('RETRY_ARGS_CUT');
  expect(await refusal.getByRole('link').getAttribute('href')).toContain(cut);
  await dialog().getByRole('textbox', { name: 'At most so many a second' }).fill('2');
  await go.click();
  await dialog().locator('[data-stage="over"]').waitFor();
  expect(await dialog().locator('[data-count="done"]').innerText()).toBe('3');
  expect(await dialog().locator('[data-count="refused"]').innerText()).toBe('1');
  await dialog().getByRole('link', { name: 'What the audit has of it on garden' }).waitFor();
  await ranUpToNow();
  // each is told of when it comes and when it fails; the dry run has sent nothing
  expect(received('garden.fail[') - before).toBe(6);
  expect(browser.errors).toEqual([]);
}, 180_000);

test('what goes on with many tasks is stopped between two of them', async () => {
  const ids = await publish('print(*[garden.fail.delay(f"stopped {n}").id for n in range(6)], sep="\\n")');
  await open(ids.at(-1) ?? '', 'Failure');
  await page.goto(`${base}/tasks?query=name:garden.fail+stopped`);
  await page.locator('[data-row]').nth(5).waitFor();
  await page.getByRole('checkbox', { name: 'Choose all tasks shown' }).check();
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Retry' }).click();
  await dialog().getByRole('button', { name: 'Retry 6 tasks' }).waitFor();
  await dialog().getByRole('textbox', { name: 'At most so many a second' }).fill('0.5');
  const before = received('garden.fail[');
  await page.keyboard.press('Enter');
  await dialog()
    .locator('[data-count="done"]', { hasText: /^[1-5]$/ })
    .waitFor();
  await dialog().getByRole('button', { name: 'Stop' }).click();
  await dialog().getByText('Stopped; what was sent stays so').waitFor();
  const done = Number(await dialog().locator('[data-count="done"]').innerText());
  expect(done).toBeLessThan(6);
  await page.keyboard.press('Escape');
  await page.getByRole('region', { name: 'Chosen tasks' }).waitFor({ state: 'detached' });
  await ranUpToNow();
  const runs = (received('garden.fail[') - before) / 2;
  expect(runs).toBeLessThan(6);
  expect(runs).toBeGreaterThanOrEqual(done);
}, 180_000);

test('a task is repeated with arguments that were edited, and the worker runs it with those', async () => {
  const [id = ''] = await publish('print(garden.fail.delay("dry").id)');
  await open(id, 'Failure');
  await page.getByRole('button', { name: 'Retry…' }).click();
  const args = dialog().getByRole('textbox', { name: 'Positional arguments' });
  await args.waitFor();
  expect(await args.inputValue()).toBe('["dry"]');
  await dialog().getByText('What the original did is done once more').waitFor();
  expect(await dialog().getByRole('region', { name: 'Changes' }).count()).toBe(0);

  await args.fill('["edited",\n by hand]');
  await dialog().getByRole('button', { name: 'Line 2, column 2' }).waitFor();
  const send = dialog().getByRole('button', { name: 'Send to celery on garden' });
  expect(await send.isDisabled()).toBe(true);
  await args.fill('["edited by hand"]');
  const changes = await dialog().getByRole('region', { name: 'Changes' }).innerText();
  expect(changes).toMatch(/args\[0\]\s*"dry"\s*→\s*"edited by hand"/);
  await send.click();
  await dialog().getByText('Sent to queue celery.').waitFor();
  const link = dialog().getByRole('link', { name: /^[0-9a-f-]{36}$/ });
  const newId = await link.innerText();
  expect(newId).not.toBe(id);
  await open(newId, 'Failure');
  await page.getByText("OutOfWater('edited by hand')").first().waitFor();
  expect(browser.errors).toEqual([]);
}, 180_000);

test('a task is run by its name, with the arguments of its last run at hand', async () => {
  const [id = ''] = await publish('print(garden.add.delay(2, 3).id)');
  await open(id, 'Success');
  await page.goto(`${base}/tasks`);
  await page.getByRole('link', { name: 'Run a task' }).click();
  await page.getByRole('combobox', { name: 'Task', exact: true }).fill('garden.add');
  await page.getByRole('button', { name: 'Use the arguments of its last run' }).click();
  await page.getByText('Taken over from its last run.').waitFor();
  const args = page.getByRole('textbox', { name: 'Positional arguments' });
  expect(await args.inputValue()).toBe('[2, 3]');
  await args.fill('[2, 40]');
  await page.getByRole('combobox', { name: 'Queue', exact: true }).fill('celery@x.pidbox');
  await page.getByRole('button', { name: 'Send to celery@x.pidbox on garden' }).click();
  await page.getByText(/part of Celery's, the broker's or Meadow's machinery/).waitFor();
  await page.getByRole('combobox', { name: 'Queue', exact: true }).fill('celery');
  await page.getByRole('button', { name: 'Send to celery on garden' }).click();
  await page.getByText('Sent to queue celery.').waitFor();
  const newId = await page.getByRole('link', { name: /^[0-9a-f-]{36}$/ }).innerText();
  await open(newId, 'Success');
  await waitFor(
    () => worker.log().includes(`garden.add[${newId}] succeeded`) && /succeeded in [^\n]+: 42\n/.test(worker.log()),
    {
      what: 'the worker to have added 2 and 40',
    },
  );
  expect(browser.errors).toEqual([]);
}, 180_000);

test('a task that waits is revoked, told who heard it, and never begins', async () => {
  const [slow = '', waiting = ''] = await publish(
    'print(garden.slow.delay(60, 1).id, garden.echo.delay(1).id, sep="\\n")',
  );
  await open(slow, 'Started');
  await open(waiting, 'Received');
  const actions = page.getByRole('button', { name: 'Actions' });
  await actions.click();
  const terminate = page.getByRole('menuitem', { name: /^Terminate/ });
  expect(await terminate.innerText()).toContain('It does not run');
  await page.getByRole('menuitem', { name: /^Revoke/ }).click();
  await dialog().getByRole('button', { name: 'Revoke' }).click();
  await dialog().getByText('1 of 1 worker did it.').waitFor();
  await dialog().getByText('1 waiting in a worker, to be dropped when its turn comes.').waitFor();
  await page.keyboard.press('Escape');

  await open(slow, 'Started');
  await actions.click();
  await page.getByRole('menuitem', { name: /^Terminate/ }).click();
  await dialog().getByRole('combobox', { name: 'Signal' }).selectOption('SIGKILL');
  await dialog().getByRole('button', { name: 'End it' }).click();
  await dialog().locator('[data-outcome="done"]').waitFor();
  await page.keyboard.press('Escape');
  // the page follows by itself
  await header().getByText('Revoked', { exact: true }).waitFor();
  await open(waiting, 'Revoked');
  expect(received(`garden.echo[${waiting}] succeeded`)).toBe(0);
  expect(browser.errors).toEqual([]);
}, 180_000);

test('the forms fit a phone and a desk, in the dark and in the light', async () => {
  const [id = ''] = await publish('print(garden.fail.delay("narrow").id)');
  await open(id, 'Failure');
  for (const [width, colorScheme] of [
    [390, 'dark'],
    [1440, 'light'],
  ] as const) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 844 });
    await page.goto(`${base}/run?cluster=garden`);
    await page.getByRole('heading', { name: 'Run a task' }).waitFor();
    const run = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    await page.goto(`${base}/tasks/garden/${id}`);
    await page.getByRole('button', { name: 'Retry…' }).click();
    await dialog().getByRole('textbox', { name: 'Positional arguments' }).waitFor();
    const retry = await dialog().evaluate((node) => node.scrollWidth - node.clientWidth);
    expect({ width, run, retry }).toEqual({ width, run: Math.min(run, 0), retry: Math.min(retry, 0) });
  }
  expect(browser.errors).toEqual([]);
}, 120_000);
