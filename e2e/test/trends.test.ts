import { startMeadow, waitFor, type Meadow } from '@meadow/testkit';
import { readdirSync } from 'node:fs';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, type Browser } from './browser.ts';

const HOUR = 3_600;
const DAY = 86_400;
// the begin of an hour, so that what is counted by the hour is known
const NOW = Math.floor(Date.now() / 1000 / HOUR) * HOUR;

/** Each queue with its task, and the seconds that it waits; reports wait longest, though fewest are sent. */
const QUEUES = [
  { queue: 'mail', name: 'shop.send_mail', every: 600, wait: 0.5, runtime: 0.2 },
  { queue: 'celery', name: 'shop.charge', every: 900, wait: 2, runtime: 1.5 },
  { queue: 'reports', name: 'shop.build_report', every: 3_600, wait: 90, runtime: 40 },
] as const;

let meadow: Meadow;
let browser: Browser;
let page: Page;
let base: string;

/** Two weeks of tasks as the aggregator writes them; in the week before everything waits half as long. */
function history(): object[] {
  return QUEUES.flatMap(({ queue, name, every, wait, runtime }) =>
    Array.from({ length: Math.floor((14 * DAY) / every) }, (_, index) => {
      const sentAt = NOW - index * every - 60;
      const wait_seconds = sentAt < NOW - 7 * DAY ? wait / 2 : wait * (1 + (index % 5) / 4);
      const worker = `celery@shop-${index % 2}`;
      const known = {
        cluster: 'garden',
        name,
        queue,
        worker,
        task_id: `${queue}-${index}`,
        keep_until: NOW + 30 * DAY,
      };
      const at = (timestamp: number) => ({ timestamp, collected_at: timestamp + 0.02 });
      const fails = index % 12 === 0;
      const events = [
        { type: 'task-received', ...at(sentAt) },
        { type: 'task-started', ...at(sentAt + wait_seconds), wait_seconds },
        fails
          ? { type: 'task-failed', ...at(sentAt + wait_seconds + runtime), exception_type: 'Timeout' }
          : { type: 'task-succeeded', ...at(sentAt + wait_seconds + runtime), runtime: runtime * (1 + (index % 7)) },
      ];
      return events.map((event, place) => ({
        ...known,
        ...event,
        event_id: `${queue.slice(0, 2)}${String(index * 3 + place).padStart(14, '0')}`,
      }));
    }).flat(),
  );
}

beforeAll(async () => {
  meadow = await startMeadow({ services: ['aggregator', 'gateway'], clusters: [] });
  const ask = (query: string): Promise<Response> => fetch(meadow.clickhouse.url, { method: 'POST', body: query });
  const migrations = readdirSync(new URL('../../libs/store/migrations', import.meta.url)).length;
  const applied = async (): Promise<number> =>
    Number(await (await ask('SELECT count() FROM meadow.schema_migrations')).text());
  await waitFor(async () => (await applied()) === migrations, { what: 'the tables', deadlineMs: 60_000 });
  const query = new URLSearchParams({
    query: 'INSERT INTO meadow.task_events_in FORMAT JSONEachRow',
    max_partitions_per_insert_block: '0',
  });
  const body = history()
    .map((event) => JSON.stringify(event))
    .join('\n');
  const written = await fetch(`${meadow.clickhouse.url}/?${query}`, { method: 'POST', body });
  expect(await written.text()).toBe('');
  browser = await openBrowser();
  page = browser.page;
  base = meadow.services.gateway?.url ?? '';
}, 120_000);

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
}, 60_000);

const open = (query = ''): Promise<unknown> => page.goto(`${base}/trends${query}`);
const chart = (label: string): Locator => page.getByRole('figure', { name: new RegExp(`^${label}`) });
const asTable = async (label: string): Promise<Locator> => {
  await page.getByRole('button', { name: `${label}: show as a table` }).click();
  return page.getByRole('region', { name: `${label}, as a table` });
};

test('the slowest queue of last week is told, and leads to how long its tasks wait', async () => {
  await open('?range=7d');
  await page.getByRole('link', { name: 'Queues', exact: true }).last().click();
  await page.getByText('reports was the slowest queue').waitFor();
  expect(page.url()).toContain('tab=queues');
  const rows = page.locator('[data-row]');
  expect(await rows.count()).toBe(3);
  expect(await rows.first().innerText()).toContain('reports');
  await page.getByRole('button', { name: 'Started' }).click();
  await expect.poll(() => rows.first().innerText()).toContain('mail');

  await page.getByRole('link', { name: 'reports' }).filter({ visible: true }).first().click();
  await chart('Wait in the queue').waitFor();
  expect(new URL(page.url()).searchParams.get('queue')).toBe('reports');
  const waits = await asTable('Wait in the queue');
  // from 90 to 180 s, as a sketch of the queue's only task has it
  expect(await waits.innerText()).toMatch(/[12] m \d\d s/);
});

