import {
  startCeleryWorker,
  startMeadow,
  startRedis,
  type CeleryWorker,
  type Meadow,
  type RedisServer,
} from '@meadow/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, type Browser } from './browser.ts';

let redis: RedisServer;
let meadow: Meadow;
let worker: CeleryWorker;
let browser: Browser;
let base: string;

beforeAll(async () => {
  redis = await startRedis();
  const clusters = [{ name: 'prod', broker: redis.url }];
  meadow = await startMeadow({ services: ['aggregator', 'collector', 'gateway'], clusters });
  worker = await startCeleryWorker({ brokerUrl: redis.url });
  browser = await openBrowser();
  base = meadow.services.gateway?.url ?? '';
}, 90_000);

afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await worker[Symbol.asyncDispose]();
  await meadow[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
}, 60_000);

test('every page says so while the store is away, for how long already, and stops when it is back', async () => {
  const { page } = browser;
  await page.goto(`${base}/workers`);
  await page.getByText('tester@').filter({ visible: true }).first().waitFor();
  const banner = page.locator('[data-ingest]');
  expect(await banner.count()).toBe(0);

  await meadow.clickhouse.stop();
  await banner.getByText('The store is away').waitFor();
  await banner.getByText(/ behind/).waitFor({ timeout: 40_000 });
  expect(await banner.innerText()).toContain('Events wait in NATS');
  await page.goto(`${base}/system`);
  await page.locator('[data-stage="store"][data-tone="bad"]').waitFor();

  await meadow.clickhouse.restart();
  await banner.waitFor({ state: 'detached', timeout: 40_000 });
  await page.locator('[data-stage="store"][data-tone="ok"]').waitFor();
}, 150_000);

test('the system page tells every service, hop and buffer, and what watching costs the broker', async () => {
  const { page } = browser;
  await page.goto(`${base}/system`);
  const services = page.getByRole('region', { name: 'Services' });
  for (const name of ['aggregator', 'collector', 'gateway'])
    await services.getByText(name, { exact: true }).first().waitFor();
  for (const hop of ['broker-collector', 'collector-nats', 'nats-aggregator', 'aggregator-store']) {
    await page.locator(`[data-hop="${hop}"]`, { hasText: /\d/ }).waitFor();
  }
  await page.getByRole('meter', { name: 'Events stream, NATS' }).waitFor();
  await page
    .getByText(/^[\d.]+ (B|KB)\/s$/)
    .filter({ visible: true })
    .first()
    .waitFor();
  // nothing ran: what was lost of nothing is not known
  await page.getByLabel('Loss by cluster').getByText('–', { exact: true }).filter({ visible: true }).first().waitFor();
});
