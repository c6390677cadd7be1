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
import { readFileSync } from 'node:fs';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, type Browser } from './browser.ts';

let redis: RedisServer;
let meadow: Meadow;
let browser: Browser;
let page: Page;
let base: string;
let worker: CeleryWorker;

/** Publishes tasks as an application does. */
const publish = (script: string): Promise<unknown> =>
  runPython(`import garden\n${script}`, { env: celeryEnvironment({ brokerUrl: redis.url }) });

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
  await publish(
    [
      'for _ in range(3): garden.echo.delay(customer_id=42)',
      'garden.echo.delay(customer_id=420)',
      'for _ in range(4): garden.fail.delay(message="dry")',
      'for _ in range(2): garden.fail.delay(message="frost")',
      'garden.slow.delay(0.1, 1)',
      'garden.slow.delay(1.2, 1)',
    ].join('\n'),
  );
  await open();
  await rows().nth(11).waitFor();
  const ended = rows()
    .getByText(/^(?:Success|Failure)$/)
    .filter({ visible: true });
  await waitFor(async () => (await ended.count()) === 12, { what: 'the end of all tasks', deadlineMs: 30_000 });
}, 120_000);

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await worker[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
}, 60_000);

const open = (query = '', more = ''): Promise<unknown> =>
  page.goto(`${base}/tasks?query=${encodeURIComponent(query)}${more}`);
const rows = (): Locator => page.locator('[data-row]');
const field = (): Locator => page.getByRole('combobox', { name: 'Search tasks' });
const option = (name: string): Locator => page.getByRole('listbox').getByRole('option', { name });
const found = async (count: number): Promise<void> => {
  await expect.poll(() => rows().count(), { timeout: 30_000 }).toBe(count);
};
/** Texts of one column, from the top. */
const column = async (at: number): Promise<string[]> => {
  const cells = await rows().evaluateAll(
    (all, nth) => all.map((row) => row.children[nth]?.textContent.trim() ?? ''),
    at,
  );
  return cells;
};
/** What the address searches for. */
const searched = (): string | null => new URL(page.url()).searchParams.get('query');

test('fields, values and keys of arguments are completed by the keyboard', async () => {
  await open();
  await rows().first().waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('na');
  await option('name').first().waitFor();
  await page.keyboard.press('Tab');
  expect(await field().inputValue()).toBe('name:');
  await page.keyboard.type('garden.e');
  await option('garden.echo').waitFor();
  await page.keyboard.press('ArrowDown');
  const active = await field().getAttribute('aria-activedescendant');
  expect(await page.locator(`[id="${active ?? ''}"]`).getAttribute('aria-selected')).toBe('true');
  await page.keyboard.press('Enter');
  expect(await field().inputValue()).toBe('name:garden.echo ');
  await page.keyboard.type('kwargs.cust');
  await option('customer_id').waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.type('42');
  await page.keyboard.press('Enter');
  await found(3);
  expect(searched()).toBe('name:garden.echo kwargs.customer_id=42');
  expect(await field().getAttribute('aria-expanded')).toBe('false');
  // and Escape leaves what is typed alone
  await page.keyboard.type(' st');
  await option('state').waitFor();
  await page.keyboard.press('Escape');
  expect(await field().inputValue()).toBe('name:garden.echo kwargs.customer_id=42 st');
});

test('what is wrong with a search is told with its place, and nothing is searched for', async () => {
  await open('name:garden.echo');
  await found(4);
  await field().fill('name:garden.echo stat:FAILURE');
  await field().press('Enter');
  const told = page.getByRole('alert');
  await told.getByText('did you mean state').waitFor();
  expect(await field().getAttribute('aria-invalid')).toBe('true');
  expect(searched()).toBe('name:garden.echo');
  expect(await rows().count()).toBe(4);
  await told.getByRole('button', { name: 'At character 18' }).click();
  const marked = await field().evaluate((node) =>
    node instanceof HTMLInputElement ? node.value.slice(node.selectionStart ?? 0, node.selectionEnd ?? 0) : '',
  );
  expect(marked).toBe('stat');
  await field().fill('name:garden.echo state:FAILURE');
  await page.getByText('No task matches').waitFor();
  expect(await told.count()).toBe(0);

  await open('runtime>soon');
  await page.getByText('This search cannot be read').waitFor();
  await told.waitFor();
  await page.getByRole('button', { name: 'Clear the search' }).last().click();
  await rows().nth(11).waitFor();
});

