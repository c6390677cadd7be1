import { startRedis, waitFor } from '@meadow/testkit';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openBrowser } from '../browser.ts';
import { ask } from './ask.ts';
import { factsOf } from './facts.ts';
import { startLoad } from './load.ts';
import { expectExactly } from './promises.ts';
import { startSystem } from './system.ts';

interface Overview {
  readonly counts: { readonly sent: number; readonly succeeded: number; readonly failed: number };
}

test('the gateway is killed under an open page: the page connects again by itself and shows what came meanwhile', async () => {
  await using redis = await startRedis();
  const clusters = [{ name: 'shop', broker: redis.url }];
  await using system = await startSystem({ clusters });
  await using browser = await openBrowser();
  const { page } = browser;
  const newest = page.locator('[data-row]').first();

  await using load = await startLoad(clusters, 200);
  await page.goto(`${system.gateway.url}/tasks`);
  await newest
    .getByText(/shop\.tasks/)
    .filter({ visible: true })
    .first()
    .waitFor();
  await page.evaluate(() => Object.assign(window, { notReloaded: true }));
  await system.gateway.kill9();
  await delay(1_000);
  const before = await newest.innerText();
  await system.gateway.restart();
  await waitFor(async () => (await newest.innerText()) !== before, {
    what: 'the page to show a newer task',
    deadlineMs: 30_000,
    everyMs: 200,
  });
  const sent = await load.end();

  await expectExactly(system, sent, ['shop']);
  const { events } = factsOf(sent.get('shop') ?? []);
  const { counts } = await ask<Overview>(system.gateway, 'overview.get', { range: '1h' });
  expect(counts).toMatchObject({
    sent: events['task-sent'],
    succeeded: events['task-succeeded'],
    failed: events['task-failed'],
  });
  expect(await page.evaluate(() => 'notReloaded' in window)).toBe(true);
}, 120_000);
