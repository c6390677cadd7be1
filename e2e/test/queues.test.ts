import {
  celeryEnvironment,
  runPython,
  startCeleryWorker,
  startMeadow,
  startRabbitmq,
  startRedis,
  waitFor,
  type CeleryWorker,
  type Meadow,
  type RabbitmqServer,
  type RedisServer,
} from '@meadow/testkit';
import { hostname } from 'node:os';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, type Browser } from './browser.ts';

let redis: RedisServer;
let rabbitmq: RabbitmqServer;
let meadow: Meadow;
let browser: Browser;
let page: Page;
let base: string;
let worker: CeleryWorker;
const node = `taker@${hostname()}`;

beforeAll(async () => {
  [redis, rabbitmq] = await Promise.all([startRedis(), startRabbitmq({ management: true })]);
  worker = await startCeleryWorker({
    ...{ brokerUrl: redis.url, name: 'taker', args: ['--pool', 'threads', '--concurrency', '2', '-Q', 'taken'] },
  });
  await send(redis.url, 'waiting', 5);
  await send(redis.url, 'movable', 3);
  await send(redis.url, 'doomed', 3);
  await send(rabbitmq.amqpUrl, 'hutch', 3);
  meadow = await startMeadow({
    services: ['aggregator', 'collector', 'control', 'gateway'],
    clusters: [
      { name: 'garden', broker: redis.url },
      { name: 'rabbits', broker: rabbitmq.amqpUrl, management: rabbitmq.managementUrl ?? '' },
    ],
  });
  browser = await openBrowser();
  page = browser.page;
  base = meadow.services.gateway?.url ?? '';
}, 180_000);

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
  await worker[Symbol.asyncDispose]();
  await Promise.all([redis[Symbol.asyncDispose](), rabbitmq[Symbol.asyncDispose]()]);
}, 60_000);

async function send(brokerUrl: string, queue: string, count: number): Promise<void> {
  const script = `import garden\nfor n in range(${count}): garden.echo.apply_async((n, 'leaf'), queue='${queue}')`;
  await runPython(script, { env: celeryEnvironment({ brokerUrl }) });
}

/** Messages that wait, by the broker itself. */
async function depth(brokerUrl: string, queue: string): Promise<number> {
  // an empty queue is no key in Redis, and so unknown to kombu
  const script = `import garden
with garden.app.connection_for_read() as connection:
    try:
        print(connection.default_channel.queue_declare('${queue}', passive=True).message_count)
    except connection.channel_errors:
        print(0)`;
  return Number(await runPython(script, { env: celeryEnvironment({ brokerUrl }) }));
}

const dialog = (): Locator => page.getByRole('dialog');

async function open(cluster: string, queue: string, tab = ''): Promise<void> {
  await page.goto(`${base}/queues/${cluster}/${queue}${tab === '' ? '' : `?tab=${tab}`}`);
  await page.getByRole('heading', { name: queue, exact: true }).waitFor();
}

async function choose(action: string): Promise<void> {
  const item = page.getByRole('menuitem', { name: action, exact: true });
  await page.getByRole('button', { name: 'Actions' }).click();
  await item.and(page.locator(':not([aria-disabled])')).waitFor({ timeout: 30_000 });
  await item.click();
  await dialog().waitFor();
}

async function close(): Promise<void> {
  await page.keyboard.press('Escape');
  await dialog().waitFor({ state: 'detached' });
}

const row = (queue: string): Locator =>
  page.locator('[data-row]', { has: page.getByRole('link', { name: queue, exact: true }) });

test('the list names every queue of both brokers, with what waits and who takes it', async () => {
  await page.goto(`${base}/queues`);
  await row('waiting').getByText('No consumers').filter({ visible: true }).waitFor({ timeout: 60_000 });
  await row('hutch').getByText('No consumers').filter({ visible: true }).waitFor({ timeout: 60_000 });
  await row('taken').filter({ visible: true }).waitFor({ timeout: 60_000 });
  expect(await row('waiting').innerText()).toMatch(/\b5\b/);
  expect(await row('hutch').innerText()).toMatch(/\b3\b/);
  await page.getByRole('searchbox', { name: 'Find a queue' }).fill('hut');
  await row('waiting').waitFor({ state: 'detached' });
  expect(page.url()).toContain('q=hut');
  await row('hutch').getByRole('link').filter({ visible: true }).first().click();
  await page.getByText('classic queue of RabbitMQ').waitFor();
}, 180_000);

test('a look at a Redis queue shows the tasks that wait, and one of them can be removed', async () => {
  await open('garden', 'waiting', 'messages');
  const messages = page.locator('[data-message]');
  await messages.nth(4).waitFor();
  expect(await messages.count()).toBe(5);
  expect(await messages.first().innerText()).toMatch(/garden\.echo\s+0,"leaf"/);
  await page.getByRole('button', { name: 'Unfold message 2' }).click();
  await messages.nth(1).getByText('[1,"leaf"]').waitFor();

  await page.getByRole('button', { name: 'Remove message 2' }).click();
  await dialog().getByText('1,"leaf"').waitFor();
  await dialog().getByRole('button', { name: 'Remove' }).click();
  await dialog().getByRole('link', { name: 'What the audit has of it' }).waitFor();
  await close();
  expect(await messages.count()).toBe(4);
  expect(await depth(redis.url, 'waiting')).toBe(4);
}, 60_000);