test('columns sort the list, in the address and both ways', async () => {
  await open('name:garden.slow');
  await found(2);
  const head = page.getByRole('columnheader', { name: 'Run time' });
  await head.getByRole('button').click();
  await expect.poll(() => column(8)).toEqual([expect.stringMatching(/^1\.2/), expect.stringMatching(/^1\d\d ms/)]);
  expect(await head.getAttribute('aria-sort')).toBe('descending');
  expect(new URL(page.url()).searchParams.get('sort')).toBe('-runtime');
  await head.getByRole('button').click();
  await expect.poll(() => column(8)).toEqual([expect.stringMatching(/^1\d\d ms/), expect.stringMatching(/^1\.2/)]);
  await page.goBack();
  await expect.poll(() => head.getAttribute('aria-sort')).toBe('descending');
});

test('facets count what matches, and narrow the search when they are chosen', async () => {
  await open('-kwargs.message:~frost');
  const panel = page.getByRole('group', { name: 'Narrow by' });
  const countsOf = async (title: string): Promise<string[]> =>
    (await panel.getByRole('region', { name: title }).getByRole('listitem').allInnerTexts()).map((text) =>
      text.replace(/\s+/g, ' ').trim(),
    );
  await expect
    .poll(() => countsOf('Task'), { timeout: 30_000 })
    .toEqual(['garden.echo 4', 'garden.fail 4', 'garden.slow 2']);
  expect(await countsOf('Exception')).toEqual(['OutOfWater 4']);
  await page.getByText('10 tasks', { exact: true }).waitFor();
  await page.getByRole('button', { name: /^Failure\s*4$/ }).waitFor();
  await panel.getByRole('button', { name: 'garden.fail 4' }).click();
  await found(4);
  expect(searched()).toBe('-kwargs.message:~frost name:garden.fail');
  await expect.poll(() => countsOf('Task')).toEqual(['garden.fail 4']);
  await panel.getByRole('button', { name: 'garden.fail 4', pressed: true }).click();
  await found(10);
  await panel.getByRole('button', { name: 'Leave out garden.slow' }).click();
  await found(8);
  expect(searched()).toBe('-kwargs.message:~frost -name:garden.slow');
  await page.getByRole('button', { name: /^Success/ }).click();
  await found(4);
  expect(searched()).toBe('-kwargs.message:~frost -name:garden.slow state:SUCCESS');
});

test('what is shown is given as a file', async () => {
  await open('name:garden.fail kwargs.message=dry');
  await found(4);
  const shown = await rows()
    .getByRole('gridcell')
    .getByRole('link')
    .evaluateAll((links) => [
      ...new Set(links.map((link) => new URL((link as HTMLAnchorElement).href).pathname.split('/').at(-1) ?? '')),
    ]);
  const file = async (name: string): Promise<string> => {
    await page.getByRole('button', { name: 'Export' }).click();
    const choose = page.getByRole('menuitem', { name }).click();
    const [download] = await Promise.all([page.waitForEvent('download'), choose]);
    expect(download.suggestedFilename()).toMatch(/^meadow-tasks-\d{4}-\d\d-\d\d\.(?:csv|ndjson)$/);
    return readFileSync(await download.path(), 'utf8');
  };
  const lines = (await file('NDJSON')).trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { task_id: string }).task_id)).toEqual(shown);
  const csv = (await file('CSV')).trim().split('\r\n');
  expect(csv).toHaveLength(5);
  for (const id of shown) expect(csv.filter((line) => line.includes(id))).toHaveLength(1);
});