test('a span is compared with the one before it, and the address is all that somebody else needs', async () => {
  await open('?range=7d&tab=latency&queue=reports');
  await page.getByRole('checkbox', { name: 'Compare with the span before' }).check();
  await chart('Wait in the queue').getByRole('button', { name: 'p95, before' }).waitFor();
  const address = page.url();
  expect(address).toContain('compare=1');
  await page.goto('about:blank');
  await page.goto(address);
  const before = chart('Wait in the queue').getByRole('button', { name: 'p95, before' });
  await before.waitFor();
  // the tile says by how much: it waited half as long
  await page.getByText(/%|×/).first().waitFor();
  await before.click();
  expect(await before.getAttribute('aria-pressed')).toBe('false');
});

test('drawing over a chart looks closer, zooming out takes it back, and a point leads to its tasks', async () => {
  await open('?range=24h');
  const plot = chart('What came of tasks').locator('.u-over');
  await plot.waitFor();
  const box = (await plot.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.25, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.4, box.y + 60, { steps: 5 });
  await page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 5 });
  await page.mouse.up();
  await expect.poll(() => new URL(page.url()).searchParams.get('from')).not.toBeNull();
  const ends = (): number[] =>
    ['from', 'to'].map((name) => Date.parse(new URL(page.url()).searchParams.get(name) ?? '') / 1000);
  const [from = 0, to = 0] = ends();
  expect(Math.abs(to - from - 6 * HOUR)).toBeLessThan(HOUR);

  // 6 hours of a task every 10 and every 15 minutes and every hour
  const told = async (): Promise<number> => {
    const label = (await chart('What came of tasks').getAttribute('aria-label')) ?? '';
    const figures = [...label.matchAll(/([\d,]+) (?:succeeded|failed)/g)];
    return figures.reduce((sum, [, figure = '']) => sum + Number(figure.replace(',', '')), 0);
  };
  await expect
    .poll(async () => Math.abs((await told()) - ((to - from) / HOUR) * 11), { timeout: 15_000 })
    .toBeLessThan(15);
  await page.getByRole('button', { name: 'Zoom out' }).click();
  await expect.poll(() => ends()[1]! - ends()[0]!).toBeGreaterThan(1.9 * (to - from));

  await plot.click({ position: { x: 300, y: 60 } });
  await page.waitForURL(/\/tasks\?/);
  const query = new URL(page.url()).searchParams;
  expect([query.has('from'), query.has('to')]).toEqual([true, true]);
}, 60_000);

test('a deployment that a CI job posts is on the charts of its cluster, and is taken back on the page', async () => {
  const post = (body: object, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${base}/marks`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json', ...headers } },
      body: JSON.stringify(body),
    });
  const at = NOW - 2 * HOUR + 60;
  expect((await post({ title: 'shop 2.4.1', at, cluster: 'garden', by: 'ci' })).status).toBe(201);
  expect((await post({ title: 'shop 2.4.2', url: 'javascript:alert(1)' })).status).toBe(400);
  expect((await post({})).status).toBe(400);
  expect((await post({ title: 'x' }, { origin: 'https://elsewhere.example' })).status).toBe(403);

  await open('?range=6h&cluster=garden');
  await (await asTable('What came of tasks')).getByText('shop 2.4.1').waitFor();
  await page.getByRole('button', { name: 'Marks' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('shop 2.4.1').waitFor();
  await dialog.getByRole('textbox', { name: 'What happened' }).fill('a note of mine');
  await dialog.getByRole('combobox').selectOption('note');
  await dialog.getByRole('button', { name: 'Add' }).click();
  await dialog.getByText('a note of mine').waitFor();
  await dialog.getByRole('button', { name: 'Take back: shop 2.4.1' }).click();
  await expect.poll(() => dialog.getByText('shop 2.4.1').count()).toBe(0);
  await dialog.getByRole('button', { name: 'Close' }).click();
  await open('?range=6h&cluster=orchard');
  await page.getByText('Nothing happened in this span').waitFor();
}, 60_000);

test('every part fits a phone and a desk, in the dark and in the light', async () => {
  for (const tab of ['throughput', 'latency', 'concurrency', 'tasks', 'queues', 'workers', 'hours']) {
    for (const [width, colorScheme] of [
      [390, 'dark'],
      [1440, 'light'],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      await open(`?range=7d&compare=1&tab=${tab}`);
      await page.locator('figure, [data-row]').first().waitFor();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect({ tab, width, overflow }).toEqual({ tab, width, overflow: Math.min(overflow, 0) });
    }
  }
  expect(browser.errors).toEqual([]);
}, 90_000);