test('messages are moved to another queue, as many as are asked for', async () => {
  await open('garden', 'movable');
  await choose('Move messages');
  await dialog().getByRole('combobox', { name: 'To the queue' }).fill('elsewhere');
  await dialog().getByText('No queue of this name is known').waitFor();
  await dialog().getByRole('textbox', { name: 'At most' }).fill('1');
  await page.keyboard.press('Enter');
  await dialog().getByRole('link', { name: 'What the audit has of it' }).waitFor();
  await close();
  expect([await depth(redis.url, 'movable'), await depth(redis.url, 'elsewhere')]).toEqual([2, 1]);
}, 60_000);

test('a purge asks for the name of the queue, and empties it', async () => {
  await open('garden', 'doomed');
  await choose('Purge');
  await dialog().getByText('3 messages').waitFor();
  await dialog().getByText('garden.echo').first().waitFor();
  const button = dialog().getByRole('button', { name: 'Purge' });
  const field = dialog().getByRole('textbox', { name: 'Type doomed to confirm' });
  for (const typed of ['', 'doome', 'Doomed', 'doomed2']) {
    await field.fill(typed);
    expect({ typed, disabled: await button.isDisabled() }).toEqual({ typed, disabled: true });
    await page.keyboard.press('Enter');
  }
  expect(await depth(redis.url, 'doomed')).toBe(3);
  await field.fill('doomed');
  await button.click();
  const audit = dialog().getByRole('link', { name: 'What the audit has of it' });
  await audit.waitFor();
  expect(await dialog().innerText()).toContain('3 messages');
  expect(await depth(redis.url, 'doomed')).toBe(0);
  await close();
}, 60_000);

test('a queue is paused: its worker takes nothing from it until it is resumed', async () => {
  await open('garden', 'taken');
  await page.locator('[data-row]', { hasText: node }).waitFor();
  await choose('Pause');
  await dialog().locator('li', { hasText: node }).waitFor();
  await dialog().getByRole('button', { name: 'Pause', exact: true }).click();
  await dialog().locator('[data-outcome=done]', { hasText: node }).waitFor();
  await close();
  await page.getByText('1 worker was told to take nothing from it').waitFor();

  await send(redis.url, 'taken', 2);
  await page.getByText('Paused', { exact: true }).waitFor({ timeout: 30_000 });
  expect(await depth(redis.url, 'taken')).toBe(2);

  await page.getByRole('button', { name: 'Resume' }).click();
  await dialog().locator('li', { hasText: node }).waitFor();
  await dialog().getByRole('button', { name: 'Resume', exact: true }).click();
  await dialog().locator('[data-outcome=done]', { hasText: node }).waitFor();
  await close();
  await waitFor(async () => (await depth(redis.url, 'taken')) === 0, {
    ...{ what: 'the worker to take what waited', everyMs: 500, deadlineMs: 30_000 },
  });
  await page.getByText('was told to take nothing from it').waitFor({ state: 'detached', timeout: 30_000 });
}, 120_000);

test('RabbitMQ is looked at only when somebody who was told what that does asks for it', async () => {
  await open('rabbits', 'hutch', 'messages');
  await page.getByText('RabbitMQ shows a message only by handing it out.').waitFor();
  expect(await page.locator('[data-message]').count()).toBe(0);
  await page.getByRole('button', { name: 'Look at messages' }).click();
  await page.locator('[data-message]').nth(2).waitFor();
  expect(await page.getByRole('button', { name: /Remove message/ }).count()).toBe(0);
  expect(await depth(rabbitmq.amqpUrl, 'hutch')).toBe(3);

  await choose('Purge');
  await dialog().getByRole('textbox', { name: 'Type hutch to confirm' }).fill('hutch');
  await page.keyboard.press('Enter');
  await dialog().getByRole('link', { name: 'What the audit has of it' }).waitFor();
  await close();
  expect(await depth(rabbitmq.amqpUrl, 'hutch')).toBe(0);
}, 60_000);

test('a broker’s page tells product, version and figures of both kinds, and what is not known', async () => {
  await page.goto(`${base}/c/garden/broker`);
  await page.getByRole('heading', { name: /^(Redis|Valkey) \d/ }).waitFor();
  await page.getByText('Connections', { exact: true }).waitFor();
  await page.getByText('Redis does not tell').waitFor();
  await page.goto(`${base}/c/rabbits/broker`);
  await page.getByRole('heading', { name: /^RabbitMQ \d/ }).waitFor();
  await page.getByRole('grid', { name: 'Nodes' }).getByText('Runs').filter({ visible: true }).waitFor();
});

test('every page of queues fits a phone and a desk, in the dark and in the light', async () => {
  const paths = ['queues', 'queues/garden/taken', 'queues/garden/elsewhere?tab=messages', 'queues/rabbits/hutch'];
  for (const path of [...paths, 'c/garden/broker', 'c/rabbits/broker']) {
    for (const [width, colorScheme] of [
      [390, 'dark'],
      [1440, 'light'],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      await page.goto(`${base}/${path}`);
      await page.getByRole('heading').first().waitFor();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect({ path, width, overflow }).toEqual({ path, width, overflow: Math.min(overflow, 0) });
    }
  }
  // at first control may be asked before it holds the clusters, which pages bear
  expect(browser.errors.filter((error) => !error.includes('503'))).toEqual([]);
}, 60_000);

test('with its broker silent a queue’s page opens at once, with the last figures and their age', async () => {
  process.kill(redis.pid, 'SIGSTOP');
  try {
    const begun = performance.now();
    await open('garden', 'taken');
    await page.getByText(/As it was when it was looked at|The broker said so/).waitFor();
    expect(performance.now() - begun).toBeLessThan(3_000);
    await page.getByText('The broker cannot be asked now').waitFor({ timeout: 60_000 });
  } finally {
    process.kill(redis.pid, 'SIGCONT');
  }
}, 90_000);