test('links from before there was a query still find what they found', async () => {
  await page.goto(`${base}/tasks?state=failure&name=garden.*&q=dry&range=6h`);
  await found(4);
  expect(await field().inputValue()).toBe('state:FAILURE name:garden.* dry');
});

test('searches are kept under a name in the browser, and the newest are remembered', async () => {
  await open();
  await field().fill('name:garden.slow runtime>1');
  await field().press('Enter');
  await found(1);
  await page.getByRole('button', { name: 'Saved searches' }).click();
  await page.getByRole('textbox', { name: 'Save this search as' }).fill('Slow ones');
  await page.keyboard.press('Enter');
  await open();
  await rows().nth(11).waitFor();
  await field().click();
  await option('Slow ones').waitFor();
  await option('name:garden.slow runtime>1').last().click();
  await found(1);
  expect(searched()).toBe('name:garden.slow runtime>1');
  await open('state:LOST');
  await page.getByRole('button', { name: 'Saved searches' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Slow ones' }).first().click();
  await found(1);
});

test('a list looks between any two times', async () => {
  await open('name:garden.slow');
  await found(2);
  await page.getByRole('combobox', { name: 'Range of time' }).selectOption('Between two times…');
  await found(2);
  const { searchParams } = new URL(page.url());
  expect(searchParams.get('from')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\dZ$/);
  expect(searchParams.get('to')).not.toBeNull();
  await page.getByRole('textbox', { name: 'to', exact: true }).fill('2020-01-01T00:00');
  await page.getByText('The first time has to lie before the second.').waitFor();
  await page.getByRole('textbox', { name: 'First seen from' }).fill('2019-12-31T00:00');
  await page.getByText('No task matches').waitFor();
  await page.getByRole('combobox', { name: 'Range of time' }).selectOption('Last hour');
  await found(2);
  expect(page.url()).not.toContain('from=');
});

test('failures of one task are found by what was passed to them, and new ones come by themselves', async () => {
  await open();
  await field().fill('state:FAILURE name:garden.fail kwargs.message=frost received>-1h');
  await field().press('Enter');
  await found(2);
  await page.getByText('2 tasks', { exact: true }).waitFor();
  expect(searched()).toBe('state:FAILURE name:garden.fail kwargs.message=frost received>-1h');
  await field().blur();
  await page.evaluate(() => Object.assign(window, { notReloaded: true }));
  await publish('garden.fail.delay(message="frosty")\ngarden.fail.delay(message="frost")');
  await found(3);
  expect(await rows().getByText('frosty').count()).toBe(0);
  // a row that is pushed is cut: only the store knows whether it belongs here
  await field().fill('kwargs.customer_id=77');
  await page.getByText('No task matches').waitFor();
  await publish(
    'garden.echo.delay(a_note="x" * 300, customer_id=77)\ngarden.echo.delay(a_note="x" * 300, customer_id=78)',
  );
  await found(1);
  expect(await page.evaluate(() => 'notReloaded' in window)).toBe(true);
});

test('a list that no pushed row can find its place in is kept up to date too', async () => {
  await open('name:garden.add', '&sort=-runtime');
  await page.getByText('No task matches').waitFor();
  await publish('garden.add.delay(1, 2)');
  await found(1);
});

test('a phone has the search, its suggestions and its mistakes within its width', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  const overflow = (): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  await open('name:garden.fail');
  await rows().first().waitFor();
  expect(await page.getByRole('group', { name: 'Narrow by' }).count()).toBe(0);
  await page.getByRole('button', { name: 'Narrow by' }).click();
  await page.getByRole('group', { name: 'Narrow by' }).waitFor();
  expect(await overflow()).toBeLessThanOrEqual(0);
  await field().fill('');
  await option('state').first().waitFor();
  expect(await overflow()).toBeLessThanOrEqual(0);
  await field().fill('runtime>soon and a rather long text that no phone shows at once');
  await field().press('Enter');
  await page.getByRole('alert').waitFor();
  expect(await overflow()).toBeLessThanOrEqual(0);
  expect(browser.errors).toEqual([]);
});
